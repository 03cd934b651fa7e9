"""The flow against fields that are known in closed form."""

import pytest
import torch
from torch import nn

from braingan.models.architecture import untold
from braingan.models.flow import VelocityField, flow, matching_loss, stops


class ToOnePoint(nn.Module):
    """The field of a distribution that is one code: v = (y - x) / (1 - t)."""

    def __init__(self, point):
        super().__init__()
        self.point = point

    def forward(self, x, t):
        return (self.point - x) / (1 - t)[:, None, None, None]


class ToGaussian(nn.Module):
    """The field of independent normal codes of deviation s: v = (t s² - (1 - t)) / (t² s² + (1 - t)²) x."""

    def __init__(self, deviation):
        super().__init__()
        self.variance = deviation**2

    def forward(self, x, t):
        t = t[:, None, None, None]
        return (t * self.variance - (1 - t)) / (t * t * self.variance + (1 - t) ** 2) * x


@pytest.mark.parametrize("early", [False, True])
def test_the_field_of_one_point_has_no_loss_and_leads_there(early):
    torch.manual_seed(0)
    point = torch.randn(1, 2, 4, 4)
    noise = torch.randn(5, 2, 4, 4)
    assert matching_loss(ToOnePoint(point), point.expand(5, -1, -1, -1), noise, torch.randn(5)) < 1e-10
    came = flow(ToOnePoint(point), noise, stops(4, early))
    torch.testing.assert_close(came, point.expand(5, -1, -1, -1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("deviation", [0.3, 2.0])
def test_the_field_of_a_gaussian_scales_noise_by_its_deviation_with_second_order(deviation):
    noise = torch.ones(1, 1, 2, 2, dtype=torch.float64)
    errors = [abs(flow(ToGaussian(deviation), noise, stops(steps)).mean().item() - deviation) for steps in (16, 32, 64)]
    assert errors[0] < 0.03 * deviation
    assert errors[1] < errors[0] / 2
    assert errors[2] < errors[1] / 2


def test_an_early_stop_lets_codes_far_above_the_noise_arrive_and_leaves_others_where_they_were():
    noise = torch.ones(1, 1, 2, 2, dtype=torch.float64)
    came = {
        (deviation, early): flow(ToGaussian(deviation), noise, stops(4, early)).mean().item() / deviation
        for deviation in (1.0, 7.0)
        for early in (False, True)
    }
    assert came[1.0, False] == pytest.approx(0.95, abs=0.005)
    assert came[1.0, True] == pytest.approx(came[1.0, False], abs=0.01)
    assert came[7.0, False] == pytest.approx(4.2 / 7, abs=0.01)
    assert came[7.0, True] == pytest.approx(6.2 / 7, abs=0.01)


def test_no_field_has_a_smaller_loss_than_the_gaussian_s_own():
    torch.manual_seed(0)
    codes, noise, normal = 2 * torch.randn(400, 1, 8, 8), torch.randn(400, 1, 8, 8), torch.randn(400)
    losses = [matching_loss(ToGaussian(deviation), codes, noise, normal).item() for deviation in (1.5, 2.0, 2.6)]
    assert losses[1] < min(losses[0], losses[2])


def test_a_fresh_field_is_zero_and_every_weight_learns_in_the_end():
    torch.manual_seed(0)
    field = VelocityField(3, 6, 8, 16)
    x, t = torch.randn(2, 3, 6, 6), torch.rand(2)
    told = torch.tensor([[0.0, 0.0, 0.3, 50.0], [0.0, 0.0, 0.8, 0.0]])
    assert not field(x, t, told).any()
    for parameter in field.parameters():
        nn.init.normal_(parameter, std=0.1)
    velocity = field(x, t, told)
    assert velocity.shape == x.shape
    velocity.square().mean().backward()
    assert all(p.grad.isfinite().all() and p.grad.any() for p in field.parameters())


def test_the_field_knows_time_place_and_what_it_is_told():
    torch.manual_seed(0)
    field = VelocityField(1, 4, 8, 8, frames=2)
    for parameter in field.parameters():
        nn.init.normal_(parameter, std=0.3)
    flat = torch.zeros(1, 1, 4, 4)
    unknown = untold(1)
    early, late = (field(flat, torch.tensor([t]), unknown) for t in (0.1, 0.9))
    assert (early - late).abs().max() > 1e-3
    assert early.std() > 1e-3
    low, high = (field(flat, torch.tensor([0.1]), torch.tensor([[frame, *unknown[0, 1:]]])) for frame in (0.0, 1.0))
    for one, other in ((early, low), (early, high), (low, high)):
        assert (one - other).abs().max() > 1e-3
