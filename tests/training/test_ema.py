"""The average's half-life in images, and statistics estimated anew."""

import copy

import torch

from braingan.models import MODELS
from braingan.models.keras import BatchNormalization
from braingan.training import ema
from braingan.training.ema import AveragedWeights, reestimate_statistics


def moved(network, amount):
    network = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(amount)
    return network


def test_after_a_half_life_of_images_half_the_way_is_gone_whatever_the_batch():
    start = torch.nn.Linear(3, 2)
    there = moved(start, 1.0)
    for batch in (10, 50):
        averaged = AveragedWeights(start, half_life=1000.0)
        for step in range(1000 // batch):
            averaged.update(there, batch, images_seen=1_000_000 + step * batch)
        torch.testing.assert_close(averaged.network.weight, start.weight + 0.5)


def test_early_weights_are_soon_forgotten():
    start = torch.nn.Linear(3, 2)
    averaged = AveragedWeights(start, half_life=1e9)
    averaged.update(moved(start, 1.0), 64, images_seen=64)
    torch.testing.assert_close(averaged.network.weight, start.weight + 1, atol=1e-4, rtol=0)


def test_statistics_are_the_plain_mean_over_the_batches():
    norm = BatchNormalization(2)
    batches = [torch.randn(16, 2, 3, 3) * scale + 5 for scale in (1, 2, 3)]
    reestimate_statistics(norm, batches)
    torch.testing.assert_close(norm.running_mean, torch.stack([b.mean(dim=(0, 2, 3)) for b in batches]).mean(dim=0))
    variances = torch.stack([b.var(dim=(0, 2, 3), correction=0) for b in batches])
    torch.testing.assert_close(norm.running_var, variances.mean(dim=0))
    assert norm.momentum == 0.99


def test_a_young_generator_paints_the_same_in_evaluation_as_in_training(monkeypatch):
    """With moving averages from the start, evaluation mode would give another, nearly flat picture."""
    torch.manual_seed(0)
    monkeypatch.setattr(ema, "STATISTICS_BATCHES", 2)
    generator = MODELS["thesis15"]().build(112)["generator"]
    latents = torch.randn(64, 100)
    with torch.no_grad():
        expected = generator.train()(latents)
        flat = copy.deepcopy(generator).eval()(latents)
        ready = AveragedWeights(generator, 1.0).ready(100, seed=0)(latents)
    assert (ready - expected).abs().mean() < 0.1 * expected.abs().mean()
    assert (flat - expected).abs().mean() > 0.3 * expected.abs().mean()
