"""The command line: one file per verb, each parses, calls one function and prints.

Nothing heavy is imported before a verb needs it, so that `--help` answers at once.
"""

import functools
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from braingan import __version__
from braingan.cli import (
    demo,
    evaluate,
    export,
    export_images,
    fetch,
    import_keras,
    inspect,
    phantom,
    prepare,
    report,
    sample,
    serve,
    study,
    train,
    utility,
)
from braingan.errors import InputError

app = typer.Typer(
    name="braingan",
    help="From brain MRI scans to an audited set of synthetic slices.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _in_one_sentence(command: Callable[..., None]) -> Callable[..., None]:
    """Let a verb's errors end in one sentence and exit status 1; `--debug` shows the traceback."""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except InputError as error:
            sentence = str(error)
            if "--debug" in sys.argv:
                raise
        except KeyboardInterrupt:
            sentence = "stopped; the same command goes on where it was."
        except OSError as error:
            fault = f"{error.filename or 'the system'}: {error.strerror or error}"
            sentence = f"{fault}; mend that and run the same command again."
            if "--debug" in sys.argv:
                raise
        else:
            return
        typer.echo(f"braingan: {sentence}", err=True)
        raise typer.Exit(1)

    return run


VERBS = (
    demo, fetch, phantom, prepare, inspect, export_images, train, sample, evaluate, utility, study, report, serve,
    export, import_keras,
)  # fmt: skip
for verb in VERBS:
    app.command(verb.__name__.rpartition(".")[2].replace("_", "-"))(_in_one_sentence(verb.command))


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
    """`--debug` is read where errors end."""


def main() -> None:
    """Run the command line: exit status 0 done, 1 failed, 2 wrong use."""
    app()
