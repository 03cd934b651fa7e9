"""The order in which training slices are seen: one shuffled pass after another, without end.

Step k takes places kB to (k+1)B of that sequence, so any step's batch is known from its number alone, and
batches are always full. For a GPU all slices lie in its memory as bytes, so that a batch is a list of their numbers.
"""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from braingan.data.store import Store, to_model_range
from braingan.errors import InputError
from braingan.models.architecture import Real
from braingan.randomness import draws
from braingan.training.settings import TrainingSettings

EXAMPLES = 1024


def training_slices(store: Store, frames: tuple[str, ...], settings: TrainingSettings) -> Int[np.ndarray, " n"]:
    """Return which slices a training sees.

    Raises:
        InputError: there are none, or not as many as `samples`.
    """
    indices = store.select("train", frames, settings.samples, settings.seed)
    if not len(indices):
        raise InputError(f"{store.folder.root} has no training slices (of these frames): see its store.json.")
    return indices


def examples(store: Store, indices: Int[np.ndarray, " n"], settings: TrainingSettings) -> Real:
    """Return some of the training slices, from which an architecture takes what it has in closed form."""
    return _read(store, np.sort(draws(settings.seed, "examples").permutation(indices)[:EXAMPLES]))


def _read(store: Store, indices: Int[np.ndarray, " n"]) -> Real:
    slices = torch.from_numpy(to_model_range(store.images(indices))[:, None])
    return Real(slices, _depth(store, indices))


def _depth(store: Store, indices: Int[np.ndarray, " n"]) -> Float[Tensor, " n"]:
    return torch.from_numpy(store.columns["depth"][indices].astype(np.float32))


class Batches:
    """Batches of a store's slices; `share` is what of each this process loads."""

    def __init__(
        self,
        store: Store,
        indices: Int[np.ndarray, " n"],
        batch_size: int,
        seed: int,
        device: torch.device,
        share: slice = slice(None),
    ) -> None:
        self.store, self.indices, self.batch_size, self.seed = store, indices, batch_size, seed
        self.device, self.share = device, share
        self._epoch = lru_cache(maxsize=2)(self._shuffled)
        self.resident: tuple[UInt8[Tensor, "n side side"], Float[Tensor, " n"]] | None = None
        if device.type != "cpu":
            self.resident = torch.from_numpy(store.images(indices)).to(device), _depth(store, indices).to(device)

    def _shuffled(self, epoch: int) -> Int[np.ndarray, " n"]:
        return draws(self.seed, "order of slices", epoch).permutation(len(self.indices))

    def places(self, step: int) -> Int[np.ndarray, " batch"]:
        """Return which of the indices a step sees, on all processes together."""
        sequence = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        epochs, within = np.divmod(sequence, len(self.indices))
        return np.concatenate([self._epoch(int(epoch))[within[epochs == epoch]] for epoch in np.unique(epochs)])

    def load(self, step: int) -> Real:
        """Return this process's share of a step's slices."""
        places = self.places(step)[self.share]
        if self.resident is None:
            return _read(self.store, self.indices[places])
        chosen = torch.from_numpy(places).pin_memory().to(self.device, non_blocking=True)
        images, depth = self.resident
        return Real((images[chosen].float() / 127.5 - 1)[:, None], depth[chosen])
