"""Whether a generator repeats its training slices, in features: nearer to them than real people are.

Notation: T training slices, P held-out real ones, G generated ones; d(a, T) the distance from a to the nearest of T.
What is a copy to the eye is the gate's question (`gate`); this is about all slices together.
"""

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from braingan.evaluation.clusters import k_means
from braingan.evaluation.intervals import halves
from braingan.randomness import draws

ROWS = 512
"""Slices compared at once, which bounds the memory."""
CELLS, LEAST_IN_CELL = 8, 20
"""Regions of the feature space for the data-copying test, and generated and held-out slices that a region needs."""


def nearest(
    rows: Float[np.ndarray, "n d"], others: Float[np.ndarray, "m d"], same: Bool[np.ndarray, "n m"] | None = None
) -> tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Return how far the nearest of the others is from each row, and which it is.

    Args:
        rows: features.
        others: features of at least one slice.
        same: pairs to pass over.
    """
    rows, others = rows.astype(np.float64), others.astype(np.float64)
    distances, found = np.empty(len(rows)), np.empty(len(rows), int)
    lengths = (others * others).sum(axis=1)
    for start in range(0, len(rows), ROWS):
        part = rows[start : start + ROWS]
        squares = (part * part).sum(axis=1)[:, None] + lengths - 2 * (part @ others.T)
        if same is not None:
            squares[same[start : start + ROWS]] = np.inf
        best = squares.argmin(axis=1)
        found[start : start + ROWS] = best
        distances[start : start + ROWS] = np.sqrt(np.maximum(squares[np.arange(len(part)), best], 0))
    return distances, found


def authentic(
    generated: Float[np.ndarray, "n d"], training: Float[np.ndarray, "m d"], subjects: Shaped[np.ndarray, " m"]
) -> Bool[np.ndarray, " n"]:
    """Return which slices are authentic: no nearer to their nearest training slice than **another subject's** is to
    that.

    Alaa et al., How faithful is your synthetic data?, 2022, section 4.2, where the radius is to any other training
    slice; to a neighbouring slice of the same subject it would be so small that copies with a little noise pass.
    """
    distance, to = nearest(generated, training)
    numbers = np.unique(subjects, return_inverse=True)[1].reshape(-1)
    different, place = np.unique(to, return_inverse=True)
    radius, _ = nearest(training[different], training, numbers[different][:, None] == numbers[None, :])
    return np.asarray(distance >= radius[place.reshape(-1)])


def data_copying(
    generated: Float[np.ndarray, "n d"], held_out: Float[np.ndarray, "m d"], training: Float[np.ndarray, "t d"]
) -> float | None:
    """Return the statistic C_T (Meehan, Chaudhuri and Dasgupta, A non-parametric test to detect data-copying, 2020).

    In each cell of k-means on the training features, the Mann-Whitney z of d(G, T) being greater than d(P, T); their
    mean, weighed by the share of held-out slices. Well below 0 the generator copies, well above 0 it underfits. As
    z-scores take slices for independent, which those of one subject are not, ±3 is no boundary here: compare with the
    baselines. None where no cell has enough slices of both.
    """
    training = training[np.lexsort(training.T)]  # cells begin at drawn rows: the same ones whatever the order
    cells = k_means(training.astype(np.float64), CELLS, draws(0, "cells"))
    centres = np.stack([training[cells == cell].mean(axis=0) for cell in np.unique(cells)])
    of_generated, of_held_out = (nearest(rows, centres)[1] for rows in (generated, held_out))
    far, farther = nearest(generated, training)[0], nearest(held_out, training)[0]
    total, weight = 0.0, 0.0
    for cell in range(len(centres)):
        a, b = far[of_generated == cell], farther[of_held_out == cell]
        if min(len(a), len(b)) >= LEAST_IN_CELL:
            deviation = np.sqrt((len(a) + len(b) + 1) / (12 * len(a) * len(b)))
            total += len(b) * (greater(a, b) - 0.5) / deviation
            weight += len(b)
    return float(total / weight) if weight else None


def greater(a: Float[np.ndarray, " n"], b: Float[np.ndarray, " m"]) -> float:
    """Return the chance that one of a is greater than one of b, ties counted half: the area under the ROC curve."""
    ordered = np.sort(b)
    below, upto = (np.searchsorted(ordered, a, side=side) for side in ("left", "right"))
    return float((below + upto).mean() / (2 * len(b)))


def membership(
    members: Float[np.ndarray, " n"],
    others: Float[np.ndarray, " m"],
    member_subjects: Shaped[np.ndarray, " n"],
    other_subjects: Shaped[np.ndarray, " m"],
) -> tuple[float, float]:
    """Return how well an attacker tells who was trained on, and its deviation over halves of both kinds of subjects.

    The attack takes a candidate for a member if a generated slice is near: the chance that a member's distance to its
    nearest generated slice is smaller than another's. 0.5 is a guess (Chen et al., GAN-Leaks, 2020, black-box attack).

    Args:
        members: the distance of training slices to their nearest generated slice.
        others: the same of held-out slices.
        member_subjects: whose slices these are; at least two.
        other_subjects: the same of the others.
    """
    pairs = zip(halves(member_subjects, "members"), halves(other_subjects, "others"), strict=True)
    scattered = [greater(others[b], members[a]) for a, b in pairs if len(a) and len(b)]
    return greater(others, members), float(np.std(scattered, ddof=1))
