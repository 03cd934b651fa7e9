"""Names the files of a store, a run and a study, and writes them whole or not at all.

A reader of either folder never sees half a file: each is written beside its name, flushed to the disk and
renamed into place.
"""

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from braingan.errors import InputError

SAMPLE_FILES = "synthetic.csv", "sheet.png"
"""A sample's table, and its first slices in one picture, which is no slice."""


@contextmanager
def replacing(path: Path, lasting: bool = True) -> Iterator[Path]:
    """Yield a path to write to; on success it takes the name `path`, on failure it is gone.

    It is flushed to the disk first, unless it need not outlast a power failure.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid4().hex[:12]}.tmp")  # process numbers recur on other machines
    try:
        yield temporary
        if lasting:
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def is_empty(folder: Path) -> bool:
    """Whether a folder has no files but locks and what a killed process left half-written."""
    return all(path.suffix == ".lock" or (path.name[0] == "." and path.suffix == ".tmp") for path in folder.iterdir())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object, indented, with keys in the order given."""
    write_bytes(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        InputError: the file is missing, unreadable, or holds no JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged, it holds no JSON: {error}.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is damaged: a JSON object was expected.")
    return content


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table with a header line, row by row as they come."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read a table with a header line; an absent file is an empty table."""
    return list(iterate_csv(path))


def iterate_csv(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a table with a header line; an absent file has none."""
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            yield from csv.DictReader(file)


@dataclass(frozen=True)
class StoreFolder:
    """The files of a store: prepared slices and their columns."""

    root: Path

    def images(self, shard: int) -> Path:
        """Shard of the slices, uint8 `[n, side, side]`."""
        return self.root / f"images-{shard:05d}.npy"

    def masks(self, shard: int) -> Path:
        """Shard of the label maps, uint8 `[n, side, side]`; only where the source has some."""
        return self.root / f"masks-{shard:05d}.npy"

    @property
    def columns(self) -> Path:
        """What is known of each slice, one array a column."""
        return self.root / "slices.npz"

    @property
    def table(self) -> Path:
        """The columns for people."""
        return self.root / "slices.csv"

    @property
    def transforms(self) -> Path:
        """How each volume was aligned; only where volumes were."""
        return self.root / "transforms.csv"

    @property
    def discarded(self) -> Path:
        """What was left out: file, slice, reason."""
        return self.root / "discarded.csv"

    @property
    def description(self) -> Path:
        """Written last: it marks the store as whole."""
        return self.root / "store.json"

    @property
    def parts(self) -> Path:
        """One file a volume, while the store is being made."""
        return self.root / "parts"

    @property
    def begun(self) -> Path:
        """What a store that is being made is made of."""
        return self.parts / "identity.json"

    @property
    def derived(self) -> Path:
        """What can be computed again from the store, such as features."""
        return self.root / "derived"


@dataclass(frozen=True)
class SnapshotFolder:
    """One state of a run's networks."""

    root: Path

    @property
    def images_seen(self) -> int:
        """Training images that the networks had seen."""
        return int(self.root.name)

    def weights(self, network: str) -> Path:
        """Weights of one network; the generator's are the averaged ones."""
        return self.root / f"{network}.safetensors"

    @property
    def metrics(self) -> Path:
        """What the evaluation measured on test subjects."""
        return self.metrics_on("test")

    def metrics_on(self, split: str) -> Path:
        """What the evaluation measured on a split's subjects."""
        return self.root / ("metrics.json" if split == "test" else f"metrics-{split}.json")

    @property
    def utility(self) -> Path:
        """Whether the slices help to train a network."""
        return self.root / "utility.json"


@dataclass(frozen=True)
class RunFolder:
    """The files of a run: one training and all that came of it."""

    root: Path

    @property
    def config(self) -> Path:
        """The resolved recipe and the store's fingerprint."""
        return self.root / "config.json"

    @property
    def log(self) -> Path:
        """A row per epoch."""
        return self.root / "log.csv"

    @property
    def events(self) -> Path:
        """What happened besides training: started, continued, stopped."""
        return self.root / "events.csv"

    @property
    def checkpoints(self) -> Path:
        """The last two states from which training can go on."""
        return self.root / "checkpoints"

    @property
    def samples(self) -> Path:
        """A grid per epoch, all from the same latents."""
        return self.root / "samples"

    @property
    def tensorboard(self) -> Path:
        """The log's curves for TensorBoard, where these are wanted."""
        return self.root / "tensorboard"

    @property
    def report(self) -> Path:
        """The report, one self-contained page."""
        return self.root / "report.html"

    def snapshot(self, images_seen: int) -> SnapshotFolder:
        """The snapshot taken after so many training images."""
        return SnapshotFolder(self.root / "snapshots" / str(images_seen))

    def snapshots(self) -> list[SnapshotFolder]:
        """All whole snapshots, by images seen."""
        found = (self.root / "snapshots").glob("*/generator.safetensors")
        whole = (SnapshotFolder(path.parent) for path in found if path.parent.name.isdecimal())
        return sorted(whole, key=lambda s: s.images_seen)


@dataclass(frozen=True)
class StudyFolder:
    """The files of a study: many runs and what they amount to."""

    root: Path

    @property
    def file(self) -> Path:
        """The study file as it was given last."""
        return self.root / "study.toml"

    @property
    def plan(self) -> Path:
        """The cells and the runs that they are of, with what came of them."""
        return self.root / "study.json"

    def run(self, name: str) -> RunFolder:
        """One of its runs."""
        return RunFolder(self.root / "runs" / name)

    @property
    def trials(self) -> Path:
        """What the tuning tried."""
        return self.root / "trials.json"

    @property
    def best(self) -> Path:
        """The recipe that the tuning found best."""
        return self.root / "best.toml"

    @property
    def table(self) -> Path:
        """A row per cell."""
        return self.root / "table.csv"

    @property
    def latex(self) -> Path:
        """The table for a paper."""
        return self.root / "table.tex"

    @property
    def readings(self) -> Path:
        """The series of the blind reading test, and the answers."""
        return self.root / "readings"

    @property
    def figures(self) -> Path:
        """The report's figures, as SVG and PNG."""
        return self.root / "figures"

    @property
    def report(self) -> Path:
        """The report, one self-contained page."""
        return self.root / "report.html"
