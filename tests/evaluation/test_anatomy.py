"""Measured quantities on slices drawn for it."""

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from braingan.evaluation.anatomy import ROWS, box, brain_of, measure, wasserstein
from braingan.evaluation.features.anatomy import Anatomy

RNG = np.random.default_rng(0)
NAMES = [row.name for row in ROWS]


def head(width=30.0, height=40.0, hole=0.0, side=112, level=150):
    """An ellipse with a dark middle, a little right of the slice's."""
    row, column = np.mgrid[:side, :side]
    radius = ((row - 56) / height) ** 2 + ((column - 58) / width) ** 2
    inner = ((row - 56) / height) ** 2 + ((column - 58) / width) ** 2 < hole**2
    return np.where(radius < 1, np.where(inner, 5, level), 0).astype(np.uint8)


def found(slices):
    return dict(
        zip(NAMES, measure(np.asarray(slices)[None] if np.ndim(slices) == 2 else slices).mean(axis=0), strict=True)
    )


def test_an_ellipse_has_the_area_proportions_and_symmetry_of_one():
    of = found(head())
    assert of["brain area"] == pytest.approx(np.pi * 30 * 40 / 112**2, rel=0.08)  # smoothing widens it by a pixel
    assert of["brain width over height"] == pytest.approx(0.75, rel=0.03)
    assert of["outline roundness"] == pytest.approx(1, abs=0.1)
    textured = (head() * RNG.uniform(0.5, 1, (112, 112))).astype(np.uint8)
    assert found(textured)["left-right symmetry"] < 0.75
    mirrored = (textured[:, 4:].astype(int) + textured[:, 4:][:, ::-1]) // 2
    assert found(np.pad(mirrored, ((0, 0), (4, 0))).astype(np.uint8))["left-right symmetry"] > 0.95


def test_a_dark_middle_is_inside_the_brain():
    assert found(head(hole=0.5))["dark area inside"] == pytest.approx(0.25, abs=0.05)
    assert found(head(hole=0.5))["brain area"] == pytest.approx(found(head())["brain area"])
    assert brain_of(box(head(hole=0.5)[None].astype(float), 3))[0, 56, 58]


@pytest.mark.parametrize(
    ("fault", "row", "sign"),
    [
        (lambda s: s + RNG.normal(0, 6, s.shape), "noise", 1),
        (lambda s: (s + np.roll(s, 1, 1) + np.roll(s, 1, 2) + np.roll(s, (1, 1), (1, 2))) / 4, "finest structure", -1),
        (lambda s: s * 0.8, "mean brightness of the brain", -1),
        (lambda s: s + 8, "background", 1),
        (lambda s: np.where(s > 0, 150 + 1.4 * (s - 150), 0), "contrast of the brain", 1),
    ],
)
def test_each_fault_is_seen_by_its_row(fault, row, sign):
    slices = np.stack([head(width) for width in (28, 30, 32)]) * RNG.uniform(0.6, 1, (3, 112, 112))
    before = found(slices.astype(np.uint8))[row]
    after = found(np.clip(fault(slices), 0, 255).astype(np.uint8))[row]
    assert sign * (after - before) > 0.02 * abs(before)


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("side", [8, 17, 112])
def test_everything_is_finite_for_what_is_no_brain(level, side):
    assert np.isfinite(measure(np.full((2, side, side), level, np.uint8))).all()
    assert np.isfinite(measure(RNG.integers(0, 256, (2, side, side)).astype(np.uint8))).all()


def test_a_box_is_a_mean_of_neighbours():
    values = RNG.normal(size=(2, 9, 9))
    smooth = box(values, 3)
    assert smooth[1, 4, 5] == pytest.approx(values[1, 3:6, 4:7].mean())
    assert smooth[0, 0, 8] == pytest.approx(values[0, :2, 7:].mean())


def test_slices_are_measured_one_by_one():
    slices = RNG.integers(0, 256, (300, 24, 24)).astype(np.uint8)
    assert (measure(slices)[[5, 280]] == measure(slices[[5, 280]])).all()
    assert Anatomy().features(slices[:3]).shape == (3, len(ROWS))


def test_wasserstein_is_scipys():
    x, y = RNG.normal(size=80), RNG.normal(1, 2, size=50)
    assert wasserstein(x, y) == pytest.approx(wasserstein_distance(x, y))
    assert wasserstein(x, x + 3) == pytest.approx(3)
