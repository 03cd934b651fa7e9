"""What the players minimise, in the notation of Goodfellow et al., Generative Adversarial Nets, 2014.

The discriminator gives a logit l = D(x); its probability that a slice is real is σ(l). Every loss is computed
from logits:

    -log σ(l) = softplus(-l)        -log(1 - σ(l)) = softplus(l)

The discriminator's loss is the sum over real and generated slices (2 ln 2 where it can't tell), as Keras users
write it. Both players are updated in each step from one forward pass of the generator, each by gradients at the
weights before the step.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from braingan.models.architecture import Architecture, Autocast, Made, Real, from_latents
from braingan.training.health import diversity


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
    make: Callable[[nn.Module, Real, Tensor, Autocast], Made] = from_latents
    """What the generator makes in a step; an architecture may have its own way."""

    def gradients(
        self,
        networks: nn.ModuleDict,
        real: Real,
        latents: Float[Tensor, "n latent"],
        autocast: Autocast,
        share: float = 1.0,
    ) -> dict[str, Tensor]:
        """Add a batch's gradients, times its share of the step, to those that every parameter has.

        Each forward pass has an autocast block of its own, and each half of the discriminator's batch is
        normalised by itself.

        Returns:
            scalars: the losses, the mean probability "real" of real and of generated slices, `diversity`, and the
            architecture's own.
        """
        generator, discriminator = networks["generator"], networks["discriminator"]
        made = self.make(generator, real, latents, autocast)
        with autocast():
            on_real = discriminator(made.real)
        with autocast():
            on_fake = discriminator(made.fake)
        on_real, on_fake = (
            logits.to(torch.promote_types(logits.dtype, torch.float32)) for logits in (on_real, on_fake)
        )
        losses = self.losses(on_real, on_fake)
        # `torch.autograd.grad` would lose the memory layout, by which fused Adam on a CPU pairs entries.
        backward = torch.autograd.backward
        backward(losses.discriminator * share, inputs=_learning(discriminator), retain_graph=True)
        backward((losses.generator + made.further_loss) * share, inputs=_learning(generator))
        return {
            "discriminator_loss": losses.discriminator.detach(),
            "generator_loss": losses.generator.detach(),
            "real_probability": on_real.detach().sigmoid().mean(),
            "fake_probability": on_fake.detach().sigmoid().mean(),
            "diversity": diversity(made.fake, made.real),
            **made.scalars,
        }


OBJECTIVES: dict[str, Adversarial] = {
    "non_saturating": Adversarial(non_saturating),
    "minimax": Adversarial(minimax),
}


def _learning(player: nn.Module) -> list[Tensor]:
    return [parameter for parameter in player.parameters() if parameter.requires_grad]


def objective(model: Architecture, name: str) -> Adversarial:
    """Return what an architecture's networks minimise, the game by name."""
    return replace(OBJECTIVES[name], make=model.make)
