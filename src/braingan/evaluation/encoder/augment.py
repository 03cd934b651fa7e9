"""Training slices, each a little different every time: turned, shifted, zoomed, brighter, of other contrast, noisy.

So that features tell what is shown and not how exactly: a generated slice is never quite as sharp as a real one. What
is drawn depends on the seed and the step alone. Slices are not mirrored: a brain's sides differ.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, UInt8
from torch import Tensor

from braingan.randomness import draws

TURN = math.radians(8)
SHIFT = 0.08
"""Of a slice's half side; 4.5 pixels of 112."""
ZOOM = 0.08
GAIN, BEND, NOISE = 0.2, 0.15, 0.04
"""Most change of brightness and of the exponent of grey levels, both as logarithms; standard deviation of noise."""


def augmented(
    images: UInt8[np.ndarray, "n side side"], seed: int, step: int
) -> tuple[Float[Tensor, "n 1 side side"], Float32[np.ndarray, " n"]]:
    """Return a step's slices, changed at random, black 0 and white 1, and how many times as large each is shown."""
    rng, count = draws(seed, "encoder augmentation", step), len(images)
    angle = rng.uniform(-TURN, TURN, count)
    zoom = np.exp(rng.uniform(-ZOOM, ZOOM, count))
    cosine, sine = np.cos(angle) / zoom, np.sin(angle) / zoom
    across, down = rng.uniform(-SHIFT, SHIFT, (2, count))
    affine = np.stack([cosine, -sine, across, sine, cosine, down], axis=1).reshape(count, 2, 3).astype(np.float32)
    slices = torch.from_numpy(images)[:, None].float() / 255
    grid = F.affine_grid(torch.from_numpy(affine), list(slices.shape), align_corners=False)
    slices = F.grid_sample(slices, grid, align_corners=False)
    gain, bend = (np.exp(rng.uniform(-most, most, count)).astype(np.float32) for most in (GAIN, BEND))
    noise = (
        rng.standard_normal(slices.shape, np.float32)
        * rng.uniform(0, NOISE, count).astype(np.float32)[:, None, None, None]
    )
    slices = _each(gain) * slices ** _each(bend) + torch.from_numpy(noise)
    return slices.clamp(0, 1), zoom.astype(np.float32)


def _each(values: Float32[np.ndarray, " n"]) -> Float[Tensor, "n 1 1 1"]:
    return torch.from_numpy(values)[:, None, None, None]
