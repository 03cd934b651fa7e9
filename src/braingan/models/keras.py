"""Keras's layers in PyTorch, exactly: the thesis's networks were written in Keras 2.

The conventions that differ are kept where they matter. "Same" padding of a stride-2 convolution is (1, 2) for
a 5×5 kernel on an even side. Reshape and Flatten go in height, width, channel order. Batch normalisation keeps
the biased variance, with momentum 0.99 and epsilon 1e-3. Kernels start Glorot-uniform, biases at zero.

Layers are named as in Keras. Tensors are `[batch, channels, height, width]`, laid out channels-last in memory.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from braingan.models.architecture import one_channel_last
from braingan.models.together import mean_and_variance
from braingan.models.upsample import upsample


def _same_padding(kernel: int, stride: int) -> tuple[int, int]:
    """Pixels added before and after by padding "same", for a side that the stride divides."""
    total = kernel - stride
    return total // 2, total - total // 2


class Dense(nn.Linear):
    """A fully connected layer."""

    def __init__(self, inputs: int, units: int, bias: bool = True) -> None:
        super().__init__(inputs, units, bias)
        _glorot(self)


class Conv2D(nn.Conv2d):
    """A convolution with padding "same"."""

    def __init__(self, inputs: int, filters: int, kernel: int, stride: int) -> None:
        super().__init__(inputs, filters, kernel, stride)
        self.before, self.after = _same_padding(kernel, stride)
        _glorot(self)

    def forward(self, input: Float[Tensor, "n c h w"]) -> Float[Tensor, "n filters h2 w2"]:
        """Convolve; the side becomes side / stride."""
        padded = F.pad(input, (self.before, self.after, self.before, self.after))
        return super().forward(one_channel_last(padded) if self.in_channels == 1 else padded)


class Conv2DTranspose(nn.ConvTranspose2d):
    """The transpose of a 5×5 convolution with padding "same": the side becomes side × stride.

    With stride 1 it is computed as a convolution by the flipped kernel, with stride 2 as `upsample` has it.
    """

    KERNEL = 5

    def __init__(self, inputs: int, filters: int, stride: int) -> None:
        if stride not in (1, 2):
            raise ValueError(f"stride {stride}: only 1 and 2 are written out")
        super().__init__(inputs, filters, self.KERNEL, stride)
        _glorot(self)

    def forward(
        self, input: Float[Tensor, "n c h w"], output_size: list[int] | None = None
    ) -> Float[Tensor, "n filters h2 w2"]:
        """Convolve."""
        assert self.bias is not None
        if self.stride[0] == 1:
            return F.conv2d(input, self.weight.flip(2, 3).transpose(0, 1), self.bias, padding=2)
        return upsample(input, self.weight, self.bias)


class BatchNormalization(nn.Module):
    """Batch normalisation; in training by the batch, in evaluation by moving averages."""

    running_mean: Tensor
    running_var: Tensor
    synchronised = False
    """Whether a batch in training is what all processes hold together; all must then call the layer, or it waits."""

    def __init__(self, channels: int, momentum: float = 0.99, epsilon: float = 1e-3) -> None:
        super().__init__()
        self.momentum, self.epsilon = momentum, epsilon
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, input: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Normalise each channel."""
        if not self.training:
            mean, variance = self.running_mean, self.running_var
            return F.batch_norm(input, mean, variance, self.weight, self.bias, eps=self.epsilon)
        if self.synchronised:
            return self._normalise_together(input)
        mean, variance = torch.zeros_like(self.running_mean), torch.ones_like(self.running_var)
        output = F.batch_norm(input, mean, variance, self.weight, self.bias, True, 1.0, self.epsilon)
        count = input.numel() // input.shape[1]
        with torch.no_grad():
            self.running_mean.lerp_(mean, 1 - self.momentum)
            self.running_var.lerp_(variance * ((count - 1) / count), 1 - self.momentum)  # biased, as Keras
        return output

    def _normalise_together(self, input: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        wide = input.to(torch.promote_types(input.dtype, self.running_mean.dtype))  # statistics never in bf16
        mean, variance = mean_and_variance(wide)
        with torch.no_grad():
            self.running_mean.lerp_(mean, 1 - self.momentum)
            self.running_var.lerp_(variance, 1 - self.momentum)
        scale = self.weight * torch.rsqrt(variance + self.epsilon)
        bias, centred = self.bias[:, None, None], wide - mean[:, None, None]
        return torch.addcmul(bias, centred, scale[:, None, None]).to(input.dtype)


class LeakyReLU(nn.LeakyReLU):
    """max(x, slope·x)."""


class Reshape(nn.Module):
    """Units become `height × width × channels`, the channel running fastest."""

    def __init__(self, height: int, width: int, channels: int) -> None:
        super().__init__()
        self.shape = (height, width, channels)

    def forward(self, input: Float[Tensor, "n units"]) -> Float[Tensor, "n c h w"]:
        """Return a channels-last view."""
        return input.view(-1, *self.shape).permute(0, 3, 1, 2)


class Flatten(nn.Module):
    """`height × width × channels` become units, the channel running fastest."""

    def forward(self, input: Float[Tensor, "n c h w"]) -> Float[Tensor, "n units"]:
        """Return the units."""
        return input.permute(0, 2, 3, 1).flatten(1)


LAYERS = (Dense, Conv2D, Conv2DTranspose, BatchNormalization, LeakyReLU, Reshape, Flatten)


def _glorot(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d) -> None:
    nn.init.xavier_uniform_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def from_keras(layer: nn.Module, arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Turn a layer's Keras arrays into its state.

    Args:
        layer: one of `LAYERS`.
        arrays: `kernel` and `bias` in Keras's axis order (Dense: inputs, units; Conv2D: height, width, inputs,
            filters; Conv2DTranspose: height, width, filters, inputs), or `gamma`, `beta`, `moving_mean` and
            `moving_variance`.
    """
    names = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
    state = {names.get(name, name): array for name, array in arrays.items()}
    if "kernel" in state:
        kernel = state.pop("kernel")
        state["weight"] = kernel.T if isinstance(layer, Dense) else kernel.permute(3, 2, 0, 1)
    return state
