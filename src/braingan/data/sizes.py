"""Sizes and counts in words, as progress, and whether files fit on the disk. MB and GB are 10⁶ and 10⁹ bytes."""

import errno
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from braingan.errors import InputError
from braingan.progress import progress

MEGABYTE = 10**6
GIGABYTE = 10**9
FULL = (errno.ENOSPC, errno.EDQUOT)
"""What the system says where a disk, or one's share of it, is full."""


def in_words(size: int) -> str:
    """Return a size in bytes as people say it, such as `7.6 GB`."""
    return f"{size / GIGABYTE:.1f} GB" if size >= GIGABYTE else f"{size / MEGABYTE:.3g} MB"


def counted(count: int, things: str) -> str:
    """Return a count as people say it: `2 files or slices`, `1 file or slice`."""
    return f"{count} {things}" if count != 1 else "1 " + re.sub(r"s\b", "", things)


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


def full_disk(folder: Path, needed: int) -> InputError:
    """Say that a disk is full, and about how many bytes more what was begun needs."""
    return InputError(
        f"The disk of {folder} is full, about {max(needed / 2**20, 1):,.0f} MiB more are needed: free them and run the "
        "same command again, which goes on from here, or choose another --out."
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
