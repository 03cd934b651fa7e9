"""Options that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

Recipe = Annotated[Path | None, typer.Option("--recipe", help="A TOML file of settings.")]
Sets = Annotated[list[str] | None, typer.Option("--set", help="One setting over the recipe: training.seed=1.")]
Run = Annotated[Path, typer.Argument(help="The run's folder, as `braingan train` made it.")]
Data = Annotated[Path | None, typer.Option("--data", help="The store, if it is no longer where the run was trained.")]
On = Annotated[str | None, typer.Option("--on", help="Where to work, such as local:2. [default: all cores]")]
