"""The order in which training slices are seen: one shuffled pass after another, without end.

Step k takes places kB to (k+1)B of that sequence, so any step's batch is known from its number alone, and
batches are always full. For a GPU all slices lie in its memory as bytes, so that a batch is a list of their numbers.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from braingan.data.conditions import NO_WORDS, Vocabulary
from braingan.data.store import Store, to_model_range
from braingan.errors import InputError
from braingan.models.architecture import Architecture, Real
from braingan.randomness import draws
from braingan.training.settings import TrainingSettings

EXAMPLES = 1024


def training_slices(store: Store, frames: tuple[str, ...], settings: TrainingSettings) -> Int[np.ndarray, " n"]:
    """Return which slices a training sees.

    Raises:
        InputError: there are none, or not as many as `samples`, or subjects as `subjects`.
    """
    indices = store.select("train", frames, settings.samples, settings.seed, settings.subjects)
    if not len(indices):
        raise InputError(f"{store.folder.root} has no training slices (of these frames): see its store.json.")
    return indices


def trained_on(store: Store, recipe: Mapping[str, Any]) -> Int[np.ndarray, " n"]:
    """Return which slices of its store a run saw, by the recipe of its record, which may be an earlier version's.

    Raises:
        InputError: the store has not as many.
    """
    count, seed, subjects = (int(recipe["training"].get(name, 0)) for name in ("samples", "seed", "subjects"))
    return store.select("train", tuple(recipe["data"]["frames"]), count, seed, subjects)


def _channels(store: Store, indices: Int[np.ndarray, " n"], masks: bool) -> UInt8[np.ndarray, "n k side side"]:
    """Return slices, with lesion masks of 0 and 255 as second channel where these are wanted."""
    images = store.images(indices)
    return np.stack([images, np.where(store.masks(indices) > 0, np.uint8(255), np.uint8(0))] if masks else [images], 1)


class Batches:
    """Batches of a store's slices with what is told of them; `share` is what of each this process loads."""

    def __init__(
        self,
        store: Store,
        indices: Int[np.ndarray, " n"],
        batch_size: int,
        seed: int,
        device: torch.device,
        share: slice = slice(None),
        vocabulary: Vocabulary = NO_WORDS,
    ) -> None:
        self.store, self.indices, self.batch_size, self.seed = store, indices, batch_size, seed
        self.device, self.share = device, share
        self._epoch = lru_cache(maxsize=2)(self._shuffled)
        self.vocabulary, self.told = vocabulary, vocabulary.rows(store, indices)
        self.resident: tuple[UInt8[Tensor, "n k side side"], Float[Tensor, "n 4"]] | None = None
        if device.type != "cpu":
            channels = torch.from_numpy(_channels(store, indices, vocabulary.masks))
            self.resident = channels.to(device), torch.from_numpy(self.told).to(device)

    def _shuffled(self, epoch: int) -> Int[np.ndarray, " n"]:
        return draws(self.seed, "order of slices", epoch).permutation(len(self.indices))

    def examples(self) -> Real:
        """Return some of the slices, from which an architecture takes what it has in closed form."""
        places = np.sort(draws(self.seed, "examples").permutation(len(self.indices))[:EXAMPLES])
        return self._read(places)

    def _read(self, places: Int[np.ndarray, " n"]) -> Real:
        channels = _channels(self.store, self.indices[places], self.vocabulary.masks)
        return Real(torch.from_numpy(to_model_range(channels)), torch.from_numpy(self.told[places]))

    def places(self, step: int) -> Int[np.ndarray, " batch"]:
        """Return which of the indices a step sees, on all processes together."""
        sequence = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        epochs, within = np.divmod(sequence, len(self.indices))
        return np.concatenate([self._epoch(int(epoch))[within[epochs == epoch]] for epoch in np.unique(epochs)])

    def load(self, step: int) -> Real:
        """Return this process's share of a step's slices."""
        places = self.places(step)[self.share]
        if self.resident is None:
            return self._read(places)
        chosen = torch.from_numpy(places).pin_memory().to(self.device, non_blocking=True)
        channels, told = self.resident
        return Real(channels[chosen].float() / 127.5 - 1, told[chosen])


def training_batches(
    store: Store,
    frames: tuple[str, ...],
    model: Architecture,
    settings: TrainingSettings,
    device: torch.device,
    share: slice = slice(None),
) -> Batches:
    """Return the batches of a training, with what its model is told.

    Raises:
        InputError: the store has no such slices, or not as many as `samples`.
    """
    indices = training_slices(store, frames, settings)
    vocabulary = Vocabulary.of(store, indices, model.told, model.makes_masks)
    return Batches(store, indices, settings.batch_size, settings.seed, device, share, vocabulary)
