"""From parts to a store: in parallel, resumable, split by subject.

Each volume becomes one part; when all are there, they are assembled in sorted order. So the store has the
same bytes whatever the number of workers and however often the work was interrupted.
"""

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped, UInt8

from braingan.data.parts import part_path, read_slices, read_table, write_npz
from braingan.data.settings import DataSettings
from braingan.data.sizes import FULL, counted, full_disk
from braingan.data.slices import chosen_positions
from braingan.data.store import COLUMNS, FORMAT, SPLITS, Store
from braingan.errors import InputError
from braingan.executor import open_executor
from braingan.folders import StoreFolder, read_json, replacing, write_csv, write_json
from braingan.progress import progress
from braingan.settings import parse

SHARD_BYTES = 2**30
KINDS: dict[str, type] = {
    "position": np.int32, "depth": np.float32, "pixel_mm": np.float32, "brain_fraction": np.float32,
    "lesion_area_mm2": np.float32,
}  # fmt: skip
NOTICES = {
    "skull": "{number} of {of} volumes seem to show a head with its skull, so faces may be recognised in them and in "
    "what is made of them: take the skull off (data.brain), or see that you may. If they show another part of the "
    "body, name it by data.body_part.",
    "unoriented": "{number} of {of} volumes do not say how they are oriented: left and right may be exchanged, and "
    "slices may be upside down.",
}


@dataclass(frozen=True)
class Kept:
    """What a store takes of a part."""

    path: Path
    keep: list[int]
    has_masks: bool


def make_store(
    folder: StoreFolder,
    source: Mapping[str, Any],
    jobs: Mapping[str, Callable[[], None]],
    settings: DataSettings,
    on: str,
    passed_over: list[tuple[str, str]],
    notes: list[str],
    expected: int,
) -> Store:
    """Make a store, or finish one that was begun from the same source with the same settings.

    Args:
        folder: the store's.
        source: what it is made from: `source`, its facts, and `listing`, which changes when the source does.
        jobs: volume -> what writes its part.
        settings: how volumes become slices.
        on: where to work, such as `local:2`.
        passed_over: files that are not read, each with the reason.
        notes: sentences that the store and every report repeat.
        expected: about how many slices it will have, by which a full disk says what it needs.

    Raises:
        InputError: nothing usable was found, or the folder holds something else.
    """
    chosen_positions(settings.slices, 155)  # a wrong rule is said before any work
    identity = {"format": FORMAT, "settings": settings.model_dump(mode="json"), **source}
    if folder.description.exists():
        return _whole(folder, identity)
    parts = [part_path(folder, volume) for volume in jobs]
    try:
        _begin(folder, identity)
        waiting = [job for job, part in zip(jobs.values(), parts, strict=True) if not part.exists()]
        run_jobs("prepare", "volumes", waiting, len(jobs), on)
        assemble(folder, parts, identity, passed_over, notes, settings)
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise full_disk(folder.root, _needed(folder, parts, expected * settings.size**2)) from error
    return Store.open(folder.root)


def _needed(folder: StoreFolder, parts: list[Path], expected: int) -> int:
    """Return how many bytes a store still needs: its parts and, made of them, itself."""
    sizes = [part.stat().st_size for part in parts if part.exists()]
    if sizes:
        expected = sum(sizes) * len(parts) // len(sizes)
    written = sum(path.stat().st_size for path in folder.root.glob("*.npy"))
    return expected - sum(sizes) + expected - written


def run_jobs(task: str, unit: str, waiting: Sequence[Callable[[], None]], total: int, on: str) -> None:
    """Run jobs in any order, with a progress bar; those that do not wait are done already."""
    with progress(task, total, unit, done=total - len(waiting)) as advance:
        executor = open_executor(on)
        try:
            for job in as_completed([executor.submit(job) for job in waiting]):
                job.result()
                advance(1)
        except BrokenExecutor as error:
            raise InputError(
                f"A worker ended abruptly, perhaps for want of memory: run it again with fewer (--on {on} now). It "
                f"said: {error}"
            ) from error
        finally:
            executor.shutdown(cancel_futures=True)


def _whole(folder: StoreFolder, identity: dict[str, Any]) -> Store:
    store = Store.open(folder.root)
    changed = _changed(store.description, identity)
    _tidy(folder)
    if changed:
        raise InputError(
            f"{folder.root} is a store with other {' and '.join(changed)}: choose another --out, or delete it."
        )
    return store


def _changed(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Name what differs; a setting that an earlier version did not know had its default."""
    before = parse(DataSettings, earlier["settings"]).model_dump(mode="json")
    other = [name for name, value in now["settings"].items() if before[name] != value]
    said = {"listing": "files in the source", "format": "store format"}
    changed = [said[key] for key in said if earlier.get(key) != now[key]]
    facts = [name for name, fact in now["source"].items() if earlier["source"].get(name) != fact]
    changed += [f"source {name} ({earlier['source'].get(name)} there)" for name in facts]
    return changed + [f"data.{name} ({before[name]} there)" for name in other]


def _begin(folder: StoreFolder, identity: dict[str, Any]) -> None:
    begun = folder.begun
    if begun.exists():
        if changed := _changed(read_json(begun), identity):
            raise InputError(
                f"{folder.root} holds a half-made store with other {' and '.join(changed)}: choose another --out, "
                "or delete it."
            )
    elif folder.root.exists() and any(path.name not in ("parts", "discarded.csv") for path in folder.root.iterdir()):
        raise InputError(f"{folder.root} is not empty and no store: choose another --out.")
    else:
        shutil.rmtree(folder.parts, ignore_errors=True)  # of a store whose end was cut short, and other settings
        write_json(begun, identity)


def _tidy(folder: StoreFolder) -> None:
    """Remove what a killed process left behind in a store."""
    shutil.rmtree(folder.parts, ignore_errors=True)
    for left in folder.root.glob(".*.tmp"):
        left.unlink()


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
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    fingerprint = hashlib.sha256()
    kept: list[Kept] = []
    seen: dict[str, str] = {}
    noticed: Counter[str] = Counter()
    transforms, slice_mm = [], []
    for path in sorted(parts):
        table = read_table(path)
        discarded += [tuple(row) for row in table["discarded"]]
        keep = _new_slices(table, seen, discarded)
        kept.append(Kept(path, keep, bool(table["mask_digests"])))
        for which in ("digests", "mask_digests"):
            fingerprint.update("".join(table[which][i] for i in keep if table[which]).encode())
        for name in COLUMNS if keep else ():
            columns[name] += [table["columns"][name][i] for i in keep]
        slice_mm += table["columns"].get("slice_mm", [])
        noticed.update(table["noticed"] if keep else ())
        if table["transform"] and keep:
            transforms.append((table["columns"]["volume"][0], *table["transform"]))
    write_csv(folder.discarded, ("file", "slice", "reason"), discarded)
    count = len(columns["subject"])
    if not count:
        shutil.rmtree(folder.parts)
        raise InputError(f"No usable slice was found; {folder.discarded} says why, file by file.")
    table = {name: np.asarray(columns[name], KINDS.get(name, np.str_)) for name in COLUMNS}
    has_masks = bool(np.isfinite(table["lesion_area_mm2"]).any())
    shards = _write_shards(folder, kept, count, settings.size, has_masks)
    for name in COLUMNS:
        fingerprint.update(name.encode() + "\0".join(map(str, table[name].tolist())).encode())
    with replacing(folder.columns) as path:
        write_npz(path, table)
    write_csv(folder.table, COLUMNS, zip(*(_people(table[name]) for name in COLUMNS), strict=True))
    if transforms:
        write_csv(
            folder.transforms, ("volume", *(f"m{row}{column}" for row in range(3) for column in range(4))), transforms
        )
    used = sum(bool(part.keep) for part in kept)
    notes = notes + _split_notes(table) + _frame_notes(table, settings) + [
        NOTICES[key].format(number=number, of=used) for key, number in sorted(noticed.items())
    ]  # fmt: skip
    write_json(folder.description, {
        **identity, "side": settings.size, "count": count, "shards": shards, "masks": has_masks,
        "slice_mm": float(np.median(slice_mm)) if slice_mm else None,
        "subjects": len(np.unique(table["subject"])), "discarded": len(discarded), "notes": notes,
        "skull": noticed["skull"] if settings.body_part == "brain" else f"not applicable: {settings.body_part}",
        "fingerprint": fingerprint.hexdigest(),
    })  # fmt: skip
    _tidy(folder)


def _new_slices(table: dict[str, Any], seen: dict[str, str], discarded: list[tuple[str, str, str]]) -> list[int]:
    """Number the slices of a part that no part before had; of the others, say whose they are."""
    keep = []
    for i, digest in enumerate(table["digests"]):
        name, position = table["files"][i], str(table["columns"]["position"][i])
        if digest in seen:
            discarded.append((name, position if position != "-1" else "", f"the same slice as {seen[digest]}"))
        else:
            seen[digest] = f"{name} slice {position}" if position != "-1" else name
            keep.append(i)
    return keep


def _people(column: Shaped[np.ndarray, " n"]) -> list[str]:
    if column.dtype.kind == "f":
        return ["" if np.isnan(value) else f"{value:.5g}" for value in column]
    return ["" if value == -1 else str(value) for value in column.tolist()]


def _split_notes(table: dict[str, Shaped[np.ndarray, " n"]]) -> list[str]:
    subjects = dict(zip(table["subject"].tolist(), table["split"].tolist(), strict=True))
    counts = Counter(subjects.values())
    return [
        f"The {split} split has no subject ({counted(len(subjects), 'subjects')} in all): add subjects, or deal them "
        "anew by another data.split_seed or other shares in data.split."
        for split in SPLITS
        if not counts[split]
    ]


def _frame_notes(table: dict[str, Shaped[np.ndarray, " n"]], settings: DataSettings) -> list[str]:
    there = {name.lower() for name in table["frame"].tolist()}
    absent = [name for name in settings.frames if name.lower() not in there]
    return [f"data.frames names {', '.join(absent)}, which no scan has."] if absent else []


def _write_shards(folder: StoreFolder, kept: list[Kept], count: int, side: int, has_masks: bool) -> int:
    """Write the slices, and the label maps where there are some, and return how many shards they fill."""
    per_shard = max(SHARD_BYTES // side**2, 1)
    shards = -(-count // per_shard)
    for name, target in [("images", folder.images)] + ([("masks", folder.masks)] if has_masks else []):
        blocks = _blocks_of(kept, name, side)
        rest = np.empty((0, side, side), np.uint8)
        for shard in range(shards):
            wanted = min(per_shard, count - shard * per_shard)
            with replacing(target(shard)) as path, path.open("wb") as file:  # a memory map hides a full disk
                header = {"descr": "|u1", "fortran_order": False, "shape": (wanted, side, side)}
                np.lib.format.write_array_header_1_0(file, header)
                while wanted:
                    block = rest if len(rest) else next(blocks)
                    block, rest = block[:wanted], block[wanted:]
                    file.write(block.data)
                    wanted -= len(block)
    return shards


def _blocks_of(kept: list[Kept], name: str, side: int) -> Iterator[UInt8[np.ndarray, "n side side"]]:
    for part in kept:
        if part.keep and name == "masks" and not part.has_masks:  # in a store that has some
            yield np.zeros((len(part.keep), side, side), np.uint8)
        elif part.keep:
            slices = read_slices(part.path, name)
            yield slices if len(part.keep) == len(slices) else slices[part.keep]
