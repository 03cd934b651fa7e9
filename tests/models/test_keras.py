"""Keras recorded outputs, losses, gradients and moving averages (`benchmarks/keras_parity.py`); ours agree."""

from pathlib import Path

import formula
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from braingan.models import MODELS
from braingan.models.keras import LAYERS, Conv2DTranspose, Dense, from_keras
from braingan.training.objectives import non_saturating

FIXTURE = np.load(Path(__file__).with_name("keras_parity.npz"))
KERAS_NAMES = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
TOLERANCES = {torch.float64: 1e-8, torch.float32: 1e-4}


def keras_names(layer):
    """The layer's tensors by Keras name, each with its shape in Keras's axis order."""
    norm = "running_mean" in dict(layer.named_buffers())
    for name, tensor in layer.state_dict().items():
        keras_name = KERAS_NAMES[name] if norm else {"weight": "kernel", "bias": "bias"}[name]
        yield keras_name, name, to_keras(layer, keras_name, tensor)


def to_keras(layer, keras_name, tensor):
    if keras_name != "kernel":
        return tensor
    return tensor.T if isinstance(layer, Dense) else tensor.permute(2, 3, 1, 0)


def layers(network):
    """Number (as Keras counts) and layer."""
    return enumerate(layer for layer in network if isinstance(layer, LAYERS))


def load(network, key, dtype):
    for number, layer in layers(network):
        arrays = {
            keras_name: torch.from_numpy(formula.weights(key, number, keras_name, tuple(tensor.shape)))
            for keras_name, _, tensor in keras_names(layer)
        }
        layer.load_state_dict(from_keras(layer, arrays))
    return network.to(dtype)


def assert_close(tensor, recorded, tolerance, what):
    ours = formula.probe(tensor.detach().double().numpy())
    if recorded[0] < 1e-12:  # a bias before batch normalisation: its gradient is zero but for rounding
        assert ours[0] < 10 * tolerance, what
        return
    scale = np.abs(recorded[1:]).max()
    assert abs(ours[0] - recorded[0]) <= tolerance * recorded[0], f"{what}: norm"
    np.testing.assert_allclose(ours[1:], recorded[1:], rtol=0, atol=tolerance * scale, err_msg=what)


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize("name", ["thesis4", "thesis7", "thesis15"])
def test_outputs_losses_gradients_and_moving_averages_are_those_of_keras(name, dtype):
    tolerance = TOLERANCES[dtype]
    networks = MODELS[name]().build(112).double()
    generator = load(networks["generator"], name, dtype)
    discriminator = load(networks["discriminator"], "discriminator", dtype)
    latents = torch.from_numpy(formula.latents(4)).to(dtype)
    real = torch.from_numpy(formula.real_slices(4)[:, None]).to(dtype)

    networks.eval()
    assert_close(generator(latents).permute(0, 2, 3, 1), FIXTURE[f"{name}/output"], tolerance, "generator")
    assert_close(discriminator(real), FIXTURE["discriminator/output"], tolerance, "discriminator")

    networks.train()
    fake = generator(latents)
    losses = non_saturating(discriminator(real), discriminator(fake))
    recorded_d, recorded_g = FIXTURE[f"{name}/losses"]
    assert losses.discriminator.item() == pytest.approx(recorded_d, rel=tolerance)
    assert losses.generator.item() == pytest.approx(recorded_g, rel=tolerance)
    if dtype is torch.float32:
        return  # rounding moves some inputs of LeakyReLU across zero, and with them single gradient entries by 1 %
    for player, network, loss in (
        ("generator", generator, losses.generator),
        ("discriminator", discriminator, losses.discriminator),
    ):
        gradients = torch.autograd.grad(loss, list(network.parameters()), retain_graph=True)
        by_tensor = dict(zip(map(id, network.parameters()), gradients, strict=True))
        for number, layer in layers(network):
            for keras_name, own_name, tensor in keras_names(layer):
                if keras_name.startswith("moving"):
                    recorded = FIXTURE[f"{name}/{player}/moving/{number}/{keras_name}"]
                    np.testing.assert_allclose(tensor.double().numpy(), recorded, atol=tolerance)
                else:
                    gradient = to_keras(layer, keras_name, by_tensor[id(getattr(layer, own_name))])
                    recorded = FIXTURE[f"{name}/{player}/gradient/{number}/{keras_name}"]
                    assert_close(gradient, recorded, tolerance, f"{player} {number} {keras_name}")


@pytest.mark.parametrize("stride", [1, 2])
def test_the_fast_forms_are_the_transposed_convolution_and_off_by_one_would_be_seen(stride):
    layer = Conv2DTranspose(3, 2, stride).double()
    inputs = torch.randn(2, 3, 6, 6, dtype=torch.double)
    plain = F.conv_transpose2d(inputs, layer.weight, layer.bias, stride, padding=3 - stride)
    cropped = plain[:, :, : 6 * stride, : 6 * stride]
    torch.testing.assert_close(layer(inputs), cropped)
    shifted = F.conv_transpose2d(inputs, layer.weight, layer.bias, 2, padding=2, output_padding=1)
    assert stride == 1 or not torch.allclose(layer(inputs), shifted, atol=1e-3)
