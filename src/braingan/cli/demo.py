"""`braingan demo`: the whole way in minutes, without any data."""

from pathlib import Path
from typing import Annotated

import typer

from braingan.cli import options


def command(
    out: Annotated[Path, typer.Option("--out", help="The folder for all that is made.")] = Path("demo"),
    subjects: Annotated[int | None, typer.Option(min=8, help="How many phantom subjects.")] = None,
    minutes: Annotated[float | None, typer.Option(min=0.01, help="How long to train.")] = None,
    on: options.On = None,
) -> None:
    """Phantom subjects, a training on them, numbers and a report: offline, within ten minutes on two cores."""
    from braingan.demo import MINUTES, SUBJECTS, demo
    from braingan.executor import default_place

    report = demo(out, subjects or SUBJECTS, minutes or MINUTES, on or default_place(), typer.echo)
    if report is None:
        typer.echo(f"{out}: stopped; the same command goes on where it was.")
        raise typer.Exit(1)
    typer.echo(report)
