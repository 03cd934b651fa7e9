"""Any slice again, from its seed and number."""

import shutil

import numpy as np
import pytest

from braingan.errors import InputError
from braingan.folders import RunFolder
from braingan.sampling.generator import TrainedGenerator


def test_a_slice_is_the_same_whatever_is_made_with_it(trained):
    generator = TrainedGenerator.open(trained)
    many, few = generator.sample(37, seed=5), generator.sample(3, seed=5)
    assert many.shape == (37, 112, 112)
    np.testing.assert_array_equal(many[:3], few)
    assert (generator.sample(3, seed=6) != few).any()
    assert len(np.unique(many.reshape(37, -1), axis=0)) == 37


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
    with pytest.raises(InputError, match=r"generator\.safetensors is missing or damaged"):
        TrainedGenerator.open(copy)
