"""k-means on clusters that are known."""

import numpy as np

from braingan.evaluation.clusters import k_means

RNG = np.random.default_rng(0)


def test_separate_clouds_are_found():
    truth = np.repeat(np.arange(4), 25)
    rows = 20 * np.eye(4)[truth] + RNG.normal(size=(100, 4))
    found = k_means(rows, 4, np.random.default_rng(1))
    assert all(len(np.unique(found[truth == cloud])) == 1 for cloud in range(4))
    assert len(np.unique(found)) == 4


def test_one_picture_repeated_is_one_cluster():
    assert len(np.unique(k_means(np.ones((30, 5)), 4, np.random.default_rng(0)))) == 1
