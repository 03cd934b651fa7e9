"""The command line: one file per verb, each parses, calls one function and prints.

Nothing heavy is imported before a verb needs it, so that `--help` answers at once.
"""

import sys
from typing import Annotated

import typer

from braingan import __version__
from braingan.cli import evaluate, prepare, report, sample, train
from braingan.errors import InputError

app = typer.Typer(
    name="braingan",
    help="From brain MRI scans to an audited set of synthetic slices.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for verb in (prepare, train, sample, evaluate, report):
    app.command(verb.__name__.rpartition(".")[2])(verb.command)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"braingan {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """--debug is read in `main`, where errors end."""


def main() -> None:
    """Run the command line: exit status 0 done, 1 failed, 2 wrong use."""
    debug = "--debug" in sys.argv
    try:
        app()
    except InputError as error:
        if debug:
            raise
        typer.echo(f"braingan: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("braingan: stopped; the same command goes on where it was.", err=True)
        sys.exit(1)
