"""The encoder's network: a small residual one, whose pooled activations are its features.

Slices are shrunk, to 64 pixels unless more is asked for: most of what it is asked shows at that size, and it sees
several times as many slices in the same time. Stride-2 convolutions halve the side to a sixteenth; from the second on,
a residual convolution follows each (He et al., Deep residual learning, 2016). The maps' mean is the feature vector, and
one matrix reads frame, depth, label and whether there is a lesion from it. Batch normalisation keeps the maps' absolute
scale; in evaluation mode it is a fixed factor, so that a slice's features do not depend on its batch.

Where a lesion is, the store's label maps say. A decoder that joins the stages from the coarsest up (Lin et al., Feature
pyramid networks, 2017) answers, on a grid of half the side, which share of each cell is lesion; their mean is the share
of the slice. An area
alone, with no word of the place, teaches less: large lesions were missed after such a training.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

SIDE = 64
"""Larger slices are shrunk to so many pixels, unless more is asked for."""
RARE = -4.0
"""Logit of lesion that a cell begins with."""
WIDTH, STAGES = 16, 4
"""Channels of the first stage, unless more is asked for; each further stage has twice as many."""


def shrunk(slices: Float[Tensor, "n 1 side side"], side: int = SIDE) -> Float[Tensor, "n 1 small small"]:
    """Return slices with so many pixels a side; smaller ones as they are."""
    if slices.shape[-1] <= side:
        return slices
    return F.interpolate(slices, (side, side), mode="bilinear", antialias=True)


class Residual(nn.Module):
    """x + ReLU(normalised convolution of x)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = convolution(channels, channels, size=3, stride=1)

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return maps of the same size."""
        added: Tensor = maps + self.branch(maps)
        return added


def convolution(before: int, after: int, size: int, stride: int) -> nn.Sequential:
    """Return a convolution, its batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(before, after, size, stride=stride, padding=size // 2, bias=False), nn.BatchNorm2d(after), nn.ReLU()
    )


class LesionMap(nn.Module):
    """Which share of each cell is lesion, as a logit, from the maps of all stages."""

    def __init__(self, channels: list[int]) -> None:
        super().__init__()
        shared = 3 * channels[0] // 2
        self.sides = nn.ModuleList(nn.Conv2d(count, shared, 1) for count in channels)
        self.joints = nn.ModuleList(convolution(shared, shared, size=3, stride=1) for _ in channels)
        self.logit = nn.Conv2d(shared, 1, 1)
        self.logit.bias = nn.Parameter(torch.full((1,), RARE))

    def forward(self, stages: list[Float[Tensor, "n _ _ _"]]) -> Float[Tensor, "n h w"]:
        """Return the logits on the finest of the stages' grids."""
        *finer, maps = (side(maps) for side, maps in zip(self.sides, stages, strict=True))
        *joints, joint = self.joints
        maps = joint(maps)
        for joint, fine in zip(reversed(joints), reversed(finer), strict=True):
            maps = joint(fine + F.interpolate(maps, fine.shape[-2:], mode="bilinear"))
        logits: Tensor = self.logit(maps)[:, 0]
        return logits


class EncoderNetwork(nn.Module):
    """Slices to features, and features to a row of raw answers.

    With `lesions`, the last but one answer is the logit of there being any, the last the share of the slice.
    """

    def __init__(self, answers: int, lesions: bool, side: int = SIDE, width: int = WIDTH) -> None:
        super().__init__()
        channels = [width * 2**stage for stage in range(STAGES)]
        self.side, self.feature_count = side, channels[-1]
        stages = [convolution(1, width, size=5, stride=2)]
        for before, after in pairwise(channels):
            stages.append(nn.Sequential(convolution(before, after, size=3, stride=2), Residual(after)))
        self.stages = nn.ModuleList(stages)
        self.heads = nn.Linear(self.feature_count, answers - lesions)
        self.lesion_map = LesionMap(channels) if lesions else None
        self.most = nn.Parameter(torch.ones(()))
        """How much the likeliest cell says of whether there is any."""
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def device(self) -> torch.device:
        """Where it lies."""
        return self.most.device

    def features(self, slices: Float[Tensor, "n 1 side side"]) -> Float[Tensor, "n features"]:
        """Return the features of slices, black 0 and white 1."""
        return self._stages(slices)[-1].mean(dim=(2, 3))

    def forward(
        self, slices: Float[Tensor, "n 1 side side"]
    ) -> tuple[Float[Tensor, "n answers"], Float[Tensor, "n h w"] | None]:
        """Return raw answers (logits, and numbers on their training scale), and the lesion map's logits."""
        stages = self._stages(slices)
        answers: Tensor = self.heads(stages[-1].mean(dim=(2, 3)))
        if self.lesion_map is None:
            return answers, None
        logits = self.lesion_map(stages)
        there = answers[:, -1:] + self.most * logits.amax(dim=(1, 2))[:, None]
        share = torch.sigmoid(logits).mean(dim=(1, 2))[:, None]
        return torch.cat((answers[:, :-1], there, share), dim=1), logits

    def _stages(self, slices: Float[Tensor, "n 1 side side"]) -> list[Float[Tensor, "n _ _ _"]]:
        maps = [shrunk(slices, self.side)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps[1:]
