"""Stores for the encoder, whose slices show plainly what their columns say."""

from pathlib import Path

import numpy as np

from braingan.data.assemble import assemble
from braingan.data.identity import split_of
from braingan.data.parts import Part, part_path, write_part
from braingan.data.settings import DataSettings
from braingan.data.store import FORMAT, Store
from braingan.folders import StoreFolder

SIDE = 32


def slice_of(rng, frame, depth, area, label):
    """A head, darker in the frame "dark" and shorter further up, a lesion of so many pixels, "b" has a hole."""
    row, column = np.mgrid[:SIDE, :SIDE]
    head = (row - 15.5) ** 2 + (column - 15.5) ** 2 < 14**2
    image = np.where(head & (row > 2 + 14 * depth), 60 if frame == "dark" else 130, 0) + 0.0
    if label == "b":
        image[12:18, 12:20] = 0
    edge = round(np.sqrt(area))
    image[26 - edge : 26, 12 : 12 + edge] = 250
    return np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


def taught_store(
    folder: Path, subjects=20, each=12, frames=("dark", "light"), labels=("a", "b"), known=True, seed=0, unmapped=5
):
    """A store of 1 mm pixels; a third of the slices have no lesion; of every `unmapped`th subject lesions are unknown.

    Not `known`, nobody says anything of any slice.
    """
    rng, settings, paths = np.random.default_rng(seed), DataSettings(size=SIDE, split_seed=1), []
    out = StoreFolder(folder)
    for number in range(subjects):
        name, part = f"s{number:02d}", Part()
        for position in range(each):
            frame, label = frames[position % len(frames)], labels[number % len(labels)]
            depth = (2 * position + rng.uniform(0, 1)) / (2 * each)
            area = 0.0 if rng.random() < 1 / 3 else float(rng.integers(2, 9) ** 2)
            part.images.append(slice_of(rng, frame, depth, area, label))
            part.masks.append(np.uint8(part.images[-1] > 220))
            part.files.append(f"{name} {position}")
            part.rows.append({
                "subject": name, "volume": name, "frame": frame, "position": position, "pixel_mm": 1.0, "label": label,
                "split": split_of(name, settings), "brain_fraction": 0.5, "depth": depth if known else np.nan,
                "lesion_area_mm2": area if known and (not unmapped or number % unmapped) else np.nan,
            })  # fmt: skip
        paths.append(part_path(out, name))
        write_part(part, paths[-1])
    identity = {"format": FORMAT, "settings": settings.model_dump(mode="json"), "source": {}, "listing": str(seed)}
    assemble(out, paths, identity, [], [], settings)
    return Store.open(folder)
