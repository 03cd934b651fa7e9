"""Write `docs/settings.md` from where the settings are defined:  python docs/make_settings.py"""

from pathlib import Path
from typing import Literal, get_args, get_origin

from braingan.data.settings import DataSettings
from braingan.evaluation.settings import EvaluationSettings
from braingan.models import MODELS
from braingan.recipe import DEFAULT_MODEL
from braingan.settings import Settings
from braingan.study.tune import TuneSettings
from braingan.training.settings import TrainingSettings

HEAD = """# Settings

Made by `python docs/make_settings.py` from where each setting is defined. A recipe is a TOML file with these tables;
`--set table.name=value` goes over it.
"""


def table(title: str, settings: type[Settings]) -> str:
    """One table of a recipe: name, default, meaning."""
    lines = [f"\n## {title}\n", "| setting | default | meaning |", "|---|---|---|"]
    for name, field in settings.model_fields.items():
        meaning = " ".join((field.description or "").split()).replace("|", "\\|")
        default = str(field.get_default()).replace("|", "\\|")
        choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
        if len(choices) > 1:
            meaning += f" One of {', '.join(f'`{choice}`' for choice in choices)}."
        lines.append(f"| `{name}` | `{default}` | {meaning} |")
    if own := getattr(settings, "training", None):
        values = ", ".join(f"`{name}` {value}" for name, value in own.items())
        lines += ["", f"With this model, the defaults of `[training]` are: {values}."]
    return "\n".join(lines) + "\n"


def page() -> str:
    """The whole page."""
    models = "".join(
        table(f"[model] with name = {name}{', the default' if name == DEFAULT_MODEL else ''}", settings)
        for name, settings in MODELS.items()
    )
    return (
        HEAD
        + table("[data]", DataSettings)
        + models
        + table("[training]", TrainingSettings)
        + table("[evaluation]", EvaluationSettings)
        + table("[tune], of a study file", TuneSettings)
    )


if __name__ == "__main__":
    Path(__file__).with_name("settings.md").write_text(page())
