"""`braingan phantom`: synthetic subjects, as scans or as a store."""

from pathlib import Path
from typing import Annotated

import typer

from braingan.cli import options


def command(
    out: Annotated[Path, typer.Option("--out", help="The folder for the subjects, or with --store the store's.")],
    subjects: Annotated[int, typer.Option(min=1, help="How many.")] = 24,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other subjects.")] = 0,
    lesions: Annotated[float, typer.Option(min=0, max=1, help="Share of the subjects that have lesions.")] = 0.6,
    store: Annotated[bool, typer.Option("--store", help="Make a store at once, without NIfTI files.")] = False,
    recipe: options.Recipe = None,
    sets: options.Sets = None,
    on: options.On = None,
) -> None:
    """Make synthetic subjects with four MRI frames and label maps, in the layout of a Decathlon task."""
    from braingan.data.phantom.settings import PhantomSettings
    from braingan.data.phantom.write import phantom_store, write_phantoms
    from braingan.data.sizes import counted
    from braingan.errors import InputError
    from braingan.executor import default_place
    from braingan.recipe import compose

    settings = PhantomSettings(seed=seed, lesions=lesions)
    if store:
        made = phantom_store(out, subjects, settings, compose(recipe, sets or []).data, on or default_place())
        typer.echo(f"{out}: {counted(len(made), 'slices')} of {counted(subjects, 'phantom subjects')}")
        for note in made.description["notes"]:
            typer.echo(f"Note: {note}")
        typer.echo(f"next: braingan train --data {out} --out RUN")
    elif recipe or sets:
        raise InputError("--recipe and --set say how slices are cut, so they need --store; or give them to prepare.")
    else:
        write_phantoms(out, subjects, settings, on or default_place())
        typer.echo(f"{out}: {counted(subjects, 'phantom subjects')}; next: braingan prepare {out} --out STORE")
