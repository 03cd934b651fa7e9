"""What every architecture gives: its settings, its networks, and slices from latents."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from braingan.data.conditions import CONDITIONS, NO_WORDS, Condition, Vocabulary
from braingan.settings import Settings

Autocast = Callable[[], AbstractContextManager[object]]
"""Makes a context for one forward pass."""


def untold(count: int, device: torch.device | None = None) -> Float[Tensor, "n 4"]:
    """Return the conditions of slices of which nothing is said."""
    return torch.full((count, len(CONDITIONS)), math.nan, device=device)


class Real(NamedTuple):
    """Slices of a store, and what is known of them."""

    slices: Float[Tensor, "n k side side"]
    """In -1..1; where masks are to be made, the lesion mask is the second channel, -1 outside and 1 inside."""
    told: Float[Tensor, "n 4"]
    """Their conditions (`braingan.data.conditions`); NaN where one is unknown."""

    @classmethod
    def alone(cls, slices: Float[Tensor, "n k side side"]) -> "Real":
        """Take slices of which nothing is known."""
        return cls(slices, untold(len(slices), slices.device))


@dataclass(frozen=True)
class Made:
    """What a generator makes in a training step, with its gradients."""

    real: Float[Tensor, "n k side side"]
    """What the discriminator is to see beside it."""
    fake: Float[Tensor, "n k side side"]
    further_loss: Float[Tensor, ""] | float = 0.0
    """What the generator minimises beside the game."""
    scalars: dict[str, Tensor] = field(default_factory=dict)
    """For the log."""


class Rate(NamedTuple):
    """How fast some parameters learn."""

    parameters: list[nn.Parameter]
    share: float = 1.0
    """The learning rate in units of the setting's."""
    constant_images: float = math.inf
    """After so many training images n the rate falls as √(n / images seen) (Karras et al., Analyzing and Improving the
    Training Dynamics of Diffusion Models, 2024, equation 67): with averaged weights, no length need be known before."""
    last_image: float = math.inf
    """Here learning has ended: over the second half of the images up to it the rate falls linearly to 0."""


def from_latents(
    generator: nn.Module,
    real: Real,
    latents: Float[Tensor, "n latent"],
    autocast: Autocast,
) -> Made:
    """Make slices from latents alone."""
    with autocast():
        return Made(real.slices, generator(latents))


class Architecture(Settings, ABC):
    """An architecture's own settings, from which its networks are built. Subclasses are final."""

    training: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    """Defaults of the training's settings with this architecture, where it has its own."""
    story: ClassVar[str] = (
        "Two networks play against each other: the generator makes slices from random numbers, the discriminator tells "
        "them from real ones, and each learns from where it failed."
    )
    """How it learns, for those who read a report."""

    name: str
    """Which architecture."""

    @property
    def told(self) -> tuple[Condition, ...]:
        """What it can be told of a slice; nothing by default."""
        return ()

    @property
    def makes_masks(self) -> bool:
        """Whether it makes lesion masks with its slices, where all training slices have theirs; not by default."""
        return False

    @abstractmethod
    def latent_size(self, side: int, vocabulary: Vocabulary = NO_WORDS) -> int:
        """Numbers in a latent, standard normal, of a slice of that side of which a vocabulary may be told."""

    @abstractmethod
    def build(self, side: int, vocabulary: Vocabulary = NO_WORDS) -> nn.ModuleDict:
        """Build the freshly initialised networks by name; `generator` is one of them.

        Args:
            side: width and height of a slice in pixels.
            vocabulary: what may be told of a slice, and whether it comes with a mask.

        Raises:
            InputError: the architecture does not make slices of that side.
        """

    def fit(self, networks: nn.ModuleDict, real: Real) -> None:
        """Take what an architecture has in closed form from training slices; nothing by default."""

    def rates(self, networks: nn.ModuleDict, slices: int) -> dict[str, list[Rate]]:
        """Return how fast each player's parameters learn, in groups, from so many training slices."""
        return {name: [Rate(list(network.parameters()))] for name, network in networks.items()}

    def called(self, network: nn.Module) -> list[nn.Module]:
        """Return the parts of a network that a training step calls, which can be compiled; by default all of it."""
        return [network]

    def make(
        self,
        generator: nn.Module,
        real: Real,
        latents: Float[Tensor, "n latent"],
        autocast: Autocast,
    ) -> Made:
        """Make a training step's slices, each forward pass in an autocast block of its own; by default from latents."""
        return from_latents(generator, real, latents, autocast)

    def draw(
        self, generator: nn.Module, latents: Float[Tensor, "n latent"], wished: Float[Tensor, "n 4"]
    ) -> Float[Tensor, "n 4"]:
        """Return the conditions that slices are made with: those wished for, and what else the latents choose."""
        return wished

    def sample(
        self, generator: nn.Module, latents: Float[Tensor, "n latent"], told: Float[Tensor, "n 4"]
    ) -> Float[Tensor, "n k side side"]:
        """Make slices in -1..1, without gradients. Iterative architectures take several steps here.

        Args:
            generator: one of `build`.
            latents: standard normal.
            told: conditions as `draw` gives them; NaN is unknown.
        """
        with torch.no_grad():
            made: Tensor = generator(latents)
            return made.float()


def channels_last(network: nn.Module) -> None:
    """Lay a network's convolution kernels out channels-last, as its feature maps are."""
    for tensor in network.parameters():
        if tensor.ndim == 4:
            tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)


def one_channel_last(maps: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 1 h w"]:
    """Say that maps of one channel, which have both layouts at once, are channels-last: else the slower is taken."""
    return maps.reshape(maps.shape[0], *maps.shape[2:], 1).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class LayerRow:
    """One row of a network's layer table."""

    layer: str
    shape: tuple[int, ...]
    """Of the output for one slice: units, or height, width, channels."""
    parameters: int
    """Total, moving averages included, as Keras counts."""
    trainable: int


def count_parameters(network: nn.Module) -> tuple[int, int]:
    """Return the number of total parameters (with moving averages, as Keras counts) and of trainable ones."""
    trainable = sum(p.numel() for p in network.parameters() if p.requires_grad)
    frozen = sum(p.numel() for p in network.parameters() if not p.requires_grad)
    return trainable + frozen + sum(buffer.numel() for buffer in network.buffers()), trainable


def layer_table(network: nn.Sequential, one_input: Float[Tensor, "1 ..."]) -> list[LayerRow]:
    """Return a row per layer, its shape taken from a real pass; activations without a row in Keras are left out."""
    rows, values = [], one_input
    was_training = network.training
    network.eval()
    with torch.no_grad():
        for layer in network:
            values = layer(values)
            if isinstance(layer, nn.Tanh):
                continue
            shape = tuple(values.shape[1:])
            shape = (*shape[1:], shape[0]) if len(shape) == 3 else shape
            rows.append(LayerRow(type(layer).__name__, shape, *count_parameters(layer)))
    network.train(was_training)
    return rows
