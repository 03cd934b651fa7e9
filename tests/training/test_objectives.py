"""Losses against closed forms and Keras's words; both players from one forward pass."""

import copy
import math
from contextlib import nullcontext
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from braingan.models import MODELS
from braingan.models.architecture import Real, channels_last, untold
from braingan.models.decoder import bounded, reconstruction_error
from braingan.models.flow import flow, matching_loss, stops
from braingan.models.latentflow import LatentFlow
from braingan.training.objectives import OBJECTIVES, minimax, non_saturating, objective

REAL, FAKE = torch.tensor([[3.0], [-1.0]]), torch.tensor([[0.5], [-2.0]])


def test_non_saturating_is_binary_cross_entropy():
    losses = non_saturating(REAL, FAKE)
    bce = F.binary_cross_entropy_with_logits
    torch.testing.assert_close(
        losses.discriminator, bce(REAL, torch.ones_like(REAL)) + bce(FAKE, torch.zeros_like(FAKE))
    )
    torch.testing.assert_close(losses.generator, bce(FAKE, torch.ones_like(FAKE)))


def test_a_discriminator_that_cannot_tell_scores_two_ln_two():
    losses = non_saturating(torch.zeros(4, 1), torch.zeros(4, 1))
    assert losses.discriminator.item() == pytest.approx(2 * math.log(2))
    assert losses.generator.item() == pytest.approx(math.log(2))


def test_minimax_is_a_zero_sum_game():
    losses = minimax(REAL, FAKE)
    assert (losses.discriminator + losses.generator).item() == 0
    assert losses.discriminator == non_saturating(REAL, FAKE).discriminator


def test_losses_stay_finite_where_probabilities_would_underflow():
    losses = non_saturating(torch.full((2, 1), -200.0), torch.full((2, 1), 200.0))
    assert losses.discriminator.item() == 400


@pytest.mark.parametrize("name", OBJECTIVES)
def test_gradients_are_those_of_two_separate_passes_at_the_old_weights(name):
    """What two gradient tapes would give: each player's loss, differentiated by its own weights."""
    torch.manual_seed(0)
    networks = MODELS["thesis4"]().build(112)
    real, latents = torch.rand(3, 1, 112, 112) * 2 - 1, torch.randn(3, 100)
    scalars = OBJECTIVES[name].gradients(networks, Real.alone(real), latents, nullcontext)
    found = {key: p.grad.clone() for key, p in networks.named_parameters()}
    generator, discriminator = networks["generator"], networks["discriminator"]
    for player in ("discriminator", "generator"):
        networks.zero_grad()
        losses = OBJECTIVES[name].losses(discriminator(real), discriminator(generator(latents)))
        getattr(losses, player).backward()
        torch.testing.assert_close(scalars[f"{player}_loss"], getattr(losses, player).detach())
        for key, parameter in networks[player].named_parameters():
            torch.testing.assert_close(found[f"{player}.{key}"], parameter.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_a_fused_step_is_the_plain_one(name):
    """Fused Adam pairs weights with gradients by their place in memory, so both must have the same layout."""
    torch.manual_seed(0)
    model, real = MODELS[name](), Real(torch.randn(2, 1, 112, 112), torch.tensor([[0, 0, 0.3, 5], [torch.nan] * 4]))
    networks = model.build(112)
    model.fit(networks, real)
    channels_last(networks)
    latents = torch.randn(2, model.latent_size(112))
    objective(model, "non_saturating").gradients(networks, real, latents, nullcontext)
    plain = copy.deepcopy(networks)
    for ours, theirs in zip(networks.parameters(), plain.parameters(), strict=True):
        assert ours.grad.is_contiguous(memory_format=torch.channels_last if ours.ndim == 4 else torch.contiguous_format)
        theirs.grad = ours.grad.clone()
    torch.optim.Adam(networks.parameters(), fused=True).step()
    torch.optim.Adam(plain.parameters(), foreach=False).step()
    for (key, ours), theirs in zip(networks.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6, msg=key)


def test_a_decoder_and_a_flow_are_taught_as_two_networks_apart():
    """The discriminator and the decoder play on completed codes; the flow sees its own loss alone."""
    torch.manual_seed(0)
    model = LatentFlow(flow_widths=(8, 8), widths=(8, 8, 8), reconstruction=3.0)
    networks, real = model.build(32), torch.rand(4, 1, 32, 32) * 2 - 1
    told = untold(4)
    told[:, 2] = torch.tensor([0.1, 0.5, torch.nan, 0.9])
    model.fit(networks, Real(real, told))
    latents = torch.randn(4, model.latent_size(32))
    latents[:, -6] = torch.tensor([1.0, -1.0, 1.0, -1.0])
    latents[:, -3] = torch.tensor([0.0, -2.0, 0.0, 0.0])
    scalars = objective(model, "non_saturating").gradients(networks, Real(real, told), latents, nullcontext)
    found = {key: p.grad.clone() for key, p in networks.named_parameters()}
    generator, discriminator = networks["generator"], networks["discriminator"]
    seen = torch.stack([real[0].flip(2), real[1], real[2].flip(2), real[3]])
    codes, (start, noise) = generator.code.encode(seen), generator.parts(latents)
    drawn = generator.decoder(codes, noise)
    completed = bounded(drawn)
    losses = non_saturating(discriminator(seen), discriminator(completed))
    error = reconstruction_error(drawn, seen)
    told[1] = torch.nan
    matching = matching_loss(partial(generator.field, told=told), codes, start, latents[:, -7])
    for part, loss in (
        (discriminator, losses.discriminator),
        (generator.decoder, losses.generator + 3 * error),
        (generator.field, matching),
    ):
        networks.zero_grad()
        loss.backward(retain_graph=True)
        for key, parameter in networks.named_parameters():
            if any(parameter is one for one in part.parameters()):
                torch.testing.assert_close(found[key], parameter.grad, rtol=1e-4, atol=1e-6)
    assert scalars["reconstruction_error"].item() == pytest.approx(error.item())
    assert scalars["flow_loss"].item() == pytest.approx(matching.item())


def test_once_the_flow_learns_no_more_half_of_the_slices_are_made_from_its_codes():
    """These have no real slice to be like: the discriminator alone judges them."""
    torch.manual_seed(0)
    model = LatentFlow(flow_widths=(8, 8), widths=(8, 8, 8), reconstruction=3.0, mirror=False)
    networks, real = model.build(32), Real.alone(torch.rand(4, 1, 32, 32) * 2 - 1)
    model.fit(networks, real)
    generator, discriminator = networks["generator"], networks["discriminator"]
    generator.field.requires_grad_(False)
    latents = torch.randn(4, model.latent_size(32))
    scalars = objective(model, "non_saturating").gradients(networks, real, latents, nullcontext)
    found = [p.grad.clone() for p in generator.decoder.parameters()]
    start, noise = generator.parts(latents)
    flown = flow(partial(generator.field, told=untold(2)), 0.95 * start[2:], stops(4))
    drawn = generator.decoder(torch.cat([generator.code.encode(real.slices[:2]), flown]), noise)
    made, error = bounded(drawn), reconstruction_error(drawn[:2], real.slices[:2])
    generator.zero_grad()
    (non_saturating(discriminator(real.slices), discriminator(made)).generator + 3 * error).backward()
    for ours, theirs in zip(found, generator.decoder.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs.grad, rtol=1e-4, atol=1e-6)
    assert all(parameter.grad is None for parameter in generator.field.parameters())
    assert scalars["reconstruction_error"].item() == pytest.approx(error.item())
    assert "flow_loss" not in scalars
