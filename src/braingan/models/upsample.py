"""The transpose of a 5×5 convolution with stride 2 and padding "same", in the forms that processors are fastest at.

Along one axis, output pixel 2i + a (a = 0, 1) takes kernel entry k = a + 1 - 2d of input pixel i + d, where 0 ≤ k < 5:

    a = 0:  entries 3, 1     of inputs i - 1, i
    a = 1:  entries 4, 2, 0  of inputs i - 1, i, i + 1

So each of the four phases (a along rows, b along columns) is a small ordinary convolution: 4 + 6 + 6 + 9 = 25
multiplications an input pixel, and none by a zero. The gradient by the input is an ordinary convolution of stride 2.
On a CPU libraries are two to three times slower at the transposed convolution itself; on a GPU it is theirs to choose.
"""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

FEW = 16
"""Filters below which one convolution for all phases is faster, although it multiplies by zeros."""


def upsample(
    input: Float[Tensor, "n c h w"], kernel: Float[Tensor, "c filters 5 5"], bias: Float[Tensor, " filters"]
) -> Float[Tensor, "n filters h2 w2"]:
    """Convolve; the sides become twice as long, and the precision is autocast's, where that is on."""
    device = input.device.type
    if torch.is_autocast_enabled(device):
        precision = torch.get_autocast_dtype(device)
        input, kernel, bias = input.to(precision), kernel.to(precision), bias.to(precision)
    if device == "cpu":
        found: Tensor = _Upsample.apply(input, kernel, bias)  # type: ignore[no-untyped-call]
        return found
    larger = F.conv_transpose2d(input, kernel, bias, stride=2, padding=1)
    return larger[:, :, :-1, :-1].contiguous(memory_format=torch.channels_last)


class _Upsample(torch.autograd.Function):
    """The forward pass by phases, the backward pass by what PyTorch has for a transposed convolution."""

    @staticmethod
    def forward(input: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
        return _together(input, kernel, bias) if kernel.shape[1] < FEW else _by_phases(input, kernel, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:2])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        input, kernel = ctx.saved_tensors
        to_input, to_kernel, to_bias = ctx.needs_input_grad
        padded = F.pad(gradients[0], (0, 1, 0, 1))  # the row and column that "same" drops
        found = torch.ops.aten.convolution_backward(
            padded, input, kernel, None, (2, 2), (1, 1), (1, 1), True, (0, 0), 1, [to_input, to_kernel, False]
        )
        return found[0], found[1], gradients[0].sum((0, 2, 3)) if to_bias else None


def _together(
    input: Float[Tensor, "n c h w"], kernel: Float[Tensor, "c filters 5 5"], bias: Float[Tensor, " filters"]
) -> Float[Tensor, "n filters h2 w2"]:
    """All phases in one 3×3 convolution, their missing entries being 0."""
    channels, filters = kernel.shape[:2]
    entries = F.pad(kernel, (1, 0, 1, 0)).view(channels, filters, 3, 2, 3, 2)  # entry 2t + a - 1, t = 1 - d
    phases = entries.flip(2, 4).permute(1, 3, 5, 0, 2, 4).reshape(4 * filters, channels, 3, 3)
    return F.pixel_shuffle(F.conv2d(input, phases, bias.repeat_interleave(4), padding=1), 2)


def _by_phases(
    input: Float[Tensor, "n c h w"], kernel: Float[Tensor, "c filters 5 5"], bias: Float[Tensor, " filters"]
) -> Float[Tensor, "n filters h2 w2"]:
    """Each phase by itself."""
    count, _, height, width = input.shape
    output = input.new_empty(count, height, 2, width, 2, len(bias))
    for a in (0, 1):
        for b in (0, 1):
            entries = kernel.flip(2, 3)[:, :, 1 - a :: 2, 1 - b :: 2].transpose(0, 1)
            phase = F.conv2d(input, entries, bias, padding=1)[:, :, :height, :width]
            output[:, :, a, :, b] = phase.permute(0, 2, 3, 1)
    return output.view(count, 2 * height, 2 * width, len(bias)).permute(0, 3, 1, 2)
