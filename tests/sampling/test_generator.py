"""Any slice again, from its seed and number."""

import shutil

import numpy as np
import pytest
import torch

import braingan
from braingan.errors import InputError
from braingan.folders import RunFolder
from braingan.sampling.generator import TrainedGenerator
from marking import marking


def test_a_slice_is_the_same_whatever_is_made_with_it(trained):
    generator = TrainedGenerator.open(trained)
    many, few = generator.sample(37, seed=5), generator.sample(3, seed=5)
    assert many.shape == (37, 112, 112)
    np.testing.assert_array_equal(many[:3], few)
    assert (generator.sample(3, seed=6) != few).any()
    assert len(np.unique(many.reshape(37, -1), axis=0)) == 37
    assert generator.sample(0).shape == (0, 112, 112)
    assert generator.sample(0).dtype == np.uint8


def loud(run):
    """The run's generator with weights by which conditions show, as a short training's do not."""
    generator = TrainedGenerator.open(run)
    torch.manual_seed(0)
    for parameter in generator.networks["generator"].field.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return generator


def test_a_wish_is_kept_and_what_is_open_is_each_slice_s_own(told):
    generator = TrainedGenerator.open(told)
    wish = generator.vocabulary.row(frame="light", lesion=25.0)
    rows = generator.told(3, range(40), wish)
    assert {generator.vocabulary.words(row)["frame"] for row in rows} == {"light"}
    assert (rows[:, 3] == 25).all()
    assert len(np.unique(rows[:, 2])) > 10
    drawn = generator.told(3, range(400))
    known = store_rows(told)
    for condition in (0, 1, 2):
        assert drawn[:, condition].mean() == pytest.approx(known[:, condition].mean(), abs=0.1)


def store_rows(run):
    from pathlib import Path

    from braingan.data.conditions import CONDITIONS, Vocabulary
    from braingan.data.store import Store

    store = Store.open(Path(TrainedGenerator.open(run).config["store"]))
    training = store.select("train")
    return Vocabulary.of(store, training, CONDITIONS).rows(store, training)


def test_a_slice_of_a_wish_is_the_same_whatever_is_made_with_it(told):
    generator = loud(told)
    wish = generator.vocabulary.row(frame="dark", depth=0.5)
    many = generator.sample(37, seed=5, wish=wish)
    np.testing.assert_array_equal(many[:3], generator.sample(3, seed=5, wish=wish))
    np.testing.assert_array_equal(many[[33, 2]], generator.some(5, [33, 2], wish))
    as_drawn = generator.told(5, [2], wish)[0]
    np.testing.assert_array_equal(many[2], generator.some(5, [2], as_drawn)[0])
    for other in ({"frame": "light", "depth": 0.5}, {"frame": "dark", "depth": 0.7}):
        assert (generator.some(5, [2], generator.vocabulary.row(**other))[0] != many[2]).any()


def test_masks_come_with_the_same_slices(masked, told):
    generator = marking(masked)
    assert generator.vocabulary.masks
    images, masks = generator.with_masks(1, [20, 3])
    np.testing.assert_array_equal(images, TrainedGenerator.open(masked).some(1, [20, 3]))
    assert masks.dtype == bool
    np.testing.assert_array_equal(masks, images % 2 == 1)
    assert masks.any(axis=(1, 2)).all()
    assert TrainedGenerator.open(told).with_masks(1, [0])[1] is None


def test_from_python(told):
    run = braingan.open_run(str(told.root))
    images = run.sample(4, seed=1, wish=run.wish(frame="dark", depth=0.5))
    np.testing.assert_array_equal(images[2], run.some(1, [2], run.wish(frame="dark", depth=0.5))[0])


def test_a_model_that_is_told_nothing_refuses_wishes(trained):
    generator = TrainedGenerator.open(trained)
    with pytest.raises(InputError, match="was not told its slices' depth"):
        generator.vocabulary.row(depth=0.5)
    assert np.isnan(generator.told(0, [0, 1])).all()


def test_no_run_no_snapshot_and_damaged_weights_are_named(trained, tmp_path):
    with pytest.raises(InputError, match="is no run"):
        TrainedGenerator.open(RunFolder(tmp_path))
    copy = RunFolder(tmp_path / "copy")
    copy.root.mkdir()
    shutil.copy(trained.config, copy.config)
    with pytest.raises(InputError, match="has no snapshot yet"):
        TrainedGenerator.open(copy)
    weights = copy.snapshot(1).weights("generator")
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"generator\.safetensors is missing, damaged, or of another version"):
        TrainedGenerator.open(copy)
