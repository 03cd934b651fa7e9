"""`braingan export`: a run's generator for others."""

from pathlib import Path
from typing import Annotated

import typer

from braingan.cli import options


def command(
    run: options.Run,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The folder for weights, settings and model card; else export in the run's."),
    ] = None,
    onnx: Annotated[bool, typer.Option("--onnx", help="Write an ONNX file too, checked against torch.")] = False,
    certificate: Annotated[
        Path | None,
        typer.Option("--certificate", help="Slices of `braingan sample --gate`, whose certificate goes along."),
    ] = None,
) -> None:
    """Write the generator with a model card, in the layout of a Hugging Face repository."""
    from braingan.folders import RunFolder
    from braingan.report.export import export
    from braingan.sampling.generator import TrainedGenerator

    out = out or run / "export"
    written = export(TrainedGenerator.open(RunFolder(run)), out, onnx, certificate)
    typer.echo(f"{out}: {', '.join(written)}")
