"""`braingan evaluate`: numbers for a run, beside what real data scores."""

from typing import Annotated

import typer

from braingan.cli import options


def command(
    run: options.Run,
    data: options.Data = None,
    sets: options.Sets = None,
    split: Annotated[str, typer.Option(help="test, for the final table; validation, for making choices.")] = "test",
) -> None:
    """Compare generated slices with real ones of held-out subjects; writes metrics.json beside the snapshot."""
    from braingan.errors import InputError
    from braingan.evaluation.evaluate import evaluate
    from braingan.folders import RunFolder

    if split not in ("test", "validation"):
        raise InputError(f"--split {split}: choose test or validation.")
    metrics = evaluate(RunFolder(run), data, split, sets or [])["metrics"]
    typer.echo(f"{'metric':28} {'value':>9} {'floor':>9}")
    for name, found in metrics.items():
        typer.echo(f"{name:28} {found['value']:9.4g} {found['floor']:9.4g}")
    typer.echo(f"next: braingan report {run}")
