"""Scores against their definitions, and intervals that count subjects, not slices."""

import numpy as np
import pytest

import taught
from braingan.evaluation.encoder.questions import ANSWERED, Questions
from braingan.evaluation.encoder.scores import (
    _correlation,
    _with_interval,
    area_under_curve,
    depth_spacing,
    held_out_scores,
)

RNG = np.random.default_rng(0)


def test_the_area_under_the_curve_is_the_share_of_pairs_in_order():
    values, positive = RNG.integers(0, 6, 60) / 6, RNG.random(60) < 0.4
    pairs = values[positive][:, None] - values[~positive]
    assert area_under_curve(values, positive)(np.ones(60)) == pytest.approx(((pairs > 0) + (pairs == 0) / 2).mean())
    assert np.isnan(area_under_curve(values, np.ones(60, bool))(np.ones(60)))


def test_a_weight_of_two_is_a_slice_that_is_there_twice():
    one, positive = RNG.random(40), RNG.random(40) < 0.5
    other, times = one + 0.5 * RNG.random(40), RNG.integers(0, 4, 40)
    repeated = np.repeat(np.arange(40), times)
    for score in (area_under_curve, _correlation):
        second = positive if score is area_under_curve else other
        expected = score(one[repeated], second[repeated])(np.ones(len(repeated)))
        assert score(one, second)(times.astype(float)) == pytest.approx(expected)
    assert _correlation(one, other)(np.ones(40)) == pytest.approx(np.corrcoef(one, other)[0, 1])


def test_intervals_are_by_subject_however_many_slices_each_has():
    errors = RNG.exponential(1, 50)

    def interval(each):
        values, subjects = np.repeat(errors, each), np.repeat(np.arange(50), each)
        return _with_interval(lambda weights: float(weights @ values / weights.sum()), subjects)

    few, many = interval(1), interval(20)
    assert (many["low"], many["high"]) == pytest.approx((few["low"], few["high"]))
    half_width = 1.96 * errors.std() / np.sqrt(50)
    assert few["high"] - few["low"] == pytest.approx(2 * half_width, rel=0.2)
    assert many["count"] == 1000
    assert many["subjects"] == 50


def test_two_subjects_give_no_interval():
    assert "low" not in _with_interval(lambda weights: 1.0, np.array(["a", "b", "b"]))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return taught.taught_store(tmp_path_factory.mktemp("scores") / "store", subjects=10)


def test_scores_of_planted_predictions_are_what_was_planted(store):
    """Frames wrong in a quarter of the slices; depths 0.03 too high in half of the volumes, too low in the others."""
    indices = np.arange(len(store))
    questions = Questions.of(store, indices)
    columns = {name: store.columns[name][indices] for name in ANSWERED}
    true, every = questions.answers(columns), np.arange(len(store))
    wrong = every % 4 == 0
    higher = np.where(np.unique(store.columns["volume"], return_inverse=True)[1] % 2, 0.03, -0.03)
    predicted = {
        "frame_probabilities": np.eye(2)[np.where(wrong, 1 - true.frame, true.frame)],
        "label_probabilities": np.eye(2)[true.label],
        "depth": true.depth + higher,
        "lesion_area_mm2": np.nan_to_num(3 * true.area + 7),
        "lesion_probability": np.nan_to_num(-true.area),
    }
    scores = held_out_scores(questions, predicted, store, indices)
    known = np.isfinite(true.area)
    expected = {
        "frame_accuracy": 0.75, "depth_error": 0.03, "depth_error_within_volume_slices": 0,
        "lesion_area_correlation": 1, "lesion_auc": 0, "label_auc": 1,
    }  # fmt: skip
    assert {name: scores[name]["value"] for name in expected} == pytest.approx(expected, abs=1e-6)
    assert scores["lesion_auc"]["count"] == known.sum() < len(store)
    in_slices = (0.03 / depth_spacing(store, indices)).mean()
    assert scores["depth_error_slices"]["value"] == pytest.approx(in_slices, rel=1e-5)
    assert 0.3 < in_slices < 0.45  # about twelve slices a volume over all of the depth


def test_a_score_without_meaning_is_left_out(store):
    healthy = np.flatnonzero(store.columns["lesion_area_mm2"] == 0)
    questions = Questions.of(store, np.arange(len(store)))
    predicted = {
        "frame_probabilities": np.full((len(healthy), 2), 0.5), "label_probabilities": np.full((len(healthy), 2), 0.5),
        "depth": np.zeros(len(healthy)), "lesion_area_mm2": np.zeros(len(healthy)),
        "lesion_probability": np.zeros(len(healthy)),
    }  # fmt: skip
    scores = held_out_scores(questions, predicted, store, healthy)
    assert scores.keys() == {
        "frame_accuracy", "depth_error", "depth_error_slices", "depth_error_within_volume_slices", "label_auc",
    }  # fmt: skip
    assert scores["label_auc"]["value"] == 0.5
