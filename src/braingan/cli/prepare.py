"""`braingan prepare`: scans in, a store out."""

from pathlib import Path
from typing import Annotated

import typer

from braingan.cli import options


def command(
    source: Annotated[Path, typer.Argument(help="A Decathlon task, a folder of NIfTI volumes, or one of pictures.")],
    out: Annotated[Path, typer.Option("--out", help="The store's folder.")],
    size: Annotated[int | None, typer.Option(help="Width and height of a slice in pixels. [default: 112]")] = None,
    slices: Annotated[
        str | None,
        typer.Option(
            help="60:100 by number, 60:100/155 in proportion, 0.4:0.6 by share of depth, all. [default: 60:100/155]"
        ),
    ] = None,
    axis: Annotated[str | None, typer.Option(help="axial, coronal or sagittal. [default: axial]")] = None,
    frames: Annotated[str | None, typer.Option(help="Frames to take, such as FLAIR,T1w. [default: all]")] = None,
    recipe: options.Recipe = None,
    sets: options.Sets = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail if anything was left out.")] = False,
    on: options.On = None,
) -> None:
    """Prepare slices from scans: one orientation, one grey scale a volume, split by subject."""
    from braingan.data.prepare import prepare
    from braingan.errors import InputError
    from braingan.executor import default_place
    from braingan.recipe import compose

    named = {"size": size, "axis": axis, "slices": slices}
    given = {name: value for name, value in named.items() if value is not None}
    assignments = [f"data.{name}={value!r}" for name, value in given.items()]
    if frames is not None:
        assignments.append(f"data.frames={[name.strip() for name in frames.split(',')]}")
    store = prepare(source, out, compose(recipe, [*(sets or []), *assignments]).data, on or default_place())
    description = store.description
    typer.echo(f"{out}: {len(store)} slices of {description['subjects']} subjects, {store.side}×{store.side} pixels")
    if description["discarded"]:
        typer.echo(f"{description['discarded']} files or slices were left out: {store.folder.discarded} says why")
    for note in description["notes"]:
        typer.echo(f"Note: {note}")
    if strict and description["discarded"]:
        raise InputError(f"--strict: {description['discarded']} files or slices were left out.")
