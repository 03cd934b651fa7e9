"""Folders of pictures, of any generator, as sets of slices.

Pictures are taken as they are: no grey scale is set, so that a fault of brightness stays one. Colours become luma, 16
bits become 8, and a picture of another size is resampled (antialiased bicubic, black beside what is no square).
"""

from pathlib import Path

import numpy as np
from jaxtyping import Shaped, UInt8

from braingan.data.pictures import read_picture
from braingan.data.settings import DataSettings
from braingan.data.slices import Square, resample
from braingan.data.sources import list_scans
from braingan.data.volumes import UnreadableError
from braingan.errors import InputError
from braingan.evaluation.sets import SliceSet
from braingan.progress import progress


def read_folder(folder: Path, side: int | None = None) -> tuple[SliceSet, str]:
    """Read a folder's pictures as a set of slices, and say in a sentence what was done to them, if anything.

    Args:
        folder: pictures or 2-D arrays, subfolders included.
        side: width and height in pixels; None for the longer edge of the first picture.

    Raises:
        InputError: no pictures, or one can't be read.
    """
    collection = list_scans(folder, DataSettings().pattern)
    if collection.kind not in ("pictures", "arrays"):
        raise InputError(f"{folder} holds {collection.kind}, not pictures: make slices of it by `braingan prepare`.")
    images, subjects, resized = [], [], set()
    with progress(f"reading {folder.name}", len(collection.scans), "pictures") as advance:
        for scan in collection.scans:
            try:
                picture = _eight_bits(read_picture(scan.path))
            except UnreadableError as error:
                raise InputError(f"{scan.path}: {error}: mend it or take it away.") from error
            side = side or max(picture.shape)
            if picture.shape != (side, side):
                resized.add(f"{picture.shape[1]}×{picture.shape[0]}")
                picture = _resized(picture, side)
            images.append(picture)
            subjects.append(scan.subject)
            advance(1)
    note = (
        f"Pictures of {folder.name} were resampled to {side}×{side}: {', '.join(sorted(resized))}." if resized else ""
    )
    return SliceSet(np.stack(images), np.array(subjects)), note


def _eight_bits(picture: Shaped[np.ndarray, "rows columns"]) -> UInt8[np.ndarray, "rows columns"]:
    """Bring a picture to 8 bits by its format's range, not by its own brightest pixel; floats have 0 to 1."""
    if picture.dtype == np.uint8:
        return picture
    most = 255 if picture.dtype.kind in "iu" and picture.max() <= 255 else 65535
    most = 1 if picture.dtype.kind == "f" and picture.max() <= 1 else most
    return np.clip(np.rint(picture.astype(np.float64) * (255 / most)), 0, 255).astype(np.uint8)


def _resized(picture: UInt8[np.ndarray, "rows columns"], side: int) -> UInt8[np.ndarray, "{side} {side}"]:
    whole = Square(edge=float(max(picture.shape)))
    found = resample(picture[None].astype(np.float32), (1.0, 1.0), whole, side)[0]
    return np.asarray(np.clip(np.rint(found), 0, 255), np.uint8)
