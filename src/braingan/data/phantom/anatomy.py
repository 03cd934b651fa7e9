"""A subject's anatomy: where each voxel lies in the template, and which tissue it holds.

Notation: p, a voxel's place in mm from the middle of the brain; q, its place in the template's voxels.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import grid_sample

from braingan.data.mni152 import CENTRE
from braingan.data.phantom.fields import BOX, Field, draw_field
from braingan.data.phantom.template import template

WARPS = ((48.0, 3.5), (20.0, 1.8), (9.0, 0.8))
"""Scales of the deformation and its standard deviation there, in mm."""
VENTRICLES, VENTRICLES_EXTENT = (0.0, -5.0, 5.0), (20.0, 35.0, 16.0)
"""Middle and extent of the ventricles, in mm from the template's middle."""
CORTEX_MM, GAP_MM = 2.9, 0.6
"""Depth of the cortex that lines added sulci, and half the width of the fluid between."""
CORTEX_DEPTH, GAP_DEPTH, SURFACE_FLUID = 0.90, 0.86, 0.54
"""Where added cortex and sulci end in the template's `depth`, and fluid around the brain in its `edge`."""
CEREBELLUM_TOP = 55.0
"""Below this z of the template no sulci are added: the cerebellum's folia are finer."""


@dataclass(frozen=True)
class Anatomy:
    """What makes one brain differ from another."""

    turn: Float[Tensor, "3 3"]
    """From mm to the template's mm: rotation and scale."""
    shift: Float[Tensor, "3"]
    """Of the brain in the box, mm: its slices lie at slightly different positions."""
    ventricles: float
    """How much wider the ventricles are: 0 as in the template, negative for narrower."""
    atrophy: float
    """How much fluid there is around the brain and in its sulci: 0 for a usual amount."""
    thickness: float
    """Logarithm of the cortex's weight against white matter."""
    warps: tuple[Field, ...]
    folds: Field
    """Its zero surfaces are sulci of the subject's own."""
    outline: Field
    rind: Field
    sulci: Field


@dataclass(frozen=True)
class Tissues:
    """A slab of a brain; the three shares sum to 1."""

    brain: Bool[Tensor, "x y z"]
    csf: Float[Tensor, "x y z"]
    grey: Float[Tensor, "x y z"]
    white: Float[Tensor, "x y z"]
    edge: Float[Tensor, "x y z"]
    residual: Float[Tensor, "x y z"]
    place: Float[Tensor, "3 x y z"]
    """q, in the template's voxels."""


def draw_anatomy(rng: np.random.Generator, device: str) -> Anatomy:
    """Draw a brain. The template is larger than most brains, hence the scale of 0.925."""
    scale = 0.925 * (1 + 0.03 * rng.standard_normal()) * (1 + 0.02 * rng.standard_normal(3))
    turn = _rotation(np.deg2rad(3) * rng.standard_normal(3)) / scale
    shift = np.array([1.5, 2.0, 3.0]) * rng.standard_normal(3)
    return Anatomy(
        turn=torch.from_numpy(turn.astype(np.float32)).to(device),
        shift=torch.from_numpy(shift.astype(np.float32)).to(device),
        ventricles=float(rng.uniform(-0.25, 0.45)),
        atrophy=float(rng.uniform(-0.15, 0.35)),
        thickness=float(rng.normal(-0.6, 0.12)),
        warps=tuple(draw_field(rng, spacing, 3, device) for spacing, _ in WARPS),
        folds=draw_field(rng, 9.0, device=device),
        outline=draw_field(rng, 5.0, device=device),
        rind=draw_field(rng, 10.0, device=device),
        sulci=draw_field(rng, 8.0, device=device),
    )


def places(anatomy: Anatomy, rows: range) -> Float[Tensor, "3 x y z"]:
    """Return p of the voxels of a slab."""
    axes = [torch.arange(count, device=anatomy.turn.device) - (count - 1) / 2 for count in BOX]
    axes[0] = axes[0][rows.start : rows.stop]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")) - anatomy.shift[:, None, None, None]


def tissues(anatomy: Anatomy, p: Float[Tensor, "3 x y z"], rows: range) -> Tissues:
    """Return the tissues at places p, the voxels of a slab."""
    q = torch.einsum("ij,jxyz->ixyz", anatomy.turn, p)
    from_ventricles = q - _column(VENTRICLES, q)
    near = torch.exp(-(from_ventricles / _column(VENTRICLES_EXTENT, q)).square().sum(dim=0) / 2)
    q = q - anatomy.ventricles * near * from_ventricles
    for (_, millimetres), warp in zip(WARPS, anatomy.warps, strict=True):
        q = q + millimetres * warp.on(rows)
    q = q + _column(CENTRE, q)

    maps = template(str(q.device))
    last = torch.tensor(maps.shape[2:], device=q.device) - 1
    grid = (q / last[:, None, None, None] * 2 - 1).flip(0).permute(1, 2, 3, 0).contiguous()
    sampled = grid_sample(maps, grid[None], align_corners=True, padding_mode="border")[0]
    csf, grey, white, edge, depth, residual = sampled

    # The average of many brains is blurred: a power of the shares makes boundaries as sharp as one brain's.
    loose = (1 + anatomy.atrophy + 0.35 * anatomy.sulci.on(rows)[0]).clamp(min=0)
    csf, grey, white = (share.clamp(min=1e-3) ** 2.2 for share in (csf * loose, grey, white))
    grey = grey * math.exp(anatomy.thickness)
    total = csf + grey + white
    csf, grey, white = csf / total, grey / total, white / total

    cerebrum = torch.sigmoid((q[2] - CEREBELLUM_TOP) / 3)
    sheet = anatomy.folds.on(rows)[0].abs() * 5.5  # mm from the nearest zero surface, about
    cortex = torch.sigmoid((CORTEX_MM - sheet) / 0.4) * torch.sigmoid((CORTEX_DEPTH - depth) / 0.02) * cerebrum
    grey, white = grey + white * cortex, white * (1 - cortex)
    gap = torch.sigmoid((GAP_MM + 0.5 * anatomy.atrophy - sheet) / 0.25) * torch.sigmoid((GAP_DEPTH - depth) / 0.03)
    gap = gap * cerebrum
    around = torch.sigmoid((SURFACE_FLUID + 0.12 * anatomy.rind.on(rows)[0] + 0.1 * anatomy.atrophy - edge) / 0.03)
    fluid = torch.maximum(gap, around)
    csf, grey, white = csf + (1 - csf) * fluid, grey * (1 - fluid), white * (1 - fluid)
    brain = edge + 0.06 * anatomy.outline.on(rows)[0] > 0.5
    return Tissues(brain, csf, grey, white, edge, residual, q)


def _column(values: tuple[float, float, float], like: Float[Tensor, "3 x y z"]) -> Float[Tensor, "3 1 1 1"]:
    return torch.tensor(values, device=like.device)[:, None, None, None]


def _rotation(radians: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    turn = np.eye(3)
    for first, second, angle in zip((1, 0, 0), (2, 2, 1), radians, strict=True):
        step = np.eye(3)
        step[[first, second], [first, second]] = np.cos(angle)
        step[first, second], step[second, first] = -np.sin(angle), np.sin(angle)
        turn = step @ turn
    return turn
