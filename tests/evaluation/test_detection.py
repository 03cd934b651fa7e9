"""Telling real from generated: cross-fitted by subject, and honest where there is nothing to tell."""

import numpy as np
import pytest
import torch

from braingan.evaluation.detection import confusion, detect, extremes, probabilities

RNG = np.random.default_rng(0)
SUBJECTS = np.repeat(np.arange(30), 6)


def features(shift=0.0, d=40, each=6):
    """A subject's slices are nearly the same; the first feature may be shifted."""
    found = np.repeat(RNG.normal(size=(30, d)), each, axis=0) + 0.1 * RNG.normal(size=(30 * each, d))
    found[:, 0] += shift
    return found


def test_counts():
    found = confusion(np.array([0.9, 0.5, 0.2]), np.array([0.1, 0.8]))
    assert found == {"real": {"real": 2, "generated": 1}, "generated": {"real": 1, "generated": 1}}


class Brightness(torch.nn.Module):
    """Takes bright slices for real."""

    def forward(self, slices):
        return slices.mean(dim=(1, 2, 3), keepdim=False)[:, None] * 10


def test_every_slice_is_asked_about_once_in_order():
    images = np.stack([np.full((8, 8), 255 * (number % 2), np.uint8) for number in range(130)])
    found = probabilities(Brightness(), images)
    assert ((found > 0.5) == (np.arange(130) % 2 == 1)).all()


def test_a_shift_is_found():
    found = detect([features()], [features(6.0)], SUBJECTS, SUBJECTS)
    assert found.accuracy > 0.9
    assert found.real.mean() > 0.7 > 0.3 > found.generated.mean()


def test_subjects_are_not_learnt_by_heart():
    """More features than subjects: a classifier that saw a subject's other slices would be right about all of them."""
    accuracies = [detect([features()], [features()], SUBJECTS, SUBJECTS).accuracy for _ in range(20)]
    assert np.mean(accuracies) == pytest.approx(0.5, abs=0.06)
    by_slice = detect([features()], [features()], np.arange(180), np.arange(180)).accuracy
    assert by_slice > 0.9


def test_the_interval_is_about_subjects():
    """As wide as the accuracy really scatters; slices by themselves would claim a third of it."""
    found = [detect([features(1.0)], [features()], SUBJECTS, SUBJECTS) for _ in range(40)]
    truth = np.mean([of.accuracy for of in found])
    held = np.mean([abs(of.accuracy - truth) <= of.width for of in found])
    assert held >= 0.85
    naive = detect([features(1.0)], [features()], np.arange(180), np.arange(180))
    assert np.mean([of.deviation for of in found]) > 1.5 * naive.deviation


def test_units_and_the_number_of_features_do_not_matter():
    real, made = features(3.0, 5), features(0.0, 5)
    units = np.array([1, 1000, 0.01, 1, 7])
    one, other = detect([real], [made], SUBJECTS, SUBJECTS), detect([real * units], [made * units], SUBJECTS, SUBJECTS)
    assert one.real == pytest.approx(other.real)
    constant = np.ones((180, 1))
    assert np.isfinite(detect([real, constant], [made, constant], SUBJECTS, SUBJECTS).real).all()


def test_a_small_block_is_not_drowned_by_a_large_one():
    wide, narrow = (features(d=400), features(d=400)), (features(3.0, 4), features(d=4))
    alone = detect([narrow[0]], [narrow[1]], SUBJECTS, SUBJECTS).accuracy
    both = detect([wide[0], narrow[0]], [wide[1], narrow[1]], SUBJECTS, SUBJECTS).accuracy
    joined = (np.concatenate(pair, axis=1) for pair in zip(wide, narrow, strict=True))
    drowned = detect(*([of] for of in joined), SUBJECTS, SUBJECTS).accuracy
    assert drowned < both
    assert both > alone - 0.1


def test_extremes():
    most, least = extremes(np.array([0.1, 0.9, 0.5, 0.7]), 2)
    assert (most, least) == ([1, 3], [0, 2])
