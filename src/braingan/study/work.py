"""One training of a study as a job: train, and measure each cell's snapshot. What is done already is left as it is."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from braingan.data.store import Store
from braingan.errors import InputError
from braingan.evaluation.evaluate import evaluate
from braingan.folders import RunFolder, SnapshotFolder, read_json
from braingan.recipe import Recipe, train_recipe
from braingan.settings import parse
from braingan.training.run import read_log

State = Literal["done", "stopped", "busy", "failed"]
"""`busy`: another process has the run."""


@dataclass(frozen=True)
class Job:
    """A training, in plain values that travel to another machine."""

    run: Path
    recipe: dict[str, Any]
    store: Path
    epochs: tuple[int, ...]
    """After which it is measured."""
    count: int | None = None
    """Slices that it is measured on: as many in all of a study, as metrics depend on it; None for the recipe's."""
    notes: tuple[str, ...] = ()
    split: str = "test"

    @property
    def output(self) -> Path:
        """What the training says while it runs."""
        return self.run.with_name(f"{self.id}.output")

    @property
    def id(self) -> str:
        """The run's name."""
        return self.run.name


@dataclass(frozen=True)
class Outcome:
    """What came of a job."""

    id: str
    state: State
    reason: str = ""


def work(job: Job) -> Outcome:
    """Do what is left of a job; its fault is an outcome, so that the other jobs go on."""
    run = RunFolder(job.run)
    try:
        with held(run), job.output.open("a", encoding="utf-8") as said, redirect_stderr(said):
            store, recipe = Store.open(job.store), parse(Recipe, job.recipe)
            if not train_recipe(recipe, store, run, job.notes):
                return Outcome(job.id, "stopped")
            for epoch in job.epochs:
                snapshot = snapshot_of(run, epoch)
                if not measured(snapshot, job):
                    sets = [] if job.count is None else [f"evaluation.count={job.count}"]
                    evaluate(run, job.store, job.split, sets, snapshot.images_seen)
    except Timeout:
        return Outcome(job.id, "busy")
    except InputError as error:
        return Outcome(job.id, "failed", str(error))
    except Exception as error:  # whatever it is, the study's other trainings have nothing to do with it
        where = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
        return Outcome(job.id, "failed", reason)
    return Outcome(job.id, "done")


def measured(snapshot: SnapshotFolder, job: Job) -> bool:
    """Whether a snapshot was measured, on as many slices as the study asks for now."""
    path = snapshot.metrics_on(job.split)
    return path.exists() and job.count in (None, read_json(path)["protocol"]["count"])


@contextmanager
def held(run: RunFolder) -> Iterator[None]:
    """Hold a run for oneself; the system lets go of it when the process ends, however it does.

    Raises:
        Timeout: another process has it.
    """
    run.root.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(run.root.with_name(f"{run.root.name}.lock"), timeout=0):
        yield


def snapshot_of(run: RunFolder, epoch: int) -> SnapshotFolder:
    """Return the snapshot at an epoch's end, be it there or not yet.

    Raises:
        InputError: the training has not come that far.
    """
    ends = [int(row["images"]) for row in read_log(run) if int(row["epoch"]) >= epoch]
    if not ends:
        raise InputError(f"{run.root} has not been trained for {epoch} epochs.")
    return run.snapshot(ends[0])


def missed(run: RunFolder, epoch: int) -> bool:
    """Whether a training went past an epoch before a snapshot of it was wanted."""
    past = any(int(row["epoch"]) > epoch for row in read_log(run))
    return past and not snapshot_of(run, epoch).weights("generator").exists()
