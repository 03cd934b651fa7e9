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
    gate: Annotated[
        bool, typer.Option("--gate", help="Refuse slices too near to a training slice, and write a certificate.")
    ] = False,
    data: options.Data = None,
) -> None:
    """Generate slices as PNG files, and one sheet of the first 64."""
    from braingan.folders import RunFolder
    from braingan.sampling.generator import TrainedGenerator
    from braingan.sampling.pictures import PAGE, write_pictures

    generator = TrainedGenerator.open(RunFolder(run))
    if not gate:
        write_pictures(generator, out, count, seed)
        typer.echo(f"{out}: {count} synthetic slices")
        return
    from braingan.report.certificate import write_gated_pictures

    certificate = write_gated_pictures(generator, out, count, seed, data)
    typer.echo(
        f"{out}: {count} synthetic slices, {certificate['refused']} of {certificate['drawn']} drawn were refused"
    )
    typer.echo(f"{out / PAGE}: the certificate; it shows training slices, so keep it with these")
