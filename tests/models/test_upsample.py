"""The transposed convolution against PyTorch's own, forward, backward and twice backward."""

import pytest
import torch
import torch.nn.functional as F

from braingan.models.upsample import FEW, upsample


def reference(input, kernel, bias):
    return F.conv_transpose2d(input, kernel, bias, stride=2, padding=1)[:, :, :-1, :-1]


@pytest.mark.parametrize("filters", [1, FEW])  # both forms
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_are_those_of_the_transposed_convolution(filters, layout):
    torch.manual_seed(0)
    arguments = [torch.randn(shape, dtype=torch.float64) for shape in ((2, 3, 4, 6), (3, filters, 5, 5), (filters,))]
    arguments = [(a.contiguous(memory_format=layout) if a.ndim == 4 else a).requires_grad_() for a in arguments]
    ours, theirs = upsample(*arguments), reference(*arguments)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    gradient = torch.randn_like(theirs)
    for found, expected in zip(
        torch.autograd.grad(ours, arguments, gradient), torch.autograd.grad(theirs, arguments, gradient), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("filters", [1, FEW])
def test_it_can_be_differentiated_twice_as_gradient_penalties_need(filters):
    torch.manual_seed(0)
    arguments = [
        torch.randn(shape, dtype=torch.float64).requires_grad_()
        for shape in ((1, 2, 2, 3), (2, filters, 5, 5), (filters,))
    ]
    assert torch.autograd.gradgradcheck(upsample, arguments, fast_mode=True)


def test_under_autocast_it_multiplies_in_bf16():
    torch.manual_seed(0)
    arguments = [torch.randn(shape) for shape in ((2, 8, 4, 4), (8, 16, 5, 5), (16,))]
    with torch.autocast("cpu", torch.bfloat16):
        found = upsample(*arguments)
    assert found.dtype is torch.bfloat16
    expected = reference(*arguments)
    assert (found.float() - expected).abs().max() < 0.02 * expected.abs().max()
