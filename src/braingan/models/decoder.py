"""From codes to slices: a decoder that adds what the code leaves out, and the discriminator that judges it by patches.

The decoder starts from the code's own linear picture and adds details, of which noise decides those that the code does
not. The discriminator gives a logit for each of side/8 × side/8 patches (Isola et al., Image-to-Image Translation with
Conditional Adversarial Networks, 2017, section 3.2.2), as in Esser et al., Taming Transformers, 2021.
"""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from braingan.models.architecture import one_channel_last
from braingan.models.blockcode import BlockCode
from braingan.models.flow import zero
from braingan.models.keras import BatchNormalization

SLOPE = 0.2
MARGIN = 4 / 127.5
"""How far below black a decoder learns to draw what is black: four grey levels, that its noise does not reach over."""
BLOCKS = 4
"""Residual blocks, by whose number their first convolutions are scaled (Zhang et al., Fixup, 2019, section 3)."""


def convolution(channels: int, out: int, size: int, gain: float = 1.0) -> nn.Conv2d:
    """Make a convolution that keeps the sides, its weights normal with variance gain²/inputs."""
    layer = nn.Conv2d(channels, out, size, padding=size // 2)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
    layer.weight.data *= gain
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def from_noise(out: int) -> "FromOne":
    """Make a layer that adds noise, at first a tenth of what it is added to."""
    layer = FromOne(1, out, 1, bias=False)
    nn.init.normal_(layer.weight, std=0.1)
    return layer


class FromOne(nn.Conv2d):
    """A convolution of one channel."""

    def forward(self, input: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n c h2 w2"]:
        """Convolve, channels-last."""
        return super().forward(one_channel_last(input))


class Residual(nn.Module):
    """x + conv(act(conv(act(x)))), at first x."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = convolution(channels, channels, 3, 2**0.5 * BLOCKS**-0.25)
        self.conv2 = zero(nn.Conv2d(channels, channels, 3, padding=1, bias=False))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Add what the block finds."""
        added: Tensor = x + self.conv2(F.leaky_relu(self.conv1(F.leaky_relu(x, SLOPE)), SLOPE))
        return added


class Decoder(nn.Module):
    """Codes and noise to slices, through maps of an eighth, a quarter and half of the side."""

    def __init__(self, code: BlockCode, widths: tuple[int, int, int]) -> None:
        super().__init__()
        self.code = code
        (components, grid, _), channels = code.centre.shape, len(code.mean)
        eighth, quarter, half = widths
        self.enter = convolution(components, eighth, 3)
        self.position = nn.Parameter(torch.zeros(1, eighth, grid, grid))
        self.at_eighth, self.to_quarter = Residual(eighth), convolution(eighth, 4 * quarter, 1)
        self.noise_quarter, self.noise_half = from_noise(quarter), from_noise(half)
        self.at_quarter = nn.Sequential(Residual(quarter), Residual(quarter))
        self.to_half, self.at_half = convolution(quarter, 4 * half, 1), Residual(half)
        self.leave = convolution(half, 4 * channels, 3, 0.1)

    def forward(
        self, codes: Float[Tensor, "n c grid grid"], noise: Float[Tensor, "n 1 half half"]
    ) -> Float[Tensor, "n k side side"]:
        """Return slices that are still to be clamped to -1..1."""
        x = self.enter(codes.contiguous(memory_format=torch.channels_last)) + self.position
        x = F.pixel_shuffle(self.to_quarter(self.at_eighth(x)), 2) + self.noise_quarter(2 * F.avg_pool2d(noise, 2))
        x = F.pixel_shuffle(self.to_half(self.at_quarter(x)), 2) + self.noise_half(noise)
        details = F.pixel_shuffle(self.leave(F.leaky_relu(self.at_half(x), SLOPE)), 2)
        with torch.autocast(codes.device.type, enabled=False):  # whose rounding is a third of a grey level
            drawn: Tensor = self.code.decode(codes.float()) + details.float()
        return drawn


def reconstruction_error(
    drawn: Float[Tensor, "n k side side"], slices: Float[Tensor, "n k side side"]
) -> Float[Tensor, ""]:
    """Return the mean absolute error of what is drawn, not yet clamped, summed over the channels.

    Where a slice is black (-1) it is max(0, y + 1 + MARGIN) of what is drawn, y: black stays black with other noise.
    """
    error = (bounded(drawn) - slices).abs()
    total: Tensor = torch.where(slices > -1, error, F.relu(drawn + 1 + MARGIN)).mean((0, 2, 3)).sum()
    return total


class Bounded(torch.autograd.Function):
    """Clamp to -1..1; backwards, what lies outside is let inwards only.

    So black is reached by any value below -1, and neither player can pull on by how much. As it is with clamp's own
    derivative, but a value that should not be outside finds its way back.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Clamp."""
        ctx.save_for_backward(x)
        return x.clamp(-1, 1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Drop what would lead further out."""
        (x,) = ctx.saved_tensors
        return torch.where((x.abs() <= 1) | (x * gradient > 0), gradient, 0)


def bounded(x: Float[Tensor, "n k side side"]) -> Float[Tensor, "n k side side"]:
    """Clamp to -1..1 by `Bounded`."""
    clamped: Tensor = Bounded.apply(x)  # type: ignore[no-untyped-call]
    return clamped


def patch_discriminator(widths: tuple[int, int, int] = (32, 64, 128)) -> nn.Sequential:
    """Slices to a logit a patch, of 38 pixels' sight, at an eighth of the side."""
    first, second, third = widths
    layers = nn.Sequential(
        FromOne(1, first, 4, 2, 1), nn.LeakyReLU(SLOPE),
        nn.Conv2d(first, second, 4, 2, 1), BatchNormalization(second), nn.LeakyReLU(SLOPE),
        nn.Conv2d(second, third, 4, 2, 1), BatchNormalization(third), nn.LeakyReLU(SLOPE),
        nn.Conv2d(third, third, 3, padding=1), nn.LeakyReLU(SLOPE),
        nn.Conv2d(third, 1, 1),
    )  # fmt: skip
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, a=SLOPE)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layers
