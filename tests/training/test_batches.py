"""Every slice once a pass, in an order that the step's number fixes."""

import numpy as np
import torch

import made
from braingan.training.batches import Batches


def test_a_pass_sees_every_slice_once_and_batches_are_always_full(tmp_path):
    store = made.picture_store(tmp_path)
    indices = store.select("train")
    batches = Batches(store, indices, 7, seed=3)
    stream = np.concatenate([batches.numbers(step) for step in range(2 * len(indices) // 7 + 1)])
    assert sorted(stream[: len(indices)]) == sorted(indices)
    assert sorted(stream[len(indices) : 2 * len(indices)]) == sorted(indices)
    assert list(stream[: len(indices)]) != list(stream[len(indices) : 2 * len(indices)])
    assert (Batches(store, indices, 7, seed=3).numbers(5) == batches.numbers(5)).all()
    loaded = batches.load(2, torch.device("cpu"))
    assert loaded.shape == (7, 1, 112, 112)
    assert loaded.min() >= -1
    assert loaded.max() <= 1


def test_a_batch_larger_than_the_store_runs_over_several_passes(tmp_path):
    store = made.picture_store(tmp_path)
    batches = Batches(store, np.arange(3), 8, seed=0)
    assert np.bincount(batches.numbers(0)).tolist() in ([3, 3, 2], [3, 2, 3], [2, 3, 3])
