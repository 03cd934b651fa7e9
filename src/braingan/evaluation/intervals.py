"""How sure a number is: 95 % intervals by subject.

Slices of one subject are alike, so that n slices of S subjects say less than n slices of n subjects, and an interval
has to be about subjects: where would the number lie with other subjects drawn alike, at the same count?

Method: random halves without replacement. Take half of the real subjects with all their slices, half of the generated
ones, and compute the metric M on them; again and again. For a mean over subjects the variance of such halves around
the whole is that of the whole itself, σ²/(S/2) · (1 - 1/2) = σ²/S (Politis, Romano and Wolf, Subsampling, 1999),
and so it is, to first order, for any smooth metric. What a metric loses or gains by being computed on half as many
slices, as the Fréchet distance and neighbour radii do, is the same for all halves and drops out of their deviation. So
the interval is

    M ± t · deviation of the halves,    t the 97.5 % point of Student's distribution of S - 1 degrees of freedom.

A bootstrap draws slices twice, which metrics of neighbours and ranks take for copies: it is biased. Where the metric's
first-order part vanishes (a distance at its floor) halves scatter more than the whole, and the interval is too
wide, never too narrow. `benchmarks/intervals.py` measures how often such intervals hold the truth.
"""

import math
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np
from jaxtyping import Int, Shaped

from braingan.randomness import draws

HALVES = 40
LEAST_SUBJECTS = 4
"""With fewer there is no interval worth the name."""


def halves(subjects: Shaped[np.ndarray, " n"], purpose: str, count: int = HALVES) -> Iterator[Int[np.ndarray, " h"]]:
    """Yield the row numbers of random halves of the subjects, always the same for a purpose.

    An odd number of subjects gives halves that are one short or one too many, in turn.
    """
    names, numbers = np.unique(subjects, return_inverse=True)
    for repeat in range(count):
        size = (len(names) + repeat % 2) // 2
        chosen = np.zeros(len(names), bool)
        chosen[draws(0, f"halves of {purpose}", repeat).permutation(len(names))[:size]] = True
        yield np.flatnonzero(chosen[numbers.reshape(-1)])


def half_width(deviation: float, subjects: int, comparisons: int = 1) -> float:
    """Return half the width of a 95 % interval from the deviation of the halves.

    Args:
        deviation: of the metric's values on random halves.
        subjects: how many real subjects there are.
        comparisons: of how many intervals all are to hold their truth at once in 95 % of cases (Bonferroni).
    """
    return student(1 - 0.025 / comparisons, subjects - 1) * deviation


def never_seen(subjects: int) -> float:
    """Return the largest share that so many independent subjects would all miss in 2.5 % of cases.

    It bounds a share of 0 (or 1) that no half of the subjects departs from, whose deviation says nothing.
    """
    return float(1 - 0.025 ** (1 / subjects))


def student(level: float, freedom: int) -> float:
    """Return the point below which Student's distribution has its share `level`, to 0.2 %.

    With 1 and 2 degrees of freedom in closed form, else by the expansion of Cornish and Fisher in 1 / freedom
    (Abramowitz and Stegun, Handbook, 1964, 26.7.5).
    """
    if freedom == 1:
        return math.tan(math.pi * (level - 0.5))
    if freedom == 2:
        return (2 * level - 1) / math.sqrt(2 * level * (1 - level))
    z = NormalDist().inv_cdf(level)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return float(sum(term / freedom**power for power, term in enumerate(terms)))
