"""The anatomy that all phantoms come from: the MNI152 maps of grey matter, white matter and T1 (1 mm, RAS).

Fonov et al., Unbiased average age-appropriate atlases for pediatric studies, NeuroImage 2011. The package nilearn
ships them; only its files are read, it is never imported.
"""

import math
from functools import cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from braingan.data.mni152 import map_files
from braingan.data.volumes import UnreadableError, read_volume
from braingan.errors import InputError

PURE = {"csf": 0.28, "grey": 0.647, "white": 0.875}
"""T1 of unmixed tissue in the template, of its highest value."""
RIM_MM, SHELL_MM = 3.0, 9.0
"""Standard deviations of the blurs that make `edge` and `depth` of the brain's outline."""


@cache
def template(device: str) -> Float[Tensor, "1 channels x y z"]:
    """Return the template's channels.

    `csf`, `grey`, `white`: shares of a voxel, which sum to 1 in the brain; `edge`: 0.5 at the brain's surface, 0.99
    from 7 mm inside; `depth`: the same, 0.99 from 20 mm inside; `residual`: T1 less what the shares explain, so deep
    nuclei and fine texture.

    Raises:
        InputError: nilearn is not installed, or its files are not there or damaged.
    """
    t1, grey, white = (_read(path) for path in map_files("demo"))
    brain = (t1 > 0).float()
    # The maps know next to no fluid in sulci; the T1 average is dark there.
    csf = torch.maximum((brain - grey - white).clamp(0, 1), ((0.54 - t1) / 0.2).clamp(0, 1) * brain)
    solid = (1 - csf) * brain / (grey + white).clamp(min=1e-3)
    grey, white = grey * solid, white * solid
    residual = (t1 - PURE["csf"] * csf - PURE["grey"] * grey - PURE["white"] * white) * brain
    channels = torch.stack([csf, grey, white, _blur(brain, RIM_MM), _blur(brain, SHELL_MM), residual])[None]
    return channels.to(device, memory_format=torch.channels_last_3d)


def _read(path: Path) -> Float[Tensor, "x y z"]:
    try:
        voxels = read_volume(path).voxels[..., 0]
    except UnreadableError as reason:
        raise InputError(f"{path}: {reason}; install nilearn again (braingan[demo]).") from reason
    return torch.from_numpy(voxels.astype(np.float32) / 255)


def _blur(volume: Float[Tensor, "x y z"], deviation: float) -> Float[Tensor, "x y z"]:
    """Blur by a Gaussian, one matrix product an axis."""
    for axis in range(3):
        at = torch.arange(volume.shape[axis])
        kernel = torch.exp(-(((at[:, None] - at) / deviation) ** 2) / 2)
        kernel = kernel / (deviation * math.sqrt(2 * math.pi))
        volume = torch.tensordot(kernel, volume, dims=([1], [axis])).movedim(0, axis)
    return volume.contiguous()
