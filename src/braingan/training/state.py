"""Everything that changes in a training; random numbers follow from the step, so none are kept."""

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from braingan.data.conditions import NO_WORDS, Vocabulary
from braingan.models.architecture import Architecture, Real, channels_last
from braingan.randomness import draws
from braingan.training.devices import Device
from braingan.training.ema import AveragedWeights
from braingan.training.health import Health, norm
from braingan.training.settings import TrainingSettings


@dataclass
class Tally:
    """Means of a step's scalars over steps; summed where they are made, so that nothing waits for a GPU."""

    names: tuple[str, ...] = ()
    total: Tensor | None = None
    steps: int = 0

    @classmethod
    def of(cls, saved: dict[str, Any], device: torch.device) -> "Tally":
        """Take over a saved one."""
        total = saved["total"]
        return cls(saved["names"], None if total is None else total.to(device), saved["steps"])

    def add(self, scalars: dict[str, Tensor]) -> None:
        """Add a step's; of other scalars than before, which an architecture may have in time, it begins anew."""
        values = torch.stack(list(scalars.values())).double()
        if self.total is None or tuple(scalars) != self.names:
            self.names, self.total, self.steps = tuple(scalars), values, 1
        else:
            self.total, self.steps = self.total + values, self.steps + 1

    def means(self) -> dict[str, float]:
        """Return the means by name; none before the first step."""
        total = [] if self.total is None else self.total.tolist()
        return {name: value / self.steps for name, value in zip(self.names, total, strict=True)}


@dataclass
class State:
    """Networks, optimisers, averaged weights, the sums of the epoch and window so far, and the training's health."""

    networks: nn.ModuleDict
    optimizers: dict[str, torch.optim.Adam]
    averaged: AveragedWeights
    health: Health
    step: int = 0
    seconds: float = 0.0
    epoch: Tally = field(default_factory=Tally)
    window: Tally = field(default_factory=Tally)
    rolled_back: int = 0
    """How often the learning rate was halved."""
    good: dict[str, Any] | None = None
    """The last good state, from which to go on after trouble; only kept where the settings ask for it."""

    def to_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {
            "networks": self.networks.state_dict(), "averaged": self.averaged.network.state_dict(),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "step": self.step, "seconds": self.seconds, "epoch": vars(self.epoch), "window": vars(self.window),
            "bad": self.health.bad, "rolled_back": self.rolled_back, "good": self.good,
        }  # fmt: skip

    def restore(self, saved: dict[str, Any]) -> None:
        """Take over a checkpoint's state."""
        self.networks.load_state_dict(saved["networks"])
        self.averaged.network.load_state_dict(saved["averaged"])
        for name, optimizer in self.optimizers.items():
            capturable = optimizer.defaults["capturable"]  # of this device, the saved one's may be another
            optimizer.load_state_dict(saved["optimizers"][name])
            for group in optimizer.param_groups:
                group["capturable"] = capturable
        self.step, self.seconds = saved["step"], saved["seconds"]
        device = next(self.networks.parameters()).device
        self.epoch, self.window = Tally.of(saved["epoch"], device), Tally.of(saved["window"], device)
        self.health.bad, self.rolled_back = dict(saved["bad"]), saved["rolled_back"]
        self.good = saved["good"]

    def not_finite(self) -> str:
        """Say which of the epoch's means or of the players' weights are not finite, if any are not."""
        found = [name.replace("_", " ") for name, mean in self.epoch.means().items() if not math.isfinite(mean)]
        for name in self.optimizers:
            if not bool(norm(list(self.networks[name].parameters())).isfinite()):
                found.append(f"{name}'s weights")
        return f"no longer finite: {', '.join(found)}" if found else ""

    def keep(self) -> None:
        """Keep this state as the last good one, in the processor's memory."""
        self.good = None
        self.good = copied(self.to_dict())

    def roll_back(self) -> None:
        """Take the last good state, with half the learning rate that this one has."""
        assert self.good is not None
        good, seconds, rolled_back = self.good, self.seconds, self.rolled_back + 1
        self.restore(copied(good))
        self.good, self.seconds, self.rolled_back, self.health.bad = good, seconds, rolled_back, {}
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] / 2**rolled_back


def copied(content: Any) -> Any:
    """Copy nested dicts and lists of tensors into the processor's memory."""
    if isinstance(content, Tensor):
        return content.detach().to("cpu", copy=True)
    if isinstance(content, dict):
        return {key: copied(value) for key, value in content.items()}
    return [copied(value) for value in content] if isinstance(content, list) else content


def initial_state(
    model: Architecture,
    settings: TrainingSettings,
    examples: Real,
    slices: int,
    device: Device,
    vocabulary: Vocabulary = NO_WORDS,
) -> State:
    """Build networks, optimisers and averaged weights from the seed; `examples` are some of so many training slices."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(draws(settings.seed, "initial weights").integers(2**63)))
        networks = model.build(examples.slices.shape[-1], vocabulary)
    model.fit(networks, examples)
    networks.to(device.device)
    channels_last(networks)
    averaged = AveragedWeights(networks["generator"], settings.averaging_images)
    optimizers = {}
    for name, groups in model.rates(networks, slices).items():
        players: list[dict[str, Any]] = []
        for parameters, share, constant_images, last_image in groups:
            rate = settings.learning_rate * share
            falls = {"constant_images": constant_images, "last_image": last_image}
            players.append({"params": parameters, "lr": rate, "initial_lr": rate, **falls})
        optimizers[name] = torch.optim.Adam(
            players, settings.learning_rate, settings.betas, eps=1e-7, fused=True,
            capturable=device.device.type == "cuda",
        )  # fmt: skip
        if settings.compile:
            for called in model.called(networks[name]):
                called.compile()
    return State(networks, optimizers, averaged, Health(settings.batch_size))
