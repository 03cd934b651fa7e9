"""The thesis's extractor is Keras's network on scikit-image's pixels (`benchmarks/inception_parity.py`)."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import made_inception as made
from braingan.errors import InputError
from braingan.evaluation.features import keras_inception as module
from braingan.evaluation.features.inception_v3 import ConvolutionNormRelu, InceptionV3
from braingan.evaluation.features.keras_inception import KerasInception, nearest, read_weights

h5py = pytest.importorskip("h5py")

FIXTURE = np.load(Path(__file__).with_name("keras_parity.npz"))
PIXELS = np.load(Path(__file__).with_name("torch_parity.npz"))
TOLERANCE = 1e-5
"""Of the largest feature."""
TENSORS = {
    "kernel": "conv.weight",
    "beta": "bn.bias",
    "moving_mean": "bn.running_mean",
    "moving_variance": "bn.running_var",
}


@pytest.fixture(scope="module")
def state():
    """Our names and arrays."""
    return made.state(InceptionV3("mean"), ConvolutionNormRelu)


@pytest.fixture(scope="module")
def weights(state, tmp_path_factory):
    """A file with the names that Keras gave."""
    return keras_file(tmp_path_factory.mktemp("weights") / "made.h5", state, FIXTURE["names"])


def keras_file(path, state, names):
    ours = [name.removesuffix(".conv.weight") for name in state if name.endswith("conv.weight")]
    with h5py.File(path, "w") as file:
        for name in names:
            layer, tensor = name.split("/")[-2:]
            number = int(layer.removeprefix("conv2d").removeprefix("batch_normalization").removeprefix("_") or 0)
            values = state[f"{ours[number]}.{TENSORS[tensor]}"].numpy()
            file[name] = values.transpose(2, 3, 1, 0) if tensor == "kernel" else values
    return path


def refused(path, match):
    with pytest.raises(InputError, match=match):
        KerasInception(path)


def test_features_are_those_of_keras_whatever_the_batch(weights, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 2)
    extractor = KerasInception(weights)
    features = extractor.features(made.pictures())
    recorded = FIXTURE["features"]
    np.testing.assert_allclose(features, recorded, rtol=0, atol=TOLERANCE * recorded.max())
    np.testing.assert_array_equal(extractor.features(made.pictures()[2:]), features[2:])


def test_layers_may_be_counted_from_any_number_and_stand_at_the_top(state, weights, tmp_path):
    def later(name):
        layer, tensor = name.split("/")[-2:]
        kind, _, number = layer.rpartition("_") if layer[-1].isdigit() and "_" in layer else (layer, "", "0")
        renamed = f"{kind}_{int(number) + 95}"
        return f"{renamed}/{renamed}/{tensor}:0"

    small = {name: tensor if tensor.ndim == 1 else tensor[:1, :1] for name, tensor in state.items()}
    path = keras_file(tmp_path / "first.h5", small, FIXTURE["names"])
    with h5py.File(path, "a") as file:
        for name in FIXTURE["names"]:
            file.move(name, later(name))
        del file["model_weights"]
    for name, tensor in read_weights(path).items():
        torch.testing.assert_close(tensor, torch.ones_like(tensor) if name.endswith("bn.weight") else small[name])


@pytest.mark.parametrize("side", [28, 64, 96, 112, 128, 160, 192, 224, 240, 256, 299])
def test_pixels_are_those_that_scikit_image_takes(side):
    rows = np.repeat(np.arange(side)[:, None] % 256, side, axis=1).astype(np.uint8)
    np.testing.assert_array_equal(nearest(rows[None])[0][:, 0], PIXELS[f"nearest/{side}"] % 256)
    np.testing.assert_array_equal(nearest(rows.T[None])[0][0], PIXELS[f"nearest/{side}"] % 256)


def test_larger_slices_are_refused():
    with pytest.raises(InputError, match="at most 299 pixels; these have 320"):
        nearest(np.zeros((1, 320, 320), np.uint8))


def test_files_that_are_not_keras_inception_are_named(tmp_path, monkeypatch):
    refused(None, r"none are named: --weights PATH names Keras's file inception_v3\w*\.h5")
    path = tmp_path / "a.h5"
    refused(path, rf"{path} is not there")
    path.write_bytes(b"<html>")
    refused(path, r"a\.h5 is no HDF5 file")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["conv2d_1/conv2d_1/kernel:0"] = np.zeros((3, 3, 3, 32))
    refused(tmp_path / "b.h5", r"b\.h5 holds 1 layers conv2d, and Keras's InceptionV3 has 94")
    monkeypatch.setitem(sys.modules, "h5py", None)
    refused(path, r"h5py is not installed: pip install 'braingan\[keras\]'")
