"""Every slice of a store as a picture file, named by subject, frame and position.

`train/sub-BRATS001_FLAIR_z-072.png`: subject and frame keep their letters a to z and digits, as `braingan prepare` and
BIDS read them; `slices.csv` has the names in full. Subjects that would look alike, also to a file system that ignores
case, get a suffix from a hash, and slices whose names would still be the same their number in the store, so that no
file stands for two slices. A name depends on the store alone, not on which slices are asked for.
"""

import hashlib
import io
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Int
from PIL import Image

from braingan.data.sizes import FULL, full_disk
from braingan.data.store import SPLITS, Store
from braingan.errors import InputError
from braingan.folders import is_empty, read_csv, read_json, write_bytes, write_csv, write_json
from braingan.progress import progress

Format = Literal["png", "jpg"]
JPG_QUALITY = 95
LONGEST = 80
AT_ONCE = 256


def export_images(
    store: Store, out: Path, kind: Format, splits: tuple[str, ...] = SPLITS, frames: tuple[str, ...] = ()
) -> int:
    """Write slices as pictures, with `slices.csv`, `source.json` and `README.txt`; return how many there are.

    What an interrupted export has written stays; `slices.csv` comes last and marks the folder as whole.

    Args:
        store: a whole store.
        out: the folder.
        kind: `png` keeps every grey level, `jpg` (quality 95) nearly.
        splits: which.
        frames: only these, whatever their case; empty for all.

    Raises:
        InputError: `out` holds something else or lies in the store, no slice is asked for, the store's table is
            damaged, or the disk is full.
    """
    if out.resolve().is_relative_to(store.folder.root.resolve()):
        raise InputError(f"--out {out} lies within the store: choose a folder outside it.")
    chosen = np.sort(np.concatenate([store.select(split, frames) for split in splits]))
    if not len(chosen):
        raise InputError(f"{store.folder.root} has no such slice in {' and '.join(splits)}: ask for another split.")
    rows = read_csv(store.folder.table)
    if len(rows) != len(store):
        raise InputError(f"{store.folder.table} is missing or damaged: prepare the store again.")
    names = file_names(store)
    files = [f"{names[number]}.{kind}" for number in chosen]
    try:
        _claim(store, out, {"format": kind, "splits": list(splits), "frames": list(frames)})
        _write(store, out, kind, chosen, files)
        header, numbered = ("file", *rows[0]), zip(files, chosen, strict=True)
        write_csv(out / "slices.csv", header, ((file, *rows[number].values()) for file, number in numbered))
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise full_disk(out, _needed(store, out, files)) from error
    return len(chosen)


def _write(store: Store, out: Path, kind: Format, chosen: Int[np.ndarray, " n"], files: list[str]) -> None:
    """Write the pictures that are not there yet."""
    for left in out.glob("*/.*.tmp"):  # of a killed process
        left.unlink()
    waiting = [k for k, file in enumerate(files) if not (out / file).exists()]
    with progress("export-images", len(chosen), "pictures", done=len(chosen) - len(waiting)) as advance:
        for start in range(0, len(waiting), AT_ONCE):
            part = waiting[start : start + AT_ONCE]
            for k, image in zip(part, store.images(chosen[part]), strict=True):
                content = io.BytesIO()  # Pillow's own way of writing does not say that a disk is full
                Image.fromarray(image).save(content, **_options(kind))
                write_bytes(out / files[k], content.getvalue())
            advance(len(part))


def _needed(store: Store, out: Path, files: list[str]) -> int:
    """Return about how many bytes the pictures that are not there yet need: as those there, or a byte a pixel."""
    sizes = [path.stat().st_size for path in (out / file for file in files) if path.exists()]
    return (sum(sizes) // len(sizes) if sizes else store.side**2) * (len(files) - len(sizes))


def file_names(store: Store) -> list[str]:
    """Name all slices of a store, without ending; no two names are the same, whatever their case."""
    columns = store.columns
    subjects = _distinct(np.unique(columns["subject"]).tolist())
    names = []
    for subject, frame, position, split in zip(
        *(columns[name].tolist() for name in ("subject", "frame", "position", "split")), strict=True
    ):
        parts = [f"sub-{subjects[subject]}", _letters(frame)] + ([f"z-{position:03d}"] if position >= 0 else [])
        names.append(f"{split}/{'_'.join(part for part in parts if part)}")
    counts = Counter(name.lower() for name in names)
    return [name if counts[name.lower()] == 1 else f"{name}_n-{n:06d}" for n, name in enumerate(names)]


def _letters(text: str) -> str:
    return "".join(letter for letter in text if letter.isascii() and letter.isalnum())[:LONGEST]


def _distinct(subjects: Iterable[str]) -> dict[str, str]:
    """Shorten names to letters and digits; those that would look alike, or have none, get a suffix from a hash."""
    short = {subject: _letters(subject) for subject in subjects}
    counts = Counter(name.lower() for name in short.values())
    return {
        subject: name if name and counts[name.lower()] == 1 else f"{name}x{_hash(subject)}"
        for subject, name in short.items()
    }


def _hash(subject: str) -> str:
    return hashlib.sha256(subject.encode()).hexdigest()[:12]


def _options(kind: Format) -> dict[str, Any]:
    return {"format": "PNG"} if kind == "png" else {"format": "JPEG", "quality": JPG_QUALITY}


def _claim(store: Store, out: Path, asked: dict[str, Any]) -> None:
    """Begin an export, or make sure that the folder holds this one, whole or begun."""
    description = out / "source.json"
    identity = {**asked, **{key: store.description[key] for key in ("fingerprint", "source", "settings", "notes")}}
    if description.exists():
        there = read_json(description)
        changed = [key for key, value in identity.items() if there.get(key) != value]
        if changed:
            raise InputError(f"{out} holds pictures with other {' and '.join(changed)}: choose another --out.")
    elif out.exists() and not is_empty(out):
        raise InputError(f"{out} is not empty and holds no export: choose another --out.")
    else:
        write_json(description, identity)
    write_bytes(out / "README.txt", _readme(store).encode())


def _readme(store: Store) -> str:
    description = store.description
    facts = [f"{name}: {fact}" for name, fact in description["source"].items()]
    if not any(fact.startswith(("licence", "license")) for fact in facts):
        facts.append("licence: not stated by the source; see that its terms allow what you do.")
    lines = [
        f"Slices of {store.side} x {store.side} pixels, prepared by braingan from the source below; for research only.",
        "slices.csv says of each file what is known of it, source.json how it was made.",
        "", "Source", *facts, *(("", "Notes", *description["notes"]) if description["notes"] else ()),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"
