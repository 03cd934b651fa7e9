"""The thesis's three generators and its discriminator (its tables 1 to 4), layer by layer.

All convolutions are 5×5 with padding "same". A generator ends in tanh, so slices lie in -1..1. The
discriminator gives logits: its losses are computed from them, and their sigmoid is the probability that a
slice is real.

Source: O. Feliu Juárez, Generation of brain MRI images using Generative Adversarial Networks (GAN), 2023;
`thesis.toml` holds its tables, and what it leaves open.
"""

from collections.abc import Callable
from typing import Annotated, Literal, final

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from braingan.data.conditions import NO_WORDS, Vocabulary
from braingan.errors import InputError
from braingan.models.architecture import Architecture
from braingan.models.decoder import patch_discriminator
from braingan.models.keras import (
    BatchNormalization,
    Conv2D,
    Conv2DTranspose,
    Dense,
    Flatten,
    LeakyReLU,
    Reshape,
)

SIDE = 112
LATENT = 100


def thesis4(slope: float) -> nn.Sequential:
    """Table 1: one transposed convolution on 56×56×64."""
    return nn.Sequential(
        Dense(LATENT, 56 * 56 * 64, bias=False), LeakyReLU(slope), Reshape(56, 56, 64),
        Conv2DTranspose(64, 1, stride=2), nn.Tanh(),
    )  # fmt: skip


def thesis7(slope: float) -> nn.Sequential:
    """Table 2: three transposed convolutions from 28×28×256."""
    return nn.Sequential(
        Dense(LATENT, 28 * 28 * 256, bias=False), Reshape(28, 28, 256),
        Conv2DTranspose(256, 128, stride=2), BatchNormalization(128), LeakyReLU(slope),
        Conv2DTranspose(128, 64, stride=1), BatchNormalization(64), LeakyReLU(slope),
        Conv2DTranspose(64, 1, stride=2), nn.Tanh(),
    )  # fmt: skip


def thesis15(slope: float) -> nn.Sequential:
    """Table 3: five transposed convolutions from 14×14×256."""
    return nn.Sequential(
        Dense(LATENT, 14 * 14 * 256, bias=False), Reshape(14, 14, 256),
        Conv2DTranspose(256, 256, stride=2), BatchNormalization(256), LeakyReLU(slope),
        Conv2DTranspose(256, 128, stride=1), BatchNormalization(128), LeakyReLU(slope),
        Conv2DTranspose(128, 128, stride=2), BatchNormalization(128), LeakyReLU(slope),
        Conv2DTranspose(128, 64, stride=1), BatchNormalization(64), LeakyReLU(slope),
        Conv2DTranspose(64, 1, stride=2), nn.Tanh(),
    )  # fmt: skip


def discriminator(slope: float = 0.01) -> nn.Sequential:
    """Table 4: three convolutions and one unit, the logit of "real"."""
    return nn.Sequential(
        Conv2D(1, 32, 5, stride=2), LeakyReLU(slope),
        Conv2D(32, 64, 5, stride=2), BatchNormalization(64), LeakyReLU(slope),
        Conv2D(64, 128, 5, stride=2), BatchNormalization(128), LeakyReLU(slope),
        Flatten(), Dense(14 * 14 * 128, 1),
    )  # fmt: skip


def probability_real(discriminator: nn.Module, slices: Float[Tensor, "n k side side"]) -> Float[Tensor, " n"]:
    """Return the discriminator's probability that each slice (in -1..1) is real, by the mean logit of its patches."""
    with torch.no_grad():
        return torch.sigmoid(discriminator(slices).float().flatten(1).mean(1))


DISCRIMINATORS: dict[str, Callable[[], nn.Sequential]] = {"thesis": discriminator, "patches": patch_discriminator}


class _Thesis(Architecture):
    """What the three share: a latent of 100 numbers, slices of 112 × 112, the discriminator."""

    discriminator: Literal["thesis", "patches"] = "thesis"
    """Who plays against it: the thesis's, or `latentflow`'s, which judges patches."""
    leaky_slope: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Slope of the generator's LeakyReLU below zero; the thesis states 0.01 for the discriminator only."""

    def latent_size(self, side: int, vocabulary: Vocabulary = NO_WORDS) -> int:
        """100 numbers."""
        return LATENT

    def build(self, side: int, vocabulary: Vocabulary = NO_WORDS) -> nn.ModuleDict:
        """Build the generator and the discriminator; side must be 112."""
        if side != SIDE:
            raise InputError(
                f"{self.name} makes slices of {SIDE}×{SIDE} pixels, the store's have {side}×{side}: prepare "
                f"with --size {SIDE}."
            )
        generator = GENERATORS[self.name](self.leaky_slope)
        return nn.ModuleDict({"generator": generator, "discriminator": DISCRIMINATORS[self.discriminator]()})


GENERATORS: dict[str, Callable[[float], nn.Sequential]] = {
    "thesis4": thesis4,
    "thesis7": thesis7,
    "thesis15": thesis15,
}


@final
class Thesis4(_Thesis):
    """The thesis's 4-layer generator."""

    name: Literal["thesis4"] = "thesis4"
    """Which architecture."""


@final
class Thesis7(_Thesis):
    """The thesis's 7-layer generator."""

    name: Literal["thesis7"] = "thesis7"
    """Which architecture."""


@final
class Thesis15(_Thesis):
    """The thesis's 15-layer generator."""

    name: Literal["thesis15"] = "thesis15"
    """Which architecture."""
