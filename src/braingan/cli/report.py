"""`braingan report`: a run as one page."""

import typer

from braingan.cli import options


def command(run: options.Run, data: options.Data = None) -> None:
    """Write a run's report, one self-contained HTML file."""
    from braingan.folders import RunFolder
    from braingan.report.run import write_report

    typer.echo(write_report(RunFolder(run), data))
