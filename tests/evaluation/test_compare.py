"""Values with intervals and floors, from sets whose answer is known."""

import numpy as np
import pytest

from braingan.evaluation.compare import INFINITE, compare, describe, entry
from braingan.evaluation.features.extractor import Extractor
from braingan.evaluation.intervals import HALVES
from braingan.evaluation.metrics import METRICS, alone
from braingan.evaluation.sets import SliceSet

RNG = np.random.default_rng(0)


class Corner(Extractor):
    """The first pixels."""

    name = fingerprint = description = "corner"

    def features(self, images):
        return images[:, 0, :4].astype(np.float32) / 10


def slices(count, shift=0, subjects=None):
    images = np.clip(RNG.normal(120 + shift, 20, (count, 16, 16)), 0, 255).astype(np.uint8)
    return SliceSet(images, np.arange(count) if subjects is None else subjects)


def test_values_lie_within_their_intervals_beside_their_floors():
    subjects = np.repeat(np.arange(20), 5)
    found = compare(slices(100, 0, subjects), [slices(100, 30), slices(100, 30)], slices(100, 0, subjects), Corner(), 3)
    assert set(found.metrics) == {*METRICS, INFINITE}
    for name, of in found.metrics.items():
        assert name == INFINITE or len(of["halves"]) == HALVES
        assert of["value"] == pytest.approx(np.mean(of["values"]))
        assert len(of["values"]) == 2
        assert of["low"] <= of["value"] <= of["high"]
        assert (of["count"], of["extractor"]) == (100, "corner")
    distance = found.metrics["frechet_distance"]
    assert distance["low"] > distance["floor"]  # it sees a shift by 1.5 deviations, beyond doubt
    assert distance["ratio"] == pytest.approx(distance["value"] / distance["floor"])
    assert 0 <= found.metrics["precision"]["low"] <= found.metrics["precision"]["high"] <= 1


def test_generated_slices_like_real_ones_are_not_told_from_the_floor():
    subjects = np.repeat(np.arange(20), 5)
    found = compare(slices(100, 0, subjects), [slices(100)], slices(100, 0, subjects), Corner(), 3)
    distance = found.metrics["frechet_distance"]
    assert distance["low"] < distance["floor"] < distance["high"]


def test_the_extrapolation_needs_more_slices_than_features():
    class Many(Corner):
        def features(self, images):
            return images.reshape(len(images), -1).astype(np.float32)

    found = compare(slices(40), [slices(40)], slices(40), Many(), 3)
    assert INFINITE not in found.metrics


def test_few_subjects_have_no_interval_and_one_subject_no_other():
    alike = np.zeros(40, int)
    found = compare(slices(40, 0, alike), [slices(40)], slices(40, 0, alike), Corner(), 3)
    assert "low" not in found.metrics["precision"]
    assert "precision_other_subject" not in found.metrics


def test_halves_with_too_few_slices_for_a_radius_give_no_interval():
    """Most slices are of one subject, so the others' half is too small."""
    unequal = np.repeat(np.arange(4), (30, 2, 2, 2))
    found = compare(slices(36, 0, unequal), [slices(36)], slices(36, 0, unequal), Corner(), 5)
    assert "low" not in found.metrics["frechet_distance"]
    assert found.metrics["frechet_distance"]["value"] > 0


def test_halves_with_too_few_slices_of_others_give_no_interval_of_these():
    unequal = np.repeat(np.arange(4), (30, 3, 4, 4))
    found = compare(slices(41, 0, unequal), [slices(41)], slices(41, 0, unequal), Corner(), 5)
    assert "low" in found.metrics["precision"]
    assert "low" not in found.metrics["precision_other_subject"]


def test_the_interval_of_a_mean_is_students():
    """Brightness: the mean of independent slices."""
    made = slices(400)
    found = describe(alone(Corner(), 8), [made], slices(50), Corner())["brightness"]
    expected = 1.966 * made.images.mean(axis=(1, 2)).std(ddof=1) / 20
    assert (found["high"] - found["low"]) / 2 == pytest.approx(expected, rel=0.35)  # of 40 halves
    assert found["value"] == pytest.approx(made.images.mean())


def test_a_few_subjects_have_no_interval_even_where_there_is_a_deviation():
    assert "low" not in entry([0.4], 0.1, 1, 0.8, "share")
    assert "low" in entry([0.4], 0.1, 4, 0.8, "share")


def test_a_ratio_is_of_distances_alone():
    assert entry([4.0], 1.0, 10, 2.0, "distance")["ratio"] == 2
    assert "ratio" not in entry([0.4], 0.1, 10, 0.8, "share")
    assert "ratio" not in entry([4.0], 1.0, 10, -0.1, "distance")
