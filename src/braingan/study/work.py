"""One training of a study as a job: train, and measure each cell's snapshot. What is done already is left as it is."""

import json
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from braingan.data.store import Store
from braingan.errors import InputError
from braingan.evaluation.evaluate import evaluate
from braingan.evaluation.features import OF_STORE, OFFLINE, WITH_WEIGHTS, open_extractor
from braingan.evaluation.measure import FORMAT
from braingan.evaluation.settings import EvaluationSettings
from braingan.folders import RunFolder, SnapshotFolder, read_json
from braingan.recipe import Recipe, train_recipe
from braingan.settings import parse
from braingan.training.run import read_log

BETWEEN = {"detector": False}
"""In what the protocol of a snapshot that is no cell's differs."""
State = Literal["done", "stopped", "busy", "failed"]
"""`busy`: another process has the run."""


@dataclass(frozen=True)
class Job:
    """A training, in plain values that travel to another machine."""

    run: Path
    recipe: dict[str, Any]
    """With the settings of the evaluation, on as many slices in all of a study, as metrics depend on it."""
    store: Path
    epochs: tuple[int, ...]
    """After which it is measured."""
    protocol: dict[str, Any]
    """Of the evaluation (`protocol_of`): what was measured by another one is measured anew."""
    notes: tuple[str, ...] = ()
    split: str = "test"
    between: tuple[int, ...] = ()
    """Epochs whose snapshots are measured, too, but for the detector; those of them that are reached."""

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
            try:
                ended = train_recipe(recipe, store, run, job.notes)
            except Exception:
                _measure(run, job)  # the ends that it had reached
                raise
            if not ended:
                return Outcome(job.id, "stopped")
            if missing := _measure(run, job):
                raise InputError(f"{run.root} has not been trained for {missing[0]} epochs.")
    except Timeout:
        return Outcome(job.id, "busy")
    except InputError as error:
        return Outcome(job.id, "failed", str(error))
    except Exception as error:  # whatever it is, the study's other trainings have nothing to do with it
        where = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
        return Outcome(job.id, "failed", reason)
    return Outcome(job.id, "done")


def _measure(run: RunFolder, job: Job) -> list[int]:
    """Measure what is not measured yet of a job's ends; return those that are not reached.

    Raises:
        InputError: as `evaluate`, or this machine lacks what the others measure with.
    """
    sets = [f"evaluation.{name}={json.dumps(value)}" for name, value in job.recipe["evaluation"].items()]
    missing = []
    for epoch in (*job.epochs, *job.between):
        snapshot = snapshot_of(run, epoch)
        if snapshot is None:
            missing.append(epoch)
            continue
        path, whole = snapshot.metrics_on(job.split), epoch in job.epochs
        wanted = job.protocol if whole else job.protocol | BETWEEN
        if path.exists() and alike(read_json(path), wanted):
            continue
        less = [] if whole else ["evaluation.detector=false"]
        found = evaluate(run, job.store, job.split, [*sets, *less], snapshot.images_seen)
        if not alike(found, wanted):
            raise InputError(
                f"{run.root} was measured here in {', '.join(found['protocol']['extractors'])}, the study measures in "
                f"{', '.join(job.protocol['extractors'])}: bring the missing weights to this machine."
            )
    return [epoch for epoch in missing if epoch in job.epochs]


def protocol_of(settings: EvaluationSettings) -> dict[str, Any]:
    """Return what is settled of an evaluation's protocol before it; whether a store has an encoder shows only then.

    Raises:
        InputError: the extractor is unknown, or its file is not there.
    """
    main = settings.extractor
    if main not in OF_STORE:
        try:
            main = open_extractor(main, settings.weights).name
        except InputError:
            if main not in WITH_WEIGHTS or settings.weights:
                raise
            main = OFFLINE
    others = []
    for name in settings.also:
        with suppress(InputError):  # it gives way
            others.append(open_extractor(name, settings.weights).name)
    return {
        "count": settings.count,
        "generation_seeds": settings.seeds,
        "neighbours": settings.neighbours,
        "detector": settings.detector,
        "extractors": [main, *others],
    }


def alike(found: Mapping[str, Any], protocol: Mapping[str, Any]) -> bool:
    """Whether metrics were measured by a protocol of `protocol_of`; further extractors, or a detector, do no harm."""
    if found.get("format") != FORMAT:
        return False
    there, wanted = found["protocol"], protocol["extractors"]
    same = all(there[name] == protocol[name] for name in ("count", "generation_seeds", "neighbours"))
    same &= there.get("detector", True) or not protocol.get("detector", True)  # earlier versions do not say
    return same and bool(next(iter(there["extractors"])) == wanted[0] and set(wanted) <= there["extractors"].keys())


@contextmanager
def held(run: RunFolder) -> Iterator[None]:
    """Hold a run for oneself; the system lets go of it when the process ends, however it does.

    Raises:
        Timeout: another process has it.
    """
    run.root.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(run.root.with_name(f"{run.root.name}.lock"), timeout=0):
        yield


def snapshot_of(run: RunFolder, epoch: int) -> SnapshotFolder | None:
    """Return the snapshot at an epoch's end, None before it is there."""
    ends = [int(row["images"]) for row in read_log(run) if int(row["epoch"]) >= epoch]
    found = run.snapshot(ends[0]) if ends else None
    return found if found is not None and found.weights("generator").exists() else None


def missed(run: RunFolder, epoch: int) -> bool:
    """Whether a training went past an epoch before a snapshot of it was wanted."""
    return snapshot_of(run, epoch) is None and any(int(row["epoch"]) > epoch for row in read_log(run))
