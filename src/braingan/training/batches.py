"""The order in which training slices are seen: one shuffled pass after another, without end.

Step k takes places kB to (k+1)B of that sequence, so any step's batch is known from its number alone, and
batches are always full.
"""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from braingan.data.store import Store, to_model_range
from braingan.randomness import draws


class Batches:
    """Batches of a store's slices; `share` is what of each this process loads."""

    def __init__(
        self, store: Store, indices: Int[np.ndarray, " n"], batch_size: int, seed: int, share: slice = slice(None)
    ) -> None:
        self.store, self.indices, self.batch_size, self.seed, self.share = store, indices, batch_size, seed, share
        self._epoch = lru_cache(maxsize=2)(self._shuffled)

    def _shuffled(self, epoch: int) -> Int[np.ndarray, " n"]:
        return draws(self.seed, "order of slices", epoch).permutation(self.indices)

    def numbers(self, step: int) -> Int[np.ndarray, " batch"]:
        """Return which slices of the store a step sees."""
        places = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        epochs, within = np.divmod(places, len(self.indices))
        return np.concatenate([self._epoch(int(epoch))[within[epochs == epoch]] for epoch in np.unique(epochs)])

    def load(self, step: int, device: torch.device) -> Float[Tensor, "batch 1 side side"]:
        """Read this process's share of a step's slices, in -1..1."""
        images = to_model_range(self.store.images(self.numbers(step)[self.share]))
        return torch.from_numpy(images[:, None]).to(device)
