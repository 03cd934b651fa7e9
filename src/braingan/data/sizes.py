"""Sizes of large files: in words, as progress, and whether they fit on the disk. MB and GB are 10⁶ and 10⁹ bytes."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from braingan.errors import InputError
from braingan.progress import progress

MEGABYTE = 10**6
GIGABYTE = 10**9


def in_words(size: int) -> str:
    """Return a size in bytes as people say it, such as `7.6 GB`."""
    return f"{size / GIGABYTE:.1f} GB" if size >= GIGABYTE else f"{size / MEGABYTE:.3g} MB"


def check_room(folder: Path, needed: int, purpose: str) -> None:
    """Check that `needed` bytes are free where a folder lies.

    Raises:
        InputError: they are not.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InputError(
            f"{folder} has {in_words(free)} free, but {purpose} needs {in_words(needed)}: make room there and run the "
            "same command again, or choose another --out."
        )


@contextmanager
def byte_progress(task: str, total: int, done: int = 0) -> Iterator[Callable[[int], None]]:
    """Show the progress of `total` bytes (0: unknown) in MB; yields what is told how many were dealt with."""
    count = done
    with progress(task, total // MEGABYTE, "MB", done // MEGABYTE) as advance:

        def add(size: int) -> None:
            nonlocal count
            advance((count + size) // MEGABYTE - count // MEGABYTE)
            count += size

        yield add
