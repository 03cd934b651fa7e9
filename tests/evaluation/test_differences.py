"""Paired differences between models."""

import numpy as np
import pytest

from braingan.errors import InputError
from braingan.evaluation.differences import difference
from braingan.evaluation.intervals import halves

SUBJECTS = np.repeat(np.arange(20), 6)


def found(values, **protocol):
    """An evaluation whose only metric is the mean of one number a slice."""
    means = [float(values[rows].mean()) for rows in halves(SUBJECTS, "real")]
    return {
        "protocol": {"store": "s", "count": len(values), "subjects": 20, **protocol},
        "metrics": {"mean": {"value": float(values.mean()), "halves": means}},
    }


def drawn(random):
    """A number a slice, alike within a subject."""
    return random.normal(size=20)[SUBJECTS] + random.normal(size=len(SUBJECTS)) * 0.3


def test_what_both_share_drops_out():
    random = np.random.default_rng(0)
    shared = drawn(random)
    near = shared + 0.1 + random.normal(size=len(shared)) * 0.05
    paired = difference([found(near)], [found(shared)], "mean")
    assert paired.real
    assert paired.trainings == 1
    assert paired.high - paired.low < 0.1
    assert paired.low < 0.1 < paired.high
    assert not difference([found(shared)], [found(shared)], "mean").real


def test_intervals_hold_the_truth_with_one_training_and_with_three():
    """Both models' numbers share the subjects' part; three trainings scatter by as much as the subjects."""
    random = np.random.default_rng(1)
    for trainings, scatter in ((1, 0.0), (3, 0.2)):
        held = 0
        for _ in range(200):
            ones, others = [], []
            subject = random.normal(size=20)
            for models, shift in ((ones, 0.5), (others, 0.0)):
                own = random.normal(size=20) * 0.5
                for _ in range(trainings):
                    values = (subject + own)[SUBJECTS] + random.normal(size=len(SUBJECTS)) * 0.3
                    models.append(found(values + shift + random.normal() * scatter))
            held += difference(ones, others, "mean").low <= 0.5 <= difference(ones, others, "mean").high
        assert held >= 185  # of 200: 95 % less three deviations


def test_evaluations_that_differ_are_not_compared():
    random = np.random.default_rng(2)
    one = found(drawn(random))
    with pytest.raises(InputError, match="differ in store, split"):
        difference([one], [found(drawn(random), store="other", split="test")], "mean")
    with pytest.raises(InputError, match="lacks recall"):
        difference([one], [one], "recall")
