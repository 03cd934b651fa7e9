"""`braingan export-images`: a store's slices as picture files."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """Picture formats."""

    png = "png"
    jpg = "jpg"


class Split(StrEnum):
    """Splits of a store."""

    train = "train"
    validation = "validation"
    test = "test"


def command(
    store: Annotated[Path, typer.Argument(help="The store, as `braingan prepare` made it.")],
    out: Annotated[Path, typer.Option("--out", help="The folder for the pictures.")],
    format: Annotated[Format, typer.Option(help="png keeps every grey level, jpg nearly.")] = Format.png,
    split: Annotated[list[Split] | None, typer.Option(help="Only this split; may be repeated. [default: all]")] = None,
    frames: Annotated[str | None, typer.Option(help="Frames to export, such as FLAIR,T1w. [default: all]")] = None,
) -> None:
    """Write every slice of a store as a picture, with a table and the source's terms."""
    from braingan.data.export import export_images
    from braingan.data.sizes import counted
    from braingan.data.store import SPLITS, Store

    asked = {choice.value for choice in split or Split}
    splits = tuple(name for name in SPLITS if name in asked)
    wanted = tuple(name.strip() for name in frames.split(",") if name.strip()) if frames else ()
    count = export_images(Store.open(store), out, format.value, splits, wanted)
    typer.echo(f"{out}: {counted(count, 'slices')} as {format.value}; {out / 'slices.csv'} says what each is")
