"""A part: the slices of one volume, or the pictures of one subject, as they will stand in the store.

Its file holds three arrays: a table as JSON (what is known of each slice, its SHA-256, what was left out and noticed),
the slices, and their label maps. So putting a store together need not look into any slice.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from jaxtyping import Shaped, UInt8

from braingan.data.volumes import UnreadableError
from braingan.errors import InputError
from braingan.folders import StoreFolder, replacing


@dataclass
class Part:
    """The slices of one volume, and what was left out of it."""

    images: list[UInt8[np.ndarray, "side side"]] = field(default_factory=list)
    masks: list[UInt8[np.ndarray, "side side"]] = field(default_factory=list)
    """As many as images, or none where the volume has no label map."""
    files: list[str] = field(default_factory=list)
    """Which file, and of a 4-D one which frame, each image is from."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    discarded: list[tuple[str, str, str]] = field(default_factory=list)
    noticed: set[str] = field(default_factory=set)
    """What the store should say of such volumes: keys of `assemble.NOTICES`."""
    transform: list[float] | None = None
    """Rows of the 3×4 matrix that aligned the volume: mm in the aligned one to mm from the middle of the scan."""

    def add(
        self,
        images: UInt8[np.ndarray, "n side side"],
        masks: UInt8[np.ndarray, "n side side"] | None,
        rows: list[dict[str, Any]],
        foreground: float,
        name: str,
        min_brain: float,
    ) -> None:
        """Add slices of one frame, but those that are constant or show too little tissue.

        Args:
            images: the slices.
            masks: their label maps.
            rows: what is known of each.
            foreground: grey level above which a pixel counts as tissue.
            name: what to call the frame in reasons.
            min_brain: least share of tissue.
        """
        flat = images.reshape(len(images), -1)
        tissues = np.count_nonzero(flat > int(foreground), axis=1) / flat.shape[1]
        constant = flat.min(axis=1) == flat.max(axis=1)
        for i, row in enumerate(rows):
            position = str(row["position"]) if row["position"] >= 0 else ""
            if constant[i]:
                self.discarded.append((name, position, "all its pixels have the same value"))
            elif tissues[i] < min_brain:
                self.discarded.append((name, position, f"tissue on {tissues[i]:.1%} of it, less than data.min_brain"))
            else:
                self.images.append(images[i])
                if masks is not None:
                    self.masks.append(masks[i])
                self.files.append(name)
                self.rows.append(row | {"brain_fraction": float(tissues[i])})


def part_path(folder: StoreFolder, volume: str) -> Path:
    """Name the part of a volume."""
    digest = hashlib.sha256(volume.encode()).hexdigest()[:16]  # apart from others, also where case does not count
    return folder.parts / f"{quote(volume, safe=' ')[:150]}-{digest}.part"


@contextmanager
def leaving_out(part: Part, name: str) -> Iterator[None]:
    """Turn what is raised while a file is prepared into a reason, so that it stops nothing else."""
    try:
        yield
    except UnreadableError as reason:
        part.discarded.append((name, "", str(reason)))
    except Exception as error:  # whatever a library makes of a bad file
        part.discarded.append((name, "", f"could not be prepared: it caused an unexpected {type(error).__name__}"))


def write_part(part: Part, target: Path) -> None:
    """Write a part as a file."""
    images, masks = _stacked(part.images), _stacked(part.masks)
    table = {
        "columns": {name: [row[name] for row in part.rows] for name in part.rows[0]} if part.rows else {},
        "files": part.files,
        "digests": [hashlib.sha256(image.data).hexdigest() for image in images],
        "mask_digests": [hashlib.sha256(mask.data).hexdigest() for mask in masks],
        "discarded": part.discarded,
        "noticed": sorted(part.noticed),
        "transform": part.transform,
    }
    arrays = np.frombuffer(json.dumps(table).encode(), np.uint8), images, masks
    with replacing(target, lasting=False) as path, path.open("wb") as file:
        for array in arrays:
            np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
            file.write(array.data)  # NumPy's own way of writing does not say that a disk is full


def _stacked(slices: list[UInt8[np.ndarray, "side side"]]) -> UInt8[np.ndarray, "n side side"]:
    return np.stack(slices) if slices else np.zeros((0, 0, 0), np.uint8)


def read_table(path: Path) -> dict[str, Any]:
    """Read a part's table.

    Raises:
        InputError: the part is damaged; it is gone then, so that the same command makes it anew.
    """
    return dict(_read(path, 0)[0])


def read_slices(path: Path, which: str) -> UInt8[np.ndarray, "n side side"]:
    """Read a part's `images` or `masks`, compared with their SHA-256.

    Raises:
        InputError: the part is damaged; it is gone then, so that the same command makes it anew.
    """
    return np.asarray(_read(path, 1 if which == "images" else 2)[-1])


def _read(path: Path, count: int) -> list[Any]:
    """Read a part's table and the first of its arrays: images, masks."""
    try:
        with path.open("rb") as file:
            table = json.loads(np.lib.format.read_array(file, allow_pickle=False).tobytes())
            arrays = [np.lib.format.read_array(file, allow_pickle=False) for _ in range(count)]
        for slices, which in zip(arrays, ("digests", "mask_digests"), strict=False):
            if [hashlib.sha256(image.data).hexdigest() for image in slices] != table[which]:
                raise ValueError
        return [table, *arrays]
    except (ValueError, EOFError) as error:
        path.unlink()
        raise InputError(f"{path} was damaged, perhaps as the power failed: run the same command again.") from error


def write_npz(path: Path, arrays: dict[str, Shaped[np.ndarray, "..."]]) -> None:
    """Write arrays as an uncompressed `.npz` whose bytes depend on nothing but the arrays."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getbuffer())
