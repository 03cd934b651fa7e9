"""Every layer's shape and parameters against the thesis's tables."""

import tomllib
from importlib.resources import files

import pytest
import torch

from braingan.errors import InputError
from braingan.models import MODELS, parse_model
from braingan.models.architecture import count_parameters, layer_table
from braingan.models.keras import Dense
from braingan.models.thesis import Thesis4, discriminator, probability_real

THESIS = tomllib.loads(files("braingan").joinpath("thesis.toml").read_text())
TABLES = {name: (MODELS[name]().build(112)["generator"], THESIS["generator"][name]) for name in THESIS["generator"]}
TABLES["discriminator"] = (discriminator(), THESIS["discriminator"]["thesis"])


@pytest.mark.parametrize("name", TABLES)
def test_layers_shapes_and_parameters_are_the_tables(name):
    network, table = TABLES[name]
    one = torch.zeros(1, 1, 112, 112) if name == "discriminator" else torch.zeros(1, 100)
    rows = [[row.layer, list(row.shape), row.parameters] for row in layer_table(network, one)]
    assert rows == table["layers"]
    assert count_parameters(network) == (table["parameters_total"], table["parameters_trainable"])


@pytest.mark.parametrize("name", THESIS["generator"])
def test_slices_lie_in_the_model_range_and_gradients_are_finite(name):
    network, _ = TABLES[name]
    slices = network(torch.randn(3, 100))
    assert slices.shape == (3, 1, 112, 112)
    assert slices.abs().max() <= 1
    slices.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in network.parameters())


def test_logits_inside_a_probability_outside():
    network = discriminator().eval()
    slices = torch.randn(5, 1, 112, 112)
    logits = network(slices)
    probability = probability_real(network, slices)
    assert probability.shape == (5,)
    torch.testing.assert_close(torch.logit(probability), logits.detach().squeeze(1), atol=1e-4, rtol=1e-4)


def test_another_side_and_another_name_are_refused_with_the_way_out():
    with pytest.raises(InputError, match="prepare with --size 112"):
        MODELS["thesis4"]().build(128)
    with pytest.raises(InputError, match="thesis5 is unknown; there are thesis4, thesis7, thesis15"):
        parse_model({"name": "thesis5"})
    with pytest.raises(InputError, match=r"`model\.depth`"):
        parse_model({"name": "thesis4", "depth": 3})


def test_another_discriminator_can_be_named():
    model = parse_model({"name": "thesis4", "discriminator": "patches"})
    networks = model.build(112)
    assert networks["discriminator"](torch.zeros(2, 1, 112, 112)).shape == (2, 1, 14, 14)
    assert isinstance(Thesis4().build(112)["discriminator"][-1], Dense)
