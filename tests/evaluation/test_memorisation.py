"""Copying in features: planted, absent, and against closed forms."""

import numpy as np
import pytest

from braingan.evaluation.memorisation import authentic, data_copying, greater, membership, nearest

RNG = np.random.default_rng(0)
SUBJECTS = np.repeat(np.arange(60), 5)


def people(count=60, each=5, d=8):
    """Slices of one person lie near each other."""
    return np.repeat(RNG.normal(size=(count, d)), each, axis=0) + 0.05 * RNG.normal(size=(count * each, d))


def test_the_nearest_is_that_of_a_brute_force_search():
    rows, others = RNG.normal(size=(700, 3)), RNG.normal(size=(40, 3))
    distances = np.linalg.norm(rows[:, None] - others[None], axis=2)
    found, which = nearest(rows, others)
    assert found == pytest.approx(distances.min(axis=1))
    assert (which == distances.argmin(axis=1)).all()
    same = np.zeros((700, 40), bool)
    same[np.arange(700), which] = True
    assert nearest(rows, others, same)[0] == pytest.approx(np.sort(distances, axis=1)[:, 1])


def test_copies_with_a_little_noise_are_not_authentic_though_neighbouring_slices_are_nearer():
    training, fresh = people(), people()
    copies = training + 0.1 * RNG.normal(size=training.shape)  # farther than the next slice of the same person
    assert authentic(copies, training, SUBJECTS).mean() < 0.05
    assert authentic(copies, training, np.arange(300)).mean() > 0.5  # what the radius to any slice would say
    assert authentic(fresh, training, SUBJECTS).mean() > 0.3


def test_the_data_copying_statistic_is_negative_for_copies_and_positive_for_what_lies_far_off():
    training, held_out, fresh = (RNG.normal(size=(400, 4)) for _ in range(3))
    assert abs(data_copying(fresh, held_out, training)) < 3
    assert data_copying(training + 0.02 * RNG.normal(size=training.shape), held_out, training) < -5
    assert data_copying(fresh * 2.5, held_out, training) > 2


def test_the_data_copying_statistic_does_not_depend_on_the_order_of_slices():
    training, held_out, fresh = (RNG.normal(size=(400, 4)) for _ in range(3))
    first = data_copying(fresh, held_out, training)
    for _ in range(3):
        shuffled = (RNG.permutation(rows) for rows in (fresh, held_out, training))
        assert data_copying(*shuffled) == pytest.approx(first)


def test_the_area_under_a_curve_counts_ties_half():
    a, b = np.array([1.0, 2, 3]), np.array([2.0, 0, 5, 2])
    expected = np.mean([[float(x > y) + 0.5 * (x == y) for y in b] for x in a])
    assert greater(a, b) == pytest.approx(expected)


def test_an_attack_on_copies_succeeds_and_one_on_strangers_does_not():
    training, held_out = people(), people()
    copies, strangers = training + 0.02 * RNG.normal(size=training.shape), people()
    for generated, low, high in ((copies, 0.9, 1), (strangers, 0.35, 0.65)):
        auc, deviation = membership(
            nearest(training, generated)[0], nearest(held_out, generated)[0], SUBJECTS, SUBJECTS
        )
        assert low <= auc <= high
        assert 0 <= deviation < 0.1


def test_the_attacks_interval_holds_the_truth_for_strangers():
    """Truth 0.5; by subject, as slices are five to a person."""
    held = 0
    for _ in range(100):
        one, other = (np.repeat(RNG.normal(size=30), 5) + 0.1 * RNG.normal(size=150) for _ in range(2))
        auc, deviation = membership(one, other, np.repeat(np.arange(30), 5), np.repeat(np.arange(30), 5))
        held += abs(auc - 0.5) <= 2.05 * deviation
    assert held >= 90
