"""From tissues to intensities: what each MRI frame shows of them."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from braingan.data.mni152 import CENTRE
from braingan.data.phantom.anatomy import Tissues
from braingan.data.phantom.fields import Field, draw_field
from braingan.data.phantom.lesions import LesionShares
from braingan.data.phantom.template import PURE

TISSUES = ("csf", "grey", "white", "edema", "core", "rim", "vessel", "plexus")
MEANS = {
    "FLAIR": (230, 1280, 930, 2050, 1000, 1700, 500, 1100),
    "T1w": (430, 830, 975, 720, 560, 760, 720, 660),
    "T1gd": (850, 1800, 2200, 1700, 1250, 5200, 9500, 5000),
    "T2w": (1850, 640, 450, 1050, 1500, 850, 300, 850),
}
"""Usual intensity of each tissue in each frame, in the units of the scans that they were set beside."""
GRAIN = {"FLAIR": 0.035, "T1w": 0.012, "T1gd": 0.015, "T2w": 0.025}
"""Usual noise and texture of each frame, as shares of white matter's intensity."""
SINUS_MM = 3.5
"""Half-width of the sagittal sinus, which runs along the surface in the middle plane."""
SAGITTAL_FROM, TRANSVERSE_AT, TRANSVERSE_BEHIND = 60, 48, 75
"""Where sinuses run in the template's voxels: the sagittal one from this z up, the transverse one at this z and behind
this y."""


@dataclass(frozen=True)
class Looks:
    """How a subject's tissues look in one frame."""

    means: Float[Tensor, " tissues"]
    bias: Field
    """The coil's uneven sensitivity: 0.08 of its logarithm."""
    noise: float
    """Standard deviation of the noise in each of the two channels whose magnitude is the image."""
    texture: float


@dataclass(frozen=True)
class Vessels:
    """Fields whose zero surfaces meet in vessels, and that part choroid plexus from fluid."""

    pair: Field
    plexus: Field
    texture: Field


def draw_looks(rng: np.random.Generator, frame: str, device: str) -> Looks:
    """Draw one frame's looks."""
    usual = np.array(MEANS[frame]) * math.exp(0.12 * rng.standard_normal())
    means = usual * (1 + 0.06 * rng.standard_normal(len(TISSUES)))
    white = means[TISSUES.index("white")]
    return Looks(
        means=torch.from_numpy(means.astype(np.float32)).to(device),
        bias=draw_field(rng, 45.0, device=device),
        noise=float(white * GRAIN[frame] * rng.uniform(0.6, 1.4)),
        texture=float(white * GRAIN[frame] * rng.uniform(0.6, 1.4)),
    )


def draw_vessels(rng: np.random.Generator, device: str) -> Vessels:
    """Draw a subject's vessels."""
    return Vessels(draw_field(rng, 14.0, 2, device), draw_field(rng, 6.0, 1, device), draw_field(rng, 2.5, 1, device))


def components(vessels: Vessels, tissue: Tissues, lesion: LesionShares, rows: range) -> Float[Tensor, "tissues x y z"]:
    """Return the shares of `TISSUES` in each voxel; they sum to 1."""
    first, second = vessels.pair.on(rows)
    tube = torch.exp(-(first.square() + second.square()) / 0.15**2)  # about 2 mm wide
    tube = 0.8 * tube * (0.35 + torch.sigmoid((tissue.csf - 0.3) / 0.1)).clamp(max=1)  # fainter outside of fluid
    middle = torch.exp(-(((tissue.place[0] - CENTRE[0]) / SINUS_MM) ** 2))
    surface = torch.sigmoid((0.74 - tissue.edge) / 0.04)
    sagittal = middle * torch.sigmoid((tissue.place[2] - SAGITTAL_FROM) / 5)
    transverse = torch.exp(-(((tissue.place[2] - TRANSVERSE_AT) / 5) ** 2))
    transverse = transverse * torch.sigmoid((TRANSVERSE_BEHIND - tissue.place[1]) / 4)
    vessel = torch.maximum(tube, surface * torch.maximum(sagittal, transverse))
    deep = torch.sigmoid((tissue.csf - 0.6) / 0.05) * torch.sigmoid((tissue.edge - 0.99) / 0.002)
    plexus = deep * torch.sigmoid((vessels.plexus.on(rows)[0] - 1.1) / 0.15)
    healthy = 1 - lesion.edema - lesion.core - lesion.rim
    well = [healthy * share for share in (tissue.csf, tissue.grey, tissue.white)]
    solid = torch.stack([*well, lesion.edema, lesion.core, lesion.rim]) * (1 - plexus)
    return torch.cat([solid * (1 - vessel), vessel[None], (plexus * (1 - vessel))[None]])


def intensities(
    looks: Looks,
    shares: Float[Tensor, "tissues voxels"],
    residual: Float[Tensor, " voxels"],
    texture: Float[Tensor, " voxels"],
    bias: Float[Tensor, " voxels"],
    noise: Float[Tensor, "2 voxels"],
) -> Float[Tensor, " voxels"]:
    """Return one frame's intensities: the magnitude of a noisy complex signal, so with Rician noise.

    Gudbjartsson and Patz, The Rician distribution of noisy MRI data, 1995, equation 1.
    """
    contrast = float(looks.means[2] - looks.means[1]) / (PURE["white"] - PURE["grey"])
    mottled = looks.texture * texture * (1 + 4 * shares[3:6].sum(dim=0))  # lesions are less even than tissue
    signal = looks.means @ shares + 0.8 * contrast * residual + mottled
    signal = signal * torch.exp(0.08 * bias)
    real, imaginary = signal + looks.noise * noise[0], looks.noise * noise[1]
    return (real.square() + imaginary.square()).sqrt()
