"""A step in parts is the step in one, and what it can't do is said."""

import copy

import pytest
import torch

from braingan.errors import InputError
from braingan.models import MODELS
from braingan.models.architecture import Real
from braingan.models.latentflow import LatentFlow
from braingan.training.devices import Device
from braingan.training.health import norm
from braingan.training.objectives import objective
from braingan.training.settings import TrainingSettings
from braingan.training.state import copied, initial_state
from braingan.training.step import Step
from runs import Tiny

SLICES = 1024
"""That the training would have."""


def made(model, side, **settings):
    chosen = TrainingSettings(batch_size=8, threads=1, **{"precision": "float32"} | settings)
    device = Device.choose(chosen.precision, 1)
    state = initial_state(model, chosen, batch(model, side)[0], SLICES, device)
    return state, Step(state, objective(model, "non_saturating"), chosen, device)


def batch(model, side, count=8):
    generator = torch.Generator().manual_seed(1)
    return (
        Real.alone(torch.rand(count, 1, side, side, generator=generator) * 2 - 1),
        torch.randn(count, model.latent_size(side), generator=generator),
    )


def as_type(dtype, real, latents):
    return Real(*(known.to(dtype) for known in real)), latents.to(dtype)


def test_gradients_accumulated_over_parts_are_those_of_the_whole_batch():
    (whole, step), (parts, step_in_parts) = (made(Tiny(), 16, accumulate=a) for a in (1, 4))
    for state in (whole, parts):
        state.networks.double()
    inputs = as_type(torch.float64, *batch(Tiny(), 16))
    scalars, in_parts = step(*inputs), step_in_parts(*inputs)
    for name in ("discriminator_loss", "generator_loss", "generator_gradient", "discriminator_gradient"):
        assert in_parts[name].item() == pytest.approx(scalars[name].item(), rel=1e-10)
    for ours, theirs in zip(parts.networks.parameters(), whole.networks.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-10, atol=1e-12)


def test_batch_norm_forbids_parts_and_they_must_be_equal():
    with pytest.raises(InputError, match=r"training\.accumulate = 2: this model has batch norm"):
        made(MODELS["thesis4"](), 112, accumulate=2)
    with pytest.raises(InputError, match=r"it must divide a device's share of training\.batch_size = 8"):
        made(Tiny(), 16, accumulate=3)


@pytest.mark.parametrize("words", ["CUDA out of memory. Tried to allocate", "DefaultCPUAllocator: can't allocate"])
def test_a_batch_too_large_for_the_memory_names_one_to_try(monkeypatch, words):
    _, step = made(Tiny(), 16)

    def fail(*_):
        raise RuntimeError(words)

    monkeypatch.setattr(step, "_step", fail)
    said = r"batch_size = 8 does not fit .* --set training\.batch_size=4 .* or --set training\.accumulate=2"
    with pytest.raises(InputError, match=said):
        step(*batch(Tiny(), 16))


@pytest.mark.parametrize(
    "name", [name if name != "thesis15" else pytest.param(name, marks=pytest.mark.slow) for name in MODELS]
)
def test_the_fast_step_is_the_plain_one_within_the_error_of_bf16(name):
    """Losses and gradients of bf16, channels-last, by phases, beside float32, contiguous, PyTorch's own transposed
    convolution: the error is held to that of the plain float32 step with its weights and inputs rounded to bf16."""
    model = MODELS[name]()
    fast_state, fast = made(model, 112, precision="bf16")
    plain_state, plain = made(model, 112)
    rounded_state, rounded = made(model, 112)
    inputs = batch(model, 112)
    with torch.no_grad():
        for parameter in rounded_state.networks.parameters():
            parameter.copy_(parameter.bfloat16())
    found, expected = fast(*inputs), plain(*inputs)
    rounded(*as_type(torch.float32, *as_type(torch.bfloat16, *inputs)))
    for player in ("discriminator", "generator"):
        assert found[f"{player}_loss"].item() == pytest.approx(expected[f"{player}_loss"].item(), rel=0.02)
        ours, theirs, coarse = (
            [parameter.grad for parameter in state.networks[player].parameters()]
            for state in (fast_state, plain_state, rounded_state)
        )
        assert distance(ours, theirs) < 1.5 * distance(coarse, theirs)


def distance(gradients, others):
    return norm([one - other for one, other in zip(gradients, others, strict=True)]).item()


def test_a_kept_state_is_taken_up_again_with_half_the_rate():
    state, step = made(Tiny(), 16)
    inputs = batch(Tiny(), 16)
    step(*inputs)
    state.keep()
    before = copied(copy.deepcopy(state.to_dict()))
    for _ in range(3):
        step(*inputs)
    state.roll_back()
    after = state.to_dict()
    for player in ("generator", "discriminator"):
        (group,) = after["optimizers"][player]["param_groups"]
        assert group["lr"] == 1e-4
        for key, moments in after["optimizers"][player]["state"].items():
            for name, value in moments.items():
                assert torch.equal(value, before["optimizers"][player]["state"][key][name])
    for key, value in after["networks"].items():
        assert torch.equal(value, before["networks"][key])
    assert state.rolled_back == 1


def test_a_falling_rate_is_constant_then_falls_with_the_root_of_the_images_and_ends():
    model = LatentFlow(flow_widths=(8, 8), widths=(8, 8, 8), flow_rate=3, flow_images=32, flow_epochs=1)
    state, step = made(model, 16)
    inputs = batch(model, 16)

    def rates_at(images):
        state.step = images // 8
        step(*inputs)
        return [group["lr"] for optimizer in state.optimizers.values() for group in optimizer.param_groups]

    assert rates_at(0) == rates_at(32) == pytest.approx([2e-4, 6e-4, 2e-4])
    assert rates_at(128) == pytest.approx([2e-4, 3e-4, 2e-4])
    assert rates_at(512)[1] == pytest.approx(6e-4 / 4)
    assert rates_at(768)[1] == pytest.approx(6e-4 * (32 / 768) ** 0.5 / 2)
    field = [parameter.clone() for parameter in state.networks["generator"].field.parameters()]
    assert rates_at(1024) == rates_at(5000) == [2e-4, 0, 2e-4]
    assert all(map(torch.equal, field, state.networks["generator"].field.parameters()))
    assert all(parameter.grad is None for parameter in state.networks["generator"].field.parameters())
    state.rolled_back = 1
    assert rates_at(128)[1] == pytest.approx(1.5e-4)
    assert all(parameter.grad is not None for parameter in state.networks["generator"].field.parameters())


@pytest.mark.gpu
@pytest.mark.parametrize(
    "model", [MODELS["thesis4"](), MODELS["thesis7"](), LatentFlow()], ids=lambda model: model.name
)
def test_a_replayed_step_is_the_step_as_it_is_written(model):
    settings = TrainingSettings(batch_size=8, threads=1, precision="float32")
    device = Device.choose("float32", 1)
    ends = []
    for captures in (False, True):
        state = initial_state(model, settings, batch(model, 112)[0], 2, device)  # LatentFlow's flow ends at step 5
        step = Step(state, objective(model, "non_saturating"), settings, device)
        assert step.captures
        step.captures = captures
        losses = []
        for number in range(12):
            real, z = batch(model, 112)
            z = z.roll(number, 0).to("cuda")
            losses.append(step(Real(*(known.to("cuda") for known in real)), z)["discriminator_loss"].item())
            state.step += 1
        assert (step.graph is not None) == captures
        ends.append((losses, [p.detach().double().norm().item() for p in state.networks.parameters()]))
    assert ends[0][0][-1] != ends[0][0][0]
    for written, replayed in zip(*ends, strict=True):
        assert replayed == pytest.approx(written, rel=2e-2)
