"""`braingan train`: a store in, a run out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from braingan.cli import options

if TYPE_CHECKING:
    from braingan.data.store import Store
    from braingan.recipe import Recipe


def command(
    data: Annotated[Path, typer.Option("--data", help="The store, as `braingan prepare` made it.")],
    out: Annotated[Path, typer.Option("--out", help="The run's folder.")],
    recipe: options.Recipe = None,
    sets: options.Sets = None,
    devices: Annotated[int, typer.Option(min=1, help="GPUs, or processes on a CPU, that train together.")] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show settings, parameters, time and memory; keep nothing.")
    ] = False,
) -> None:
    """Train a generator; the same command again goes on where it stopped."""
    from braingan.data.store import Store
    from braingan.folders import RunFolder
    from braingan.recipe import compose, settle, train_recipe
    from braingan.training.launch import launch

    store, composed = Store.open(data), compose(recipe, sets or [])
    if dry_run:
        _show(settle(composed, store), store)
        return
    with launch(devices) as ranks:
        finished = train_recipe(composed, store, RunFolder(out), ranks=ranks)
    if not ranks.writes:
        return
    if not finished:
        typer.echo(f"{out}: stopped; the same command goes on where it was.")
        raise typer.Exit(1)
    typer.echo(f"{out}: trained; next: braingan evaluate {out}")


def _show(recipe: "Recipe", store: "Store") -> None:
    from braingan.training.trial import STEPS, try_steps

    for table, settings in recipe.model_dump(mode="json").items():
        typer.echo(f"[{table}]")
        for name, value in settings.items():
            typer.echo(f"{name} = {value}")
        typer.echo("")
    trial = try_steps(store, recipe.data.frames, recipe.model, recipe.training)
    for name, (total, trainable) in trial.parameters.items():
        typer.echo(f"{name}: {total:,} parameters, {trainable:,} trainable")
    typer.echo(
        f"{STEPS} steps on {trial.device}: {trial.images_per_second:.1f} images/s, {trial.memory / 2**30:.1f} GiB of "
        f"memory; {trial.images:,} images would take {duration(trial.seconds)}, without grids and checkpoints"
    )


def duration(seconds: float) -> str:
    """Write a time."""
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{seconds:.0f} s"
