"""The untrained network is the same everywhere, and what its description says."""

from itertools import pairwise

import numpy as np
import torch

from braingan.evaluation.features.random import CHANNELS, RandomNetwork
from braingan.randomness import draws

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 48, 48), dtype=np.uint8)


def by_hand(image):
    """Four convolutions in NumPy, each entry a sum."""
    maps = image[None] / 127.5 - 1
    for layer, (inputs, outputs) in enumerate(pairwise(CHANNELS)):
        kernel = draws(0, "random extractor", layer).standard_normal((outputs, inputs, 3, 3), np.float32)
        kernel = kernel * np.sqrt(2 / (9 * inputs))
        padded = np.pad(maps, ((0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::2, ::2]
        maps = np.einsum("oikl,iabkl->oab", kernel, windows).clip(0)
    return maps.mean(axis=(1, 2))


def test_features_are_four_convolutions_of_fixed_kernels():
    torch.manual_seed(1)
    features = RandomNetwork().features(IMAGES[:2])
    np.testing.assert_allclose(features, [by_hand(image) for image in IMAGES[:2]], rtol=1e-4, atol=1e-5)


def test_a_row_depends_on_its_slice_alone():
    features = RandomNetwork().features(IMAGES)
    assert features.dtype == np.float32
    np.testing.assert_array_equal(RandomNetwork().features(IMAGES[::-1]), features[::-1])
    np.testing.assert_array_equal(RandomNetwork().features(IMAGES[5:6]), features[5:6])
