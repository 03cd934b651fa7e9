"""`braingan fetch`: public collections by name."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    name: Annotated[
        str | None, typer.Argument(help="Which, such as decathlon-brain; without one, all are listed.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The folder in which the collection's own will lie.")] = Path(),
    host: Annotated[str | None, typer.Option("--from", help="Another host or folder of archives, http(s)://…")] = None,
    keep_archive: Annotated[bool, typer.Option("--keep-archive", help="Keep the archive beside the folder.")] = False,
) -> None:
    """Download a public collection of scans; the same command again goes on where it stopped."""
    from braingan.data.fetch import HOST, LICENCE, fetch, find_task, listing
    from braingan.errors import InputError

    if name is None:
        typer.echo(listing())
        typer.echo("inception            the FID network's weights, for braingan evaluate")
        return
    if name == "inception":
        from braingan.evaluation.features.inception import FILE, URL, fetch_weights

        typer.echo(fetch_weights(typer.echo, f"{host.rstrip('/')}/{FILE}" if host else URL))
        return
    try:
        task = find_task(name)
    except InputError:
        typer.echo(listing())
        raise
    folder = fetch(name, out, host or HOST, keep_archive, typer.echo)
    typer.echo(LICENCE)
    typer.echo(f"{folder}: {task.content}; next: braingan prepare {folder} --out store")
