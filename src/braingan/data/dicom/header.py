"""A DICOM file gives what its header says, quietly, or a named reason why not.

pydicom warns of every oddity and quotes it; here an oddity either matters, and becomes a reason in words of our
own, or it does not.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from braingan.data.volumes import UnreadableError
from braingan.errors import InputError

Dataset = Any  # pydicom's, which need not be installed

ENDINGS = (".dcm", ".dicom", ".ima")
FIRST_GROUPS = (b"\x02\0", b"\x08\0", b"\0\x02", b"\0\x08")
"""What a file without preamble begins with: group 2 or 8, in either byte order."""
DEFLATED = b"1.2.840.10008.1.2.1.99"
FEWEST = 3
"""Slices of a volume: fewer do not show whether they lie evenly, and are mostly localizers."""
AGREE = 1e-3
"""Direction cosines, and spacings in mm, this close are the same."""

GROUPS = {
    "ImagePositionPatient": "PlanePositionSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "PixelSpacing": "PixelMeasuresSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
}
"""Where an enhanced multi-frame file keeps what a plain one has at the top."""


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM by its preamble, or claims to be by its ending (.dcm, .dicom, .ima).

    Old files have no preamble, so an ending counts too; `list_series` says of what only claims to be DICOM that it
    is none. Reads 132 bytes. A file that can't be read is not DICOM, unless it ends so.
    """
    if path.name.lower().endswith(ENDINGS):
        return True
    try:
        with path.open("rb", buffering=0) as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def read_dataset(path: Path, tags: Sequence[str] | None = None, pixels: bool = False) -> Dataset:
    """Read a file's header: the tags that are named, or all; with or without the pixels.

    Raises:
        InputError: pydicom is not installed.
        UnreadableError: the file is damaged or not DICOM.
    """
    try:
        import pydicom
        from pydicom.config import disable_value_validation
    except ImportError as error:
        raise InputError("DICOM files need the package pydicom: pip install 'braingan[dicom]'.") from error
    try:
        with path.open("rb") as file, warnings.catch_warnings(), disable_value_validation():
            warnings.simplefilter("ignore")
            head = file.read(1024)
            if head[128:132] != b"DICM" and head[:2] not in FIRST_GROUPS:
                raise UnreadableError("ends as DICOM files do, but is none")
            if DEFLATED in head:  # pydicom would inflate all of it, however large that gets
                raise UnreadableError("is deflated as a whole (Deflated Explicit VR Little Endian): store it inflated")
            file.seek(0)
            wanted = None if tags is None else list(tags)
            dataset = pydicom.dcmread(file, stop_before_pixels=not pixels, specific_tags=wanted, force=True)
    except (InputError, UnreadableError):
        raise
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror or 'damaged'}") from error
    except Exception:  # pydicom raises a dozen kinds, whose words may quote the header
        raise UnreadableError("its header is damaged") from None
    if "TransferSyntaxUID" not in dataset.file_meta:  # as without preamble: pydicom found out how it is encoded
        implicit, little = dataset.original_encoding
        explicit = pydicom.uid.ExplicitVRLittleEndian if little else pydicom.uid.ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian if implicit else explicit
    return dataset


@dataclass(frozen=True)
class Plane:
    """Where the pixels of a slice lie, in DICOM's patient coordinates (LPS, in mm)."""

    shape: tuple[int, int]
    """Rows, columns."""
    spacing: tuple[float, float]
    """Distance in mm between rows, between columns."""
    orientation: Float[np.ndarray, "2 3"]
    """Unit vectors along a row (where columns count up) and along a column (where rows count up)."""
    position: Float[np.ndarray, "3"]
    """Centre of the first pixel."""

    @property
    def normal(self) -> Float[np.ndarray, "3"]:
        """Unit vector along which slices are counted."""
        return np.cross(*self.orientation)

    def parallel_to(self, other: "Plane") -> bool:
        """Whether both can be slices of one volume: the same grid of pixels in the same orientation."""
        return (
            self.shape == other.shape
            and bool(np.abs(self.orientation - other.orientation).max() < AGREE)
            and max(abs(a - b) for a, b in zip(self.spacing, other.spacing, strict=True)) < AGREE
        )


def frame_count(dataset: Dataset) -> int:
    """How many frames a file says that it has."""
    count = int(dataset.get("NumberOfFrames") or 1)
    if count < 1:
        raise UnreadableError("its header is damaged: it has no frames")
    return count


def look_up(dataset: Dataset, keyword: str, frame: int = 0) -> Any:
    """Return a frame's value: its own in an enhanced multi-frame file, else that of all frames, else the file's."""
    for sequence, number in (("PerFrameFunctionalGroupsSequence", frame), ("SharedFunctionalGroupsSequence", 0)):
        groups = dataset.get(sequence)
        items = groups[number].get(GROUPS[keyword]) if groups else None
        if items and keyword in items[0]:
            return items[0].get(keyword)
    return dataset.get(keyword)


def planes(dataset: Dataset) -> list[Plane]:
    """Return where each frame of a file lies.

    Raises:
        UnreadableError: the header does not say it, or says what can't be.
    """
    count = frame_count(dataset)
    groups = dataset.get("PerFrameFunctionalGroupsSequence")
    if count != (len(groups) if groups else 1):
        raise UnreadableError(f"has {count} frames, but its header does not say where each lies")
    return [_plane(dataset, frame) for frame in range(count)]


def _plane(dataset: Dataset, frame: int) -> Plane:
    values = {}
    for keyword, length in (("ImageOrientationPatient", 6), ("ImagePositionPatient", 3), ("PixelSpacing", 2)):
        value = look_up(dataset, keyword, frame)
        if value is None or value == "":
            raise UnreadableError(f"its header lacks {keyword}, so it is no slice of a volume")
        values[keyword] = np.asarray(value, np.float64)
        if values[keyword].shape != (length,) or not np.isfinite(values[keyword]).all():
            raise UnreadableError(f"its header is damaged: {keyword} should be {length} numbers")
    orientation, position, spacing = values.values()
    orientation = orientation.reshape(2, 3)
    if np.abs(orientation @ orientation.T - np.eye(2)).max() > 0.01:
        raise UnreadableError("its header is damaged: ImageOrientationPatient is not two perpendicular directions")
    orientation /= np.linalg.norm(orientation, axis=1, keepdims=True)
    if spacing.min() <= 0:
        raise UnreadableError("its header is damaged: PixelSpacing is not above 0")
    return Plane(
        (int(dataset.Rows), int(dataset.Columns)), (float(spacing[0]), float(spacing[1])), orientation, position
    )
