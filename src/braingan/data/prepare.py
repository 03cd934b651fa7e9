"""From a collection of scans to a store."""

import hashlib
import json
from functools import partial
from itertools import groupby
from pathlib import Path

from braingan.data.assemble import make_store
from braingan.data.parts import make_part
from braingan.data.settings import DataSettings
from braingan.data.sources import Scan, list_scans
from braingan.data.store import Store
from braingan.folders import StoreFolder


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
    collection = list_scans(source, settings.pattern)
    volumes = {volume: list(scans) for volume, scans in groupby(collection.scans, key=lambda scan: scan.volume)}
    jobs = {volume: partial(make_part, scans, settings, source, folder) for volume, scans in volumes.items()}
    facts = {"name": source.resolve().name, "kind": collection.kind, **collection.facts}
    described = {"source": facts, "listing": _listing(source, collection.scans)}
    return make_store(folder, described, jobs, settings, on, collection.passed_over, collection.notes)


def _listing(source: Path, scans: list[Scan]) -> str:
    """Fingerprint the files' names and sizes and what was read from them, so that a changed source is noticed."""

    def size(path: Path | None) -> int:
        return path.stat().st_size if path and path.is_file() else -1

    def entry(path: Path | None) -> tuple[str, int] | None:
        return (path.relative_to(source).as_posix(), size(path)) if path else None

    entries = [(entry(s.path), s.subject, s.frames, s.label, s.position, entry(s.mask)) for s in scans]
    return hashlib.sha256(json.dumps(entries).encode()).hexdigest()[:16]
