"""Lesions arise in white matter, have a core, and push what is around them outwards."""

import numpy as np
import pytest
import torch

from braingan.data.phantom.anatomy import draw_anatomy, places, tissues
from braingan.data.phantom.fields import BOX
from braingan.data.phantom.lesions import CORE, EDEMA, RIM, draw_lesions, label_of, lesion_shares, pushed


@pytest.mark.parametrize("seed", range(8))
def test_a_lesion_is_centred_in_white_matter_and_has_a_core(seed):
    rng = np.random.default_rng(seed)
    anatomy = draw_anatomy(rng, "cpu")
    for lesion in draw_lesions(rng, anatomy):
        x = round(float(lesion.centre[0] + anatomy.shift[0]) + (BOX[0] - 1) / 2)
        rows = range(x, x + 1)
        p = places(anatomy, rows)
        tissue = tissues(anatomy, p, rows)
        here = (p - lesion.centre[:, None, None, None]).square().sum(dim=0) < 0.01
        assert int(here.sum()) == 1
        assert float(tissue.white[here]) > 0.6
        assert float(tissue.edge[here]) > 0.97
        shares = lesion_shares((lesion,), p, tissue, rows)
        labels = label_of(*(share[tissue.brain] for share in (shares.edema, shares.core, shares.rim)))
        assert int((labels == CORE).sum()) > 20  # mm² of its middle slice
        total = shares.edema + shares.core + shares.rim
        assert float(total.max()) <= 1 + 1e-6
        assert not total[~tissue.brain].any()


def test_tissue_is_pushed_outwards_and_only_near_the_lesion():
    rng = np.random.default_rng(0)
    anatomy = draw_anatomy(rng, "cpu")
    lesion = draw_lesions(rng, anatomy)[0]
    near = lesion.centre + torch.tensor([lesion.radius, 0.0, 0.0])
    far = lesion.centre + torch.tensor([0.0, 60.0, 0.0])
    p = torch.stack([lesion.centre, near, far], dim=1)[:, :, None, None]
    was = pushed((lesion,), p)[:, :, 0, 0]
    torch.testing.assert_close(was[:, 0], lesion.centre)
    assert 1 < float(near[0] - was[0, 1]) < 0.35 * lesion.radius
    torch.testing.assert_close(was[:, 2], far, atol=0.05, rtol=0)


def test_a_label_is_the_largest_part_of_what_is_mostly_ill():
    edema, core, rim = torch.tensor([[0.3, 0.6, 0.2, 0.1], [0.1, 0.1, 0.5, 0.1], [0.0, 0.0, 0.1, 0.6]])
    assert label_of(edema, core, rim).tolist() == [0, EDEMA, CORE, RIM]
