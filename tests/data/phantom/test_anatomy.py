"""Tissue shares sum to 1 everywhere in the brain, and subjects differ."""

import numpy as np
import torch

from braingan.data.phantom.anatomy import draw_anatomy, places, tissues
from braingan.data.phantom.fields import BOX

ROWS = range(72, 80)


def brain(seed):
    anatomy = draw_anatomy(np.random.default_rng(seed), "cpu")
    return tissues(anatomy, places(anatomy, ROWS), ROWS)


def test_shares_sum_to_one():
    tissue = brain(0)
    total = (tissue.csf + tissue.grey + tissue.white)[tissue.brain]
    torch.testing.assert_close(total, torch.ones_like(total))
    for share in (tissue.csf, tissue.grey, tissue.white):
        assert float(share.min()) >= 0
        assert float(share.max()) <= 1
        assert float(share[tissue.brain].mean()) > 0.03


def test_two_subjects_share_a_template_but_not_their_folds():
    first, second = brain(0), brain(1)
    both = first.brain & second.brain
    assert float(both.sum()) > 0.7 * float((first.brain | second.brain).sum())
    pair = torch.stack([first.white[both], second.white[both]])
    assert 0.05 < float(torch.corrcoef(pair)[0, 1]) < 0.7


def test_places_are_millimetres_from_the_middle_of_the_brain():
    anatomy = draw_anatomy(np.random.default_rng(0), "cpu")
    p = places(anatomy, range(10, 12))
    assert p.shape == (3, 2, *BOX[1:])
    torch.testing.assert_close(p[:, 1, 5, 7] - p[:, 0, 3, 4], torch.tensor([1.0, 2.0, 3.0]))
    middle = torch.tensor([(count - 1) / 2 for count in BOX]) - torch.tensor([10.0, 0.0, 0.0])
    torch.testing.assert_close(p[:, 0, 0, 0], -middle - anatomy.shift)
