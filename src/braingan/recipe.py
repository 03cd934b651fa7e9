"""Composes the settings that each stage owns into one recipe.

A recipe is a TOML file with the tables `[data]`, `[model]`, `[training]` and `[evaluation]`; `--set a.b=c` goes
over it; what is left out has its default. The resolved record stands in the run.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float
from pydantic import BeforeValidator, SerializeAsAny, model_validator

from braingan.data.conditions import LESION_SHARE, why_no_masks
from braingan.data.settings import DataSettings
from braingan.data.store import Store
from braingan.errors import InputError
from braingan.evaluation.encoder.scores import depth_spacing
from braingan.evaluation.settings import EvaluationSettings
from braingan.folders import RunFolder
from braingan.models import parse_model
from braingan.models.architecture import Architecture
from braingan.settings import Settings, apply_sets, parse, read_toml
from braingan.training.devices import settle_precision
from braingan.training.loop import train
from braingan.training.parallel import ALONE, Ranks
from braingan.training.settings import TrainingSettings, identity

DEFAULT_MODEL = "latentflow"


def _model(value: Any) -> Any:
    return parse_model({"name": DEFAULT_MODEL} | dict(value)) if isinstance(value, Mapping) else value


class Recipe(Settings):
    """Everything that a run depends on, but for the scans themselves."""

    data: DataSettings = DataSettings()
    model: Annotated[SerializeAsAny[Architecture], BeforeValidator(_model)] = parse_model({"name": DEFAULT_MODEL})
    training: TrainingSettings = TrainingSettings()
    evaluation: EvaluationSettings = EvaluationSettings()

    @model_validator(mode="before")
    @classmethod
    def _model_s_defaults(cls, given: Any) -> Any:
        """Put the model's own defaults of the training's settings under what is given."""
        if isinstance(given, Mapping) and isinstance(training := given.get("training", {}), Mapping):
            model = _model(given.get("model", {}))
            if isinstance(model, Architecture):
                return {**given, "training": {**model.training, **training}}
        return given


def compose(file: Path | None, sets: Iterable[str]) -> Recipe:
    """Read a recipe file, if there is one, with `--set` assignments over it.

    Raises:
        InputError: a name is unknown or a value not allowed.
    """
    return parse(Recipe, apply_sets(read_toml(file) if file else {}, sets))


def settle(recipe: Recipe, store: Store) -> Recipe:
    """Fit a recipe to a store and this machine: what `auto` stands for is settled, sagittal slices are not mirrored
    unless the recipe says so, and the data settings become the store's, but for the frames chosen from it.

    Raises:
        InputError: the recipe states a data setting that the store was not prepared with, or wants masks of a store
            that teaches none.
    """
    prepared = parse(DataSettings, store.description["settings"])
    for name in recipe.data.model_fields_set - {"frames"}:
        wanted, there = getattr(recipe.data, name), getattr(prepared, name)
        if wanted != there:
            raise InputError(
                f"data.{name} is {wanted} in the recipe, but {store.folder.root} was prepared with {there}: "
                "leave it out, or prepare another store."
            )
    data = prepared.model_copy(update={"frames": recipe.data.frames or prepared.frames})
    training = recipe.training.model_copy(update={"precision": settle_precision(recipe.training.precision)})
    model = recipe.model
    if data.axis == "sagittal" and "mirror" in type(model).model_fields.keys() - model.model_fields_set:
        model = model.model_copy(update={"mirror": False})
    if model.makes_masks and (why := _no_masks(store, data.frames, training)):
        raise InputError(
            f"model.masks: {store.folder.root} teaches no masks, as {why}: leave the setting out, or train on a store "
            f"whose training slices all have label maps, and at least {LESION_SHARE:.0%} of them a lesion."
        )
    return recipe.model_copy(update={"data": data, "model": model, "training": training})


def _no_masks(store: Store, frames: tuple[str, ...], training: TrainingSettings) -> str:
    there = len(store.select("train", frames, 0, training.seed, training.subjects))
    indices = store.select("train", frames, min(training.samples, there), training.seed, training.subjects)
    return why_no_masks(store.columns["lesion_area_mm2"][indices])


def train_recipe(
    recipe: Recipe, store: Store, folder: RunFolder, notes: Iterable[str] = (), ranks: Ranks = ALONE
) -> bool:
    """Train what a recipe says on a store, or go on with it; return whether its length was reached.

    Args:
        recipe: settled or not.
        store: where the slices are.
        folder: the run's.
        notes: sentences that the run's report repeats.
        ranks: the processes that train together.

    Raises:
        InputError: recipe and store don't fit, or `train` refuses.
    """
    settled = settle(recipe, store)
    record = run_record(settled, store) | {"notes": list(notes)}
    return train(folder, store, settled.data.frames, settled.model, settled.training, record, ranks)


def run_record(recipe: Recipe, store: Store | None) -> dict[str, Any]:
    """Return what a run's `config.json` says, its identity included; the recipe must be settled.

    Without a store the run is of no known one, and any of its size may be named later.
    """
    return {
        "identity": {
            "store": store.fingerprint if store else "",
            "frames": list(recipe.data.frames),
            "model": recipe.model.model_dump(mode="json"),
            "training": identity(recipe.training),
        },
        "recipe": recipe.model_dump(mode="json"),
        "geometry": _geometry(store) if store else {},
        "store": str(store.folder.root.resolve()) if store else "",
        "source": {**store.description["source"], "notes": store.description["notes"]} if store else {},
    }


def _geometry(store: Store) -> dict[str, Any]:
    """Return the slices' axis, and medians of a pixel's edge (mm) and of the step between slices (mm, and of depth)."""

    def median(values: Float[np.ndarray, " n"]) -> float | None:
        known = values[np.isfinite(values)]
        return float(np.median(known)) if len(known) else None

    return {
        "axis": store.description["settings"]["axis"],
        "pixel_mm": median(store.columns["pixel_mm"]),
        "slice_mm": store.description.get("slice_mm"),
        "slice_depth": median(depth_spacing(store, np.arange(len(store)))),
    }
