"""Lesions as a glioma shows them: a necrotic core, an enhancing rim, and edema that spreads along white matter."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from braingan.data.phantom.anatomy import Anatomy, Tissues, places, tissues
from braingan.data.phantom.fields import BOX, Field, draw_field

EDEMA, CORE, RIM = 1, 2, 3
"""Label numbers, as the Decathlon's brain tumour task has them (2: non-enhancing, 3: enhancing)."""
LOWEST, HIGHEST = 50, 130
"""Between these z of the template lesions arise: in the cerebrum."""


@dataclass(frozen=True)
class Lesion:
    """One lesion; lengths in mm."""

    centre: Float[Tensor, "3"]
    radius: float
    """Of core and rim together."""
    rim: float
    """Thickness of the rim."""
    reach: float
    """How far edema goes beyond in white matter; a quarter of that in grey."""
    axes: Float[Tensor, "3"]
    """How much longer than a sphere's, along x, y and z."""
    coarse: Field
    fine: Field
    thickness: Field


@dataclass(frozen=True)
class LesionShares:
    """Shares of each voxel; what remains of 1 is as it would be without lesions."""

    edema: Float[Tensor, "x y z"]
    core: Float[Tensor, "x y z"]
    rim: Float[Tensor, "x y z"]


def draw_lesions(rng: np.random.Generator, anatomy: Anatomy) -> tuple[Lesion, ...]:
    """Draw one lesion, or in a quarter of the subjects two, each centred in white matter away from the surface."""
    return tuple(_draw(rng, anatomy) for _ in range(2 if rng.random() < 0.25 else 1))


def _draw(rng: np.random.Generator, anatomy: Anatomy) -> Lesion:
    device = str(anatomy.turn.device)
    radius = float(rng.uniform(7, 17))
    return Lesion(
        centre=_centre(rng, anatomy),
        radius=radius,
        rim=radius * float(rng.uniform(0.2, 0.3)),
        reach=float(rng.uniform(6, 19)),
        axes=torch.from_numpy(rng.uniform(0.8, 1.25, 3).astype(np.float32)).to(device),
        coarse=draw_field(rng, 12.0, device=device),
        fine=draw_field(rng, 5.0, device=device),
        thickness=draw_field(rng, 8.0, device=device),
    )


def _centre(rng: np.random.Generator, anatomy: Anatomy) -> Float[Tensor, "3"]:
    """Draw a place in a sagittal plane, and return the plane's nearest white matter well inside the cerebrum."""
    while True:
        x, y, z = (int(rng.integers(count)) for count in BOX)
        rows = range(x, x + 1)
        p = places(anatomy, rows)
        tissue = tissues(anatomy, p, rows)
        height = tissue.place[2]
        inside = (tissue.white > 0.6) & (tissue.edge > 0.97) & (height > LOWEST) & (height < HIGHEST)
        candidates = p[:, inside]
        if candidates.shape[1]:
            distance = (candidates - p[:, 0, y, z][:, None]).square().sum(dim=0)
            return candidates[:, distance.argmin()]


def pushed(lesions: tuple[Lesion, ...], p: Float[Tensor, "3 x y z"]) -> Float[Tensor, "3 x y z"]:
    """Return where the tissue at places p was before the lesions pushed it outwards (mass effect)."""
    for lesion in lesions:
        away = p - lesion.centre[:, None, None, None]
        p = p - 0.35 * away * torch.exp(-away.square().sum(dim=0) / (2 * (0.9 * lesion.radius) ** 2))
    return p


def lesion_shares(
    lesions: tuple[Lesion, ...], p: Float[Tensor, "3 x y z"], tissue: Tissues, rows: range
) -> LesionShares:
    """Return the lesions' shares of a slab's voxels, none outside the brain; edema leaves fluid as it is."""
    edema, core, rim = (torch.zeros_like(tissue.edge) for _ in range(3))
    inside = tissue.brain * torch.sigmoid((tissue.edge - 0.6) / 0.02)
    for lesion in lesions:
        away = (p - lesion.centre[:, None, None, None]) / lesion.axes[:, None, None, None]
        if float(away[0].abs().min()) > 2 * (lesion.radius + lesion.reach):
            continue
        rough = 1 + 0.16 * lesion.coarse.on(rows)[0] + 0.08 * lesion.fine.on(rows)[0]
        distance = away.square().sum(dim=0).sqrt() * rough.clamp(min=0.5)
        width = lesion.rim * (1 + 0.4 * lesion.thickness.on(rows)[0]).clamp(0.6, 1.6)
        solid = torch.sigmoid((lesion.radius - distance) / 0.5) * inside
        middle = torch.sigmoid((lesion.radius - width - distance) / 0.6) * solid
        reach = lesion.radius + lesion.reach * (0.25 + 0.75 * tissue.white)
        around = torch.sigmoid((reach - distance) / 0.9) * inside * (1 - tissue.csf)
        core, rim = torch.maximum(core, middle), torch.maximum(rim, solid - middle)
        edema = torch.maximum(edema, around)
    total = (core + rim).clamp(min=1)
    core, rim = core / total, rim / total
    return LesionShares(edema * (1 - core - rim), core, rim)


def label_of(
    edema: Float[Tensor, " voxels"], core: Float[Tensor, " voxels"], rim: Float[Tensor, " voxels"]
) -> UInt8[Tensor, " voxels"]:
    """Return each voxel's label: 0 where less than half of it is ill, else the part with the largest share."""
    part = torch.where((rim >= core) & (rim >= edema), RIM, torch.where(core >= edema, CORE, EDEMA))
    return torch.where(edema + core + rim > 0.5, part, 0).to(torch.uint8)
