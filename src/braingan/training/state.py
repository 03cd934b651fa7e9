"""Everything that changes in a training; random numbers follow from the step, so none are kept."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from braingan.models.architecture import Architecture, channels_last
from braingan.randomness import draws
from braingan.training.devices import Device
from braingan.training.ema import AveragedWeights
from braingan.training.objectives import OBJECTIVES
from braingan.training.settings import TrainingSettings


@dataclass
class State:
    """Networks, optimisers, averaged weights, and the sums of the epoch so far."""

    networks: nn.ModuleDict
    optimizers: dict[str, torch.optim.Adam]
    averaged: AveragedWeights
    step: int = 0
    seconds: float = 0.0
    sums: dict[str, Tensor] = field(default_factory=dict)
    """Sums of the logged scalars over the steps of the current epoch."""
    summed: int = 0
    """Steps of the current epoch so far."""

    def to_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {
            "networks": self.networks.state_dict(), "averaged": self.averaged.network.state_dict(),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "step": self.step, "seconds": self.seconds, "sums": self.sums, "summed": self.summed,
        }  # fmt: skip

    def restore(self, saved: dict[str, Any]) -> None:
        """Take over a checkpoint's state."""
        self.networks.load_state_dict(saved["networks"])
        self.averaged.network.load_state_dict(saved["averaged"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(saved["optimizers"][name])
        self.step, self.seconds = saved["step"], saved["seconds"]
        self.sums, self.summed = saved["sums"], saved["summed"]


def initial_state(model: Architecture, settings: TrainingSettings, side: int, device: Device) -> State:
    """Build networks, optimisers and averaged weights from the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(draws(settings.seed, "initial weights").integers(2**63)))
        networks = model.build(side)
    networks.to(device.device)
    channels_last(networks)
    optimizers = {
        name: torch.optim.Adam(
            networks[name].parameters(), settings.learning_rate, settings.betas, eps=1e-7, fused=True
        )
        for name in OBJECTIVES[settings.objective].networks
    }
    return State(networks, optimizers, AveragedWeights(networks["generator"], settings.averaging_images))
