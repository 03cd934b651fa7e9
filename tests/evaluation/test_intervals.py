"""Halves by subject, and Student's distribution."""

import numpy as np
import pytest

from braingan.evaluation.intervals import HALVES, half_width, halves, never_seen, student


def test_students_points_are_those_of_the_table():
    table = {1: 12.7062, 2: 4.3027, 3: 3.1824, 4: 2.7764, 9: 2.2622, 15: 2.1314, 33: 2.0345, 100: 1.9840}
    for freedom, point in table.items():
        assert student(0.975, freedom) == pytest.approx(point, rel=2e-3)
    assert student(0.995, 10) == pytest.approx(3.1693, rel=2e-3)


def test_halves_keep_subjects_together_and_are_halves():
    subjects = np.repeat([f"s{number}" for number in range(7)], 3)
    sizes = set()
    found = list(halves(subjects, "test"))
    assert len(found) == HALVES
    for rows in found:
        chosen = np.unique(subjects[rows])
        assert len(rows) == 3 * len(chosen)
        sizes.add(len(chosen))
    assert sizes == {3, 4}
    assert all((a == b).all() for a, b in zip(found, halves(subjects, "test"), strict=True))
    assert any((a != b).any() for a, b in zip(found[::2], list(halves(subjects, "other"))[::2], strict=True))


def test_the_halves_of_a_mean_scatter_as_the_mean_does():
    """The variance of a mean of S subjects is σ² / S."""
    means = np.random.default_rng(0).normal(size=60)
    rows = np.repeat(means, 4)
    found = [rows[half].mean() for half in halves(np.repeat(np.arange(60), 4), "test", 4000)]
    assert np.std(found) == pytest.approx(means.std(ddof=1) / np.sqrt(60), rel=0.05)


def test_more_comparisons_at_once_make_wider_intervals():
    assert half_width(2.0, 34) == pytest.approx(2 * 2.0345, rel=1e-3)
    assert half_width(1.0, 34, 8) > half_width(1.0, 34)


def test_what_no_subject_shows_may_still_be_there():
    share = never_seen(34)
    assert (1 - share) ** 34 == pytest.approx(0.025)
