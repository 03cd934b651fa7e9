"""What the players minimise, in the notation of Goodfellow et al., Generative Adversarial Nets, 2014.

The discriminator gives a logit l = D(x); its probability that a slice is real is σ(l). Every loss is computed
from logits:

    -log σ(l) = softplus(-l)        -log(1 - σ(l)) = softplus(l)

The discriminator's loss is the sum over real and generated slices (2 ln 2 where it can't tell), as Keras users
write it. Both players are updated in each step from one forward pass of the generator, each by gradients at the
weights before the step.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from braingan.models.architecture import Architecture
from braingan.models.flow import matching_loss
from braingan.models.latentflow import FlowAndDecoder, LatentFlow
from braingan.training.health import diversity

# `torch.autograd.grad` would lose the memory layout, by which fused Adam on a CPU pairs entries.
backward = torch.autograd.backward


class Losses(NamedTuple):
    """What each player minimises."""

    discriminator: Float[Tensor, ""]
    generator: Float[Tensor, ""]


Logits = Float[Tensor, "n ..."]
"""One a slice, or one for each of its patches."""


def non_saturating(real: Logits, fake: Logits) -> Losses:
    """Binary cross-entropy; the generator maximises log σ(D(G(z))) (section 3 of the paper)."""
    return Losses(F.softplus(-real).mean() + F.softplus(fake).mean(), F.softplus(-fake).mean())


def minimax(real: Logits, fake: Logits) -> Losses:
    """The literal zero-sum game (equation 1 of the paper): the generator's loss is minus the discriminator's."""
    loss = F.softplus(-real).mean() + F.softplus(fake).mean()
    return Losses(loss, -loss)


@dataclass(frozen=True)
class Adversarial:
    """A generator against a discriminator."""

    losses: Callable[[Logits, Logits], Losses]

    def gradients(
        self,
        networks: nn.ModuleDict,
        real: Float[Tensor, "n 1 side side"],
        latents: Float[Tensor, "n latent"],
        autocast: Callable[[], AbstractContextManager[object]],
        share: float = 1.0,
    ) -> dict[str, Tensor]:
        """Add a batch's gradients, times its share of the step, to those that every parameter has.

        Each forward pass has an autocast block of its own, and each half of the discriminator's batch is
        normalised by itself.

        Returns:
            scalars: the losses, the mean probability "real" of real and of generated slices, and `diversity`.
        """
        with autocast():
            fake = networks["generator"](latents)
        losses, scalars = self.play(networks["discriminator"], real, fake, autocast, share)
        backward(losses.generator * share, inputs=list(networks["generator"].parameters()))
        return scalars

    def play(
        self,
        discriminator: nn.Module,
        real: Float[Tensor, "n 1 side side"],
        fake: Float[Tensor, "n 1 side side"],
        autocast: Callable[[], AbstractContextManager[object]],
        share: float,
    ) -> tuple[Losses, dict[str, Tensor]]:
        """Judge slices, add the discriminator's gradients; return the losses and a step's scalars."""
        with autocast():
            on_real = discriminator(real)
        with autocast():
            on_fake = discriminator(fake)
        on_real, on_fake = (
            logits.to(torch.promote_types(logits.dtype, torch.float32)) for logits in (on_real, on_fake)
        )
        losses = self.losses(on_real, on_fake)
        backward(losses.discriminator * share, inputs=list(discriminator.parameters()), retain_graph=True)
        return losses, {
            "discriminator_loss": losses.discriminator.detach(),
            "generator_loss": losses.generator.detach(),
            "real_probability": on_real.detach().sigmoid().mean(),
            "fake_probability": on_fake.detach().sigmoid().mean(),
            "diversity": diversity(fake, real),
        }


@dataclass(frozen=True)
class Completion:
    """A flow that learns real slices' codes, and a decoder that completes them against a discriminator.

    The generator minimises  L(D) + λ E|decoder(y) - x| + E‖v(x_t, t) - (y - z)‖²,  of which its decoder sees the first
    two terms and its flow the last.
    """

    players: Adversarial
    reconstruction: float
    """λ, with slices in -1..1."""
    mirror: bool
    """Whether half of the real slices are mirrored."""

    def gradients(
        self,
        networks: nn.ModuleDict,
        real: Float[Tensor, "n 1 side side"],
        latents: Float[Tensor, "n latent"],
        autocast: Callable[[], AbstractContextManager[object]],
        share: float = 1.0,
    ) -> dict[str, Tensor]:
        """Add a batch's gradients, as `Adversarial.gradients`; the scalars tell both further terms, too."""
        generator = networks["generator"]
        assert isinstance(generator, FlowAndDecoder)
        (start, noise), (time, side) = generator.parts(latents), generator.choices(latents)
        if self.mirror:
            real = torch.where(side[:, None, None, None] > 0, real.flip(3), real)
        codes = generator.code.encode(real)
        with autocast():
            matching = matching_loss(generator.field, codes, start, time)
        with autocast():
            fake = generator.decoder(codes, noise)
        losses, scalars = self.players.play(networks["discriminator"], real, fake, autocast, share)
        error = (fake - real).abs().mean()
        total = losses.generator + self.reconstruction * error + matching
        backward(total * share, inputs=list(generator.parameters()))
        return scalars | {"reconstruction_error": error.detach(), "flow_loss": matching.detach()}


OBJECTIVES: dict[str, Adversarial] = {
    "non_saturating": Adversarial(non_saturating),
    "minimax": Adversarial(minimax),
}


def objective(model: Architecture, name: str) -> Adversarial | Completion:
    """Return what an architecture's networks minimise, the players' objective by name."""
    players = OBJECTIVES[name]
    return Completion(players, model.reconstruction, model.mirror) if isinstance(model, LatentFlow) else players
