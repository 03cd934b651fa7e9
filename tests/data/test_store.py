"""A store is read in place, across shards, and refuses what it is not."""

import numpy as np
import pytest

import made
from braingan.data import assemble as module
from braingan.data.prepare import prepare
from braingan.data.settings import DataSettings
from braingan.data.store import Store, from_model_range, to_model_range
from braingan.errors import InputError
from braingan.folders import read_json, write_json


def test_shards_read_as_one(tmp_path, monkeypatch):
    source = made.picture_folder(tmp_path / "pictures", subjects=4, each=3)
    whole = prepare(source, tmp_path / "whole", DataSettings(size=16), "local:1")
    monkeypatch.setattr(module, "SHARD_BYTES", 5 * 16 * 16)
    sharded = prepare(source, tmp_path / "sharded", DataSettings(size=16), "local:1")
    assert sharded.description["shards"] == 3
    order = np.array([11, 0, 5, 4, 5, 10])
    np.testing.assert_array_equal(sharded.images(order), whole.images(order))
    assert sharded.fingerprint == whole.fingerprint


def test_model_range_and_back_is_exact():
    grey = np.arange(256, dtype=np.uint8)
    values = to_model_range(grey)
    assert (values.min(), values.max()) == (-1, 1)
    np.testing.assert_array_equal(from_model_range(values), grey)


def test_subsets_are_nested_and_seeded(tmp_path):
    store = made.picture_store(tmp_path)
    ten, twenty = (store.select("train", count=count, seed=3) for count in (10, 20))
    assert set(ten) < set(twenty)
    assert set(ten) != set(store.select("train", count=10, seed=4))
    splits = [set(store.columns["subject"][store.select(split)]) for split in ("train", "validation", "test")]
    assert all(splits)
    assert not (splits[0] & splits[1])
    assert not (splits[0] & splits[2])
    assert not (splits[1] & splits[2])
    with pytest.raises(InputError, match="99999 train slices were asked for"):
        store.select("train", count=99_999)
    with pytest.raises(InputError, match=r"data\.frames"):
        store.select("train", frames=("FLAIR",))


def test_subsets_of_subjects_are_nested_and_whole_and_slices_are_drawn_within(tmp_path):
    store = made.picture_store(tmp_path)
    every = store.select("train")

    def subjects(numbers):
        return set(store.columns["subject"][numbers])

    two, four = (store.select("train", seed=3, subjects=count) for count in (2, 4))
    assert (len(subjects(two)), len(subjects(four))) == (2, 4)
    assert set(two) < set(four) < set(every)
    assert set(two) == {number for number in every if store.columns["subject"][number] in subjects(two)}
    assert set(store.select("train", count=3, seed=3, subjects=2)) < set(two)
    assert subjects(two) != subjects(store.select("train", seed=5, subjects=2))
    with pytest.raises(InputError, match=f"{len(two) + 1} train slices were asked for, but the store has {len(two)}"):
        store.select("train", count=len(two) + 1, seed=3, subjects=2)
    with pytest.raises(InputError, match="999 train subjects were asked for"):
        store.select("train", subjects=999)


def test_what_is_no_whole_store_is_refused(tmp_path):
    with pytest.raises(InputError, match="is no store"):
        Store.open(tmp_path)
    store = made.picture_store(tmp_path)
    description = read_json(store.folder.description)
    write_json(store.folder.description, description | {"format": 99})
    with pytest.raises(InputError, match="store format 99"):
        Store.open(store.folder.root)
    store.folder.description.write_text("{ half")
    with pytest.raises(InputError, match="is damaged"):
        Store.open(store.folder.root)
    write_json(store.folder.description, description)
    columns = store.folder.columns.read_bytes()
    store.folder.columns.write_bytes(columns[:100])
    with pytest.raises(InputError, match=r"slices\.npz is missing or damaged"):
        Store.open(store.folder.root).select("train")
    store.folder.columns.write_bytes(columns)
    store.folder.images(0).write_bytes(b"")
    with pytest.raises(InputError, match=r"images-00000\.npy is missing or damaged"):
        Store.open(store.folder.root).images(np.array([0]))
