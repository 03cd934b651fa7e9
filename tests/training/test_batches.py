"""Every slice once a pass, in an order that the step's number fixes."""

import numpy as np
import torch

import made
from braingan.training.batches import Batches

CPU = torch.device("cpu")


def test_a_pass_sees_every_slice_once_and_batches_are_always_full(tmp_path):
    store = made.picture_store(tmp_path)
    indices = store.select("train")
    batches = Batches(store, indices, 7, 3, CPU)
    stream = indices[np.concatenate([batches.places(step) for step in range(2 * len(indices) // 7 + 1)])]
    assert sorted(stream[: len(indices)]) == sorted(indices)
    assert sorted(stream[len(indices) : 2 * len(indices)]) == sorted(indices)
    assert list(stream[: len(indices)]) != list(stream[len(indices) : 2 * len(indices)])
    assert (Batches(store, indices, 7, 3, CPU).places(5) == batches.places(5)).all()
    loaded = batches.load(2)
    assert loaded.slices.shape == (7, 1, 112, 112)
    slices = np.rint((loaded.slices[:, 0].numpy() + 1) * 127.5)
    assert (slices == store.images(indices[batches.places(2)])).all()
    assert loaded.depth.tolist() == store.columns["depth"][indices[batches.places(2)]].astype(np.float32).tolist()
    assert 0 <= loaded.depth.min() < loaded.depth.max() <= 1


def test_a_batch_larger_than_the_store_runs_over_several_passes(tmp_path):
    store = made.picture_store(tmp_path)
    batches = Batches(store, np.arange(3), 8, 0, CPU)
    assert np.bincount(batches.places(0)).tolist() in ([3, 3, 2], [3, 2, 3], [2, 3, 3])
