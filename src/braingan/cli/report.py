"""`braingan report`: a run, or a study, as one page."""

from pathlib import Path
from typing import Annotated

import typer

from braingan.cli import options


def command(
    folder: Annotated[Path, typer.Argument(metavar="RUN|STUDY", help="The folder of a run or of a study.")],
    data: options.Data = None,
) -> None:
    """Write a report, one self-contained HTML file."""
    from braingan.folders import RunFolder, StudyFolder
    from braingan.report.run import write_report
    from braingan.report.study import write_study_report

    study = StudyFolder(folder)
    typer.echo(write_study_report(study, data) if study.plan.exists() else write_report(RunFolder(folder), data))
