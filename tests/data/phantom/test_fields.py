"""Random fields have variance 1, are smooth at their spacing, and are the same slab by slab."""

import numpy as np
import pytest
import torch

from braingan.data.phantom.fields import BOX, basis, draw_field


@pytest.mark.parametrize("spacing", [5.0, 20.0])
def test_a_field_has_variance_one_and_forgets_beyond_its_spacing(spacing):
    values = draw_field(np.random.default_rng(0), spacing).on(range(BOX[0]))[0]
    assert values.shape == BOX
    assert float(values.std()) == pytest.approx(1, abs=0.12)

    def correlation(step):
        return float((values[:-step] * values[step:]).mean() / values.square().mean())

    assert correlation(1) > 0.9
    assert abs(correlation(round(4 * spacing))) < 0.2


def test_a_slab_is_a_part_of_the_whole():
    field = draw_field(np.random.default_rng(1), 12.0, channels=2)
    torch.testing.assert_close(field.on(range(32, 48)), field.on(range(BOX[0]))[:, 32:48])


def test_the_splines_are_cubic_b_splines():
    weights = basis(30, 10.0)
    inner = weights[0][weights[0] > 0]
    torch.testing.assert_close(inner / inner[1], torch.tensor([0.25, 1.0, 0.25]))  # 1/6, 2/3, 1/6 at a knot
