"""Runs for tests: a small architecture without batch norm, and whether two runs are the same."""

from typing import Literal, final

import torch
from safetensors.torch import load_file
from torch import nn

from braingan.data.conditions import NO_WORDS, Vocabulary
from braingan.models.architecture import Architecture
from braingan.models.keras import Conv2D, Conv2DTranspose, Dense, Flatten, LeakyReLU, Reshape
from braingan.training.checkpoint import load_checkpoint
from braingan.training.run import read_log


@final
class Tiny(Architecture):
    name: Literal["tiny"] = "tiny"

    def latent_size(self, side: int, vocabulary: Vocabulary = NO_WORDS) -> int:
        return 4

    def build(self, side: int, vocabulary: Vocabulary = NO_WORDS) -> nn.ModuleDict:
        generator = nn.Sequential(
            Dense(4, 4 * (side // 2) ** 2, bias=False), LeakyReLU(0.01), Reshape(side // 2, side // 2, 4),
            Conv2DTranspose(4, 1, stride=2), nn.Tanh(),
        )  # fmt: skip
        discriminator = nn.Sequential(Conv2D(1, 4, 5, 2), LeakyReLU(0.01), Flatten(), Dense(4 * (side // 2) ** 2, 1))
        return nn.ModuleDict({"generator": generator, "discriminator": discriminator})


def weights(run):
    return {
        f"{snapshot.images_seen}/{name}/{key}": tensor
        for snapshot in run.snapshots()
        for name in ("generator", "discriminator")
        for key, tensor in load_file(snapshot.weights(name)).items()
    }


def newest_checkpoint(run):
    saved, damaged = load_checkpoint(run.checkpoints)
    assert not damaged
    return saved


def differing(one, other, name="state"):
    """Name what differs between two nests of tensors; the seconds within a kept state do not count."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), name
        return [found for key in one if key != "seconds" for found in differing(one[key], other[key], f"{name}.{key}")]
    if isinstance(one, list | tuple):
        assert len(one) == len(other), name
        return [
            found for i, pair in enumerate(zip(one, other, strict=True)) for found in differing(*pair, f"{name}.{i}")
        ]
    alike = same(one, other) if isinstance(one, torch.Tensor) else one == other
    return [] if alike else [name]


def same(one, other):
    """Whether two tensors have the same values, NaN where the other has it."""
    return torch.equal(one.isnan(), other.isnan()) and torch.equal(one.nan_to_num(), other.nan_to_num())


def assert_equal_runs(one, other):
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    for key in ours:
        assert same(ours[key], theirs[key]), key
    ours, theirs = (newest_checkpoint(run) for run in (one, other))
    assert differing(ours | {"seconds": 0}, theirs | {"seconds": 0}) == []
    timed = ("seconds", "images_per_second", "memory_mib")
    timeless = [{k: v for k, v in row.items() if k not in timed} for row in read_log(one)]
    assert timeless == [{k: v for k, v in row.items() if k not in timed} for row in read_log(other)]
