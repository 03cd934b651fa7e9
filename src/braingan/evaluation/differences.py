"""Whether one model's slices differ from another's: 95 % intervals of paired differences.

Two models that are measured beside the same real slices share much of their scatter, which drops out of the difference.
`metrics.json` keeps each metric on the random halves of `intervals`, the same halves whichever model is measured, so

    d = M(one) - M(other),    d ± √((t_S-1 · deviation of the halves' differences)² + (t_K-1 · s / √K)²)

S are the real subjects. With K > 1 training seeds d and the halves are means over them and s is the deviation of the K
differences, which pair the seeds (both parts of Satterthwaite's problem taken at full width: never too narrow). Of one
training each nothing is known of what other weights would give, and the interval says only how other subjects would.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from braingan.errors import InputError
from braingan.evaluation.intervals import LEAST_SUBJECTS, half_width, student

Found = Mapping[str, Any]
"""What `metrics.json` holds."""
SAME = ("store", "split", "frames", "count", "subjects", "generation_seeds", "neighbours", "extractor")
"""What of two protocols has to agree."""


@dataclass(frozen=True)
class Difference:
    """A metric's difference and its interval."""

    value: float
    low: float
    high: float
    trainings: int
    """Of each model; with one the interval is about subjects alone."""

    @property
    def real(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low > 0 or self.high < 0


def difference(ones: Sequence[Found], others: Sequence[Found], metric: str, comparisons: int = 1) -> Difference:
    """Compare two models in one metric.

    Args:
        ones: `metrics.json` of one model, of each training seed.
        others: the same of the other model, in the same order of seeds.
        metric: as `metrics.json` names it.
        comparisons: of how many intervals all are to hold their truth at once in 95 % of cases (Bonferroni).

    Raises:
        InputError: they were not measured alike, or without intervals.
    """
    return contrast([ones, others], np.array([1.0, -1.0]), metric, comparisons)


def contrast(
    models: Sequence[Sequence[Found]], weights: Float[np.ndarray, " models"], metric: str, comparisons: int = 1
) -> Difference:
    """Return a weighted sum of several models' metric, such as one difference less another, as `difference` does."""
    every = [found for model in models for found in model]
    _insist_alike(every, metric)
    if len({len(model) for model in models}) > 1:
        raise InputError("Models with unequally many training seeds can't be paired.")
    values = np.array([[found["metrics"][metric]["value"] for found in model] for model in models])
    halves = np.array([np.mean([found["metrics"][metric]["halves"] for found in model], 0) for model in models])
    each = weights @ values
    widths = [half_width(float((weights @ halves).std(ddof=1)), every[0]["protocol"]["subjects"], comparisons)]
    if len(each) > 1:
        level = 1 - 0.025 / comparisons
        widths.append(student(level, len(each) - 1) * float(each.std(ddof=1)) / len(each) ** 0.5)
    value, width = float(each.mean()), float(np.hypot.reduce(widths))
    return Difference(value, value - width, value + width, len(each))


def _insist_alike(every: Sequence[Found], metric: str) -> None:
    first = every[0]["protocol"]
    for found in every:
        differs = [name for name in SAME if found["protocol"].get(name) != first.get(name)]
        if differs:
            raise InputError(
                f"Evaluations that differ in {', '.join(differs)} can't be compared: evaluate all on the same store, "
                "split and settings."
            )
        if "halves" not in found["metrics"].get(metric, {}):
            raise InputError(
                f"An evaluation lacks {metric}, or its values on halves of the subjects (at least {LEAST_SUBJECTS} "
                "subjects are needed): run braingan evaluate again."
            )
