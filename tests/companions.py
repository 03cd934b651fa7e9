"""Run as one of several processes that train together: a step on tiny networks, each result written for the test.

`python companions.py OUT`, with torchrun's or SLURM's variables in the environment.
"""

import itertools
import sys
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import nn

from braingan.errors import InputError
from braingan.models.architecture import Real
from braingan.models.keras import (
    BatchNormalization,
    Conv2D,
    Conv2DTranspose,
    Dense,
    Flatten,
    LeakyReLU,
    Reshape,
)
from braingan.training.ema import AveragedWeights
from braingan.training.objectives import OBJECTIVES
from braingan.training.parallel import ALONE

BATCH = 6
CASES = list(itertools.product((torch.float64, torch.float32), ("plain", "normalised"), OBJECTIVES))


def networks(kind):
    """A generator of 8×8 slices from 5 numbers, and its discriminator; the same weights each time."""
    torch.manual_seed(0)

    def norm(channels):
        return BatchNormalization(channels) if kind == "normalised" else nn.Identity()

    generator = nn.Sequential(
        Dense(5, 2 * 2 * 4), Reshape(2, 2, 4), Conv2DTranspose(4, 3, 2), norm(3), LeakyReLU(0.1),
        Conv2DTranspose(3, 1, 2), nn.Tanh(),
    )  # fmt: skip
    discriminator = nn.Sequential(
        Conv2D(1, 4, 5, 2),
        norm(4),
        LeakyReLU(0.1),
        Conv2D(4, 6, 5, 2),
        norm(6),
        LeakyReLU(0.1),
        Flatten(),
        Dense(24, 1),
    )
    return nn.ModuleDict({"generator": generator, "discriminator": discriminator})


def step(ranks, dtype, kind, objective, synchronised=True):
    """Both players' gradients, the scalars, and batch norm's moving averages after one step, by name."""
    players = networks(kind).to(dtype)
    if synchronised:
        ranks.synchronise(players)
    draw = torch.Generator().manual_seed(1)
    real = torch.rand(BATCH, 1, 8, 8, generator=draw, dtype=dtype) * 2 - 1
    real[: BATCH // 2] *= 0.3  # the shares differ
    latents = torch.randn(BATCH, 5, generator=draw, dtype=dtype)
    share = ranks.share(BATCH)
    scalars = OBJECTIVES[objective].gradients(players, Real.alone(real[share]), latents[share], nullcontext)
    for player in players.values():
        ranks.average_gradients(player)
    gradients = {name: parameter.grad for name, parameter in players.named_parameters()}
    del scalars["diversity"]  # of each share: no mean over the batch
    return ranks.mean(scalars) | gradients | dict(players.named_buffers())


def refusal(ranks):
    """What is said where processes hold different values."""
    ranks.insist_same("the same", 1)
    try:
        ranks.insist_same("their own", ranks.rank)
    except InputError as error:
        return str(error)


def main(out):
    from braingan.training.launch import launch

    with launch() as ranks:
        found = {str(case): step(ranks, *case) for case in CASES}
        found["unsynchronised"] = step(ranks, *CASES[2], synchronised=False)
        players = networks("normalised")
        averaged = AveragedWeights(players["generator"], 1000.0)
        ranks.synchronise(players)
        if ranks.writes:  # alone: a layer that waited for the others would hang
            averaged.ready(5, seed=0)
        with ranks.writer_first():
            if ranks.writes:
                (out / "mended").touch()
            found["mended"] = (out / "mended").exists()
        found["any"] = [ranks.any(False, 0), ranks.any(ranks.rank == 1, 1)]
        found["refusal"] = refusal(ranks)
        torch.save(found | {"world": ranks.world, "here": ranks.here}, out / f"{ranks.rank}.pt")


if __name__ == "__main__":
    assert not ALONE.rank
    main(Path(sys.argv[1]))
