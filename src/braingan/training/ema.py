"""Averaged weights: an exponential moving average over training, from which slices are made.

    θ̄ ← θ̄ + (1 - β)(θ - θ̄),    β = 2^(-batch / h),    h = min(half-life, images seen / 20)

The half-life h counts images, so the average means the same at any batch size (Karras et al., Analyzing and
Improving the Training Dynamics of Diffusion Models, 2024, section 3; the ramp of h as in their EDM code).
Batch-norm statistics are not averaged: they are estimated anew for the averaged weights, on fixed latents.
"""

import copy
from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from braingan.models.keras import BatchNormalization
from braingan.models.latents import latents

RAMP = 0.05
STATISTICS_BATCHES, STATISTICS_BATCH = 8, 64


class AveragedWeights:
    """The moving average of a network's parameters."""

    def __init__(self, network: nn.Module, half_life: float) -> None:
        self.half_life = half_life
        self.network = copy.deepcopy(network).requires_grad_(False)

    def update(self, network: nn.Module, batch: int, images_seen: int) -> None:
        """Move towards a network's parameters after a step; both counts are in images."""
        half_life = min(self.half_life, images_seen * RAMP)
        share = 1 - 0.5 ** (batch / half_life) if half_life else 1.0
        torch._foreach_lerp_(list(self.network.parameters()), [p.detach() for p in network.parameters()], share)

    def ready(self, latent_size: int, seed: int) -> nn.Module:
        """Return the averaged network in evaluation mode, its batch-norm statistics estimated anew."""
        device = next(self.network.parameters()).device
        reestimate_statistics(
            self.network,
            (
                latents(seed, "batch-norm statistics", range(start, start + STATISTICS_BATCH), latent_size).to(device)
                for start in range(0, STATISTICS_BATCHES * STATISTICS_BATCH, STATISTICS_BATCH)
            ),
        )
        return self.network.eval()


@torch.no_grad()
def reestimate_statistics(network: nn.Module, batches: Iterable[Float[Tensor, "n ..."]]) -> None:
    """Set each batch norm's moving averages to the plain mean over the given batches, drawn only if there are any."""
    norms = [module for module in network.modules() if isinstance(module, BatchNormalization)]
    if not norms:
        return
    network.train()
    momenta = [norm.momentum for norm in norms]
    for number, batch in enumerate(batches):
        for norm in norms:
            norm.momentum = number / (number + 1)
        network(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
