"""The settings of an evaluation."""

from typing import Annotated, Literal

from pydantic import Field

from braingan.settings import Settings

EffortName = Literal["quick", "thorough"]


class EvaluationSettings(Settings):
    """How generated slices are compared with real ones."""

    extractor: str = "efficientnet-lite2"
    """Which features the metrics with a plain name are measured in: `efficientnet-lite2`, `inception` (the FID
    network), `inception-keras`, `encoder`, `anatomy`, `random`, or `file:PATH` of a TorchScript or ONNX file."""
    also: tuple[str, ...] = ("anatomy", "encoder", "random")
    """Further extractors, whose metrics have `@` and the extractor's name behind theirs."""
    weights: str = ""
    """File with the weights of `inception` or `inception-keras`; empty: where `braingan fetch inception` put them."""
    encoder: EffortName = "quick"
    """How the store's own encoder is trained, once: `quick` on slices of 64 pixels, for some minutes on two cores; or
    `thorough`, a wider one on slices of up to 128 and eight times as many, to judge by it whether slices show what they
    were told to, best on a GPU."""
    count: Annotated[int, Field(ge=2)] = 4096
    """Slices compared on each side, at most; fewer where the held-out or the training subjects have fewer."""
    seeds: Annotated[int, Field(ge=1)] = 3
    """Sets of generated slices, each from a seed of its own; a metric's value is the mean over them."""
    neighbours: Annotated[int, Field(ge=1)] = 5
    """The k of the k-nearest-neighbour radii of precision, recall, density and coverage (Naeem et al. take 5)."""
    detector: bool = True
    """Whether a classifier is trained to tell real from generated slices."""
