"""A study file: a recipe plus lists, whose product is the grid; and the trainings that it takes.

    [grid]
    model.name = ["thesis4", "thesis7"]
    training.samples = [10000, 30000]
    training.epochs = [50, 100]

A *cell* is one choice of each list. Cells that differ in nothing but their length share one *training*, which leaves a
snapshot at each: the example's 8 cells are 4 trainings.
"""

import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from braingan.data.store import Store
from braingan.errors import InputError
from braingan.recipe import Recipe, run_record, settle
from braingan.settings import parse, read_toml
from braingan.training.batches import training_slices
from braingan.training.settings import LENGTH, TrainingSettings

AXES = {
    "data": ("frames",),
    "model": (),
    "training": tuple(name for name in TrainingSettings.model_fields if name not in LENGTH or name == "epochs"),
}
"""What of each table may be in a grid, as it makes another training or another length; of a model all."""


@dataclass(frozen=True)
class StudyFile:
    """What a study file says."""

    title: str
    grid: dict[str, list[Any]]
    """Values by the setting's full name."""
    recipe: dict[str, Any]
    """What all cells share."""
    tune: dict[str, Any]
    """`[tune]`, if there is one."""

    @classmethod
    def read(cls, path: Path) -> "StudyFile":
        """Read a study file.

        Raises:
            InputError: it is no TOML, or its grid is no table of lists.
        """
        tables = read_toml(path)
        title = tables.pop("title", path.stem)
        if not isinstance(title, str):
            raise InputError(f"{path}: title must be a text.")
        for name, table in tables.items():
            if not isinstance(table, dict):
                raise InputError(f"{path}: {name} must be a table of settings, [{name}].")
        grid = flat(tables.pop("grid", {}))
        for name, values in grid.items():
            if not isinstance(values, list) or not values:
                raise InputError(f"{path}: grid.{name} must be a list of values, such as [1, 2].")
            if len({json.dumps(value) for value in values}) < len(values):
                raise InputError(f"{path}: grid.{name} has a value twice.")
            table, _, setting = name.partition(".")
            if table not in AXES or (AXES[table] and setting not in AXES[table]):
                raise InputError(
                    f"{path}: {name} can't be in the grid, as it makes no other training: name settings of [model], of "
                    "[training] such as training.epochs, or data.frames."
                )
        return cls(title, grid, {key: tables[key] for key in tables if key != "tune"}, tables.get("tune", {}))

    @property
    def first(self) -> "StudyFile":
        """The same with one cell: of each list the first value."""
        values = {name: of[0] for name, of in self.grid.items()}
        return replace(self, grid={}, recipe=with_values(self.recipe, values))


@dataclass(frozen=True)
class Cell:
    """One choice of each of the grid's lists."""

    number: int
    """In the order of the lists, the last one first."""
    values: dict[str, Any]
    recipe: Recipe
    note: str = ""
    """Where less was done than the grid asks for."""

    @property
    def epochs(self) -> int:
        """Its length."""
        return self.recipe.training.epochs


@dataclass(frozen=True)
class Training:
    """One training, and the cells that are its snapshots."""

    id: str
    """Name of the run's folder: the model and eight digits of what the training is."""
    recipe: Recipe
    """Of the longest cell, with a snapshot at the end of each."""
    cells: list[Cell] = field(default_factory=list)

    @property
    def notes(self) -> list[str]:
        """The cells' notes, once each."""
        return list(dict.fromkeys(cell.note for cell in self.cells if cell.note))


def cells(file: StudyFile, store: Store, cap: bool = False) -> list[Cell]:
    """Return the grid's cells, in the order of its lists.

    Args:
        file: the study's.
        store: which they are trained on.
        cap: whether to train on all slices where more are asked for than there are.

    Raises:
        InputError: a setting is refused, or more slices are asked for than the store has.
    """
    found, lacking = [], {}
    for number, choice in enumerate(itertools.product(*file.grid.values())):
        values = dict(zip(file.grid, choice, strict=True))
        recipe = settle(parse(Recipe, with_values(file.recipe, values)), store)
        all_there = recipe.model_copy(update={"training": recipe.training.model_copy(update={"samples": 0})})
        there, wanted = len(training_slices(store, recipe.data.frames, all_there.training)), recipe.training.samples
        note = ""
        if wanted > there:
            lacking[wanted] = there
            note = f"{wanted:,} training slices were asked for; the store has {there:,}, all of which were used."
            recipe = all_there
        elif wanted == there:  # the same training as that of all slices
            recipe = all_there
        found.append(Cell(number, values, recipe, note))
    if lacking and not cap:
        wanted, there = max(lacking.items())
        raise InputError(
            f"The grid asks for {wanted:,} training slices, {store.folder.root} has {there:,}: prepare a larger store, "
            "ask for fewer, or take --cap to train on all there are (the table then says so)."
        )
    return found


def trainings(of_cells: list[Cell], store: Store) -> list[Training]:
    """Return the trainings that cells take: those that differ in nothing but their length share one."""
    shared: dict[str, list[Cell]] = {}
    for cell in of_cells:
        shared.setdefault(training_id(cell.recipe, store), []).append(cell)
    found = []
    for name, sharing in shared.items():
        longest = max(sharing, key=lambda cell: cell.epochs).recipe
        ends = {cell.epochs for cell in sharing} | set(longest.training.snapshots)
        training = longest.training.model_copy(update={"snapshots": tuple(sorted(ends))})
        found.append(Training(name, longest.model_copy(update={"training": training}), sharing))
    return found


def training_id(recipe: Recipe, store: Store) -> str:
    """Return the model's name and eight digits of a settled recipe's identity."""
    identity = json.dumps(run_record(recipe, store)["identity"], sort_keys=True)
    return f"{recipe.model.name}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"


def countable(recipe: Recipe, store: Store, split: str) -> int:
    """Return on how many slices a training can be measured: as asked for, or what it learns from and a split allow.

    Raises:
        InputError: they are too few to measure anything on.
    """
    held_out = len(store.select(split, recipe.data.frames))
    own = len(training_slices(store, recipe.data.frames, recipe.training))
    count, least = min(recipe.evaluation.count, held_out, own), recipe.evaluation.neighbours + 1
    if count < least:
        raise InputError(
            f"{store.folder.root} has {held_out} {split} slices, and a training has {own}: at least {least} of each "
            "are needed to measure it. Prepare with more subjects, or another data.split_seed."
        )
    return count


def flat(table: Mapping[str, Any], above: str = "", leaves: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a nested table's values by their full names; tables that have one of `leaves` are values."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        inner = isinstance(value, dict) and not any(leaf in value for leaf in leaves)
        found |= flat(value, f"{above}{key}.", leaves) if inner else {f"{above}{key}": value}
    return found


def with_values(recipe: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe's tables with settings by full name over them."""
    tables = {key: dict(table) if isinstance(table, Mapping) else table for key, table in recipe.items()}
    for name, value in values.items():
        table, _, setting = name.partition(".")
        tables.setdefault(table, {})[setting] = value
    return tables
