"""`braingan prepare`: scans in, a store out."""

from pathlib import Path
from typing import Annotated

import typer

from braingan.cli import options


def command(
    source: Annotated[
        Path, typer.Argument(help="A folder of scans: a Decathlon task, BIDS, BraTS, NIfTI, DICOM, arrays or pictures.")
    ],
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
    crop: Annotated[bool | None, typer.Option("--crop", help="Show the square around the brain.")] = None,
    brain: Annotated[str | None, typer.Option(help="The brain mask: none, source or strip. [default: none]")] = None,
    align: Annotated[str | None, typer.Option(help="none, centre or rigid. [default: none]")] = None,
    key: Annotated[Path | None, typer.Option(help="Where to write what pseudonyms stand for.")] = None,
    recipe: options.Recipe = None,
    sets: options.Sets = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail if anything was left out.")] = False,
    on: options.On = None,
) -> None:
    """Prepare slices from scans: one orientation, one grey scale a volume, split by subject."""
    from braingan.data.prepare import prepare
    from braingan.data.sizes import counted
    from braingan.errors import InputError
    from braingan.executor import default_place
    from braingan.recipe import compose

    named = {"size": size, "axis": axis, "slices": slices, "brain": brain, "align": align}
    assignments = [f"data.{name}={value!r}" for name, value in named.items() if value is not None]
    assignments += ["data.crop=true"] if crop else []
    if frames is not None:
        assignments.append(f"data.frames={[name.strip() for name in frames.split(',') if name.strip()]}")
    store = prepare(source, out, compose(recipe, [*(sets or []), *assignments]).data, on or default_place(), key)
    description = store.description
    slices, subjects = counted(len(store), "slices"), counted(description["subjects"], "subjects")
    left_out = counted(description["discarded"], "files or slices")
    typer.echo(f"{out}: {slices} of {subjects}, {store.side}×{store.side} pixels")
    if description["discarded"]:
        typer.echo(f"Left out: {left_out}; {store.folder.discarded} says why")
    for note in description["notes"]:
        typer.echo(f"Note: {note}")
    if strict and description["discarded"]:
        raise InputError(f"--strict: left out: {left_out}; {store.folder.discarded} says why.")
