"""The architectures, by name."""

from collections.abc import Mapping
from typing import Any

from braingan.errors import InputError
from braingan.models.architecture import Architecture
from braingan.models.latentflow import LatentFlow
from braingan.models.thesis import Thesis4, Thesis7, Thesis15
from braingan.settings import parse

MODELS: dict[str, type[Architecture]] = {
    "thesis4": Thesis4,
    "thesis7": Thesis7,
    "thesis15": Thesis15,
    "latentflow": LatentFlow,
}


def parse_model(values: Mapping[str, Any]) -> Architecture:
    """Make an architecture's settings from a recipe's `[model]` table, in which `name` chooses it.

    Raises:
        InputError: no such architecture, or a setting that it does not have.
    """
    name = values.get("name")
    if name not in MODELS:
        raise InputError(f"model.name = {name} is unknown; there are {', '.join(MODELS)}.")
    return parse(MODELS[name], values, "model")
