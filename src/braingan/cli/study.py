"""`braingan study`: a grid of trainings, measured and put side by side."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from braingan.folders import StudyFolder
    from braingan.study.run import Plan
    from braingan.study.work import Job, Outcome
    from braingan.training.trial import Trial


def command(
    file: Annotated[Path, typer.Argument(help="The study file: a recipe plus lists.")],
    data: Annotated[Path, typer.Option("--data", help="The store, as `braingan prepare` made it.")],
    out: Annotated[Path, typer.Option("--out", help="The study's folder.")],
    on: Annotated[
        str, typer.Option("--on", help="Where trainings run: local:2, dask:tcp://host:8786, slurm:partition=NAME.")
    ] = "local:1",
    cap: Annotated[
        bool, typer.Option("--cap", help="Train on all slices where the grid asks for more than there are.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what it would cost; keep nothing.")] = False,
) -> None:
    """Run a study, or go on with it; ends in its report."""
    from braingan.data.store import Store
    from braingan.executor import local_processes
    from braingan.folders import StudyFolder
    from braingan.report.study import write_study_report
    from braingan.settings import read_toml
    from braingan.study.grid import StudyFile
    from braingan.study.run import begin, outcomes, plan, run
    from braingan.study.tune import space_of, trials_left, tune

    here = local_processes(on) > 0  # refused before anything is done
    folder, store, read = StudyFolder(out), Store.open(data), StudyFile.read(file)
    planned = plan(read, store, folder, cap)
    cells = sum(len(training.cells) for training in planned.trainings)
    trials = f", after {space_of(read)[0].trials} trials of the tuning" if read.tune else ""
    typer.echo(f"{planned.title}: {cells} cells, {len(planned.trainings)} trainings{trials}")
    for note in sorted({note for training in planned.trainings for note in training.notes}):
        typer.echo(note)
    if dry_run or here:
        searched = trials_left(read, folder)
        _cost([(plan(read.first, store, folder, cap), searched)] if searched else [], planned, on, dry_run)
    if dry_run:
        return
    begin(file, planned)
    if read.tune:

        def one(job: "Job") -> "Outcome":
            (outcome,) = outcomes([job], on)
            return outcome

        best = tune(read, store, folder, typer.echo, one, cap)
        typer.echo(f"{best}: the best recipe, by validation subjects")
        planned = plan(replace(read, recipe=read_toml(best)), store, folder, cap)
    with _shown(folder):
        found = run(planned, on, _said)
    report = write_study_report(folder)
    left = [outcome for outcome in found if outcome.state != "done"]
    for outcome in left:
        why = {
            "stopped": "stopped; the same command goes on",
            "busy": "another process has it; the same command, later, takes its results",
        }.get(outcome.state, outcome.reason)
        typer.echo(f"{outcome.id}: {why}", err=True)
    typer.echo(report)
    if left:
        raise typer.Exit(1)


def _cost(trials: "list[tuple[Plan, int]]", planned: "Plan", on: str, each: bool) -> None:
    """Say what is left to do: the trials of a tuning, each like its plan's training, and the grid."""
    from braingan.cli.train import duration
    from braingan.executor import local_processes
    from braingan.study.run import cost

    tried = [(times, trial) for of, times in trials for _, trial in cost(of)]  # one after another
    costs = list(cost(planned, on))
    if each:
        for times, trial in tried:
            typer.echo(f"{times} trials, each: {_took(trial)}")
        for training, trial in costs:
            ends = ", ".join(str(epochs) for epochs in sorted({cell.epochs for cell in training.cells}))
            slices, subjects = planned.slices(training), planned.subjects(training)
            typer.echo(f"{training.id}: {slices:,} slices of {subjects} subjects, to epoch {ends}; {_took(trial)}")
    every = [trial for _, trial in costs]
    at_once = min(max(local_processes(on), 1), max(len(every), 1))
    images = sum(times * trial.images for times, trial in tried) + sum(trial.images for trial in every)
    spent = sum(times * trial.seconds for times, trial in tried)
    spent += max([sum(trial.seconds for trial in every) / at_once, *(trial.seconds for trial in every)], default=0.0)
    if tried or every:
        device = [*every, *(trial for _, trial in tried)][0].device
        typer.echo(
            f"left are {images:,.0f} training images and {duration(spent)}, "
            f"{f'{at_once} trainings at once' if at_once > 1 else 'one after another'}, without evaluation, grids and "
            f"checkpoints; the rates are those of ten steps of each kind of training, alone, on {device}"
        )
    else:
        typer.echo("nothing is left to train")


def _took(trial: "Trial") -> str:
    from braingan.cli.train import duration

    return f"{trial.images:,} images at {trial.images_per_second:.1f}/s, {duration(trial.seconds)}"


@contextmanager
def _shown(folder: "StudyFolder") -> Iterator[None]:
    """Show the rows of a study while it runs, on a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.live import Live

    with Live(get_renderable=lambda: _rows(folder), refresh_per_second=0.5, console=Console(stderr=True)):
        yield


def _rows(folder: "StudyFolder") -> "Table":
    from rich.table import Table

    from braingan.study.table import read_rows

    rows = read_rows(folder) if folder.plan.exists() else []
    axes = list(dict.fromkeys(name for row in rows for name in row.values))
    table = Table(*(name.rpartition(".")[2] for name in axes), "state", "epoch", "images/s", "Fréchet distance")
    for row in rows:
        last = row.log[-1] if row.log else {"epoch": "0", "images_per_second": ""}
        distance = row.metrics.get("frechet_distance")
        table.add_row(
            *(str(row.values[name]) for name in axes), row.state, f"{last['epoch']} of {row.epochs}",
            last["images_per_second"], f"{distance['value']:.4g}" if distance else "",
        )  # fmt: skip
    return table


def _said(found: list["Outcome"], of: int) -> None:
    if not sys.stderr.isatty():
        last = found[-1]
        print(f"study: {len(found)} of {of} trainings; {last.id} {last.state} {last.reason}".rstrip(), file=sys.stderr)
