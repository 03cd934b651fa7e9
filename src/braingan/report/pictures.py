"""Slices that an evaluation singled out, made again from their seeds and numbers to be looked at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from braingan.data.leaks import TURNS
from braingan.data.store import Store
from braingan.report.figures import png_uri
from braingan.sampling.generator import TrainedGenerator

Found = Mapping[str, Any]


@dataclass(frozen=True)
class Picture:
    """A slice to show."""

    png: str
    alt: str
    caption: str


@dataclass(frozen=True)
class Pair:
    """A generated slice and the training slice that it is most like."""

    generated: Picture
    training: Picture
    caption: str


def _made(chosen: Sequence[Found], generator: TrainedGenerator) -> list[np.ndarray]:
    """Make slices again from their seeds and numbers."""
    found: dict[tuple[int, int], np.ndarray] = {}
    for seed in {of["seed"] for of in chosen}:
        numbers = [of["number"] for of in chosen if of["seed"] == seed]
        found |= {(seed, n): slice_ for n, slice_ in zip(numbers, generator.some(seed, numbers), strict=True)}
    return [found[of["seed"], of["number"]] for of in chosen]


def _name(of: Found) -> str:
    return f"generated slice {of['number']} of seed {of['seed']}"


def taken(chosen: Sequence[Found], generator: TrainedGenerator) -> list[Picture]:
    """Show slices with the classifier's probability that they are real."""
    return [
        Picture(png_uri(pixels), _name(of), f"{of['probability']:.0%} real · seed {of['seed']}, no. {of['number']}")
        for of, pixels in zip(chosen, _made(chosen, generator), strict=True)
    ]


def pairs(memorisation: Found, generator: TrainedGenerator, store: Store) -> list[Pair]:
    """Show the generated slices nearest to training ones beside these, turned as they were compared."""
    closest = memorisation.get("closest", [])
    found = []
    for of, pixels in zip(closest, _made(closest, generator), strict=True):
        down, across = TURNS[of["turn"]]
        training = store.images(np.array([of["training"]]))[0, ::down, ::across]
        turned = "" if of["turn"] == "none" else f", {of['turn']}"
        refused = " · too near, refused" if of["likeness"] > memorisation.get("threshold", np.inf) else ""
        found.append(
            Pair(
                Picture(png_uri(pixels), _name(of), f"seed {of['seed']}, no. {of['number']}"),
                Picture(png_uri(training), f"training slice {of['training']}{turned}", f"no. {of['training']}{turned}"),
                f"likeness {of['likeness']:.2f}{refused}",
            )
        )
    return found
