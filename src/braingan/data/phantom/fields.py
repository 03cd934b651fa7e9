"""Smooth random fields over the voxels of a phantom: cubic B-splines on a lattice of random coefficients.

The free-form deformations of Rueckert et al., Nonrigid registration using free-form deformations, 1999 (section
II-B), here for displacements, outlines and textures alike. All lengths are in mm, which are voxels here.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

BOX = (160, 192, 155)
"""Voxels along x, y, z (left to right, posterior to anterior, inferior to superior) in which a brain lies."""


@dataclass(frozen=True)
class Field:
    """Mean 0 and on average variance 1; voxels closer than `spacing` are alike."""

    coefficients: Float[Tensor, "channels i j k"]
    spacing: float

    def on(self, rows: range) -> Float[Tensor, "channels x y z"]:
        """Evaluate the field on a slab of the box, the voxels whose x is in `rows`."""
        x, y, z = (basis(count, self.spacing).to(self.coefficients.device) for count in BOX)
        partly = torch.einsum("xi,cijk->cxjk", x[rows.start : rows.stop], self.coefficients)
        return torch.einsum("yj,cxjk->cxyk", y, partly) @ z.T


def draw_field(rng: np.random.Generator, spacing: float, channels: int = 1, device: str = "cpu") -> Field:
    """Draw a field whose lattice has a coefficient every `spacing` mm."""
    lattice = [basis(count, spacing).shape[1] for count in BOX]
    drawn = rng.standard_normal((channels, *lattice), dtype=np.float32)
    return Field(torch.from_numpy(drawn).to(device), spacing)


@cache
def basis(count: int, spacing: float) -> Float[Tensor, "{count} coefficients"]:
    """Return the weight of each coefficient at each of `count` voxels, scaled to variance 1 on average."""
    coefficients = math.ceil(count / spacing) + 3
    x = (torch.arange(count)[:, None] / spacing - torch.arange(coefficients) + 1).abs()
    near, far = 2 / 3 - x**2 + x**3 / 2, (2 - x).clamp(min=0) ** 3 / 6
    weights = torch.where(x < 1, near, far)
    return weights / weights.square().sum(dim=1).mean().sqrt()
