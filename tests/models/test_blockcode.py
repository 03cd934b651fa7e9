"""The block code against what is known of principal components."""

import pytest
import torch
import torch.nn.functional as F

from braingan.models.blockcode import BLOCK, BlockCode


def slices(count=20, side=32):
    torch.manual_seed(0)
    smooth = F.interpolate(torch.randn(count, 1, side // 4, side // 4), scale_factor=4, mode="bilinear")
    return (smooth / 4 + 0.02 * torch.randn(count, 1, side, side)).clamp(-1, 1)


def with_masks(count=20, side=32):
    """Slices, and where they are bright, as a second channel of -1 and 1."""
    images = slices(count, side)
    return torch.cat([images, (images > 0.3).float() * 2 - 1], 1)


def fitted(components, given):
    code = BlockCode(given.shape[-1], components, given.shape[1])
    code.fit(given)
    return code


@pytest.mark.parametrize("made", [slices, with_masks])
def test_all_components_give_the_slices_back(made):
    given = made()
    code = fitted(BLOCK * BLOCK, given)
    torch.testing.assert_close(code.decode(code.encode(given)), given, atol=1e-4, rtol=0)


@pytest.mark.parametrize("components", [1, 8, 20])
def test_what_is_lost_is_the_variance_of_the_components_left_out(components):
    given = slices()
    code = fitted(components, given)
    blocks = F.pixel_unshuffle(given, BLOCK).movedim(1, -1).reshape(-1, BLOCK * BLOCK)
    variances = torch.linalg.eigvalsh(torch.cov(blocks.T, correction=0)).flip(0)
    lost = (code.decode(code.encode(given)) - given).square().mean()
    torch.testing.assert_close(lost, variances[components:].sum() / BLOCK**2, rtol=1e-3, atol=1e-7)


def test_codes_have_mean_square_one_about_a_centre_of_zero_and_components_in_order():
    given = slices()
    codes = fitted(8, given).encode(given)
    torch.testing.assert_close(codes.square().mean(), torch.tensor(1.0), rtol=1e-4, atol=0)
    torch.testing.assert_close(codes.mean(0), torch.zeros(8, 4, 4), rtol=0, atol=1e-5)
    spread = codes.square().mean((0, 2, 3))
    assert (spread.diff() < 0).all()


def test_each_channel_has_a_code_of_its_own_of_mean_square_one():
    both, alone = with_masks(), slices()
    code = fitted(5, both)
    codes = code.encode(both)
    torch.testing.assert_close(codes[:, :5], fitted(5, alone).encode(alone))
    torch.testing.assert_close(codes.unflatten(1, (2, 5)).square().mean((0, 2, 3, 4)), torch.ones(2), rtol=1e-4, atol=0)
    other = torch.cat([both[:, :1], -both[:, 1:]], 1)
    torch.testing.assert_close(code.decode(code.encode(other))[:, :1], code.decode(codes)[:, :1])


def test_slices_of_one_grey_are_a_code_too():
    code = fitted(8, torch.full((3, 1, 16, 16), -1.0))
    codes = code.encode(slices(2, 16))
    assert codes.abs().max() < 1000
    assert code.decode(codes).isfinite().all()
