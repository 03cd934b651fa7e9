"""Distances against closed forms and torchmetrics on the same features."""

import numpy as np
import pytest
import torch
from torchmetrics.image.fid import _compute_fid
from torchmetrics.image.kid import poly_mmd

from braingan.evaluation.distances import (
    at_infinity,
    class_score,
    frechet_distance,
    frechet_distance_of,
    kernel_distance,
    kernel_distance_of,
)

RNG = np.random.default_rng(0)


def with_moments(count, mean, covariance_root):
    """Rows whose sample mean and covariance are exactly these."""
    rows = RNG.normal(size=(count, len(mean)))
    rows -= rows.mean(axis=0)
    rows = rows @ np.linalg.inv(np.linalg.cholesky(np.cov(rows.T))).T
    return rows @ covariance_root.T + mean


def test_frechet_distance_of_known_gaussians():
    """Diagonal covariances commute: the distance is Σ (μ-ν)² + Σ (σ-τ)²."""
    mean, other = np.array([1.0, -2.0, 0.5]), np.array([0.0, 1.0, 0.5])
    deviations, others = np.array([1.0, 2.0, 3.0]), np.array([2.0, 0.5, 3.0])
    x = with_moments(400, mean, np.diag(deviations))
    y = with_moments(300, other, np.diag(others))
    expected = ((mean - other) ** 2).sum() + ((deviations - others) ** 2).sum()
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("n", "m", "d"), [(200, 150, 20), (30, 40, 120), (30, 200, 64), (64, 64, 64)])
def test_frechet_distance_is_torchmetrics(n, m, d):
    x, y = RNG.normal(size=(n, d)), RNG.normal(1, 2, size=(m, d)) @ RNG.normal(size=(d, d)) / np.sqrt(d)
    moments = [torch.from_numpy(array) for z in (x, y) for array in (z.mean(axis=0), np.cov(z.T))]
    exact = 1e-6 if min(n, m) > d else 1e-5  # theirs takes a root of singular matrices where there are fewer slices
    assert frechet_distance(x, y) == pytest.approx(_compute_fid(*moments).item(), rel=exact)
    assert frechet_distance_of(x @ x.T, y @ y.T, x @ y.T) == pytest.approx(frechet_distance(x, y), rel=1e-6)


def test_kernel_distance_is_torchmetrics_with_one_subset_of_all():
    x, y = RNG.normal(size=(60, 16)), RNG.normal(0.5, 1, size=(60, 16))
    expected = poly_mmd(torch.from_numpy(x), torch.from_numpy(y))
    assert kernel_distance(x, y) == pytest.approx(expected.item(), rel=1e-9)


def test_kernel_distance_is_unbiased():
    """Two halves of the same cloud: zero on average, of either sign."""
    values = [kernel_distance(RNG.normal(size=(40, 4)), RNG.normal(size=(40, 4))) for _ in range(400)]
    assert abs(np.mean(values)) < 3 * np.std(values) / 20
    assert min(values) < 0 < max(values)


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
def test_row_order_does_not_matter_and_distance_grows(distance):
    x, y = RNG.normal(size=(50, 8)), RNG.normal(size=(60, 8))
    assert distance(x[::-1], y[::-1]) == pytest.approx(distance(x, y))
    assert distance(x, y) < distance(x, y + 1) < distance(x, y + 2)


def test_identical_sets_are_at_no_frechet_distance():
    """But for the centred set's last singular value, whose 0 comes out as 1e-8 of the others: the spread's rounding."""
    x = RNG.normal(size=(50, 80)).astype(np.float32)
    spread = 2 * float(x.var(axis=0, ddof=1).sum())
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-8 * spread)


def test_kernel_distance_follows_from_inner_products():
    x, y = RNG.normal(size=(30, 6)), RNG.normal(size=(40, 6))
    assert kernel_distance_of(x @ x.T, y @ y.T, x @ y.T, 6) == pytest.approx(kernel_distance(x, y))


def test_the_extrapolated_distance_of_like_sets_is_zero():
    """The distance itself falls as 1 / n and is far from its limit."""
    wholes, parts = [], []
    for _ in range(100):
        x, y = RNG.normal(size=(200, 4)), RNG.normal(size=(200, 4))
        wholes.append(frechet_distance(x, y))
        parts.append(frechet_distance(x[:100], y[:100]))
    infinite = at_infinity(float(np.mean(wholes)), float(np.mean(parts)))
    assert np.mean(wholes) > 0.03
    assert abs(infinite) < 0.01


def test_class_scores_that_are_known():
    """Sure of one of k classes, each as often: k. The same for all, or never sure: 1."""
    assert class_score(np.eye(5)[np.arange(50) % 5]) == pytest.approx(5)
    assert class_score(np.eye(5)[np.zeros(50, int)]) == pytest.approx(1)
    assert class_score(np.full((50, 5), 0.2)) == pytest.approx(1)
