"""Who is who: which split a subject is dealt to, and pseudonyms in the place of patients' names."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from braingan.data.settings import DataSettings
from braingan.data.sources.listing import NAMES_KEPT, Collection
from braingan.data.store import SPLITS
from braingan.errors import InputError


def split_of(subject: str, settings: DataSettings) -> str:
    """Return a subject's split, from its name and the seed alone, so that new subjects never move old ones."""
    digest = hashlib.sha256(f"{settings.split_seed}:{subject}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    train, validation, _ = settings.split
    return SPLITS[0] if share < train else SPLITS[1] if share < train + validation else SPLITS[2]


def deal(collection: Collection, settings: DataSettings) -> Collection:
    """Deal the scans to splits, by the subjects' own names.

    Raises:
        InputError: the files of one volume name several subjects, which could be dealt apart.
    """
    subjects: dict[str, str] = {}
    for scan in collection.scans:
        if subjects.setdefault(scan.volume, scan.subject) != scan.subject:
            raise InputError(
                f"data.pattern finds two subjects, {subjects[scan.volume]} and {scan.subject}, in files of one volume, "
                f"{scan.volume}: mend it."
            )
    scans = [replace(scan, split=split_of(scan.subject, settings)) for scan in collection.scans]
    return replace(collection, scans=scans)


def with_pseudonyms(collection: Collection, root: Path) -> tuple[Collection, list[tuple[str, str]]]:
    """Take all names from a collection: subjects, volumes, labels and files are numbered.

    Subjects are numbered in the order of a hash of their names, which is not that of the alphabet.

    Returns:
        the collection, and the key: pseudonym and what it stands for, files by their path below `root`.
    """
    subjects = _numbered("subject", (scan.subject for scan in collection.scans))
    labels = {"": ""} | _numbered("label", (scan.label for scan in collection.scans if scan.label))
    key = [(pseudonym, name) for name, pseudonym in (*subjects.items(), *labels.items()) if name]
    scans = []
    by_subject = sorted(collection.scans, key=lambda scan: subjects[scan.subject])
    for subject, own in groupby(by_subject, key=lambda scan: scan.subject):
        for number, (_, files) in enumerate(groupby(own, key=lambda scan: scan.volume), 1):
            volume = f"{subjects[subject]}/{number}"
            for place, scan in enumerate(files, 1):
                name = f"{volume}/{place}"
                key.append((name, os.path.relpath(scan.path, root)))
                scans.append(
                    replace(scan, subject=subjects[subject], volume=volume, label=labels[scan.label], name=name)
                )
    passed_over = []
    for number, (name, reason) in enumerate(collection.passed_over, 1):
        key.append((f"file-{number}", name))
        passed_over.append((f"file-{number}", reason))
    notes = [note for note in collection.notes if note != NAMES_KEPT]
    return replace(collection, scans=scans, passed_over=passed_over, notes=notes), key


def _numbered(kind: str, names: Iterable[str]) -> dict[str, str]:
    ordered = sorted(set(names), key=lambda name: hashlib.sha256(name.encode()).digest())
    digits = len(str(len(ordered)))
    return {name: f"{kind}-{number:0{digits}d}" for number, name in enumerate(ordered, 1)}
