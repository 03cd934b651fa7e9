"""Every slice once a pass, in an order that the step's number fixes."""

import numpy as np
import torch

import made
import taught
from braingan.data.conditions import CONDITIONS, Vocabulary
from braingan.training.batches import Batches

CPU = torch.device("cpu")


def test_a_pass_sees_every_slice_once_and_batches_are_always_full(tmp_path):
    store = made.picture_store(tmp_path)
    indices = store.select("train")
    vocabulary = Vocabulary.of(store, indices, CONDITIONS)
    batches = Batches(store, indices, 7, 3, CPU, vocabulary=vocabulary)
    stream = indices[np.concatenate([batches.places(step) for step in range(2 * len(indices) // 7 + 1)])]
    assert sorted(stream[: len(indices)]) == sorted(indices)
    assert sorted(stream[len(indices) : 2 * len(indices)]) == sorted(indices)
    assert list(stream[: len(indices)]) != list(stream[len(indices) : 2 * len(indices)])
    assert (Batches(store, indices, 7, 3, CPU).places(5) == batches.places(5)).all()
    loaded = batches.load(2)
    assert loaded.slices.shape == (7, 1, 112, 112)
    slices = np.rint((loaded.slices[:, 0].numpy() + 1) * 127.5)
    assert (slices == store.images(indices[batches.places(2)])).all()
    depth = loaded.told[:, 2]
    assert depth.tolist() == store.columns["depth"][indices[batches.places(2)]].astype(np.float32).tolist()
    assert 0 <= depth.min() < depth.max() <= 1
    shown = batches.examples()
    assert sorted(shown.told[:, 2].tolist()) == sorted(store.columns["depth"][indices].astype(np.float32).tolist())
    assert shown.slices.shape == (len(indices), 1, 112, 112)


def test_a_batch_larger_than_the_store_runs_over_several_passes(tmp_path):
    store = made.picture_store(tmp_path)
    batches = Batches(store, np.arange(3), 8, 0, CPU)
    assert np.bincount(batches.places(0)).tolist() in ([3, 3, 2], [3, 2, 3], [2, 3, 3])


def test_masks_come_as_a_second_channel_of_black_and_white(tmp_path):
    store = taught.taught_store(tmp_path, unmapped=0)
    indices = store.select("train")
    vocabulary = Vocabulary.of(store, indices, CONDITIONS, masks=True)
    assert vocabulary.masks
    batches = Batches(store, indices, 8, 0, CPU, vocabulary=vocabulary)
    slices, masks = batches.load(1).slices.unbind(1)
    seen = indices[batches.places(1)]
    assert (np.rint((slices.numpy() + 1) * 127.5) == store.images(seen)).all()
    assert ((masks.numpy() == 1) == (store.masks(seen) > 0)).all()
    assert set(masks.unique().tolist()) == {-1, 1}


def test_masks_that_some_slices_lack_are_no_one_s(tmp_path):
    store = taught.taught_store(tmp_path)
    assert not Vocabulary.of(store, store.select("train"), CONDITIONS, masks=True).masks
