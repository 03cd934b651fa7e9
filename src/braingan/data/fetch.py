"""Public collections by name: the ten tasks of the Medical Segmentation Decathlon.

Antonelli et al., The Medical Segmentation Decathlon, Nature Communications 13, 4128 (2022). The archives lie on the
host that MONAI's `DecathlonDataset` takes them from, and the checksums are those that it lists.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from braingan.data.download import download
from braingan.data.sizes import in_words
from braingan.data.unpack import unfinished, unpack
from braingan.errors import InputError

HOST = "https://msd-for-monai.s3-us-west-2.amazonaws.com"
LICENCE = (
    "The Decathlon is under CC-BY-SA 4.0; cite Antonelli et al., The Medical Segmentation Decathlon, "
    "Nature Communications 13, 4128 (2022)."
)
DESCRIPTION = "dataset.json"


@dataclass(frozen=True)
class Task:
    """One collection: an archive that holds one folder."""

    folder: str
    """Its folder's name; the archive's is this with `.tar`."""
    md5: str
    """The archive's, in hexadecimal digits."""
    size: int | None
    """The archive's in bytes, about; None where it is known only as the download starts."""
    content: str


TASKS: dict[str, Task] = {
    "decathlon-brain": Task(
        "Task01_BrainTumour", "240a19d752f0d9e9101544901065d872", 7_608_266_240,
        "brain MRI with gliomas: FLAIR, T1w, T1gd, T2w",
    ),
    "decathlon-heart": Task(
        "Task02_Heart", "06ee59366e1e5124267b774dbd654057", 455_721_472, "heart MRI: the left atrium",
    ),
    "decathlon-liver": Task(
        "Task03_Liver", "a90ec6c4aa7f6a3d087205e23d4e6397", None, "abdominal CT: liver and its tumours",
    ),
    "decathlon-hippocampus": Task(
        "Task04_Hippocampus", "9d24dba78a72977dbd1d2e110310f31b", 28_400_000,
        "brain MRI, small boxes around the hippocampus",
    ),
    "decathlon-prostate": Task(
        "Task05_Prostate", "35138f08b1efaef89d7424d2bcc928db", None, "prostate MRI: T2, ADC",
    ),
    "decathlon-lung": Task(
        "Task06_Lung", "8afd997733c7fc0432f71255ba4e52dc", 9_163_696_640, "chest CT: lung tumours",
    ),
    "decathlon-pancreas": Task(
        "Task07_Pancreas", "4f7080cfca169fa8066d17ce6eb061e4", 12_300_000_000, "abdominal CT: pancreas and its tumours",
    ),
    "decathlon-hepatic-vessel": Task(
        "Task08_HepaticVessel", "641d79e80ec66453921d997fbf12a29c", None, "abdominal CT: liver vessels and tumours",
    ),
    "decathlon-spleen": Task(
        "Task09_Spleen", "410d4a301da4e5b2f6f86ec3ddba524e", 1_610_000_000, "abdominal CT: spleen",
    ),
    "decathlon-colon": Task(
        "Task10_Colon", "bad7a188931dc2f6acf72b08eb6202d0", None, "abdominal CT: colon tumours",
    ),
}  # fmt: skip


def listing() -> str:
    """Return a line per collection, with its size where that is known, and one on the licence."""
    width = max(map(len, TASKS))
    lines = [f"{name:{width}}  {_size(task):>12}  {task.content}" for name, task in TASKS.items()]
    return "\n".join([*lines, LICENCE])


def find_task(name: str) -> Task:
    """Return the collection of that name; `brain` will do for `decathlon-brain`.

    Raises:
        InputError: there is none.
    """
    task = TASKS.get(name) or TASKS.get(f"decathlon-{name}")
    if task is None:
        raise InputError(f"{name} is no collection that can be fetched: take one of {', '.join(TASKS)}.")
    return task


def fetch(name: str, out: Path, host: str, keep_archive: bool, say: Callable[[str], None]) -> Path:
    """Download and unpack a collection, or go on where an earlier call was stopped.

    Args:
        name: the collection's.
        out: the folder in which its own folder will lie.
        host: what stands before the archive's name in its address.
        keep_archive: leave the archive beside the folder.
        say: told in a sentence what happens.

    Returns:
        the collection's folder.

    Raises:
        InputError: there is no such collection, it cannot be had or has other bytes than it should, the disk is too
            small, or something else has its place.
    """
    task, address = find_task(name), _checked(host)
    target, archive = out / task.folder, out / f"{task.folder}.tar"
    if (target / DESCRIPTION).is_file():
        shutil.rmtree(unfinished(target), ignore_errors=True)
        beside = f"; {archive}, from which it came, can be deleted" if archive.exists() and not keep_archive else ""
        say(f"{target} is there already{beside}.")
        return target
    if target.exists():
        raise InputError(f"{target} is there, but holds no {DESCRIPTION}: move it away, or choose another --out.")
    out.mkdir(parents=True, exist_ok=True)
    with _alone_in(out):
        download(f"{address}/{archive.name}", archive, task.md5, 2, say)
        unpack(archive, target, DESCRIPTION)
        if not keep_archive:
            archive.unlink()
    return target


def _size(task: Task) -> str:
    return "size unknown" if task.size is None else in_words(task.size)


def _checked(host: str) -> str:
    try:
        parts = urlsplit(host)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not host.isascii() or not host.isprintable() or " " in host:
        raise InputError(f"--from {host!r} is no address of a host: it begins with http:// or https://.")
    return host.rstrip("/")


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keep a second fetch out of a folder: two would write into the same file."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise InputError(f"Another fetch is at work in {folder}: wait for it, or choose another --out.") from error
    except OSError:
        pass  # a file system without locks, as some network drives are
    try:
        yield
    finally:
        os.close(handle)
