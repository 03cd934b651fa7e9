"""A study: its plan, what it costs, and its trainings, wherever there is room for them.

The same command again goes on: what is finished is not run again, what was added to the grid is.
"""

import platform
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from jaxtyping import Int

from braingan import __version__
from braingan.data.store import Store
from braingan.errors import InputError
from braingan.evaluation.settings import EvaluationSettings
from braingan.executor import default_place, local_processes, open_executor
from braingan.folders import StudyFolder, is_empty, read_json, write_bytes, write_json
from braingan.recipe import Recipe
from braingan.study.grid import StudyFile, Training, cells, countable, trainings
from braingan.study.table import write_table
from braingan.study.work import Job, Outcome, missed, protocol_of, snapshot_of, work
from braingan.training.batches import training_slices
from braingan.training.run import read_log
from braingan.training.trial import Trial, try_steps

FORMAT = 1
TRIES = 3
"""How often a training is begun whose process dies, each time from its last checkpoint."""


@dataclass(frozen=True)
class Plan:
    """A study on a store, in a folder."""

    title: str
    folder: StudyFolder
    store: Store
    trainings: list[Training]

    def jobs(self, threads: int) -> list[Job]:
        """Return the trainings as jobs, the longest first; so many CPU threads each where the recipe leaves it open."""
        return [
            Job(
                self.folder.run(training.id).root.resolve(),
                self.settled(training.recipe, threads).model_dump(mode="json"),
                self.store.folder.root.resolve(),
                tuple(sorted({cell.epochs for cell in training.cells})),
                self.protocol,
                tuple(training.notes),
                between=tuple(sorted({*training.recipe.training.snapshots} - {cell.epochs for cell in training.cells})),
            )
            for training in sorted(self.trainings, key=lambda t: -t.recipe.training.epochs * self.slices(t))
        ]

    def settled(self, recipe: Recipe, threads: int) -> Recipe:
        """Return a recipe with so many CPU threads, where it leaves them open, and the study's evaluation."""
        training = recipe.training.model_copy(update={"threads": recipe.training.threads or threads})
        return recipe.model_copy(update={"training": training, "evaluation": self.evaluation})

    @cached_property
    def evaluation(self) -> EvaluationSettings:
        """How all are measured: on as many slices as the smallest training set and the test subjects allow."""
        recipes = [training.recipe for training in self.trainings]
        count = min(countable(recipe, self.store, "test") for recipe in recipes)
        return recipes[0].evaluation.model_copy(update={"count": count})

    @cached_property
    def protocol(self) -> dict[str, Any]:
        """What makes measurements comparable."""
        return protocol_of(self.evaluation)

    def slices(self, training: Training) -> int:
        """Return how many slices a training sees in an epoch."""
        return len(self._trained_on(training))

    def subjects(self, training: Training) -> int:
        """Return of how many subjects these are."""
        return len(np.unique(self.store.columns["subject"][self._trained_on(training)]))

    def _trained_on(self, training: Training) -> Int[np.ndarray, " n"]:
        return training_slices(self.store, training.recipe.data.frames, training.recipe.training)


def plan(file: StudyFile, store: Store, folder: StudyFolder, cap: bool = False) -> Plan:
    """Return what a study takes on a store; nothing is written.

    Raises:
        InputError: a setting or a number of slices is refused, or the folder is no study's or of another store.
    """
    if folder.plan.exists():
        there = read_json(folder.plan)
        if there.get("format") != FORMAT:
            raise InputError(f"{folder.plan} has format {there.get('format')}, this braingan reads {FORMAT}.")
        if there["store"] != store.fingerprint:
            raise InputError(f"{folder.root} is a study of another store: choose another --out.")
    elif folder.root.exists() and not is_empty(folder.root):
        raise InputError(f"{folder.root} is not empty and no study: choose another --out.")
    found: list[Training] = []
    for training in trainings(cells(file, store, cap), store):
        late = [cell for cell in training.cells if missed(folder.run(training.id), cell.epochs)]
        rest = [cell for cell in training.cells if cell not in late]
        found += [replace(training, cells=rest)] if rest else []
        found += [Training(f"{training.id}-to-{cell.epochs}", cell.recipe, [cell]) for cell in late]
    return Plan(file.title, folder, store, found)


def cost(of: Plan, on: str = "local:1") -> Iterator[tuple[Training, Trial]]:
    """Take ten steps of each kind of training that is not finished, and reckon what is left; nothing is written.

    Trainings that differ in length, slices and seed alone are of one kind. Each has the CPU threads that it has where
    the study runs, but for one at a time.

    Raises:
        InputError: as `train`.
    """
    tried: dict[str, Trial] = {}
    with open_executor("local:1") as executor:  # whose memory is given back
        for training in of.trainings:
            run, recipe = of.folder.run(training.id), of.settled(training.recipe, threads(on))
            if all(snapshot_of(run, cell.epochs) for cell in training.cells):
                continue
            alike = {"samples": 0, "subjects": 0, "seed": 0, "epochs": 1, "minutes": 0, "snapshots": ()}
            kind = f"{recipe.model!r} {recipe.training.model_copy(update=alike)!r}"
            if kind not in tried:
                steps = executor.submit(try_steps, of.store, recipe.data.frames, recipe.model, recipe.training)
                try:
                    tried[kind] = steps.result()
                except BrokenExecutor as error:
                    raise InputError(f"Ten steps of {training.id} took more memory than this machine has.") from error
            log, rate = read_log(run), tried[kind].images_per_second
            images = recipe.training.epochs * of.slices(training) - (int(log[-1]["images"]) if log else 0)
            if recipe.training.minutes:
                spent = float(log[-1]["seconds"]) if log else 0.0
                images = min(images, round(rate * (recipe.training.minutes * 60 - spent)))
            yield training, replace(tried[kind], images=max(images, 0), seconds=max(images, 0) / rate)


def run(of: Plan, on: str, say: Callable[[list[Outcome], int], None]) -> list[Outcome]:
    """Train and measure all that is left of a plan, and write its table.

    Args:
        of: the plan.
        on: where, such as `local:2`.
        say: told what came so far, whenever a training ends, and how many there are.

    Returns:
        what came of each training.
    """
    write_plan(of)  # after a tuning its trainings have other recipes
    found: list[Outcome] = []
    for outcome in outcomes(of.jobs(threads(on)), on):
        found.append(outcome)
        note(of.folder, outcome)
        write_table(of.folder)
        say(found, len(of.trainings))
    return found


def threads(on: str) -> int:
    """Return how many CPU threads each of several trainings on this machine takes; 0 for all.

    Raises:
        InputError: the place is not of a known kind.
    """
    count = local_processes(on)
    return max(local_processes(default_place()) // count, 1) if count > 1 else 0


def outcomes(jobs: list[Job], on: str, do: Callable[[Job], Outcome] = work) -> Iterator[Outcome]:
    """Yield what comes of jobs as they end; one whose process dies is begun again."""
    left, why = {job.id: job for job in jobs}, dict[str, str]()
    for _ in range(TRIES):
        executor = open_executor(on, apart=True)
        try:
            futures = {executor.submit(do, job): job for job in left.values()}
            for future in as_completed(futures):
                job = futures[future]
                try:
                    outcome = future.result()
                except BrokenExecutor as error:
                    why[job.id] = str(error).strip()
                    continue
                except Exception as error:  # a cluster's own, of many kinds
                    outcome = Outcome(job.id, "failed", f"{type(error).__name__}: {error}")
                del left[job.id]
                yield outcome
        finally:
            executor.shutdown(cancel_futures=True)
        if not left:
            return
    for name in left:
        reason = f"its process died {TRIES} times, perhaps for want of memory; the last time: {why[name]}"
        yield Outcome(name, "failed", reason)


def begin(file: Path, of: Plan) -> None:
    """Make the study's folder, with a copy of its file."""
    write_plan(of)
    write_bytes(of.folder.file, file.read_bytes())


def write_plan(of: Plan) -> None:
    """Write which cell is of which run, and how all are measured; why runs failed stays as it was noted."""
    both = sorted(((c, t) for t in of.trainings for c in t.cells), key=lambda pair: pair[0].number)
    with _held(of.folder):
        there = read_json(of.folder.plan)["cells"] if of.folder.plan.exists() else []
        came = {cell["run"]: cell["failed"] for cell in there}
        write_json(
            of.folder.plan,
            {
                "format": FORMAT,
                "title": of.title,
                "store": of.store.fingerprint,
                "store_folder": str(of.store.folder.root.resolve()),
                "protocol": of.protocol,
                "versions": {"braingan": __version__, "Python": platform.python_version(), "torch": version("torch")},
                "cells": [
                    {
                        "values": cell.values,
                        "run": training.id,
                        "epochs": cell.epochs,
                        "slices": of.slices(training),
                        "subjects": of.subjects(training),
                        "note": cell.note,
                        "failed": came.get(training.id, ""),
                    }
                    for cell, training in both
                ],
            },
        )


def note(folder: StudyFolder, outcome: Outcome) -> None:
    """Write why a run failed, or that it no longer does, into the plan that is there now: others may have begun it."""
    if outcome.state not in ("done", "failed"):
        return
    with _held(folder):
        there = read_json(folder.plan)
        for cell in there["cells"]:
            if cell["run"] == outcome.id:
                cell["failed"] = outcome.reason
        write_json(folder.plan, there)


@contextmanager
def _held(folder: StudyFolder) -> Iterator[None]:
    """Hold a study's plan for oneself while it is read and written."""
    folder.root.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.plan.with_name(f"{folder.plan.name}.lock")):
        yield
