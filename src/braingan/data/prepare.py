"""From a collection to a store: in parallel, resumable, split by subject.

Each volume becomes one part; when all are there, they are assembled in sorted order. So the store has the
same bytes whatever the number of workers and however often the work was interrupted.
"""

import hashlib
import io
import json
import shutil
import zipfile
from collections import Counter
from concurrent.futures import BrokenExecutor, as_completed
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import numpy as np
from jaxtyping import Shaped, UInt8
from pydantic import Field, model_validator

from braingan.data.slices import (
    GreyScale,
    chosen_positions,
    covered_edge,
    cut,
    cut_spacing,
    grey_scale,
    resample,
    resample_labels,
    to_grey,
)
from braingan.data.sources import Scan, list_scans
from braingan.data.store import COLUMNS, FORMAT, SPLITS, Store
from braingan.data.volumes import UnreadableError, Volume, read_picture, read_volume
from braingan.errors import InputError
from braingan.executor import open_executor
from braingan.folders import StoreFolder, read_json, replacing, write_csv, write_json
from braingan.progress import progress
from braingan.settings import Settings

SHARD_BYTES = 2**30


class DataSettings(Settings):
    """How scans become slices."""

    size: Annotated[int, Field(ge=8, le=4096)] = 112
    """Width and height of a slice in pixels; the thesis used 112."""
    slices: str = "60:100/155"
    """Which slices of a volume: `60:100` by number (half-open), `60:100/155` those of a 155-slice volume and in
    proportion of others (the thesis's choice), `0.4:0.6` by share of depth, `all`. Pictures are all taken."""
    axis: Literal["axial", "coronal", "sagittal"] = "axial"
    """Along which axis volumes are cut."""
    frames: tuple[str, ...] = ()
    """Frames (MRI contrasts) to take, by name whatever the case; empty for all."""
    percentiles: tuple[float, float] = (0.5, 99.5)
    """Percentiles of a volume's foreground that set its grey scale."""
    min_brain: Annotated[float, Field(ge=0, lt=1)] = 0.02
    """Slices with a smaller share of tissue are left out."""
    pattern: str = r"sub-(?P<subject>[A-Za-z0-9]+)(?:.*_z-(?P<position>\d+))?"
    """Finds subject, and optionally position, frame and label, in a file's path (a regular expression)."""
    split: tuple[float, float, float] = (0.7, 0.1, 0.2)
    """Shares of subjects for training, validation and test."""
    split_seed: Annotated[int, Field(ge=0)] = 0
    """Another number deals the subjects anew."""

    @model_validator(mode="after")
    def _consistent(self) -> "DataSettings":
        if min(self.split) < 0 or abs(sum(self.split) - 1) > 1e-6:
            raise ValueError("split: three shares that sum to 1 are needed")
        if not 0 <= self.percentiles[0] < self.percentiles[1] <= 100:
            raise ValueError("percentiles: a lower and a higher number from 0 to 100 are needed")
        return self


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


def prepare(source: Path, out: Path, settings: DataSettings, on: str) -> Store:
    """Make a store, or finish one that was begun with the same settings.

    Args:
        source: a Decathlon task, a folder of NIfTI volumes, or a folder of pictures.
        out: the store's folder.
        settings: how scans become slices.
        on: where to work, such as `local:2`.

    Raises:
        InputError: nothing usable was found, or `out` holds something else.
    """
    folder = StoreFolder(out)
    chosen_positions(settings.slices, 155)  # a wrong rule is said before any work
    collection = list_scans(source, settings.pattern)
    volumes = [list(scans) for _, scans in groupby(collection.scans, key=lambda scan: scan.volume)]
    identity = {
        "format": FORMAT,
        "source": {"name": source.resolve().name, "kind": collection.kind, **collection.facts},
        "settings": settings.model_dump(mode="json"),
        "listing": _listing(source, collection.scans),
    }
    if folder.description.exists():
        return _whole(folder, identity)
    _begin(folder, identity)
    waiting = [scans for scans in volumes if not _part_path(folder, scans[0].volume).exists()]
    with progress("prepare", len(volumes), "volumes", done=len(volumes) - len(waiting)) as advance:
        executor = open_executor(on)
        try:
            jobs = [executor.submit(make_part, scans, settings, source, folder) for scans in waiting]
            for job in as_completed(jobs):
                job.result()
                advance(1)
        except BrokenExecutor as error:
            raise InputError(
                f"A worker ended abruptly, perhaps for want of memory: run it again with fewer (--on {on} now)."
            ) from error
        finally:
            executor.shutdown(cancel_futures=True)
    paths = [_part_path(folder, scans[0].volume) for scans in volumes]
    assemble(folder, paths, identity, collection.passed_over, collection.notes, settings)
    return Store.open(out)


def _listing(source: Path, scans: list[Scan]) -> str:
    """Fingerprint the files' names and sizes and what was read from them, so that a changed source is noticed."""

    def size(path: Path | None) -> int:
        return path.stat().st_size if path and path.is_file() else -1

    def entry(path: Path | None) -> tuple[str, int] | None:
        return (path.relative_to(source).as_posix(), size(path)) if path else None

    entries = [(entry(s.path), s.subject, s.frames, s.label, s.position, entry(s.mask)) for s in scans]
    return hashlib.sha256(json.dumps(entries).encode()).hexdigest()[:16]


def _whole(folder: StoreFolder, identity: dict[str, Any]) -> Store:
    store = Store.open(folder.root)
    changed = [key for key in identity if store.description.get(key) != identity[key]]
    _tidy(folder)
    if changed:
        raise InputError(
            f"{folder.root} is a store with other {' and '.join(changed)}: choose another --out, or delete it."
        )
    return store


def _begin(folder: StoreFolder, identity: dict[str, Any]) -> None:
    begun = folder.parts / "identity.json"
    if begun.exists():
        if read_json(begun) != identity:
            raise InputError(
                f"{folder.root} holds a half-made store with other settings or source: choose another --out, "
                "or delete it."
            )
    elif folder.root.exists() and any(path.name not in ("parts", "discarded.csv") for path in folder.root.iterdir()):
        raise InputError(f"{folder.root} is not empty and no store: choose another --out.")
    else:
        write_json(begun, identity)


def _tidy(folder: StoreFolder) -> None:
    """Remove what a killed process left behind in a store."""
    shutil.rmtree(folder.parts, ignore_errors=True)
    for left in folder.root.glob(".*.tmp"):
        left.unlink()


def _part_path(folder: StoreFolder, volume: str) -> Path:
    name = quote(volume, safe=" ")
    if len(name) > 200:  # longer than a file name may be
        name = name[:150] + hashlib.sha256(volume.encode()).hexdigest()[:32]
    return folder.parts / f"{name}.npz"


def make_part(scans: list[Scan], settings: DataSettings, source: Path, folder: StoreFolder) -> None:
    """Prepare the scans of one volume and write them as a part; whatever is unreadable becomes a reason."""
    part = Part()
    first, last = (scans[0].position, scans[-1].position)
    for scan in scans:
        name = scan.path.relative_to(source).as_posix()
        try:
            if scan.path.name.lower().endswith((".nii", ".nii.gz")):
                _add_volume(part, scan, name, settings)
            else:
                depth = np.nan
                if scan.position is not None and first is not None and last is not None:
                    depth = (scan.position - first) / (last - first) if last > first else 0.5
                _add_picture(part, scan, name, depth, settings)
        except UnreadableError as reason:
            part.discarded.append((name, "", str(reason)))
    arrays: dict[str, Shaped[np.ndarray, ...]] = {
        "images": np.asarray(part.images, np.uint8),
        "masks": np.asarray(part.masks, np.uint8),
        "files": np.asarray(part.files, np.str_),
        "discarded": np.asarray(part.discarded, np.str_).reshape(-1, 3),
    }
    arrays |= {name: np.asarray([row[name] for row in part.rows]) for name in COLUMNS if name != "split"}
    with replacing(_part_path(folder, scans[0].volume)) as path:
        write_npz(path, arrays)


def _add_volume(part: Part, scan: Scan, name: str, settings: DataSettings) -> None:
    volume = read_volume(scan.path)
    count = volume.voxels.shape[3]
    names = scan.frames or (("",) if count == 1 else tuple(str(number) for number in range(count)))
    if len(names) != count:
        raise UnreadableError(f"{len(names)} frames are named ({', '.join(names)}), but it has {count}")
    taken = [n for n in names if not settings.frames or n.lower() in {f.lower() for f in settings.frames}]
    if not taken:
        raise UnreadableError(
            f"none of the frames {', '.join(settings.frames)}: it has {', '.join(names) or 'one, unnamed'}"
        )
    spacing = cut_spacing(volume.spacing, settings.axis)
    whole_mask = _read_mask(scan, volume, part) if scan.mask else None
    for frame in taken:
        voxels = volume.voxels[..., names.index(frame)]
        scale = grey_scale(voxels, settings.percentiles)
        if scale is None:
            part.discarded.append((f"{name}#{frame}", "", "all its voxels have the same value"))
            continue
        slices = cut(voxels, settings.axis)
        positions = chosen_positions(settings.slices, len(slices))
        if not positions:
            part.discarded.append((f"{name}#{frame}", "", f"has {len(slices)} slices, none in {settings.slices}"))
            continue
        span = slice(positions.start, positions.stop)
        images = resample(to_grey(slices[span], scale), spacing, settings.size)
        masks, areas = None, np.full(len(positions), np.nan)
        if whole_mask is not None:
            native = cut(whole_mask, settings.axis)[span]
            masks = resample_labels(native, spacing, settings.size)
            areas = (native > 0).sum(axis=(1, 2)) * (spacing[0] * spacing[1])
        pixel = covered_edge(slices.shape[1:], spacing) / settings.size
        for i, position in enumerate(positions):
            row = {
                "subject": scan.subject, "volume": scan.volume, "frame": frame, "position": position,
                "depth": position / max(len(slices) - 1, 1), "pixel_mm": pixel,
                "lesion_area_mm2": areas[i], "label": scan.label,
            }  # fmt: skip
            mask = masks[i] if masks is not None else None
            _add(part, images[i], mask, row, scale, f"{name}#{frame}" if frame else name, settings)


def _read_mask(scan: Scan, volume: Volume, part: Part) -> Shaped[np.ndarray, "x y z"] | None:
    assert scan.mask is not None
    try:
        mask = read_volume(scan.mask)
        if mask.voxels.shape[:3] != volume.voxels.shape[:3]:
            raise UnreadableError(f"its shape {mask.voxels.shape[:3]} is not the volume's {volume.voxels.shape[:3]}")
    except UnreadableError as reason:
        part.discarded.append((scan.mask.name, "", f"label map not used: {reason}"))
        return None
    return mask.voxels[..., 0]


def _add_picture(part: Part, scan: Scan, name: str, depth: float, settings: DataSettings) -> None:
    picture = read_picture(scan.path)
    scale = grey_scale(picture, settings.percentiles)
    if scale is None:
        raise UnreadableError("all its pixels have the same value")
    if settings.frames and not (scan.frames and scan.frames[0].lower() in {f.lower() for f in settings.frames}):
        raise UnreadableError(f"none of the frames {', '.join(settings.frames)}")
    image = resample(to_grey(picture[None], scale), (1.0, 1.0), settings.size)[0]
    row = {
        "subject": scan.subject, "volume": scan.volume, "frame": scan.frames[0] if scan.frames else "",
        "position": -1 if scan.position is None else scan.position, "depth": depth, "pixel_mm": np.nan,
        "lesion_area_mm2": np.nan, "label": scan.label,
    }  # fmt: skip
    _add(part, image, None, row, scale, name, settings)


def _add(
    part: Part,
    image: UInt8[np.ndarray, "side side"],
    mask: UInt8[np.ndarray, "side side"] | None,
    row: dict[str, Any],
    scale: GreyScale,
    name: str,
    settings: DataSettings,
) -> None:
    brain = float((image > scale.foreground).mean())
    position = str(row["position"])
    if image.min() == image.max():
        part.discarded.append((name, position, "all its pixels have the same value"))
    elif brain < settings.min_brain:
        part.discarded.append((name, position, f"tissue on {brain:.1%} of it, less than data.min_brain"))
    else:
        part.images.append(image)
        if mask is not None:
            part.masks.append(mask)
        part.files.append(name)
        part.rows.append(row | {"brain_fraction": brain})


def split_of(subject: str, settings: DataSettings) -> str:
    """Return a subject's split, from its name and the seed alone, so that new subjects never move old ones."""
    digest = hashlib.sha256(f"{settings.split_seed}:{subject}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    train, validation, _ = settings.split
    return SPLITS[0] if share < train else SPLITS[1] if share < train + validation else SPLITS[2]


def assemble(
    folder: StoreFolder,
    parts: list[Path],
    identity: dict[str, Any],
    passed_over: list[tuple[str, str]],
    notes: list[str],
    settings: DataSettings,
) -> None:
    """Put all parts together, leave out exact duplicates, and write the store, `store.json` last.

    Raises:
        InputError: no part has a slice.
    """
    discarded = [(name, "", reason) for name, reason in passed_over]
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS if name != "split"}
    kept: list[tuple[Path, list[int]]] = []
    seen: dict[bytes, str] = {}
    for path in sorted(parts):
        with np.load(path, allow_pickle=False) as part:
            images, files, rows = part["images"], part["files"], {name: part[name] for name in columns}
            discarded += [tuple(row) for row in part["discarded"].tolist()]
        keep = []
        for i, image in enumerate(images):
            position, content = str(rows["position"][i]), hashlib.sha256(image.tobytes()).digest()
            if content in seen:
                discarded.append((str(files[i]), position, f"the same slice as {seen[content]}"))
            else:
                seen[content] = f"{files[i]} slice {position}" if position != "-1" else str(files[i])
                keep.append(i)
        kept.append((path, keep))
        for name in columns:
            columns[name] += [rows[name][i] for i in keep]
    write_csv(folder.discarded, ("file", "slice", "reason"), discarded)
    count = len(columns["subject"])
    if not count:
        shutil.rmtree(folder.parts)
        raise InputError(f"No usable slice was found; {folder.discarded} says why, file by file.")
    table = _table(columns, settings)
    has_masks = bool(np.isfinite(table["lesion_area_mm2"]).any())
    digest = hashlib.sha256()
    shards = _write_shards(folder, kept, count, settings.size, has_masks, digest)
    for name in COLUMNS:
        digest.update(name.encode() + "\0".join(map(str, table[name].tolist())).encode())
    with replacing(folder.columns) as path:
        write_npz(path, table)
    write_csv(folder.table, COLUMNS, zip(*(_people(table[name]) for name in COLUMNS), strict=True))
    notes = notes + _split_notes(table) + _frame_notes(table, settings)
    write_json(folder.description, {
        **identity, "side": settings.size, "count": count, "shards": shards, "masks": has_masks,
        "subjects": len(np.unique(table["subject"])), "discarded": len(discarded), "notes": notes,
        "fingerprint": digest.hexdigest(),
    })  # fmt: skip
    shutil.rmtree(folder.parts)


def _table(columns: dict[str, list[Any]], settings: DataSettings) -> dict[str, Shaped[np.ndarray, " n"]]:
    kinds: dict[str, type] = {
        "position": np.int32, "depth": np.float32, "pixel_mm": np.float32, "brain_fraction": np.float32,
        "lesion_area_mm2": np.float32,
    }  # fmt: skip
    columns = columns | {"split": [split_of(str(subject), settings) for subject in columns["subject"]]}
    return {name: np.asarray(columns[name], kinds.get(name, np.str_)) for name in COLUMNS}


def _people(column: Shaped[np.ndarray, " n"]) -> list[str]:
    if column.dtype.kind == "f":
        return ["" if np.isnan(value) else f"{value:.5g}" for value in column]
    return ["" if value == -1 else str(value) for value in column.tolist()]


def _split_notes(table: dict[str, Shaped[np.ndarray, " n"]]) -> list[str]:
    subjects = dict(zip(table["subject"].tolist(), table["split"].tolist(), strict=True))
    counts = Counter(subjects.values())
    return [
        f"The {split} split has no subject ({len(subjects)} subjects in all): add subjects, or deal them "
        "anew by another data.split_seed or other shares in data.split."
        for split in SPLITS
        if not counts[split]
    ]


def _frame_notes(table: dict[str, Shaped[np.ndarray, " n"]], settings: DataSettings) -> list[str]:
    there = {name.lower() for name in table["frame"].tolist()}
    absent = [name for name in settings.frames if name.lower() not in there]
    return [f"data.frames names {', '.join(absent)}, which no scan has."] if absent else []


def _write_shards(
    folder: StoreFolder, kept: list[tuple[Path, list[int]]], count: int, side: int, has_masks: bool, digest: Any
) -> int:
    per_shard = max(SHARD_BYTES // side**2, 1)
    targets = [("images", folder.images)] + ([("masks", folder.masks)] if has_masks else [])
    shards = -(-count // per_shard)
    for name, target in targets:
        stream = _slices_of(kept, name)
        for shard in range(shards):
            size = min(per_shard, count - shard * per_shard)
            with replacing(target(shard)) as path:
                header = {"descr": "|u1", "fortran_order": False, "shape": (size, side, side)}
                with path.open("wb") as file:  # not a memory map, which a full disk ends without a word
                    np.lib.format.write_array_header_1_0(file, header)
                    for _ in range(size):
                        content = next(stream).tobytes()
                        digest.update(content)
                        file.write(content)
    return shards


def _slices_of(kept: list[tuple[Path, list[int]]], name: str) -> Any:
    for path, keep in kept:
        with np.load(path, allow_pickle=False) as part:
            slices = part[name]
            if len(keep) and not len(slices):  # a volume without a label map, in a store that has some
                slices = np.zeros_like(part["images"])
            yield from slices[keep] if keep else ()


def write_npz(path: Path, arrays: dict[str, Shaped[np.ndarray, "..."]]) -> None:
    """Write arrays as an uncompressed `.npz` whose bytes depend on nothing but the arrays."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue())
