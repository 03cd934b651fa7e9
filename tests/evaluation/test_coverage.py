"""Precision and recall on sets whose answer is known."""

import numpy as np
import pytest

from braingan.evaluation.coverage import covered_share

RNG = np.random.default_rng(0)


def test_a_brute_force_count_agrees():
    real, fake = RNG.normal(size=(40, 3)), RNG.normal(0.7, 1, size=(50, 3))
    hits = 0
    for point in fake:
        radii = [np.sort(np.linalg.norm(real - centre, axis=1))[3] for centre in real]  # entry 0 is itself
        hits += any(np.linalg.norm(point - c) <= r for c, r in zip(real, radii, strict=True))
    assert covered_share(fake, real, 3) == pytest.approx(hits / 50)


def test_identical_sets_are_covered_and_far_ones_not():
    real = RNG.normal(size=(30, 5))
    assert covered_share(real, real, 3) == 1
    assert covered_share(real + 100, real, 3) == 0


def test_a_generator_of_one_picture_has_precision_without_recall():
    real = RNG.normal(size=(200, 5))
    fake = np.repeat(real[:1], 200, axis=0) + RNG.normal(0, 1e-6, (200, 5))
    assert covered_share(fake, real, 3) == 1
    assert covered_share(real, fake, 3) <= 0.01


def test_radii_to_other_subjects_are_not_shrunk_by_near_duplicates():
    subjects = np.repeat(np.arange(50), 4)
    real = RNG.normal(size=(50, 4))[subjects] + RNG.normal(0, 1e-4, (200, 4))
    fake = RNG.normal(size=(300, 4))
    assert covered_share(fake, real, 3) < 0.01
    assert covered_share(fake, real, 3, subjects) > 0.5
