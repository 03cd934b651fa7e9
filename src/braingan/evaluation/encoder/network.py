"""The encoder's network: a small residual one, whose pooled activations are its features.

A stride-2 convolution halves the side until a 112-pixel slice is 7 × 7; from the second on, a residual convolution
follows each (He et al., Deep residual learning, 2016). The maps' mean is the feature vector, and one matrix reads every
answer from it. Batch normalisation keeps the maps' absolute scale, from which an area can be read (group normalisation
would divide it out); in evaluation mode it is a fixed factor, so that a slice's features do not depend on its batch.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

SIDE = 112
"""Larger slices are shrunk to so many pixels: the cost of a training does not depend on the store's side."""
CHANNELS = (16, 32, 64, 128)
FEATURES = CHANNELS[-1]


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


class EncoderNetwork(nn.Module):
    """Slices to features, and features to a row of raw answers."""

    def __init__(self, answers: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [convolution(1, CHANNELS[0], size=5, stride=2)]
        for before, after in pairwise(CHANNELS):
            layers += [convolution(before, after, size=3, stride=2), Residual(after)]
        self.maps = nn.Sequential(*layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.heads = nn.Linear(FEATURES, answers)

    def features(self, slices: Float[Tensor, "n 1 side side"]) -> Float[Tensor, "n 128"]:
        """Return the features of slices, black 0 and white 1."""
        if slices.shape[-1] > SIDE:
            slices = F.interpolate(slices, (SIDE, SIDE), mode="bilinear", antialias=True)
        pooled: Tensor = self.maps(slices).mean(dim=(2, 3))
        return pooled

    def forward(self, slices: Float[Tensor, "n 1 side side"]) -> Float[Tensor, "n answers"]:
        """Return raw answers: logits, and numbers on their training scale."""
        answers: Tensor = self.heads(self.features(slices))
        return answers
