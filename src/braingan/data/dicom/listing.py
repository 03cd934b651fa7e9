"""Which files make up which volume, from their headers alone.

A volume is a stack of parallel slices with the same grid of pixels. A series may hold several: other orientations
(localizers), or the same places several times (echoes, time points, diffusion weightings). The latter are told
apart by what differs, and each becomes a volume of its own: a slice then shows one contrast, whatever else was
acquired with it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from braingan.data.dicom.contrast import name_contrast
from braingan.data.dicom.header import FEWEST, Dataset, Plane, frame_count, planes, read_dataset
from braingan.data.volumes import UnreadableError

SAME_PLACE = 0.01
"""Slices nearer than this, in mm, lie at the same place."""
APART = (
    "ImageType", "EchoTime", "EchoNumbers", "InversionTime", "FlipAngle", "DiffusionBValue", "SequenceName",
    "TemporalPositionIdentifier", "TriggerTime", "AcquisitionNumber", "AcquisitionTime",
)  # fmt: skip
"""What may tell apart slices at the same place, in the order in which it is tried."""
TEXTS = ("SeriesDescription", "ProtocolName", "SequenceName", "AcquisitionContrast")
TAGS = (
    *APART, *TEXTS, "BurnedInAnnotation", "Columns", "ComplexImageComponent", "ConcatenationUID", "ContrastBolusAgent",
    "ContrastBolusAgentSequence", "ImageOrientationPatient", "ImagePositionPatient", "Modality", "NumberOfFrames",
    "PatientID", "PatientName", "PixelSpacing", "Rows", "SOPClassUID", "SOPInstanceUID", "SamplesPerPixel",
    "SeriesInstanceUID", "StudyInstanceUID",
)  # fmt: skip

OTHER_OBJECTS = {
    "SR": "a report", "PR": "a presentation state", "KO": "a selection of images", "SEG": "a segmentation",
    "RTDOSE": "a radiation dose", "RTSTRUCT": "a set of outlines", "RTPLAN": "a treatment plan", "DOC": "a document",
    "REG": "a registration", "ECG": "an electrocardiogram",
}  # fmt: skip
DICOMDIR = "1.2.840.10008.1.3.10"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7."
PHASE = {"P", "PHASE", "PHASE MAP"}
PROJECTION = {"PROJECTION IMAGE", "MIP", "MNIP", "MAX_IP", "MIN_IP"}
LOCALIZER_WORDS = ("localizer", "localiser", "scout", "survey", "surview", "topogram")

UNSUITABLE: tuple[tuple[Callable[[Dataset], bool], str], ...] = (
    (lambda d: str(d.file_meta.get("MediaStorageSOPClassUID", "")) == DICOMDIR, "an index of DICOM files, no image"),
    (lambda d: f"{d.get('SOPClassUID', '')}.".startswith(SECONDARY_CAPTURE), "a secondary capture, no scan"),
    (lambda d: d.get("BurnedInAnnotation") == "YES", "text is burned into its pixels"),
    (lambda d: not d.get("Modality") and not d.get("Rows"), "holds no image, or is cut off before it"),
    (lambda d: d.get("Modality") not in ("MR", "CT", "PT"), "not an MR, CT or PET image"),
    (lambda d: not d.get("Rows") or not d.get("Columns"), "holds no image, or is cut off before it"),
    (lambda d: (d.get("SamplesPerPixel") or 1) != 1, "a colour image"),
    (lambda d: not d.get("SeriesInstanceUID"), "its header names no series"),
    (lambda d: "LOCALIZER" in _image_type(d) or _said_to_be_localizer(d), "a localizer"),
    (lambda d: bool(PROJECTION & _image_type(d)), "a projection through a volume, not slices of one"),
    (lambda d: d.get("ComplexImageComponent") == "PHASE" or bool(PHASE & _image_type(d)), "a phase image, of angles"),
    (lambda d: "MOSAIC" in _image_type(d), "a mosaic of slices in one picture: convert it to NIfTI first"),
    (lambda d: bool(d.get("ConcatenationUID")), "a part of a volume that is spread over several multi-frame files"),
)
"""What is passed over, and why."""


@dataclass(frozen=True)
class Series:
    """The files of one volume."""

    paths: tuple[Path, ...]
    """Sorted along the slice normal; one path for a multi-frame file."""
    patient: str
    """Who it is of, as the header says: to be replaced by a pseudonym, never to be stored or shown."""
    frame: str
    """The contrast, a word of `name_contrast`; empty: unknown."""
    modality: str
    """MR, CT or PT."""


@dataclass(frozen=True)
class _Header:
    path: Path
    series: tuple[str, str, str]
    image: str
    patient: str
    frame: str
    modality: str
    apart: tuple[str, ...]
    plane: Plane | None
    """None for a multi-frame file, which is a volume by itself."""


def list_series(paths: Sequence[Path]) -> tuple[list[Series], list[tuple[Path, str]]]:
    """Group DICOM files into volumes, by their headers; the same whatever the order of the files.

    Returns:
        The volumes, in the order of their files' names, and the files passed over, each with the reason.

    Raises:
        InputError: there are files, but pydicom is not installed.
    """
    passed_over: list[tuple[Path, str]] = []
    groups: dict[tuple[str, str, str], list[_Header]] = {}
    for path in sorted(paths):
        try:
            header = _read_header(path)
        except UnreadableError as error:
            passed_over.append((path, str(error)))
        else:
            groups.setdefault(header.series, []).append(header)
    found = []
    for headers in groups.values():
        for stack in _stacks(_without_duplicates(headers, passed_over)):
            if stack[0].plane is not None and len(stack) < FEWEST:
                reason = f"its series has {len(stack)} of this orientation and size: a volume needs {FEWEST} slices"
            elif _repeats(stack) > 1:
                reason = "several images at the same place, and the header does not tell which belong together"
            else:
                ordered = tuple(stack[i].path for i in np.argsort(_along(stack)))
                found.append(Series(ordered, stack[0].patient, stack[0].frame, stack[0].modality))
                continue
            passed_over.extend((header.path, reason) for header in stack)
    return sorted(found, key=lambda series: min(series.paths)), sorted(passed_over)


def _read_header(path: Path) -> _Header:
    dataset = read_dataset(path, TAGS)
    try:
        return _header(path, dataset)
    except UnreadableError:
        raise
    except Exception:  # values are converted when they are asked for; pydicom's words may quote them
        raise UnreadableError("its header is damaged") from None


def _header(path: Path, dataset: Dataset) -> _Header:
    if dataset.get("Modality") in OTHER_OBJECTS:
        raise UnreadableError(f"{OTHER_OBJECTS[dataset.Modality]}, no scan")
    for unsuitable, reason in UNSUITABLE:
        if unsuitable(dataset):
            raise UnreadableError(reason)
    count = frame_count(dataset)
    if 1 < count < FEWEST:
        raise UnreadableError(f"has {count} frames: a volume needs {FEWEST} slices")
    study, series = str(dataset.get("StudyInstanceUID", "")), str(dataset.SeriesInstanceUID)
    patient = next((text for key in ("PatientID", "PatientName") if (text := _text(dataset, key))), study)
    agent = "given" if dataset.get("ContrastBolusAgentSequence") else _text(dataset, "ContrastBolusAgent")
    return _Header(
        path,
        (patient, study, series),
        str(dataset.get("SOPInstanceUID", "")),
        patient,
        name_contrast(dataset.Modality, [*sorted(_image_type(dataset) & {"ADC", "FA"}),
                                         *(_text(dataset, key) for key in TEXTS)], agent),
        str(dataset.Modality),
        tuple(str(dataset.get(key)) for key in APART),
        planes(dataset)[0] if count == 1 else None,
    )  # fmt: skip


def _text(dataset: Dataset, keyword: str) -> str:
    value = dataset.get(keyword)
    return "" if value is None else str(value).strip(" \0^")


def _image_type(dataset: Dataset) -> set[str]:
    value = dataset.get("ImageType") or ()
    return {str(part).upper() for part in ([value] if isinstance(value, str) else value)}


def _said_to_be_localizer(dataset: Dataset) -> bool:
    return any(word in _text(dataset, "SeriesDescription").lower() for word in LOCALIZER_WORDS)


def _without_duplicates(headers: list[_Header], passed_over: list[tuple[Path, str]]) -> list[_Header]:
    """Leave out files of an image that is already there; some tools give one identifier to all, so its place counts."""
    seen: set[tuple[object, ...]] = set()
    kept = []
    for header in headers:
        place = None if header.plane is None else tuple(header.plane.position)
        key = (header.image, place, header.apart)
        if header.image and key in seen:
            passed_over.append((header.path, "another file holds the same image"))
        else:
            seen.add(key)
            kept.append(header)
    return kept


def _stacks(headers: list[_Header]) -> list[list[_Header]]:
    """Part the files of a series into stacks of parallel slices, each place once where the header tells how."""
    stacks: list[list[_Header]] = []
    for header in headers:
        for stack in stacks:
            first = stack[0].plane
            if header.plane is not None and first is not None and header.plane.parallel_to(first):
                stack.append(header)
                break
        else:
            stacks.append([header])
    for number in range(len(APART)):
        stacks = [part for stack in stacks for part in _split(stack, number)]
    return stacks


def _split(stack: list[_Header], number: int) -> list[list[_Header]]:
    """Split a stack by one tag, if that leaves fewer images at a place without tearing volumes apart.

    A tag that differs from slice to slice does not: splitting `n` images at each place gives at most `n` parts.
    """
    repeats = _repeats(stack)
    if repeats == 1:
        return [stack]
    parts: dict[str, list[_Header]] = {}
    for header in stack:
        parts.setdefault(header.apart[number], []).append(header)
    helps = len(parts) <= repeats and max(_repeats(part) for part in parts.values()) < repeats
    return list(parts.values()) if helps else [stack]


def _repeats(stack: list[_Header]) -> int:
    """The largest number of images at one place."""
    along = np.sort(_along(stack))
    places = np.cumsum(np.diff(along, prepend=along[0]) > SAME_PLACE)
    return int(np.bincount(places).max())


def _along(stack: list[_Header]) -> Float[np.ndarray, " slices"]:
    """Where each slice lies along the normal, in mm."""
    if stack[0].plane is None:
        return np.zeros(1)
    positions = np.array([header.plane.position for header in stack if header.plane])
    return np.asarray(positions @ stack[0].plane.normal)
