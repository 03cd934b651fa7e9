"""From parts to a store: in parallel, resumable, split by subject.

Each volume becomes one part; when all are there, they are assembled in sorted order. So the store has the
same bytes whatever the number of workers and however often the work was interrupted.
"""

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped, UInt8

from braingan.data.parts import part_path, write_npz
from braingan.data.settings import DataSettings
from braingan.data.slices import chosen_positions
from braingan.data.store import COLUMNS, FORMAT, SPLITS, Store
from braingan.errors import InputError
from braingan.executor import open_executor
from braingan.folders import StoreFolder, read_json, replacing, write_csv, write_json
from braingan.progress import progress
from braingan.settings import parse

SHARD_BYTES = 2**30


def make_store(
    folder: StoreFolder,
    source: Mapping[str, Any],
    jobs: Mapping[str, Callable[[], None]],
    settings: DataSettings,
    on: str,
    passed_over: list[tuple[str, str]],
    notes: list[str],
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

    Raises:
        InputError: nothing usable was found, or the folder holds something else.
    """
    chosen_positions(settings.slices, 155)  # a wrong rule is said before any work
    identity = {"format": FORMAT, "settings": settings.model_dump(mode="json"), **source}
    if folder.description.exists():
        return _whole(folder, identity)
    _begin(folder, identity)
    waiting = [job for volume, job in jobs.items() if not part_path(folder, volume).exists()]
    run_jobs("prepare", "volumes", waiting, len(jobs), on)
    assemble(folder, [part_path(folder, volume) for volume in jobs], identity, passed_over, notes, settings)
    return Store.open(folder.root)


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
                f"A worker ended abruptly, perhaps for want of memory: run it again with fewer (--on {on} now)."
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
    changed = [key for key in now if key not in ("settings", "source") and earlier.get(key) != now[key]]
    facts = [name for name, fact in now["source"].items() if earlier["source"].get(name) != fact]
    changed += [f"source {name} ({earlier['source'].get(name)} there)" for name in facts]
    return changed + [f"data.{name} ({before[name]} there)" for name in other]


def _begin(folder: StoreFolder, identity: dict[str, Any]) -> None:
    begun = folder.parts / "identity.json"
    if begun.exists():
        if changed := _changed(read_json(begun), identity):
            raise InputError(
                f"{folder.root} holds a half-made store with other {' and '.join(changed)}: choose another --out, "
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
    _tidy(folder)


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


def _slices_of(kept: list[tuple[Path, list[int]]], name: str) -> Iterator[UInt8[np.ndarray, "side side"]]:
    for path, keep in kept:
        with np.load(path, allow_pickle=False) as part:
            slices = part[name]
            if len(keep) and not len(slices):  # a volume without a label map, in a store that has some
                slices = np.zeros_like(part["images"])
            yield from slices[keep] if keep else ()
