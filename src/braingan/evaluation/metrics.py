"""METRICS: what compares generated with real slices in an extractor's features; ALONE: what describes one set.

Each is a number with a direction. A distance is best near its floor, a share near what real slices reach.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from braingan.evaluation.coverage import best_f, covered, density, in_balls
from braingan.evaluation.distances import class_score, frechet_distance, frechet_distance_of, kernel_distance_of
from braingan.evaluation.diversity import WINDOW, pair_similarities, vendi_score
from braingan.evaluation.features import Classifier, Extractor
from braingan.evaluation.pair import Pair
from braingan.evaluation.sets import SliceSet

Kind = Literal["distance", "share", "number"]
"""Of a distance 0 is best, so that a ratio to the floor means something; a share lies between 0 and 1."""


@dataclass(frozen=True)
class Metric:
    """A number that compares generated with real slices."""

    compute: Callable[[Pair], float]
    kind: Kind = "share"
    other_subject: bool = False
    """Whether it needs k neighbours of other subjects."""


def _frechet_distance(pair: Pair) -> float:
    slices, features = min(pair.xy.shape), pair.x.shape[1]
    return frechet_distance(pair.x, pair.y) if slices > features else frechet_distance_of(pair.xx, pair.yy, pair.xy)


METRICS: dict[str, Metric] = {
    "frechet_distance": Metric(_frechet_distance, "distance"),
    "kernel_distance": Metric(lambda p: kernel_distance_of(p.xx, p.yy, p.xy, p.x.shape[1]), "distance"),
    "precision": Metric(lambda p: float(in_balls(p.across, p.x_radii).mean())),
    "recall": Metric(lambda p: float(in_balls(p.across.T, p.y_radii).mean())),
    "density": Metric(lambda p: density(p.across, p.x_radii, p.k), "number"),
    "coverage": Metric(lambda p: float(covered(p.across, p.x_radii).mean())),
    "precision_other_subject": Metric(lambda p: float(in_balls(p.across, p.x_radii_other).mean()), other_subject=True),
    "recall_other_subject": Metric(lambda p: float(in_balls(p.across.T, p.y_radii_other).mean()), other_subject=True),
    "density_other_subject": Metric(lambda p: density(p.across, p.x_radii_other, p.k), "number", other_subject=True),
    "coverage_other_subject": Metric(lambda p: float(covered(p.across, p.x_radii_other).mean()), other_subject=True),
    "f1_8": Metric(lambda p: best_f(*p.curve, 1 / 8)),
    "f8": Metric(lambda p: best_f(*p.curve, 8.0)),
}


@dataclass(frozen=True)
class Alone:
    """A number that describes one set: a statistic of as many rows as there are slices, or pairs of slices."""

    rows: Callable[[SliceSet, Extractor], Float[np.ndarray, "n d"]]
    statistic: Callable[[Float[np.ndarray, "n d"]], float]
    features: bool = False
    """Whether it is measured in the extractor's features."""


def _mean(rows: Float[np.ndarray, "n 1"]) -> float:
    return float(rows.mean())


def _probabilities(slices: SliceSet, extractor: Extractor) -> Float[np.ndarray, "n d"]:
    assert isinstance(extractor, Classifier)
    return extractor.probabilities(slices.features(extractor))


def alone(extractor: Extractor, side: int) -> dict[str, Alone]:
    """Return what one set of slices of so many pixels a side can be described by."""
    found = {
        "vendi": Alone(lambda s, e: s.features(e).astype(np.float64), vendi_score, True),
        "brightness": Alone(lambda s, e: s.images.mean(axis=(1, 2), dtype=np.float64)[:, None], _mean),
    }
    if side >= WINDOW:
        found["ms_ssim"] = Alone(lambda s, e: pair_similarities(s.images)[:, None], _mean)
    if isinstance(extractor, Classifier):
        name = "inception_score" if extractor.name == "inception" else "class_score"
        found[name] = Alone(_probabilities, class_score, True)
    return found
