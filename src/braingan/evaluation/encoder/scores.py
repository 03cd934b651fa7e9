"""How well an encoder tells what is known of slices that it never saw, with 95 % intervals by subject.

Of real slices that tests the encoder; of generated slices, of which is known what they were told to be, the generator.

Slices of one subject are no independent witnesses. So an interval comes from drawing subjects, each with all its
slices, again and again with replacement (Efron, Bootstrap methods, 1979): every score is a function of a weight per
slice, how often its subject was drawn.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from braingan.data.store import Store
from braingan.evaluation.encoder.questions import ANSWERED, UNKNOWN, Answers, Questions
from braingan.randomness import draws

DRAWS = 500
LEAST_SUBJECTS = 3
"""Fewer give no interval."""

Weights = Float[np.ndarray, " n"]
Score = Callable[[Weights], float]
"""NaN where it has no meaning, such as for slices of one class."""
Predictions = dict[str, Shaped[np.ndarray, "n ..."]]


def held_out_scores(
    questions: Questions, predicted: Predictions, store: Store, indices: Int[np.ndarray, " n"]
) -> dict[str, dict[str, Any]]:
    """Return the scores on slices of a store; see `scores`."""
    columns = {name: store.columns[name][indices] for name in ANSWERED}
    subjects, volumes = store.columns["subject"][indices], store.columns["volume"][indices]
    return scores(questions, predicted, questions.answers(columns), depth_spacing(store, indices), subjects, volumes)


def scores(
    questions: Questions,
    predicted: Predictions,
    true: Answers,
    spacing: Float[np.ndarray, " n"],
    subjects: Shaped[np.ndarray, " n"],
    volumes: Shaped[np.ndarray, " n"] | None = None,
) -> dict[str, dict[str, Any]]:
    """Return each score that has a meaning for these slices: value, low and high, slices and subjects.

    `frame_accuracy`; `depth_error`, the mean absolute error as a share of the depth, `depth_error_slices`, the same in
    slices, and `depth_error_within_volume_slices`, less each volume's own mean error, which no slice shows where the
    brain lies higher or lower in the scan; `lesion_area_correlation` of mm², of all and `in` each frame, since frames
    differ in what they show of a lesion; `lesion_auc` of any lesion against none; `label_auc`, the mean over the labels
    of each against the others.
    """
    every = {}
    for name, known, score_of in _scores(questions, predicted, true, spacing, volumes):
        if known.any():
            found = _with_interval(score_of, subjects[known])
            if np.isfinite(found["value"]):
                every[name] = found
    return every


def _scores(
    questions: Questions,
    predicted: Predictions,
    true: Answers,
    spacing: Float[np.ndarray, " n"],
    volumes: Shaped[np.ndarray, " n"] | None,
) -> Iterator[tuple[str, Bool[np.ndarray, " n"], Score]]:
    """Yield a name, which slices it is of, and the score of these."""
    if questions.frames:
        known = true.frame != UNKNOWN
        right = predicted["frame_probabilities"].argmax(axis=1) == true.frame
        yield "frame_accuracy", known, _mean_of(right[known].astype(np.float64))
    if questions.depth:
        error = predicted["depth"] - true.depth
        errors = {"depth_error": error, "depth_error_slices": error / spacing}
        if volumes is not None:
            errors["depth_error_within_volume_slices"] = _less_own_mean(error, volumes) / spacing
        for name, values in errors.items():
            known = np.isfinite(values)
            yield name, known, _mean_of(np.abs(values[known]))
    if questions.extent:
        known, area = np.isfinite(true.area), true.area.astype(np.float64)
        found = predicted["lesion_area_mm2"]
        yield "lesion_area_correlation", known, _correlation(found[known], area[known])
        for number, frame in enumerate(questions.frames):
            of = known & (true.frame == number)
            yield f"lesion_area_correlation in {frame}", of, _correlation(found[of], area[of])
        yield "lesion_auc", known, area_under_curve(predicted["lesion_probability"][known], area[known] > 0)
    if questions.labels:
        known = true.label != UNKNOWN
        shares, label = predicted["label_probabilities"][known], true.label[known]
        each = [area_under_curve(shares[:, number], label == number) for number in range(len(questions.labels))]
        yield "label_auc", known, lambda weights: float(np.mean([auc(weights) for auc in each]))


def depth_spacing(store: Store, indices: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Return how much the depth changes from a slice to the next of its volume, NaN where that is unknown."""
    depth, position = store.columns["depth"][indices].astype(np.float64), store.columns["position"][indices]
    volumes, number = np.unique(store.columns["volume"][indices], return_inverse=True)
    known = np.isfinite(depth) & (position >= 0)
    span = [_span(values[known], number[known], len(volumes)) for values in (depth, position.astype(np.float64))]
    with np.errstate(invalid="ignore", divide="ignore"):
        spacing = span[0] / span[1]
    spacing[~(spacing > 0)] = np.nan
    return np.asarray(spacing[number])


def _span(values: Float[np.ndarray, " n"], group: Int[np.ndarray, " n"], groups: int) -> Float[np.ndarray, " groups"]:
    low, high = np.full(groups, np.inf), np.full(groups, -np.inf)
    np.minimum.at(low, group, values)
    np.maximum.at(high, group, values)
    return np.where(np.isfinite(low), high - low, np.nan)


def _less_own_mean(values: Float[np.ndarray, " n"], group: Shaped[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    number = np.unique(group, return_inverse=True)[1]
    known = np.isfinite(values)
    count = np.maximum(np.bincount(number[known], minlength=number.max() + 1), 1)
    mean = np.bincount(number[known], values[known], minlength=number.max() + 1) / count
    return np.asarray(values - mean[number])


def _with_interval(score: Score, subjects: Shaped[np.ndarray, " n"]) -> dict[str, Any]:
    names, number = np.unique(subjects, return_inverse=True)
    found = {"value": score(np.ones(len(subjects))), "count": len(subjects), "subjects": len(names)}
    if len(names) < LEAST_SUBJECTS:
        return found
    drawn = draws(0, "encoder scores").multinomial(len(names), np.full(len(names), 1 / len(names)), DRAWS)
    values = np.array([score(times[number].astype(np.float64)) for times in drawn])
    values = values[np.isfinite(values)]
    if len(values):
        found["low"], found["high"] = (float(np.quantile(values, share)) for share in (0.025, 0.975))
    return found


def _mean_of(values: Float[np.ndarray, " n"]) -> Score:
    return lambda weights: float(weights @ values / weights.sum())


def _correlation(one: Float[np.ndarray, " n"], other: Float[np.ndarray, " n"]) -> Score:
    def score(weights: Weights) -> float:
        x, y = (values - weights @ values / weights.sum() for values in (one, other))
        spread = np.sqrt((weights @ x**2) * (weights @ y**2))
        return float(weights @ (x * y) / spread) if spread > 0 else np.nan

    return score


def area_under_curve(values: Float[np.ndarray, " n"], positive: Bool[np.ndarray, " n"]) -> Score:
    """Probability that a positive's value is above a negative's, ties counting half."""
    place = np.unique(values, return_inverse=True)[1]

    def score(weights: Weights) -> float:
        of_positive, of_negative = (np.bincount(place, weights * of) for of in (positive, ~positive))
        below = np.cumsum(of_negative) - of_negative / 2
        pairs = of_positive.sum() * of_negative.sum()
        return float(of_positive @ below / pairs) if pairs else np.nan

    return score
