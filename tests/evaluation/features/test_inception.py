"""FID's network and resizing are those of torch-fidelity and clean-fid (`benchmarks/inception_parity.py`)."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import made_inception as made
from braingan.errors import InputError
from braingan.evaluation.features import inception as module
from braingan.evaluation.features.inception import FILE, Inception, cache_folder, fetch_weights, resized
from braingan.evaluation.features.inception_v3 import ConvolutionNormRelu, InceptionV3, build
from served import Answer, served

FIXTURE = np.load(Path(__file__).with_name("torch_parity.npz"))
TOLERANCE = 1e-5
"""Of the largest feature."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "made.pth"
    torch.save(made.state(InceptionV3("max"), ConvolutionNormRelu), path)
    return path


@pytest.fixture(scope="module")
def extractor(weights):
    return Inception(weights)


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "braingan" / FILE


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(module, "BATCH", 2)


def refused(path, match):
    with pytest.raises(InputError, match=match) as caught:
        Inception(path)
    assert str(path) in str(caught.value)


def saved(path, content):
    torch.save(content, path)
    return path


def test_features_and_probabilities_are_those_of_torch_fidelity_whatever_the_batch(extractor):
    features = extractor.features(made.pictures())
    recorded = FIXTURE["features"]
    np.testing.assert_allclose(features, recorded, rtol=0, atol=TOLERANCE * recorded.max())
    logits = FIXTURE["logits"].astype(np.float64)
    expected = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(extractor.probabilities(features), expected, rtol=1e-3, atol=1e-7)
    np.testing.assert_array_equal(extractor.features(made.pictures()[2:]), features[2:])


def test_another_pooling_in_the_last_block_would_be_seen(weights):
    network = build("mean", torch.load(weights, weights_only=True), weights)
    picture = (torch.from_numpy(made.pictures()[:1, None]) - 128.0) / 128
    found = network(picture.expand(-1, 3, -1, -1)).numpy()
    assert np.abs(found - FIXTURE["features"][:1]).max() > 1000 * TOLERANCE * FIXTURE["features"].max()


def test_convolutions_are_named_as_in_the_published_weights():
    with torch.device("meta"):
        network = InceptionV3("max")
    names = [name for name, part in network.named_modules() if isinstance(part, ConvolutionNormRelu)]
    assert names == list(FIXTURE["convolutions"])


@pytest.mark.parametrize(("blocks", "side"), [(14, 112), (64, 64), (320, 320)])
def test_slices_are_resized_as_by_clean_fid(blocks, side):
    found = resized(made.mosaic(blocks, side)[None])[0]
    np.testing.assert_allclose(found[::7, ::7], FIXTURE[f"resized/{blocks}/{side}"], atol=1e-3)


def test_the_same_weights_as_safetensors_make_the_same_network(weights, extractor, tmp_path):
    save_file(torch.load(weights, weights_only=True), tmp_path / "made.safetensors")
    other = Inception(tmp_path / "made.safetensors")
    ours = extractor._layers.state_dict()
    assert all(torch.equal(tensor, ours[name]) for name, tensor in other._layers.state_dict().items())
    assert other.fingerprint != extractor.fingerprint  # by the file's bytes
    assert "not pytorch-fid's file" in other.description


class Script(torch.nn.Module):
    """What StyleGAN's file has of parts, but small."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Conv2d(3, 2048, 1))
        self.output = torch.nn.Linear(2048, 1008)

    def forward(self, pictures):
        return self.output(self.layers(pictures).flatten(1))


def test_stylegans_torchscript_gives_its_layers_and_its_output_without_bias(tmp_path):
    script = Script().eval()
    path = tmp_path / "inception-2015-12-05.pt"
    torch.jit.script(script).save(path)
    extractor = Inception(path)
    features = extractor.features(np.full((3, 112, 112), 192, np.uint8))
    with torch.no_grad():
        expected = script.layers(torch.full((1, 3, 299, 299), 0.5)).flatten(1)
        logits = torch.nn.functional.linear(expected, script.output.weight).double()
    np.testing.assert_allclose(features, expected.numpy().repeat(3, 0), atol=1e-5)
    np.testing.assert_allclose(extractor.probabilities(features)[:1], logits.softmax(1).numpy(), rtol=1e-4)


def test_weights_that_are_not_this_networks_are_named(weights, tmp_path):
    path = tmp_path / "a.pth"
    path.write_bytes(b"<html>")
    refused(path, r"a\.pth holds no weights: it is damaged")
    refused(saved(path, [1, 2]), "holds no weights, but something else")
    state = torch.load(weights, weights_only=True, mmap=True)
    state = {name: torch.zeros(1).expand(tensor.shape) for name, tensor in state.items()}  # a small file
    refused(saved(path, {**state, "fc.weight": torch.zeros(1000, 2048)}), "classifier of 1008 classes, fc.weight")
    odd = {**state, "Mixed_6b.branch7x7_2.conv.weight": torch.zeros(128, 128, 7, 1)}
    refused(saved(path, odd), r"Mixed_6b.branch7x7_2.conv.weight has shape \[128, 128, 7, 1\], and should have")
    del odd["Conv2d_1a_3x3.bn.bias"]
    refused(saved(path, odd), r"Conv2d_1a_3x3.bn.bias is absent")
    torch.jit.script(torch.nn.ReLU()).save(tmp_path / "other.pt")
    refused(tmp_path / "other.pt", "is a TorchScript file, but not StyleGAN's")


def test_absent_weights_are_said_with_three_ways_out(empty_cache):
    with pytest.raises(InputError, match=r"`braingan fetch inception` .*--weights PATH .*efficientnet-lite2") as caught:
        Inception()
    assert str(empty_cache) in str(caught.value)


def test_weights_are_fetched_once_into_the_cache_and_wrong_ones_never(empty_cache, monkeypatch):
    with served(Answer(b"other")) as host, pytest.raises(InputError, match="other bytes than it should"):
        fetch_weights(pytest.fail, f"{host.url}/{FILE}")
    assert not list(empty_cache.parent.iterdir())
    monkeypatch.setattr(module, "SHA256", hashlib.sha256(b"weights").hexdigest())
    with served(Answer(b"weights")) as host:
        for _ in range(2):
            assert fetch_weights(pytest.fail, f"{host.url}/{FILE}") == empty_cache
        assert len(host.requests) == 1
    assert empty_cache.read_bytes() == b"weights"


def test_the_cache_is_in_the_home_where_nothing_else_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for said in ("", "relative"):  # which the XDG specification says to ignore
        monkeypatch.setenv("XDG_CACHE_HOME", said)
        assert cache_folder() == tmp_path / ".cache" / "braingan"


def test_the_published_checksum_begins_as_the_files_name_says():
    assert module.SHA256.startswith(FILE.removesuffix(".pth").split("-")[-1])


def test_the_real_weights_score_noise_as_torchmetrics_documents():
    """The Inception Score of 100 pictures of noise, 10 splits: 1.0549, with a deviation of 0.0121 between splits."""
    if not (cache_folder() / FILE).is_file():
        pytest.skip(f"the weights are not in {cache_folder()}: `braingan fetch inception` downloads them")
    extractor, seed = Inception(), torch.Generator().manual_seed(123)
    assert extractor.fingerprint.split()[1] == module.SHA256
    pictures = (torch.randint(0, 255, (100, 3, 299, 299), generator=seed) - 128.0) / 128
    with torch.no_grad():
        features = torch.cat([extractor._layers(part) for part in pictures.split(10)])
    splits = extractor.probabilities(features.numpy()).reshape(10, 10, 1008)
    marginal = splits.mean(axis=1, keepdims=True)
    scores = np.exp((splits * np.log(splits / marginal)).sum(axis=2).mean(axis=1))
    assert scores.mean() == pytest.approx(1.0549, abs=0.012)
