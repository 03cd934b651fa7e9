"""From a collection of scans to a store."""

import hashlib
import json
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from braingan.data.assemble import make_store
from braingan.data.dicom import read_series
from braingan.data.identity import deal, with_pseudonyms
from braingan.data.parts import Part, leaving_out, part_path
from braingan.data.pictures import read_picture
from braingan.data.settings import DataSettings
from braingan.data.slices import Square, above_black, chosen_positions, grey_scale, resample, to_grey
from braingan.data.sources import Collection, Scan, list_scans
from braingan.data.sources.listing import ARRAY_ENDINGS, PICTURE_ENDINGS
from braingan.data.steps import add_volume, check_installed, finish_part, known_of
from braingan.data.store import Store
from braingan.data.volumes import UnreadableError, Volume, dimensions, other_of_pair, read_shape, read_volume
from braingan.errors import InputError
from braingan.executor import as_seen_from
from braingan.folders import StoreFolder, read_csv, write_csv

NEARLY = 0.01
"""Labels that were scaled or resampled are whole numbers but for so much."""


def prepare(source: Path, out: Path, settings: DataSettings, on: str, key: Path | None = None) -> Store:
    """Make a store, or finish one that was begun with the same settings.

    Args:
        source: a folder of a kind that `SOURCES` knows.
        out: the store's folder.
        settings: how scans become slices.
        on: where to work, such as `local:2`.
        key: where to write which pseudonym stands for which subject and file; not within the store.

    Raises:
        InputError: nothing usable was found, `out` holds something else, or a package that the settings need is absent.
    """
    check_installed(settings)
    source, out = as_seen_from(source, on), as_seen_from(out, on)
    folder = StoreFolder(out)
    collection = deal(_of_frames(list_scans(source, settings.pattern), settings), settings)
    listing = _listing(source, collection.scans)
    facts = {"name": source.resolve().name, "kind": collection.kind, **collection.facts}
    if settings.names == "pseudonyms" or (settings.names == "auto" and collection.private):
        collection, pseudonyms = with_pseudonyms(collection, source)
        facts["name"] = collection.kind
        if key is not None:
            _write_key(key, out, pseudonyms)
    elif key is not None:
        raise InputError(f"--key {key}: names are kept here, so there is no key; set data.names to pseudonyms.")
    volumes = {volume: list(scans) for volume, scans in groupby(collection.scans, key=lambda scan: scan.volume)}
    jobs = {volume: partial(make_part, scans, settings, source, folder) for volume, scans in volumes.items()}
    made_from, expected = {"source": facts, "listing": listing}, _expected(collection.scans, settings)
    return make_store(folder, made_from, jobs, settings, on, collection.passed_over, collection.notes, expected)


def _expected(scans: list[Scan], settings: DataSettings) -> int:
    """About how many slices scans give, before one is read: volumes as if they had 155, and the frames they name."""
    each = len(chosen_positions(settings.slices, 155))
    volumes = [scan for scan in scans if not scan.path.name.lower().endswith(PICTURE_ENDINGS)]
    return len(scans) - len(volumes) + each * sum(len(scan.frames) or 1 for scan in volumes)


def make_part(scans: list[Scan], settings: DataSettings, source: Path, folder: StoreFolder) -> None:
    """Prepare the scans of one volume and write them as a part; whatever is unreadable becomes a reason."""
    part = Part()
    first, last = (scans[0].position, scans[-1].position)
    differ, view = _differ_in_shape(scans), None
    for scan in scans:
        name = scan.name or scan.path.relative_to(source).as_posix()
        with leaving_out(part, name):
            if differ:
                raise UnreadableError(differ)
            if _is_picture(scan.path):
                depth = np.nan
                if scan.position is not None and first is not None and last is not None:
                    depth = (scan.position - first) / (last - first) if last > first else 0.5
                _add_picture(part, scan, name, depth, settings)
            else:
                volume = _read(scan, settings)
                labels, brain = (
                    _read_beside(path, what, volume, name, part, settings) if view is None else None
                    for path, what in ((scan.mask, "label map"), (scan.brain, "brain mask"))
                )
                view = add_volume(part, scan, name, volume, labels, brain, settings, view)
    finish_part(part, part_path(folder, scans[0].volume), settings)


def _differ_in_shape(scans: list[Scan]) -> str:
    """The reason why the files of one volume, a frame each, cannot be taken together; empty if they can."""
    shapes = {}
    for scan in scans if len(scans) > 1 and not scans[0].series and not _is_picture(scans[0].path) else ():
        try:
            shapes[scan.frames[0] if scan.frames else scan.path.name] = read_shape(scan.path)[:3]
        except UnreadableError:  # said when its voxels are read
            continue
    if len(set(shapes.values())) < 2:
        return ""
    found = ", ".join(f"{frame} {'×'.join(map(str, shape))}" for frame, shape in shapes.items())
    return f"the frames of its volume differ in shape: {found}"


def _read(scan: Scan, settings: DataSettings) -> Volume:
    return read_series(scan.series, settings.limit) if scan.series else read_volume(scan.path, settings.limit)


def _read_beside(
    path: Path | None, what: str, volume: Volume, name: str, part: Part, settings: DataSettings
) -> UInt8[np.ndarray, "x y z"] | None:
    """Read the label map or brain mask of a volume; one that can't be used becomes a reason."""
    if path is None:
        return None
    with leaving_out(part, f"{name}: {what}"):
        found = read_volume(path, settings.limit)
        if found.voxels.shape[:3] != volume.voxels.shape[:3]:
            raise UnreadableError(
                f"not used: its shape {found.voxels.shape[:3]} is not the volume's {volume.voxels.shape[:3]}"
            )
        if not found.lies_as(volume):
            raise UnreadableError("not used: by its affine matrix it lies elsewhere, or is turned, against the volume")
        values = found.voxels[..., 0]
        if values.dtype.kind == "f":
            whole = np.rint(values)
            if what == "label map" and np.abs(values - whole).max() > NEARLY:
                raise UnreadableError("not used: it holds no whole numbers")
            values = whole
        if values.dtype != np.uint8 and (values.min() < 0 or values.max() > 255):
            raise UnreadableError("not used: its labels are no numbers from 0 to 255")
        return np.asarray(values, np.uint8)
    return None


def _is_picture(path: Path) -> bool:
    name = path.name.lower()
    return name.endswith(PICTURE_ENDINGS) or (name.endswith(ARRAY_ENDINGS) and dimensions(path) < 3)


def _add_picture(part: Part, scan: Scan, name: str, depth: float, settings: DataSettings) -> None:
    picture = read_picture(scan.path, settings.limit)
    scale = grey_scale(picture[None], settings.percentiles)
    if scale is None:
        raise UnreadableError("all its pixels have the same value")
    if settings.frames and not (scan.frames and scan.frames[0].lower() in {f.lower() for f in settings.frames}):
        raise UnreadableError(f"none of the frames {', '.join(settings.frames)}")
    square = Square(float(max(picture.shape)))
    images = to_grey(resample(above_black(picture[None], scale), (1.0, 1.0), square, settings.size), scale)
    row = known_of(scan, scan.frames[0] if scan.frames else "") | {
        "position": -1 if scan.position is None else scan.position, "depth": depth, "pixel_mm": np.nan,
        "lesion_area_mm2": np.nan,
    }  # fmt: skip
    part.add(images, None, [row], scale.foreground, name, settings.min_brain)


def _of_frames(collection: Collection, settings: DataSettings) -> Collection:
    """Take only the scans that may have one of the wanted frames: those of a single, other one are not read.

    Raises:
        InputError: there is none.
    """
    wanted = {frame.lower() for frame in settings.frames}
    scans = [s for s in collection.scans if not wanted or len(s.frames) != 1 or s.frames[0].lower() in wanted]
    if collection.scans and not scans:
        has = ", ".join(sorted({scan.frames[0] for scan in collection.scans}))
        raise InputError(f"data.frames: no scan has {', '.join(settings.frames)}; there are {has}.")
    return replace(collection, scans=scans)


def _write_key(key: Path, out: Path, pseudonyms: list[tuple[str, str]]) -> None:
    if key.resolve().is_relative_to(out.resolve()):
        raise InputError(f"--key {key} lies within the store: keep it apart, as it names the patients.")
    if key.exists() and read_csv(key) != [{"pseudonym": name, "stands for": whom} for name, whom in pseudonyms]:
        raise InputError(f"--key {key} is there already and says something else: choose another --key.")
    write_csv(key, ("pseudonym", "stands for"), pseudonyms)


def _listing(source: Path, scans: list[Scan]) -> str:
    """Fingerprint the files' names and sizes and what was read from them, so that a changed source is noticed."""

    def size(path: Path | None) -> int:
        return path.stat().st_size if path and path.is_file() else -1

    def entry(path: Path | None) -> tuple[str, int] | None:
        return (path.relative_to(source).as_posix(), size(path)) if path else None

    def files(scan: Scan) -> list[tuple[str, int] | None]:
        pair = other_of_pair(scan.path) if scan.path.suffix.lower() == ".hdr" else None
        return [entry(path) for path in (scan.path, pair, scan.mask, scan.brain, *scan.series)]

    entries = [(files(s), s.subject, s.frames, s.label, s.position) for s in scans]
    return hashlib.sha256(json.dumps(entries).encode()).hexdigest()[:16]
