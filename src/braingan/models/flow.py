"""A flow from noise to codes: the velocity field v(x, t), and the way along it.

    x_t = (1 - t) z + t y,    v minimises E ‖v(x_t, t) - (y - z)‖²,    dx = v(x, t) dt from x_0 = z to x_1

z is standard normal, y a slice's code. Lipman et al., Flow Matching for Generative Modeling, 2023, equation 23 with
σ_min = 0; Liu et al., Flow Straight and Fast, 2023. In training t is the sigmoid of a standard normal number: the
middle is the hardest (Esser et al., Scaling Rectified Flow Transformers, 2024, section 3.1). The field is a U-Net of
two resolutions (Ho et al., DDPM, 2020, appendix B) that knows each place's position, since brains lie alike, and what
is known of the slice, such as its depth in the head (`told`): what need not be guessed is learnt sooner.
"""

import itertools
import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from braingan.models.told import Told

Field = Callable[[Tensor, Tensor], Tensor]
"""Codes on their way, and times, to velocities."""

FREQUENCIES = 32
TIME = 128
HEADS = 4
GROUPS = 8
EARLY = 0.4
"""Of the first step."""


def time_waves(t: Float[Tensor, " n"]) -> Float[Tensor, "n waves"]:
    """Return cosines and sines of the time at frequencies from 1 to 1000."""
    frequencies = torch.exp(torch.linspace(0, math.log(1000), FREQUENCIES, device=t.device))
    angles = t[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], 1)


def zero(layer: nn.Conv2d) -> nn.Conv2d:
    """Start a convolution at zero, so that what it adds to starts as it is."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class TimedBlock(nn.Module):
    """A residual block whose second normalisation is scaled and shifted by the time."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(GROUPS, channels), nn.Conv2d(channels, out, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(GROUPS, out), zero(nn.Conv2d(out, out, 3, padding=1))
        self.time = nn.Linear(TIME, 2 * out)
        self.skip = nn.Conv2d(channels, out, 1) if channels != out else nn.Identity()

    def forward(self, x: Float[Tensor, "n c h w"], time: Float[Tensor, "n time"]) -> Float[Tensor, "n out h w"]:
        """Add what the block finds at that time."""
        scale, shift = self.time(time)[:, :, None, None].chunk(2, 1)
        hidden = self.norm2(self.conv1(F.silu(self.norm1(x)))) * (1 + scale) + shift
        added: Tensor = self.skip(x) + self.conv2(F.silu(hidden))
        return added


class Attention(nn.Module):
    """Self-attention between all places."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm, self.project = nn.GroupNorm(GROUPS, channels), nn.Conv2d(channels, 3 * channels, 1)
        self.out = zero(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Add what each place takes from the others."""
        n, channels, height, width = x.shape
        parts = self.project(self.norm(x)).reshape(n, 3, HEADS, channels // HEADS, height * width)
        query, key, value = parts.unbind(1)
        weights = (query.transpose(2, 3) @ key * (channels // HEADS) ** -0.5).softmax(-1)
        added: Tensor = x + self.out((value @ weights.transpose(2, 3)).reshape(n, channels, height, width))
        return added


class VelocityField(nn.Module):
    """v(x, t) on codes of an even grid, of slices of which something is told."""

    def __init__(self, components: int, grid: int, fine: int, coarse: int, frames: int = 0, labels: int = 0) -> None:
        super().__init__()
        self.time = nn.Sequential(nn.Linear(2 * FREQUENCIES, TIME), nn.SiLU(), nn.Linear(TIME, TIME))
        self.told = Told(frames, labels, TIME)
        self.enter = nn.Conv2d(components, fine, 3, padding=1)
        self.position = nn.Parameter(torch.randn(1, fine, grid, grid) * 0.1)
        self.down1, self.down2 = TimedBlock(fine, fine), TimedBlock(fine, fine)
        self.shrink = nn.Conv2d(4 * fine, coarse, 1)
        self.middle1, self.attention = TimedBlock(coarse, coarse), Attention(coarse)
        self.middle2, self.middle3 = TimedBlock(coarse, coarse), TimedBlock(coarse, coarse)
        self.grow = nn.Conv2d(coarse, 4 * fine, 1)
        self.up1, self.up2 = TimedBlock(2 * fine, fine), TimedBlock(2 * fine, fine)
        last = zero(nn.Conv2d(fine, components, 3, padding=1))
        self.leave = nn.Sequential(nn.GroupNorm(GROUPS, fine), nn.SiLU(), last)

    def forward(
        self, x: Float[Tensor, "n c grid grid"], t: Float[Tensor, " n"], told: Float[Tensor, "n 4"]
    ) -> Float[Tensor, "n c grid grid"]:
        """Return the velocity; NaN is unknown."""
        time = F.silu(self.time(time_waves(t)) + self.told(told))
        entered = self.enter(x.contiguous(memory_format=torch.channels_last)) + self.position
        once = self.down1(entered, time)
        twice = self.down2(once, time)
        middle = self.attention(self.middle1(self.shrink(F.pixel_unshuffle(twice, 2)), time))
        middle = self.middle3(self.middle2(middle, time), time)
        up = self.up1(torch.cat([F.pixel_shuffle(self.grow(middle), 2), twice], 1), time)
        velocity: Tensor = self.leave(self.up2(torch.cat([up, once], 1), time))
        return velocity


def matching_loss(
    field: Field,
    codes: Float[Tensor, "n c grid grid"],
    noise: Float[Tensor, "n c grid grid"],
    normal: Float[Tensor, " n"],
) -> Float[Tensor, ""]:
    """Return the mean squared error of the velocity at times σ(normal)."""
    t = normal.sigmoid()
    share = t[:, None, None, None]
    velocity = field((1 - share) * noise + share * codes, t)
    return F.mse_loss(velocity.float(), codes - noise)


def stops(steps: int, early: bool = False) -> list[float]:
    """Return the times from 0 to 1 at which a flow of equal steps stops; `early` stops once more in the first.

    Four steps take normal codes of deviation 1 to 0.95, and of 7 to 4.2: where such codes go is decided long before the
    first step's end. With the further stop these come to 6.2, and the others to where they came before.
    """
    return [0.0, *([EARLY / steps] if early else []), *(step / steps for step in range(1, steps + 1))]


def flow(field: Field, noise: Float[Tensor, "n c grid grid"], times: Sequence[float]) -> Float[Tensor, "n c grid grid"]:
    """Follow the field from noise to codes by Heun's method (the last step is Euler's)."""
    x = noise
    for time, after in itertools.pairwise(times):
        t, width = torch.full((x.shape[0],), time, device=x.device), after - time
        velocity = field(x, t).float()
        moved = x + width * velocity
        if after < 1:
            moved = x + width / 2 * (velocity + field(moved, t + width).float())
        x = moved
    return x
