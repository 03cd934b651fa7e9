"""Keras's InceptionV3, trained on ImageNet, as the thesis's distance was computed with it.

The thesis follows J. Brownlee, How to Implement the Frechet Inception Distance (FID) for Evaluating GANs (Machine
Learning Mastery, 2019): `InceptionV3(include_top=False, pooling='avg')`, pictures brought to 299×299×3 by
`skimage.transform.resize` of order 0 (the nearest pixel), and `preprocess_input`, by which a grey level g becomes
g / 127.5 - 1. Other weights, resizing and scale than FID's: numbers are not comparable with FID's.
"""

import hashlib
import re
from collections import defaultdict
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8

from braingan.errors import InputError
from braingan.evaluation.features.batches import in_batches
from braingan.evaluation.features.extractor import Extractor
from braingan.evaluation.features.inception_v3 import SIDE, ConvolutionNormRelu, InceptionV3, build
from braingan.optional import optional

FILE = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
BATCH = 8
LAYER = re.compile(r"(conv2d|batch_normalization)(?:_(\d+))?")
TENSORS = {"kernel": "conv.weight", "beta": "bn.bias", "moving_mean": "bn.running_mean",
           "moving_variance": "bn.running_var"}  # fmt: skip


def nearest(images: UInt8[np.ndarray, "n side side"]) -> UInt8[np.ndarray, "n 299 299"]:
    """Return slices of 299×299 pixels, each the one whose square holds its centre.

    Raises:
        InputError: slices are larger, which scikit-image would smooth first.
    """
    side = images.shape[-1]
    if side > SIDE:
        raise InputError(f"The extractor inception-keras takes slices of at most {SIDE} pixels; these have {side}.")
    centres = (np.arange(SIDE) + 0.5) * (side / SIDE) - 0.5
    source = np.floor(centres + 0.5).astype(int)  # in SciPy's steps: rounding decides the middle pixel of even sides
    return images[:, source][:, :, source]


@final
class KerasInception(Extractor):
    """The 2048 features before the classifier."""

    name = "inception-keras"

    def __init__(self, weights: Path | None) -> None:
        """Load the network.

        Args:
            weights: Keras's file of its InceptionV3, with or without the top.

        Raises:
            InputError: there are no weights, what is there is not this network's, or h5py is not installed.
        """
        if weights is None or not weights.is_file():
            there = f"{weights} is not there" if weights else "none are named"
            raise InputError(
                f"The extractor inception-keras needs weights, and {there}: --weights PATH names Keras's file {FILE}; "
                "the extractor efficientnet-lite2 works offline."
            )
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
        self._network = build("mean", read_weights(weights), weights)
        self.fingerprint = f"{self.name} {digest} nearest"
        self.description = (
            f"Keras's InceptionV3, 2048 features after pooling (not FID's network); weights SHA-256 {digest[:12]}…; "
            f"slices of 8 bits resized to {SIDE}×{SIDE} by the nearest pixel, as the thesis's source does"
        )

    def features(self, images: UInt8[np.ndarray, "n side side"]) -> Float32[np.ndarray, "n 2048"]:
        """Return a row per slice."""
        return in_batches(images, BATCH, self._of_batch)

    def _of_batch(self, images: UInt8[np.ndarray, "n side side"]) -> Float[torch.Tensor, "n 2048"]:
        scaled = torch.from_numpy(nearest(images))[:, None] / 127.5 - 1
        pictures = scaled.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
        features: torch.Tensor = self._network(pictures)
        return features


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read an HDF5 file that Keras saved, with names and axes as the network has them.

    Keras numbers layers as they are made, in one count per kind that may begin anywhere: so the order of the numbers
    tells which layer is which, and the order of the groups in the file, which is by depth, does not.

    Raises:
        InputError: it is no HDF5 file, or holds another number of layers; h5py is not installed.
    """
    layers = _read_layers(path)
    with torch.device("meta"):
        network = InceptionV3("mean")
    names = [name for name, module in network.named_modules() if isinstance(module, ConvolutionNormRelu)]
    state = {}
    for kind, numbered in layers.items():
        if len(numbered) != len(names):
            raise InputError(f"{path} holds {len(numbered)} layers {kind}, and Keras's InceptionV3 has {len(names)}.")
        for name, number in zip(names, sorted(numbered), strict=True):
            for tensor, values in numbered[number].items():
                state[f"{name}.{TENSORS[tensor]}"] = torch.from_numpy(values)
            if kind == "batch_normalization" and "beta" in numbered[number]:  # which Keras's has no scale beside
                state[f"{name}.bn.weight"] = torch.ones(len(numbered[number]["beta"]))
    return state


def _read_layers(path: Path) -> dict[str, dict[int, dict[str, Any]]]:
    """Return arrays by kind of layer, number and name, in torch's order of axes."""
    h5py = optional("h5py", "keras", f"{path} is a file of Keras")
    layers: dict[str, dict[int, dict[str, Any]]] = {
        "conv2d": defaultdict(dict),
        "batch_normalization": defaultdict(dict),
    }

    def visit(name: str, item: Any) -> None:
        *groups, tensor = name.removesuffix(":0").split("/")
        found = LAYER.fullmatch(groups[-1]) if groups else None
        if found and tensor in TENSORS and isinstance(item, h5py.Dataset):
            values = np.asarray(item, np.float32)
            layers[found[1]][int(found[2] or 0)][tensor] = values.transpose(3, 2, 0, 1) if values.ndim == 4 else values

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except OSError as error:
        raise InputError(f"{path} is no HDF5 file, as Keras saves, or is damaged.") from error
    return layers
