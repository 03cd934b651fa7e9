"""The files of a series become a volume in RAS orientation.

A pixel in row `i` and column `j` of a slice lies at `position + i · down · spacing + j · across · spacing` in LPS
(PS3.3, equation C.7.6.2.1-1); slices are stacked along the cross product of both directions, as far apart as their
positions are, whatever their thickness. RAS is LPS with the first two axes mirrored.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Shaped

from braingan.data.dicom.header import FEWEST, GROUPS, Dataset, Plane, frame_count, look_up, planes, read_dataset
from braingan.data.volumes import UnreadableError, Volume, turned

UNEVEN = 0.05
"""Distances between slices may differ from their median by this share of it."""
LARGEST_RESCALE = 1e12
TAGS = (
    *GROUPS, "BitsAllocated", "BitsStored", "Columns", "ModalityLUTSequence", "NumberOfFrames",
    "PerFrameFunctionalGroupsSequence", "PhotometricInterpretation", "PixelRepresentation", "Rows",
    "SamplesPerPixel", "SharedFunctionalGroupsSequence",
)  # fmt: skip
DECODERS = "pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg"


@dataclass(frozen=True)
class _Slice:
    path: Path
    frame: int
    plane: Plane
    slope: float
    intercept: float


def read_series(paths: Sequence[Path], max_bytes: int) -> Volume:
    """Read the files of one volume; their order does not matter.

    Intensities are the header's units (`RescaleSlope`, `RescaleIntercept`), integers where that changes nothing.
    Inverted ones (MONOCHROME1) are turned back within the range of the stored numbers; padding gets the volume's
    lowest value. Oblique volumes are turned to the nearest axes, as NIfTI ones are.

    Args:
        paths: the volume's files, of one slice each, or one multi-frame file.
        max_bytes: refuse voxels that would take more memory than this, before any is taken; decoding a multi-frame
            file takes as much again.

    Raises:
        InputError: pydicom is not installed.
        UnreadableError: they make up no volume, or can't be read, with the reason.
    """
    headers = {path: read_dataset(path, TAGS) for path in sorted(paths)}
    try:
        slices = [one for path, header in headers.items() for one in _slices(path, header)]
        kind = _stored_kind(list(headers.values()))
    except UnreadableError:
        raise
    except Exception:  # values are converted when they are asked for; pydicom's words may quote them
        raise UnreadableError("its header is damaged") from None
    slices, affine, spacing = _stack(slices)
    if any(one.slope != 1 or one.intercept != 0 for one in slices):
        kind = np.dtype(np.float32)
    rows, columns = slices[0].plane.shape
    needed = max(rows * columns * len(slices) * (kind.itemsize + 1), *(path.stat().st_size for path in headers))
    if needed > max_bytes:
        raise UnreadableError(
            f"would take {needed / 2**30:,.1f} GiB of memory, more than data.max_gib = {max_bytes / 2**30:g}"
        )
    voxels = np.empty((columns, rows, len(slices)), kind, order="F")
    padding = np.zeros(voxels.shape, np.bool_, order="F")
    places = {(one.path, one.frame): place for place, one in enumerate(slices)}
    for path in headers:
        for frame, (stored, padded) in enumerate(zip(*_pixels(path, rows, columns), strict=True)):
            place = places[path, frame]
            one = slices[place]
            values = stored if kind.kind != "f" else stored * one.slope + one.intercept
            voxels[..., place], padding[..., place] = values.T, padded.T
    if padding.any() and not padding.all():
        voxels[padding] = voxels[~padding].min()
    return turned(voxels[..., None], affine, np.asarray(spacing))


def _slices(path: Path, header: Dataset) -> list[_Slice]:
    if not header.get("Rows") or not header.get("Columns"):
        raise UnreadableError("holds no image, or is cut off before it")
    if (header.get("SamplesPerPixel") or 1) != 1:
        raise UnreadableError("a colour image, whose intensities are no measurement")
    if header.get("PhotometricInterpretation") not in ("MONOCHROME1", "MONOCHROME2"):
        raise UnreadableError("its pixels are no grey levels")
    if header.get("ModalityLUTSequence"):
        raise UnreadableError("its intensities are given by a table (Modality LUT), which is not supported")
    found = []
    for frame, plane in enumerate(planes(header)):
        slope, intercept = look_up(header, "RescaleSlope", frame), look_up(header, "RescaleIntercept", frame)
        slope, intercept = (float(slope) if slope else 1.0), (float(intercept) if intercept else 0.0)
        if not max(abs(slope), abs(intercept)) < LARGEST_RESCALE:
            raise UnreadableError("its header is damaged: RescaleSlope or RescaleIntercept is no plausible number")
        found.append(_Slice(path, frame, plane, slope, intercept))
    return found


def _stored_kind(headers: list[Dataset]) -> np.dtype[np.generic]:
    """The integers that hold what all files store."""
    kinds = set()
    for header in headers:
        bits = header.get("BitsAllocated")
        if bits not in (8, 16, 32):
            raise UnreadableError("its header is damaged: BitsAllocated should be 8, 16 or 32")
        kinds.add(np.dtype(f"{'i' if header.get('PixelRepresentation') else 'u'}{bits // 8}"))
    return np.result_type(*kinds)


def _stack(slices: list[_Slice]) -> tuple[list[_Slice], Float[np.ndarray, "4 4"], tuple[float, float, float]]:
    """Sort slices along their normal; with the directions of (column, row, slice) in RAS, and the spacing in mm.

    Raises:
        UnreadableError: they are too few, uneven, shifted against each other, or not of one kind.
    """
    if len(slices) < FEWEST:
        raise UnreadableError(f"one volume needs {FEWEST} slices, here it has {len(slices)}")
    first = slices[0].plane
    if len({one.plane.shape for one in slices}) > 1:
        raise UnreadableError("its slices differ in rows and columns")
    if not all(one.plane.parallel_to(first) for one in slices):
        raise UnreadableError("its slices differ in orientation or pixel spacing")
    positions = np.array([one.plane.position for one in slices])
    along = positions @ first.normal
    order = np.argsort(along, kind="stable")
    steps = np.diff(along[order])
    step = float(np.median(steps))
    if steps.min() < 1e-3:
        raise UnreadableError("several of its slices lie at the same place")
    if steps.max() > 1.5 * step:
        raise UnreadableError(f"slices are missing: two are {steps.max():.2f} mm apart, the others {step:.2f} mm")
    if np.abs(steps - step).max() > UNEVEN * step:
        raise UnreadableError(f"its slices are unevenly spaced, {steps.min():.2f} to {steps.max():.2f} mm apart")
    aside = positions - positions[order[0]] - np.outer(along - along[order[0]], first.normal)
    shift = float(np.linalg.norm(aside, axis=1).max())
    if shift > min(first.spacing) / 2:
        raise UnreadableError(f"its slices are shifted against each other by up to {shift:.1f} mm (a tilted gantry)")
    across, down = first.orientation
    affine = np.eye(4)
    affine[:3, :3] = np.diag([-1.0, -1.0, 1.0]) @ np.stack([across, down, first.normal], axis=1)
    spacing = (first.spacing[1], first.spacing[0], float(along[order[-1]] - along[order[0]]) / (len(slices) - 1))
    return [slices[i] for i in order], affine, spacing


def _pixels(
    path: Path, rows: int, columns: int
) -> tuple[Shaped[np.ndarray, "frames rows columns"], Bool[np.ndarray, "frames rows columns"]]:
    """Return the stored numbers of a file, darker ones lower, and which of them are padding."""
    dataset = read_dataset(path, pixels=True)
    if "PixelData" not in dataset:
        raise UnreadableError("its pixel data is missing")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stored = dataset.pixel_array.reshape(frame_count(dataset), rows, columns)
            padded = _padded(dataset, stored)
            if dataset.PhotometricInterpretation == "MONOCHROME1":
                highest = stored.dtype.type(2 ** (dataset.BitsStored - dataset.PixelRepresentation) - 1)
                lowest = stored.dtype.type(-(2 ** (dataset.BitsStored - 1)) if dataset.PixelRepresentation else 0)
                stored = highest - np.clip(stored, lowest, highest) + lowest
    except Exception:  # decoders raise many kinds, whose words may quote the header
        raise UnreadableError(_why_not_decoded(dataset)) from None
    return stored, padded


def _why_not_decoded(dataset: Dataset) -> str:
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    syntax = dataset.file_meta.TransferSyntaxUID
    if not isinstance(syntax, UID) or syntax.is_private or not syntax.is_transfer_syntax:
        return "its header names no transfer syntax that is known"
    if not syntax.is_compressed:
        return "its pixel data is truncated or damaged"
    try:
        available = get_decoder(syntax).is_available
    except NotImplementedError:
        return f"its pixels are compressed ({syntax.name}) in a way that pydicom cannot decode"
    if not available:
        return f"its pixels are compressed ({syntax.name}); to decode them, {DECODERS}"
    return f"its compressed pixels ({syntax.name}) are damaged, or of a kind that needs more: {DECODERS}"


def _padded(dataset: Dataset, stored: Shaped[np.ndarray, "*shape"]) -> Bool[np.ndarray, "*shape"]:
    """Which pixels were added around the image (PS3.3, C.7.5.1.1.2); headers may give signed values as unsigned."""
    first = dataset.get("PixelPaddingValue")
    if first is None:
        return np.zeros(stored.shape, np.bool_)
    bits = 8 * stored.dtype.itemsize
    last = dataset.get("PixelPaddingRangeLimit", first)
    ends = sorted(int(np.array(int(end) % 2**bits, f"u{bits // 8}").view(stored.dtype)) for end in (first, last))
    return (stored >= ends[0]) & (stored <= ends[1])
