"""Keras's files, read without Keras, make what Keras made of them (`benchmarks/keras_files.py`)."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from braingan.errors import InputError
from braingan.models.keras import LeakyReLU
from braingan.models.keras_file import read_network

h5py = pytest.importorskip("h5py")
FILES = Path(__file__).parent / "keras_files"
NAMES = ("thesis4", "thesis7", "thesis15", "discriminator")


@pytest.mark.parametrize("version", sorted(path.stem for path in FILES.glob("*.npz")))
@pytest.mark.parametrize("kind", ["h5", "keras"])
@pytest.mark.parametrize("name", NAMES)
def test_a_network_makes_what_keras_made(name, kind, version):
    network = read_network(FILES / f"{name}-{version}.{kind}")
    with np.load(FILES / f"{version}.npz") as arrays:
        inputs, wanted = torch.from_numpy(arrays[name]), torch.from_numpy(arrays[f"{name} made"])
    with torch.no_grad():
        if name == "discriminator":
            made = network(inputs.permute(0, 3, 1, 2)).sigmoid()
        else:
            made = network(inputs).permute(0, 2, 3, 1)
    torch.testing.assert_close(made, wanted, rtol=1e-5, atol=2e-6)
    assert not network.training


@pytest.mark.parametrize("kind", ["h5", "keras"])
def test_a_slope_is_what_was_written_though_keras_2_keeps_it_in_single_precision(kind):
    network = read_network(FILES / f"discriminator-keras2.{kind}")
    assert {layer.negative_slope for layer in network if isinstance(layer, LeakyReLU)} == {0.01}


def test_what_is_no_model_is_refused(tmp_path):
    (tmp_path / "a.h5").write_bytes(b"no")
    with pytest.raises(InputError, match="no model that Keras saved"):
        read_network(tmp_path / "a.h5")
    with pytest.raises(InputError, match="no model that Keras saved"):
        read_network(tmp_path / "not there.h5")
    with zipfile.ZipFile(tmp_path / "b.keras", "w") as archive:
        archive.writestr("readme", "no")
    with pytest.raises(InputError, match="no model that Keras saved"):
        read_network(tmp_path / "b.keras")
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["a"] = [1]
    with pytest.raises(InputError, match="save the whole model"):
        read_network(tmp_path / "c.h5")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('"class_name": "Flatten"', '"class_name": "GlobalPooling"', "a layer of kind GlobalPooling"),
        ('"activation": "sigmoid"', '"activation": "softmax"', "has the activation softmax"),
        ('"padding": "same"', '"padding": "valid"', "padding same"),
    ],
)
def test_other_layers_are_named(tmp_path, before, after, said):
    path = Path(shutil.copy(FILES / "discriminator-keras3.h5", tmp_path))
    with h5py.File(path, "a") as file:
        config = file.attrs["model_config"]
        assert before in config
        file.attrs["model_config"] = config.replace(before, after)
    with pytest.raises(InputError, match=said):
        read_network(path)
