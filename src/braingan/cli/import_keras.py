"""`braingan import-keras`: the source study's own networks, as a run."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    model: Annotated[Path, typer.Argument(help="A file of Keras, .keras or .h5, with a whole model.")],
    out: Annotated[Path, typer.Option("--out", help="The run's folder; the generator's, for a discriminator.")],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="The store that it is to be measured beside; or name it then."),
    ] = None,
) -> None:
    """Read one of the source study's four networks into a run, without Keras."""
    from braingan.data.store import Store
    from braingan.folders import RunFolder
    from braingan.imported import import_keras

    name = import_keras(model, RunFolder(out), Store.open(data) if data else None)
    beside = "" if data else " --data STORE"
    typer.echo(f"{out}: {name}; next: braingan evaluate {out}{beside}, or braingan sample {out}")
