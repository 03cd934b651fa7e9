"""What the decoder starts as, and how far the discriminator sees."""

import pytest
import torch

from braingan.models.blockcode import BlockCode
from braingan.models.decoder import MARGIN, Bounded, Decoder, patch_discriminator, reconstruction_error


def decoder(side=32):
    torch.manual_seed(0)
    code = BlockCode(side, 8)
    code.fit(torch.rand(16, 1, side, side) * 2 - 1)
    return Decoder(code, (16, 8, 8))


def test_it_adds_details_to_the_code_s_own_picture():
    made = decoder()
    codes, noise = torch.randn(3, 8, 4, 4), torch.randn(3, 1, 16, 16)
    torch.nn.init.zeros_(made.leave.weight)
    torch.testing.assert_close(made(codes, noise), made.code.decode(codes))


def test_the_same_code_with_other_noise_is_another_slice_of_the_same_anatomy():
    made = decoder()
    codes = torch.randn(1, 8, 4, 4)
    one, other = made(codes, torch.randn(1, 1, 16, 16)), made(codes, torch.randn(1, 1, 16, 16))
    assert 0 < (one - other).square().mean() < 0.1 * made.code.decode(codes).var()


def test_the_code_s_own_picture_is_not_rounded_to_bf16():
    made = decoder()
    codes, noise = torch.randn(3, 8, 4, 4), torch.randn(3, 1, 16, 16)
    torch.nn.init.zeros_(made.leave.weight)
    with torch.autocast("cpu", torch.bfloat16):
        drawn = made(codes, noise)
    torch.testing.assert_close(drawn, made.code.decode(codes))


def test_the_code_is_not_trained():
    assert not any(name.startswith("code.") for name, _ in decoder().named_parameters())


def test_what_lies_outside_the_range_is_clamped_and_only_let_back_in():
    x = torch.tensor([-2.0, -2.0, -0.5, 0.5, 2.0, 2.0], requires_grad=True)
    bounded = Bounded.apply(x)
    assert bounded.tolist() == [-1, -1, -0.5, 0.5, 1, 1]
    bounded.backward(torch.tensor([-1.0, 1.0, -1.0, 1.0, -1.0, 1.0]))  # a descent's step is against it
    assert x.grad.tolist() == [-1, 0, -1, 1, 0, 1]


def test_what_is_black_is_to_be_drawn_a_margin_below_it():
    cases = (  # slice, drawn, error, its gradient
        (-1.0, -1 - 2 * MARGIN, 0.0, 0.0), (-1.0, -1 - MARGIN / 2, MARGIN / 2, 1.0), (-1.0, 0.0, 1 + MARGIN, 1.0),
        (0.5, 0.25, 0.25, -1.0), (0.5, -3.0, 1.5, -1.0), (1.0, 3.0, 0.0, 0.0),
    )  # fmt: skip
    for real, value, error, gradient in cases:
        drawn = torch.full((1, 1, 1, 1), value, requires_grad=True)
        found = reconstruction_error(drawn, torch.full((1, 1, 1, 1), real))
        assert found.item() == pytest.approx(error)
        found.backward()
        assert drawn.grad.item() == pytest.approx(gradient)


def test_a_mask_takes_nothing_from_its_slice():
    drawn, slices = torch.zeros(2, 2, 4, 4), torch.full((2, 2, 4, 4), 0.5)
    alone = reconstruction_error(drawn[:, :1], slices[:, :1])
    assert reconstruction_error(drawn, slices).item() == pytest.approx(2 * alone.item())


def test_a_logit_sees_38_pixels():
    torch.manual_seed(0)
    discriminator = patch_discriminator().eval()
    slices = torch.randn(1, 1, 112, 112, requires_grad=True)
    logits = discriminator(slices)
    assert logits.shape == (1, 1, 14, 14)
    logits[0, 0, 7, 7].backward()
    seen = slices.grad[0, 0].nonzero()
    assert (seen.amax(0) - seen.amin(0) + 1).tolist() == [38, 38]
