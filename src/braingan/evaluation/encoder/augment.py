"""Training slices, each a little different every time: mirrored, turned, zoomed, brighter, of other contrast, noisy.

So that features tell what is shown and not how exactly: a generated slice is never quite as sharp as a real one. What
is drawn depends on the seed and the step alone, but for the noise, which is another on a GPU.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from braingan.randomness import draws

TURN = math.radians(6)
SHIFT = 0.05
"""Of a slice's half side; 2.8 pixels of 112."""
ZOOM = 0.06
"""As a logarithm."""
GAIN, BEND, NOISE = 0.2, 0.2, 0.02
"""Most change of brightness and of the exponent of grey levels, both as logarithms; standard deviation of noise."""


def augmented(
    slices: Float[Tensor, "n 1 side side"], lesions: Float[Tensor, "n 1 side side"] | None, seed: int, step: int
) -> tuple[Float[Tensor, "n 1 side side"], Float[Tensor, "n 1 side side"] | None]:
    """Return a step's slices, black 0 and white 1, changed at random, and their lesions, 0 to 1, moved alike."""
    rng, count, device = draws(seed, "encoder augmentation", step), len(slices), slices.device
    angle = rng.uniform(-TURN, TURN, count)
    zoom = np.exp(rng.uniform(-ZOOM, ZOOM, count))
    cosine, sine, mirror = np.cos(angle) / zoom, np.sin(angle) / zoom, rng.choice([-1, 1], count)
    across, down = rng.uniform(-SHIFT, SHIFT, (2, count))
    affine = np.stack([mirror * cosine, -mirror * sine, across, sine, cosine, down], axis=1).reshape(count, 2, 3)
    grid = F.affine_grid(torch.from_numpy(affine).float().to(device), list(slices.shape), align_corners=False)
    slices = F.grid_sample(slices, grid, align_corners=False)
    if lesions is not None:
        lesions = F.grid_sample(lesions, grid, align_corners=False)
    gain, bend = (np.exp(rng.uniform(-most, most, count)) for most in (GAIN, BEND))
    generator = torch.Generator(device).manual_seed(int(rng.integers(2**63)))
    noise = torch.randn(slices.shape, generator=generator, device=device)
    spread = rng.uniform(0, NOISE, count)
    slices = _each(gain, device) * slices ** _each(bend, device) + _each(spread, device) * noise
    return slices.clamp(0, 1), lesions


def _each(values: Float[np.ndarray, " n"], device: torch.device) -> Float[Tensor, "n 1 1 1"]:
    return torch.from_numpy(values).float().to(device)[:, None, None, None]
