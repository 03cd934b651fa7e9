"""A trained generator: slices from a seed and a number."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from safetensors.torch import load_file
from torch import nn

from braingan.data.store import from_model_range
from braingan.errors import InputError
from braingan.folders import RunFolder, SnapshotFolder
from braingan.models import parse_model
from braingan.models.architecture import Architecture, channels_last
from braingan.models.latents import latents
from braingan.training.run import read_config

MICRO_BATCH = 16
"""Slices are always made so many at a time: a batch of 64 and one of 1 differ by rounding."""


@dataclass(frozen=True)
class TrainedGenerator:
    """The networks of one snapshot of a run, in evaluation mode."""

    run: RunFolder
    config: dict[str, Any]
    snapshot: SnapshotFolder
    model: Architecture
    networks: nn.ModuleDict

    @classmethod
    def open(cls, run: RunFolder) -> "TrainedGenerator":
        """Open the last snapshot of a run.

        Raises:
            InputError: the folder is no run, or has no snapshot yet.
        """
        config = read_config(run)
        snapshots = run.snapshots()
        if not snapshots:
            raise InputError(f"{run.root} has no snapshot yet: run its `braingan train` command to the end first.")
        model = parse_model(config["recipe"]["model"])
        networks = model.build(config["recipe"]["data"]["size"])
        for name, network in networks.items():
            network.load_state_dict(_weights(snapshots[-1], name))
        channels_last(networks)
        return cls(run, config, snapshots[-1], model, networks.eval())

    def slices(self, seed: int, count: int) -> Iterator[UInt8[np.ndarray, "n side side"]]:
        """Make slices number 0 to `count` of a seed, in constant memory."""
        for start in range(0, count, MICRO_BATCH):
            yield self._micro_batch(seed, start)[: count - start]

    def sample(self, count: int, seed: int = 0) -> UInt8[np.ndarray, "{count} side side"]:
        """Make `count` slices, grey levels 0..255."""
        return np.concatenate(list(self.slices(seed, count)))

    def some(self, seed: int, numbers: Sequence[int]) -> UInt8[np.ndarray, "n side side"]:
        """Make single slices of a seed by number, in the order asked for; at least one."""
        starts = {number: number - number % MICRO_BATCH for number in numbers}
        made = {start: self._micro_batch(seed, start) for start in set(starts.values())}
        return np.stack([made[starts[number]][number % MICRO_BATCH] for number in numbers])

    def _micro_batch(self, seed: int, start: int) -> UInt8[np.ndarray, "n side side"]:
        size = self.model.latent_size(self.config["recipe"]["data"]["size"])
        z = latents(seed, "slice", range(start, start + MICRO_BATCH), size)
        return from_model_range(self.model.sample(self.networks["generator"], z)[:, 0].numpy())


def _weights(snapshot: SnapshotFolder, network: str) -> dict[str, torch.Tensor]:
    path = snapshot.weights(network)
    try:
        return load_file(path)
    except Exception as error:  # safetensors raises its own kinds beside OSError
        raise InputError(f"{path} is missing or damaged ({error}): train the run again.") from error
