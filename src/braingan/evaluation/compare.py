"""Sets of generated slices against real ones in one extractor's features: every number with interval and floor.

The floor is what real training slices score in the place of the generated ones, at the same count.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped

from braingan.evaluation.coverage import in_balls, realism
from braingan.evaluation.distances import at_infinity
from braingan.evaluation.features import Extractor
from braingan.evaluation.intervals import LEAST_SUBJECTS, half_width, halves, never_seen
from braingan.evaluation.metrics import METRICS, Alone, Kind, Metric
from braingan.evaluation.pair import Pair
from braingan.evaluation.sets import SliceSet
from braingan.progress import progress

INFINITE = "frechet_distance_infinite"
"""Extrapolated from the distance at n and at n/2; left out where n/2 is no more than the number of features, as the
bias does not fall as 1/n there: intervals around it never held the truth (`benchmarks/intervals.py`)."""
LEAST_HALVED = 4
"""Slices for each neighbour, under which halves are too small."""
Values = dict[str, float]


def pair_of(real: SliceSet, other: SliceSet, extractor: Extractor, k: int) -> Pair:
    """Return two sets in an extractor's features."""
    return Pair.of(
        real.features(extractor), other.features(extractor), real.subjects, other.subjects, k, extractor.standardised
    )


def measurable(sets: Sequence[SliceSet], k: int) -> dict[str, Metric]:
    """Return the metrics that these sets, and their halves, allow: radii to other subjects need slices of others."""
    enough = all(_of_others(s.subjects) >= 2 * k for s in sets)
    return {name: metric for name, metric in METRICS.items() if enough or not metric.other_subject}


def _of_others(subjects: Shaped[np.ndarray, " n"]) -> int:
    """Return how many slices are not of the subject that has most, which has fewest others."""
    return len(subjects) - int(np.unique(subjects, return_counts=True)[1].max())


def whole(pair: Pair, metrics: Mapping[str, Metric]) -> Values:
    """Return the metrics of two sets."""
    return {name: metric.compute(pair) for name, metric in metrics.items()}


def on_halves(pair: Pair, metrics: Mapping[str, Metric], purpose: str) -> dict[str, Float[np.ndarray, " halves"]]:
    """Return the metrics on random halves of both sets' subjects; the real ones are the same whatever the purpose.

    None where there are too few subjects, or slices for the neighbour radii of each half.
    """
    if min(len(np.unique(subjects)) for subjects in (pair.x_subjects, pair.y_subjects)) < LEAST_SUBJECTS:
        return {}
    if min(len(pair.x), len(pair.y)) < LEAST_HALVED * pair.k:
        return {}
    real, generated = list(halves(pair.x_subjects, "real")), list(halves(pair.y_subjects, purpose))
    each = [of[rows] for of, every in ((pair.x_subjects, real), (pair.y_subjects, generated)) for rows in every]
    if min(map(len, each)) <= pair.k:  # most slices are of few subjects
        return {}
    if min(map(_of_others, each)) < pair.k:
        metrics = {name: metric for name, metric in metrics.items() if not metric.other_subject}
    found = [whole(pair.part(rows, columns), metrics) for rows, columns in zip(real, generated, strict=True)]
    return {name: np.array([values[name] for values in found]) for name in metrics}


@dataclass(frozen=True)
class Compared:
    """What is kept of one pair: its inner products are too large to keep several."""

    values: Values
    scattered: dict[str, Float[np.ndarray, " halves"]]
    """Metrics on random halves."""
    recalled: Bool[np.ndarray, " n"]
    """Which real slices lie in a generated one's ball."""
    curve: tuple[Float[np.ndarray, " angles"], Float[np.ndarray, " angles"]]
    realism: Float[np.ndarray, " m"]

    @classmethod
    def of(cls, pair: Pair, metrics: Mapping[str, Metric], scattered: Mapping[str, Metric], purpose: str) -> "Compared":
        """Measure a pair: `metrics` on the whole, those of `scattered` on halves as well."""
        return cls(
            whole(pair, metrics),
            on_halves(pair, scattered, purpose),
            in_balls(pair.across.T, pair.y_radii),
            pair.curve,
            realism(pair.across, pair.x_radii),
        )


@dataclass(frozen=True)
class Comparison:
    """Sets of generated slices, one per seed, and the floor, each beside the same real slices."""

    sets: list[Compared]
    floor: Compared
    metrics: dict[str, dict[str, Any]]
    """For each metric its value (the mean over the sets), interval, floor, and ratio to the floor."""


def compare(real: SliceSet, sets: Sequence[SliceSet], floor: SliceSet, extractor: Extractor, k: int) -> Comparison:
    """Measure sets of generated slices in an extractor's features.

    Args:
        real: slices of held-out subjects.
        sets: generated slices, a set per seed, as many in each as real ones.
        floor: as many real slices of other subjects.
        extractor: whose features are compared.
        k: of the neighbour radii.
    """
    metrics = measurable([real, floor], k)
    distance = {"frechet_distance": metrics["frechet_distance"]}
    found = []
    with progress(f"metrics in {extractor.name}", len(sets) + 1, "sets") as advance:
        for number, generated in enumerate(sets):
            pair = pair_of(real, generated, extractor, k)
            found.append(Compared.of(pair, metrics, metrics, f"set {number}"))
            advance(1)
        of_floor = Compared.of(pair_of(real, floor, extractor, k), metrics, distance, "floor")
        advance(1)
    return Comparison(found, of_floor, _entries(metrics, found, of_floor, real, extractor))


def _entries(
    metrics: Mapping[str, Metric], sets: Sequence[Compared], floor: Compared, real: SliceSet, extractor: Extractor
) -> dict[str, dict[str, Any]]:
    subjects, features = len(np.unique(real.subjects)), real.features(extractor).shape[1]
    found = {}
    for name, metric in metrics.items():
        each = [of_set.values[name] for of_set in sets]
        halved = all(of.scattered for of in [*sets, floor])
        here = halved and all(name in of.scattered for of in sets)
        on_each = np.mean([of.scattered[name] for of in sets], axis=0) if here else None
        deviation = None if on_each is None else float(on_each.std(ddof=1))
        found[name] = entry(each, deviation, subjects, floor.values[name], metric.kind)
        if on_each is not None:
            found[name]["halves"] = on_each.tolist()
        if name == "frechet_distance" and halved and len(real) // 2 > features:
            infinite = [_infinite(of_set) for of_set in sets]
            found[INFINITE] = entry(infinite, deviation, subjects, _infinite(floor), "distance")
    return {name: of_metric | {"count": len(real), "extractor": extractor.name} for name, of_metric in found.items()}


def _infinite(of: Compared) -> float:
    return at_infinity(of.values["frechet_distance"], float(of.scattered["frechet_distance"].mean()))


def describe(
    statistics: Mapping[str, Alone], sets: Sequence[SliceSet], floor: SliceSet, extractor: Extractor
) -> dict[str, dict[str, Any]]:
    """Return what describes generated sets by themselves, beside the same of real training slices."""
    found = {}
    for name, alone in statistics.items():
        rows = [alone.rows(generated, extractor) for generated in sets]
        each = [alone.statistic(of_set) for of_set in rows]
        deviations = [
            np.std([alone.statistic(of_set[half]) for half in halves(np.arange(len(of_set)), name)], ddof=1)
            for of_set in rows
        ]
        deviation = float(np.sqrt(np.mean(np.square(deviations)) / len(sets)))
        by = {"extractor": extractor.name} if alone.features else {}
        of_floor = alone.statistic(alone.rows(floor, extractor))
        found[name] = entry(each, deviation, len(sets[0]), of_floor, "number") | {"count": len(sets[0]), **by}
    return found


def entry(
    values: Sequence[float], deviation: float | None, subjects: int, floor: float | None, kind: Kind
) -> dict[str, Any]:
    """Return a metric as `metrics.json` has it; no interval without a deviation, or of too few subjects."""
    value = float(np.mean(values))
    found: dict[str, Any] = {"value": value}
    if deviation is not None and subjects >= LEAST_SUBJECTS:
        width = half_width(deviation, subjects)
        if kind == "share" and deviation == 0:
            width = never_seen(subjects)
        least, most = (0.0, 1.0) if kind == "share" else (-np.inf, np.inf)
        found |= {"low": float(max(value - width, least)), "high": float(min(value + width, most))}
    if floor is not None:
        found["floor"] = floor
        if kind == "distance" and floor > 0:
            found["ratio"] = value / floor
    return found | {"values": list(values)}
