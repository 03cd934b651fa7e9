"""`braingan sample`: slices from a run."""

from pathlib import Path
from typing import Annotated

import typer

from braingan.cli import options


def command(
    run: options.Run,
    out: Annotated[Path, typer.Option("--out", help="The folder for the slices.")],
    count: Annotated[int, typer.Option(min=1, help="How many slices.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Seed and number alone determine a slice.")] = 0,
) -> None:
    """Generate slices as PNG files, and one sheet of the first 64."""
    from braingan.folders import RunFolder
    from braingan.sampling.generator import TrainedGenerator
    from braingan.sampling.pictures import write_pictures

    write_pictures(TrainedGenerator.open(RunFolder(run)), out, count, seed)
    typer.echo(f"{out}: {count} synthetic slices")
