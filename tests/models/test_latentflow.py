"""The flow and the decoder together: sides, latents, learning rates."""

from contextlib import nullcontext

import pytest
import torch

from braingan.data.conditions import Vocabulary
from braingan.errors import InputError
from braingan.models import MODELS, latentflow
from braingan.models.architecture import Real, untold
from braingan.models.latentflow import LatentFlow


def built(side=32, **settings):
    torch.manual_seed(0)
    model = LatentFlow(flow_widths=(8, 8), widths=(8, 8, 8), steps=3, **settings)
    networks = model.build(side)
    model.fit(networks, Real.alone(torch.rand(8, 1, side, side) * 2 - 1))
    return model, networks


def sampled(model, networks, latents):
    generator = networks["generator"].eval()
    return model.sample(generator, latents, model.draw(generator, latents, untold(len(latents))))


@pytest.mark.parametrize("side", [32, 48])
def test_any_side_that_16_divides(side):
    model, networks = built(side)
    made = sampled(model, networks, torch.randn(2, model.latent_size(side)))
    assert made.shape == (2, 1, side, side)
    assert made.abs().max() <= 1


def test_another_side_names_the_nearest_that_goes():
    with pytest.raises(InputError, match=r"prepare with --size 96"):
        LatentFlow().build(100)
    with pytest.raises(InputError, match=r"prepare with --size 16"):
        LatentFlow().build(4)


def test_with_masks_the_flow_stops_early_once_more_and_learns_at_earlier_times(monkeypatch):
    assert LatentFlow().times == [0, 0.25, 0.5, 0.75, 1]
    assert LatentFlow(masks=True).times == [0, 0.1, 0.25, 0.5, 0.75, 1]
    seen = []
    monkeypatch.setattr(
        latentflow, "matching_loss", lambda field, codes, start, normal: seen.append(normal) or codes.sum()
    )
    for masks in (False, True):
        model = LatentFlow(flow_widths=(8, 8), widths=(8, 8, 8), masks=masks)
        words = Vocabulary(masks=masks)
        networks, real = model.build(32, words), Real.alone(torch.rand(4, 1 + masks, 32, 32) * 2 - 1)
        model.fit(networks, real)
        latents = torch.zeros(4, model.latent_size(32, words))
        model.make(networks["generator"], real, latents, nullcontext)
    assert [of.tolist() for of in seen] == [[0.0] * 4, [-1.0] * 4]


def test_the_discriminator_sees_slices_without_their_masks():
    model, words = LatentFlow(flow_widths=(8, 8), widths=(8, 8, 8), mirror=False), Vocabulary(masks=True)
    networks, real = model.build(32, words), Real.alone(torch.rand(4, 2, 32, 32) * 2 - 1)
    model.fit(networks, real)
    latents = torch.randn(4, model.latent_size(32, words), generator=torch.Generator().manual_seed(0))
    made = model.make(networks["generator"], real, latents, nullcontext)
    assert torch.equal(made.real, real.slices[:, :1])
    assert made.fake.shape == (4, 1, 32, 32)


def test_a_latent_is_the_flow_s_noise_the_decoder_s_and_seven_choices():
    model, networks = built()
    latents = torch.arange(2.0 * model.latent_size(32)).reshape(2, -1)
    start, noise = networks["generator"].parts(latents)
    time, side, untold = networks["generator"].choices(latents)
    assert torch.equal(
        torch.cat([start.flatten(1), noise.flatten(1), time[:, None], side[:, None], untold], 1), latents[:, :-1]
    )


@pytest.mark.parametrize("known", [True, False])
def test_a_slice_depends_on_its_depth_where_that_is_known(known):
    model, networks = built()
    generator = networks["generator"].eval()
    for parameter in generator.field.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    if known:
        rows = untold(9)
        rows[:, 2] = torch.linspace(0, 1, 9)
        generator.field.told.fit(rows)
    latents = torch.randn(1, model.latent_size(32)).repeat(2, 1)
    latents[:, -1] = torch.tensor([-2.0, 2.0])
    low, high = sampled(model, networks, latents)
    assert torch.equal(low, high) != known


def test_a_lower_temperature_is_less_noise():
    latents = torch.randn(1, LatentFlow().latent_size(32))
    made = []
    for temperature, share in ((1.0, 0.5), (0.5, 1.0)):
        model, networks = built(temperature=temperature)
        scaled = latents.clone()
        scaled[:, : 8 * 4 * 4] *= share
        made.append(sampled(model, networks, scaled))
    torch.testing.assert_close(*made)


def test_guidance_goes_beyond_what_depth_and_lesion_change_each(monkeypatch):
    words = Vocabulary(frames=("a", "b"), depth=(0.0, 1.0), lesion=(0.0, 9.0))
    generator = LatentFlow(flow_widths=(8, 8), widths=(8, 8, 8)).build(32, words)["generator"]
    monkeypatch.setattr(
        generator.field,
        "forward",
        lambda x, t, told: x * (told.nan_to_num() @ torch.tensor([1000.0, 0, 10, 1]))[:, None],
    )
    x, t = torch.ones(2, 1), torch.zeros(2)
    told = torch.tensor([[1.0, torch.nan, 0.5, 2.0], [0.0, torch.nan, torch.nan, 3.0]])
    assert generator.guidance(told, (0.0, 0.0))(x, t).flatten().tolist() == [1007.0, 3.0]
    assert generator.guidance(told, (0.5, 2.0))(x, t).flatten().tolist() == [1007 + 0.5 * 5 + 2 * 2, 3 + 2 * 3]
    assert told.isnan().sum() == 3
    alone = LatentFlow(flow_widths=(8, 8), widths=(8, 8, 8)).build(32)["generator"]
    assert alone.guidance(told, (0.5, 2.0)).func is alone.field  # knows neither


@pytest.mark.parametrize("weight", [(0.0, 0.0), (0.5, 2.0)])
def test_a_run_s_guidance_is_in_its_slices_and_once_the_flow_has_ended_in_what_the_decoder_completes(
    monkeypatch, weight
):
    seen, plain = [], latentflow.FlowAndDecoder.guidance
    monkeypatch.setattr(
        latentflow.FlowAndDecoder, "guidance", lambda self, told, of: seen.append(of) or plain(self, told, of)
    )
    model, networks = built(guidance=weight)
    sampled(model, networks, torch.randn(2, model.latent_size(32)))
    networks["generator"].field.requires_grad_(False)
    real = Real.alone(torch.rand(4, 1, 32, 32) * 2 - 1)
    model.make(networks["generator"], real, torch.randn(4, model.latent_size(32)), nullcontext)
    assert seen == [weight, weight]


def test_mirrored_slices_are_fitted_too_unless_they_are_not_wanted():
    slices = torch.rand(8, 1, 32, 32) * 2 - 1
    for mirror in (True, False):
        model, networks = built(mirror=mirror)
        model.fit(networks, Real.alone(slices))
        centre = networks["generator"].code.decode(torch.zeros(1, 8, 4, 4))
        assert torch.allclose(centre, centre.flip(3), atol=1e-3) == mirror


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_of_every_player_has_one_learning_rate(name):
    model = MODELS[name]()
    networks = model.build(112)
    for player, groups in model.rates(networks, 100).items():
        rated = [id(parameter) for group in groups for parameter in group.parameters]
        assert sorted(rated) == sorted(id(parameter) for parameter in networks[player].parameters())
