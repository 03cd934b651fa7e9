"""What an evaluation compares: from a run and its store, or from folders of pictures.

generated ──┐                       the same number of slices on every side
floor ──────┼── beside real         (training slices)  (held-out slices)
baselines ──┘
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped, UInt8

from braingan.data.store import Store
from braingan.errors import InputError
from braingan.evaluation.baselines import blurred, gaussian
from braingan.evaluation.gate import Gate, spread
from braingan.evaluation.nearest import TrainingSlices
from braingan.evaluation.pictures import read_folder
from braingan.evaluation.sets import SliceSet
from braingan.evaluation.settings import EvaluationSettings
from braingan.folders import RunFolder
from braingan.sampling.generator import TrainedGenerator
from braingan.training.batches import trained_on
from braingan.training.devices import accelerator
from braingan.training.run import read_config

GAUSSIAN_FROM = 1024
"""Training slices that the Gaussian baseline is fitted to, at most."""
REMEMBERED = 4096
"""Training slices whose features generated ones are held against, at most; the look for copies takes all."""


@dataclass(frozen=True)
class Material:
    """Sets of slices to compare, all of one side."""

    real: SliceSet
    """Slices of held-out subjects."""
    floor: SliceSet
    """As many training slices."""
    generated: list[SliceSet]
    """As many of each generation seed."""
    training: SliceSet | None
    """The training slices, evenly thinned out; None if they are not known, which leaves out memorisation."""
    protocol: Mapping[str, Any]
    store: Store | None = None
    frames: tuple[str, ...] = ()
    generator: TrainedGenerator | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def side(self) -> int:
        """Width and height of a slice in pixels."""
        return int(self.real.images.shape[1])

    def gate(self) -> Gate | None:
        """Return the gate of the training slices, None if these are not known, or if there is nobody to set it by.

        In a store its threshold is set by validation subjects, else by the held-out slices themselves.
        """
        try:
            if self.store is not None:
                return Gate.of_store(self.store, self.frames)
            if self.training is None:
                return None
            count, both = len(self.training), [self.training, self.real]
            subjects = np.concatenate([[f"{number} {name}" for name in of.subjects] for number, of in enumerate(both)])
            loose = Loose(np.concatenate([of.images for of in both]), {"subject": subjects})
            numbers = np.arange(count + len(self.real))
            return Gate.of_slices(TrainingSlices(loose, numbers[:count]), numbers[count:])
        except InputError as error:
            self.notes.append(str(error))
            return None

    def baselines(self) -> dict[str, SliceSet]:
        """Return what a generator has to beat."""
        training = self.floor if self.training is None else self.training
        fitted = training.images[spread(np.arange(len(training)), GAUSSIAN_FROM)]
        return {
            "gaussian": SliceSet.generated(gaussian(fitted, len(self.real)), self.real.cache),
            "copies": self.floor,
            "blurred": SliceSet(blurred(self.floor.images), self.floor.subjects, cache=self.real.cache),
        }


def material_of_run(
    folder: RunFolder, data: Path | None, split: str, settings: EvaluationSettings, snapshot: int | None = None
) -> Material:
    """Take generated slices of one of a run's snapshots, and real ones of its store.

    Args:
        folder: the run's.
        data: the store, if it is no longer where the run was trained.
        split: whose slices are the real ones.
        settings: how many slices, and of how many seeds.
        snapshot: training images that it had seen; the last one's by default.

    Raises:
        InputError: no run, no snapshot, another store than the one trained on, or too few slices.
    """
    generator = TrainedGenerator.open(folder, snapshot, accelerator())
    store = open_store_of(folder, data)
    recipe = generator.config["recipe"]
    frames = tuple(recipe["data"]["frames"])
    held_out = store.select(split, frames)
    seen = trained_on(store, recipe)
    where = f"{store.folder.root} has {len(held_out)} {split} and {len(seen)} training slices"
    count = _count(settings, [len(held_out), len(seen)], where)
    training = SliceSet.of_store(store, spread(seen, max(count, REMEMBERED)))
    return Material(
        SliceSet.of_store(store, spread(held_out, count), generator.vocabulary.masks),
        training.take(spread(np.arange(len(training)), count)),
        [_generated(generator, count, seed) for seed in range(settings.seeds)],
        training,
        {
            "split": split,
            "store": store.fingerprint,
            "frames": list(frames),
            "snapshot": generator.snapshot.images_seen,
            "made_on": generator.device.type,
        },
        store,
        frames,
        generator,
    )


def _generated(generator: TrainedGenerator, count: int, seed: int) -> SliceSet:
    told = generator.vocabulary.columns(generator.told(seed, range(count)))
    images, masks = generator.with_masks(seed, range(count))
    return SliceSet.generated(images, generator.snapshot.root / "features", told, masks)


def material_of_folders(real: Path, fake: Path, train: Path | None, settings: EvaluationSettings) -> Material:
    """Take folders of pictures; the generated ones are dealt to as many sets as are full.

    Without training pictures the real ones are dealt into two halves by subject, one of which takes the place of the
    training slices in the floor.

    Raises:
        InputError: a folder has no pictures, or too few.
    """
    held_out, *notes = read_folder(real)
    side = int(held_out.images.shape[1])
    made, note = read_folder(fake, side)
    notes.append(note)
    if train is not None:
        training, note = read_folder(train, side)
        notes.append(note)
        others = training
    else:
        training, notes = (
            None,
            [*notes, f"Without --train the floor is one half of {real.name}'s subjects by the other."],
        )
        held_out, others = _halved(held_out)
    where = f"{real} has {len(held_out)}, {fake} {len(made)} and {train or 'the other half'} {len(others)} pictures"
    count = _count(settings, [len(held_out), len(made), len(others)], where)
    sets = min(settings.seeds, len(made) // count)
    dealt = [np.arange(len(made))[number::sets][:count] for number in range(sets)]
    return Material(
        held_out.take(spread(np.arange(len(held_out)), count)),
        others.take(spread(np.arange(len(others)), count)),
        [SliceSet.generated(made.images[rows]) for rows in dealt],
        None if training is None else training.take(spread(np.arange(len(others)), REMEMBERED)),
        {"real": real.name, "fake": fake.name, "train": train.name if train else ""},
        notes=[said for said in notes if said],
    )


@dataclass(frozen=True)
class Loose:
    """Slices that are in no store, by number: training slices first, then held-out ones."""

    every: UInt8[np.ndarray, "n side side"]
    columns: Mapping[str, Shaped[np.ndarray, " n"]]

    @property
    def side(self) -> int:
        """Width and height of a slice in pixels."""
        return int(self.every.shape[1])

    def images(self, indices: Int[np.ndarray, " n"]) -> UInt8[np.ndarray, "n side side"]:
        """Return slices by number."""
        return np.asarray(self.every[indices])


def _halved(slices: SliceSet) -> tuple[SliceSet, SliceSet]:
    names, numbers = np.unique(slices.subjects, return_inverse=True)
    first = numbers.reshape(-1) % 2 == 0
    if len(names) < 2:
        raise InputError("All real pictures are of one subject: give training pictures by --train.")
    return slices.take(np.flatnonzero(first)), slices.take(np.flatnonzero(~first))


def open_store_of(folder: RunFolder, data: Path | None = None) -> Store:
    """Open the store that a run was trained on, or any of its slices' size if it was imported without one.

    Raises:
        InputError: it is gone, or it has changed, or none is known or named.
    """
    config = read_config(folder)
    if not (data or config["store"]):
        raise InputError(f"{folder.root} was imported without a store: name one by --data.")
    store = Store.open(data or Path(config["store"]))
    if config["identity"]["store"] not in (store.fingerprint, ""):
        raise InputError(f"{store.folder.root} is not the store that {folder.root} was trained on: name it by --data.")
    if store.side != (side := config["recipe"]["data"]["size"]):
        raise InputError(
            f"{folder.root} makes slices of {side} pixels, {store.folder.root} has {store.side}: name another store."
        )
    return store


def _count(settings: EvaluationSettings, available: list[int], where: str) -> int:
    count, least = min(settings.count, *available), settings.neighbours + 1
    if count < least:
        raise InputError(
            f"{count} slices can be compared, at least {least} are needed: {where}, evaluation.count is "
            f"{settings.count}. Prepare with more subjects, or another data.split_seed."
        )
    return count
