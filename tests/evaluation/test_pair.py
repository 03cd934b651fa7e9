"""A pair's parts are what the parts' own pair would be."""

import numpy as np
import pytest

from braingan.evaluation.metrics import METRICS
from braingan.evaluation.pair import Pair

RNG = np.random.default_rng(0)


def pair(n=40, m=36, d=6):
    return Pair.of(RNG.normal(size=(n, d)), RNG.normal(size=(m, d)), np.arange(n) // 2, np.arange(m), 3)


def test_a_part_has_the_metrics_of_its_slices():
    whole = pair()
    rows, columns = np.arange(0, 40, 2), np.arange(5, 30)
    alone = Pair.of(whole.x[rows], whole.y[columns], whole.x_subjects[rows], whole.y_subjects[columns], 3)
    for name in set(METRICS) - {"f8", "f1_8"}:  # whose bins are of the whole
        assert METRICS[name].compute(whole.part(rows, columns)) == pytest.approx(METRICS[name].compute(alone))


def test_radii_are_those_of_a_brute_force_search():
    whole = pair()
    for i in range(5):
        distances = ((whole.x - whole.x[i]) ** 2).sum(axis=1)
        assert whole.x_radii[i] == pytest.approx(np.sort(np.delete(distances, i))[2])
        others = distances[whole.x_subjects != whole.x_subjects[i]]
        assert whole.x_radii_other[i] == pytest.approx(np.sort(others)[2])
    assert whole.across[3, 7] == pytest.approx(((whole.x[3] - whole.y[7]) ** 2).sum())


def test_standardised_features_are_blind_to_units():
    x, y = RNG.normal(size=(30, 4)), RNG.normal(size=(30, 4))
    units = np.array([1.0, 1000.0, 0.01, 5.0])
    one, other = (Pair.of(x * u, y * u, np.arange(30), np.arange(30), 3, standardised=True) for u in (1.0, units))
    for metric in METRICS.values():
        assert metric.compute(one) == pytest.approx(metric.compute(other))
