"""MS-SSIM against two libraries, and what it says of a set."""

import numpy as np
import pytest
import pytorch_msssim
import torch
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from braingan.evaluation.diversity import WEIGHTS, ms_ssim, pair_similarities, vendi_score


def pairs(side):
    rng = np.random.default_rng(side)
    a = torch.from_numpy(rng.integers(0, 256, (3, 1, side, side)).astype(np.float64))
    return a, (a + torch.from_numpy(rng.normal(0, 40, a.shape))).clamp(0, 255)


def test_similarity_equals_another_librarys():
    a, b = pairs(192)
    weights = [weight / sum(WEIGHTS) for weight in WEIGHTS]
    theirs = pytorch_msssim.ms_ssim(a, b, data_range=255, size_average=False, weights=weights)
    assert ms_ssim(a, b).numpy() == pytest.approx(theirs.numpy(), abs=1e-6)
    assert ms_ssim(a, a).numpy() == pytest.approx(1)


def test_slices_of_the_usual_size_have_four_scales():
    a, b = pairs(112)
    betas = tuple(weight / sum(WEIGHTS[:4]) for weight in WEIGHTS[:4])
    theirs = multiscale_structural_similarity_index_measure(
        a, b, data_range=255.0, betas=betas, normalize="relu", reduction="none"
    )  # it mirrors the border at the last scale, and so differs a little
    assert ms_ssim(a, b).numpy() == pytest.approx(theirs.numpy(), abs=5e-3)


def test_a_set_of_one_picture_is_all_alike_and_noise_is_not():
    noise = np.random.default_rng(0).integers(0, 256, (20, 112, 112)).astype(np.uint8)
    assert pair_similarities(np.repeat(noise[:1], 20, axis=0)) == pytest.approx(1)
    assert pair_similarities(noise).mean() < 0.1
    assert len(pair_similarities(noise)) == 10
    assert (pair_similarities(noise[::-1]) == pair_similarities(noise)).all()


def test_no_slice_is_in_two_pairs():
    """Black and white: pairs of one white among black ones are the only unlike ones, and there is just one."""
    black = np.zeros((21, 24, 24), np.uint8)
    black[:, 0, 0] = np.arange(21)  # so that no two are the same
    black[4] = 255 * (np.indices((24, 24)).sum(axis=0) % 2)
    assert (pair_similarities(black) < 0.9).sum() <= 1


def test_vendi_scores_that_are_known():
    """As many as there are slices at right angles; 1 if all are the same; 4 kinds, each as often, are 4."""
    assert vendi_score(np.eye(12)) == pytest.approx(12)
    assert vendi_score(np.ones((9, 5))) == pytest.approx(1)
    assert vendi_score(np.eye(30)[np.arange(80) % 4]) == pytest.approx(4)
    rows = np.random.default_rng(0).normal(size=(15, 40))
    assert vendi_score(np.repeat(rows, 4, axis=0)) == pytest.approx(vendi_score(rows))  # more rows than features


@pytest.mark.parametrize(("side", "scales"), [(11, 1), (21, 1), (43, 2), (87, 3), (168, 4), (175, 4), (176, 5)])
def test_every_size_has_as_many_scales_as_fit(side, scales):
    a, b = pairs(side)
    assert ms_ssim(a, a).numpy() == pytest.approx(1)
    if side in (168, 176):  # the other library takes more than 160 pixels, and pads odd sizes
        weights = [weight / sum(WEIGHTS[:scales]) for weight in WEIGHTS[:scales]]
        theirs = pytorch_msssim.ms_ssim(a, b, 255, False, weights=weights)
        assert ms_ssim(a, b).numpy() == pytest.approx(theirs.numpy(), abs=1e-6)
    elif scales == 1:
        theirs = pytorch_msssim.ssim(a, b, 255, False)
        assert ms_ssim(a, b).numpy() == pytest.approx(theirs.numpy(), abs=1e-6)
