"""Precision, recall, density, coverage and the curve on sets whose answer is known."""

import numpy as np
import pytest

from braingan.evaluation.coverage import best_f, covered, density, in_balls, precision_recall_curve, realism
from braingan.evaluation.metrics import METRICS
from braingan.evaluation.pair import Pair

RNG = np.random.default_rng(0)


def pair(real, fake, subjects=None, k=3):
    return Pair.of(real, fake, np.arange(len(real)) if subjects is None else subjects, np.arange(len(fake)), k)


def value(name, *args, **kwargs):
    return METRICS[name].compute(pair(*args, **kwargs))


def test_a_brute_force_count_agrees():
    real, fake = RNG.normal(size=(40, 3)), RNG.normal(0.7, 1, size=(50, 3))
    radii = np.array([np.sort(np.linalg.norm(real - centre, axis=1))[3] for centre in real])  # entry 0 is itself
    inside = np.array([[np.linalg.norm(p - c) <= r for p in fake] for c, r in zip(real, radii, strict=True)])
    of = pair(real, fake)
    assert (in_balls(of.across, of.x_radii) == inside.any(axis=0)).all()
    assert (covered(of.across, of.x_radii) == inside.any(axis=1)).all()
    assert density(of.across, of.x_radii, 3) == pytest.approx(inside.sum() / (3 * 50))


def test_identical_sets_are_covered_and_far_ones_not():
    real = RNG.normal(size=(30, 5))
    for name in ("precision", "recall", "coverage"):
        assert value(name, real, real) == 1
        assert value(name, real, real + 100) == 0
    assert value("density", real, real + 100) == 0


def test_a_tight_cluster_is_precise_and_a_wide_cloud_recalls():
    """The right way round."""
    real = RNG.normal(size=(300, 4))
    tight, wide = 0.2 * RNG.normal(size=(300, 4)), 4 * RNG.normal(size=(300, 4))
    assert value("precision", real, tight) > 0.95 > 0.3 > value("recall", real, tight)
    assert value("recall", real, wide) > 0.95 > 0.5 > value("precision", real, wide)
    assert value("density", real, tight) > 1 > value("density", real, wide)
    assert value("f1_8", real, tight) > value("f8", real, tight)


def test_density_and_coverage_of_like_sets_are_near_one():
    """Density is 1 on average, coverage 1 - 2^-k for many slices (Naeem et al., section 3)."""
    real, fake = RNG.normal(size=(1500, 2)), RNG.normal(size=(1500, 2))
    assert value("density", real, fake, k=5) == pytest.approx(1, abs=0.05)
    assert value("coverage", real, fake, k=5) == pytest.approx(1 - 2**-5, abs=0.015)


def test_a_generator_of_one_picture_has_precision_without_recall():
    real = RNG.normal(size=(200, 5))
    fake = np.repeat(real[:1], 200, axis=0) + RNG.normal(0, 1e-6, (200, 5))
    assert value("precision", real, fake) == 1
    assert value("recall", real, fake) <= 0.01
    assert value("coverage", real, fake) < 0.2


def test_radii_to_other_subjects_are_not_shrunk_by_near_duplicates():
    subjects = np.repeat(np.arange(50), 4)
    real = RNG.normal(size=(50, 4))[subjects] + RNG.normal(0, 1e-4, (200, 4))
    fake = RNG.normal(size=(300, 4))
    assert value("precision", real, fake, subjects) < 0.01
    assert value("precision_other_subject", real, fake, subjects) > 0.5
    assert value("coverage_other_subject", real, fake, subjects) > value("coverage", real, fake, subjects)


def test_the_curve_of_known_histograms():
    """Sajjadi et al., figure 3: two bins, the generator knows one of them: precision 1, recall its weight."""
    real, fake = np.repeat([0, 1], [60, 40])[:, None], np.zeros((100, 1), int)
    precision, recall = precision_recall_curve(real, fake)
    assert precision.max() == pytest.approx(1, abs=1e-3)
    assert recall.max() == pytest.approx(0.6, abs=1e-3)
    same = precision_recall_curve(real, real)
    assert best_f(*same, 8.0) == pytest.approx(1, abs=0.01)
    assert best_f(*same, 1 / 8) == pytest.approx(1, abs=0.01)
    apart = precision_recall_curve(np.zeros((10, 1), int), np.ones((10, 1), int))
    assert best_f(*apart, 8.0) == 0


def test_the_weight_of_recall():
    precision, recall = np.array([1.0]), np.array([0.5])
    assert best_f(precision, recall, 1.0) == pytest.approx(2 / 3)
    assert best_f(precision, recall, 8.0) == pytest.approx(65 * 0.5 / (64 + 0.5))


def test_realism_is_the_depth_in_the_best_ball():
    """Brute force: balls wider than the median do not count."""
    real, fake = RNG.normal(size=(30, 3)), RNG.normal(size=(20, 3))
    of = pair(real, fake)
    radii, across = np.sqrt(of.x_radii), np.sqrt(of.across)
    expected = [max(radii[i] / across[i, j] for i in range(30) if radii[i] <= np.median(radii)) for j in range(20)]
    assert realism(of.across, of.x_radii) == pytest.approx(np.array(expected))
    near, far = pair(real, real + 1e-3), pair(real, real + 10)
    assert realism(near.across, near.x_radii).max() > 10 > 1 > realism(far.across, far.x_radii).max()
