"""One phantom subject: its four frames and its label map."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int16, UInt8

from braingan.data.phantom.anatomy import draw_anatomy, places, tissues
from braingan.data.phantom.fields import BOX
from braingan.data.phantom.frames import MEANS, components, draw_looks, draw_vessels, intensities
from braingan.data.phantom.lesions import draw_lesions, label_of, lesion_shares, pushed
from braingan.randomness import draws

SHAPE = (240, 240, 155)
FRAMES = tuple(MEANS)
SLAB = 16
"""Rows worked on at a time, so that intermediate arrays stay in a CPU's cache."""


@dataclass(frozen=True)
class Phantom:
    """A subject in RAS orientation, 1 mm."""

    voxels: Int16[np.ndarray, "240 240 155 4"]
    """Intensities of `FRAMES`; 0 outside the brain and only there."""
    labels: UInt8[np.ndarray, "240 240 155"]
    """0 healthy or outside, 1 edema, 2 non-enhancing, 3 enhancing."""


def make_phantom(seed: int, number: int, lesions: float, device: str = "cpu") -> Phantom:
    """Make a subject. The same arguments give the same voxels, on the same kind of device.

    Args:
        seed: of the collection.
        number: of the subject in it.
        lesions: probability that it has some.
        device: `cpu` or `cuda`.
    """
    rng = draws(seed, "phantom", number)
    ill = rng.random() < lesions
    anatomy = draw_anatomy(rng, device)
    vessels = draw_vessels(rng, device)
    looks = [draw_looks(rng, frame, device) for frame in FRAMES]
    noise = torch.Generator(device).manual_seed(int(rng.integers(2**62)))
    found = draw_lesions(rng, anatomy) if ill else ()

    voxels = np.zeros((*SHAPE, len(FRAMES)), np.int16, order="F")
    labels = np.zeros(SHAPE, np.uint8, order="F")
    corner = [(size - box) // 2 for size, box in zip(SHAPE, BOX, strict=True)]
    for start in range(0, BOX[0], SLAB):
        rows = range(start, start + SLAB)
        p = places(anatomy, rows)
        tissue = tissues(anatomy, pushed(found, p), rows)
        if not tissue.brain.any():
            continue
        lesion = lesion_shares(found, p, tissue, rows)
        shares = components(vessels, tissue, lesion, rows)[:, tissue.brain]
        residual = tissue.residual[tissue.brain] * shares[:3].sum(dim=0)
        texture = vessels.texture.on(rows)[0][tissue.brain]
        frames = torch.zeros((len(FRAMES), *tissue.brain.shape), dtype=torch.int16, device=device)
        for frame, look in zip(frames, looks, strict=True):
            grain = torch.randn((2, shares.shape[1]), generator=noise, device=device)
            bias = look.bias.on(rows)[0][tissue.brain]
            values = intensities(look, shares, residual, texture, bias, grain)
            frame[tissue.brain] = values.round().clamp(1, 32767).to(torch.int16)
        label = torch.zeros(tissue.brain.shape, dtype=torch.uint8, device=device)
        label[tissue.brain] = label_of(*(share[tissue.brain] for share in (lesion.edema, lesion.core, lesion.rim)))
        x = slice(corner[0] + rows.start, corner[0] + rows.stop)
        y = slice(corner[1], corner[1] + BOX[1])
        voxels[x, y] = frames.permute(1, 2, 3, 0).cpu().numpy()
        labels[x, y] = label.cpu().numpy()
    return Phantom(voxels, labels)
