"""A network that comes as a file gets what the TOML file beside it says, and each mistake its sentence."""

import sys

import numpy as np
import pytest
import torch

from braingan.errors import InputError
from braingan.evaluation.features.file import BATCH, FileNetwork

IMAGES = np.random.default_rng(0).integers(0, 256, (BATCH + 3, 12, 12), dtype=np.uint8)
GIVEN = "size = 12\nchannels = 3\nmean = 100\nscale = 50\n"
EXPECTED = (IMAGES.mean(axis=(1, 2), dtype=np.float64)[:, None] - 100) / 50


class Maps(torch.nn.Module):
    """Returns its input: maps, of which the means are the features."""

    def forward(self, pictures):
        return pictures


class Rows(torch.nn.Module):
    """One picture's rows instead of one row per picture."""

    def forward(self, pictures):
        return pictures[0, 0]


class Pair(torch.nn.Module):
    """Two tensors."""

    def forward(self, pictures):
        return pictures, pictures


class Logarithm(torch.nn.Module):
    """Not finite where it is given what is negative."""

    def forward(self, pictures):
        return pictures.log().flatten(1)


def scripted(folder, network, given=GIVEN):
    path = folder / "network.pt"
    torch.jit.script(network).save(path)
    path.with_name("network.pt.toml").write_text(given)
    return path


def exported(folder, shape, given=GIVEN):
    """An ONNX file whose features are the means of its input's channels."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    make = onnx.helper
    graph = make.make_graph(
        [make.make_node("GlobalAveragePool", ["pictures"], ["features"])],
        "means",
        [make.make_tensor_value_info("pictures", onnx.TensorProto.FLOAT, shape)],
        [make.make_tensor_value_info("features", onnx.TensorProto.FLOAT, [*shape[:2], 1, 1])],
    )
    path = folder / "network.onnx"
    onnx.save(make.make_model(graph, opset_imports=[make.make_opsetid("", 13)], ir_version=8), path)
    path.with_name("network.onnx.toml").write_text(given)
    return path


def refused(path, match):
    with pytest.raises(InputError, match=match):
        FileNetwork(path).features(IMAGES[:2])


def test_torchscript_is_given_scaled_slices_and_its_maps_are_averaged(tmp_path):
    extractor = FileNetwork(scripted(tmp_path, Maps()))
    features = extractor.features(IMAGES)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, EXPECTED.repeat(3, axis=1), atol=1e-5)
    np.testing.assert_array_equal(extractor.features(IMAGES[-1:]), features[-1:])
    assert extractor.name == "file-network.pt"


@pytest.mark.parametrize("count", ["n", 1, 5])
def test_onnx_is_run_in_batches_of_the_size_that_it_was_exported_for(tmp_path, count):
    features = FileNetwork(exported(tmp_path, [count, 3, 12, 12])).features(IMAGES)
    np.testing.assert_allclose(features, EXPECTED.repeat(3, axis=1), atol=1e-5)


def test_slices_are_resized_and_the_fingerprint_knows_how(tmp_path):
    constant = np.full((1, 12, 12), 200, np.uint8)
    by_filter = {}
    for name in ("nearest", "bilinear", "bicubic"):
        given = GIVEN.replace("size = 12", f'size = 30\nfilter = "{name}"')
        extractor = FileNetwork(scripted(tmp_path, torch.nn.Flatten(), given))
        np.testing.assert_allclose(extractor.features(constant), np.full((1, 3 * 30 * 30), 2.0), atol=1e-5)
        by_filter[extractor.fingerprint] = extractor.features(IMAGES[:1])
    assert len(by_filter) == 3
    nearest, *smooth = by_filter.values()
    assert set(np.unique((nearest * 50 + 100).round())) <= set(np.unique(IMAGES[0]))
    assert all(np.abs(nearest - other).max() > 0.1 for other in smooth)


def test_each_mistake_has_its_sentence(tmp_path):
    refused(tmp_path / "absent.pt", r"absent\.pt is not there: file:PATH names")
    path = scripted(tmp_path, Maps())
    path.with_name("network.pt.toml").unlink()
    refused(path, r"network\.pt\.toml is not there, which says what the network is given: write `size = 224`")
    refused(scripted(tmp_path, Maps(), GIVEN + "depth = 3\n"), r"network\.pt\.toml: Settings refused: `depth`")
    refused(
        scripted(tmp_path, Maps(), GIVEN.replace("channels = 3", "channels = 2")), "`channels`: Input should be 1 or 3"
    )
    refused(scripted(tmp_path, Maps(), "size = "), "is not valid TOML")
    refused(scripted(tmp_path, Rows()), r"returns an array of shape \[12, 12\] for 16 slices, where a row")
    refused(scripted(tmp_path, Pair()), "it returns a tuple, where one tensor was expected")
    refused(scripted(tmp_path, Logarithm()), "not finite; check `mean` and `scale`")
    refused(scripted(tmp_path, torch.nn.Linear(7, 2)), r"network\.pt fails on its input, .*12")
    path.write_bytes(b"<html>")
    refused(path, r"network\.pt is no TorchScript file, or is damaged; an ONNX file's name ends in \.onnx")


def test_each_mistake_with_onnx_has_its_sentence(tmp_path, monkeypatch):
    refused(
        exported(tmp_path, ["n", 1, 12, 12]), r"expects \['n', 1, 12, 12\], and network.onnx.toml says \[n, 3, 12, 12\]"
    )
    path = exported(tmp_path, ["n", 3, "height", "width"])
    assert FileNetwork(path).features(IMAGES[:1]).shape == (1, 3)
    path.write_bytes(b"<html>")
    refused(path, r"network\.onnx is no ONNX file that onnxruntime can run")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    refused(path, r"onnxruntime is not installed: pip install 'braingan\[onnx\]'")
