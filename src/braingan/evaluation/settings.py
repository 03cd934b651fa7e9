"""The settings of an evaluation."""

from typing import Annotated

from pydantic import Field

from braingan.settings import Settings


class EvaluationSettings(Settings):
    """How generated slices are compared with real ones."""

    extractor: str = "efficientnet-lite2"
    """Which features distances are measured in."""
    count: Annotated[int, Field(ge=2)] = 4096
    """Slices compared on each side, at most; fewer where the held-out or the training subjects have fewer."""
    seeds: Annotated[int, Field(ge=1)] = 3
    """Sets of generated slices, each from a seed of its own; a metric's value is the mean over them."""
    neighbours: Annotated[int, Field(ge=1)] = 3
    """The k of the k-nearest-neighbour radii of precision and recall (Kynkäänniemi et al. take 3)."""
