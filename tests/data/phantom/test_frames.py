"""Intensities are those of a magnitude image, and the shares behind them sum to 1."""

import math

import numpy as np
import pytest
import torch

from braingan.data.phantom.anatomy import draw_anatomy, places, tissues
from braingan.data.phantom.frames import MEANS, TISSUES, components, draw_looks, draw_vessels, intensities
from braingan.data.phantom.lesions import draw_lesions, lesion_shares

VOXELS = 400_000


def test_shares_of_all_tissues_sum_to_one():
    rng = np.random.default_rng(3)
    anatomy = draw_anatomy(rng, "cpu")
    lesions, vessels = draw_lesions(rng, anatomy), draw_vessels(rng, "cpu")
    rows = range(60, 76)
    p = places(anatomy, rows)
    tissue = tissues(anatomy, p, rows)
    shares = components(vessels, tissue, lesion_shares(lesions, p, tissue, rows), rows)[:, tissue.brain]
    assert len(shares) == len(TISSUES)
    torch.testing.assert_close(shares.sum(dim=0), torch.ones(shares.shape[1]))
    assert float(shares.min()) > -1e-6


@pytest.mark.parametrize("frame", MEANS)
@pytest.mark.parametrize("tissue", ["csf", "white", None])
def test_noise_is_rician(frame, tissue):
    """Its second moment is A² + 2σ²; without signal it is Rayleigh's, whose mean is σ √(π/2)."""
    looks = draw_looks(np.random.default_rng(0), frame, "cpu")
    shares = torch.zeros(len(TISSUES), VOXELS)
    if tissue:
        shares[TISSUES.index(tissue)] = 1
    noise = torch.randn((2, VOXELS), generator=torch.Generator().manual_seed(0))
    values = intensities(looks, shares, *(torch.zeros(VOXELS) for _ in range(3)), noise).double()
    signal = float(looks.means[TISSUES.index(tissue)]) if tissue else 0.0
    assert float(values.square().mean()) == pytest.approx(signal**2 + 2 * looks.noise**2, rel=0.01)
    if not tissue:
        assert float(values.mean()) == pytest.approx(looks.noise * math.sqrt(math.pi / 2), rel=0.01)


def test_bias_brightens_and_texture_is_stronger_in_lesions():
    looks = draw_looks(np.random.default_rng(0), "FLAIR", "cpu")
    shares = torch.zeros(len(TISSUES), 2)
    shares[2, 0] = shares[3, 1] = 1  # white matter, edema
    still, one = torch.zeros(2), torch.ones(2)
    plain = intensities(looks, shares, still, still, still, torch.zeros(2, 2))
    brighter = intensities(looks, shares, still, still, one, torch.zeros(2, 2))
    textured = intensities(looks, shares, still, one, still, torch.zeros(2, 2))
    torch.testing.assert_close(brighter / plain, torch.full((2,), math.exp(0.08)))
    torch.testing.assert_close(textured - plain, torch.tensor([looks.texture, 5 * looks.texture]))
