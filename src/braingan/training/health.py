"""Whether a training is still a game, from cheap statistics of its last steps.

Three things end the game between generator and discriminator, and none of them ends the program:

- losses or gradients are no longer finite, so that every weight soon is none;
- the discriminator has won: it tells every slice, its loss is near 0, and the generator, whose loss is high, no longer
  learns from it (2 ln 2 = 1.39 is a discriminator that cannot tell);
- the generator paints one picture whatever its latent: the slices of a batch differ far less from each other than
  those of a real batch do. Differences are taken of means over blocks of pixels, as noise differs too.

Means over `WINDOW` steps are judged; the last two must hold for `PATIENCE` windows one after another, because young
networks pass through both for a while.
"""

import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

WINDOW = 50
"""Steps between two looks; the only times that a GPU is waited for."""
PATIENCE = 8
WON_DISCRIMINATOR, WON_GENERATOR = 0.05, 4.0
"""The discriminator's loss below, and the generator's above, which one has won."""
ONE_PICTURE = 0.1
"""Share of real slices' differences below which all generated ones count as one picture."""
BLOCK = 8
"""Side of the blocks, in pixels."""
FEWEST = 8
"""Slices in a batch below which their differences say too little."""


def diversity(fake: Float[Tensor, "n k side side"], real: Float[Tensor, "n k side side"]) -> Float[Tensor, ""]:
    """Return how much generated slices differ from each other, as a share of how much real ones do."""
    images = (slices[:, :1].detach().float() for slices in (fake, real))
    made, true = (F.avg_pool2d(of, BLOCK).std(0, correction=0).mean() for of in images)
    share: Tensor = made / true.clamp_min(1e-6)
    return share


def norm(tensors: list[Tensor]) -> Float[Tensor, ""]:
    """Return the Euclidean norm of all tensors together; not finite where a number in them is not."""
    together: Tensor = torch.stack(torch._foreach_norm([tensor.detach() for tensor in tensors])).norm()
    return together


@dataclass
class Health:
    """What earlier windows showed."""

    batch_size: int
    bad: dict[str, int] = field(default_factory=dict)
    """Windows in a row that showed each sign."""

    def judge(self, means: dict[str, float]) -> str:
        """Look at a window's means of the logged scalars; return what is wrong in a sentence, or nothing.

        What lasts is said once, when `PATIENCE` windows are over.
        """
        not_finite = ", ".join(name for name, value in means.items() if not math.isfinite(value))
        if not_finite:
            return f"no longer finite: {not_finite.replace('_', ' ')}"
        signs = {
            "the discriminator has won: its loss is {discriminator_loss:.2g}, the generator's {generator_loss:.2g}":
                means["discriminator_loss"] < WON_DISCRIMINATOR
                and (means["generator_loss"] > WON_GENERATOR or means["fake_probability"] < math.exp(-WON_GENERATOR)),
            "the generator paints one picture: its slices differ {diversity:.2g} times as much as real ones do":
                means["diversity"] < ONE_PICTURE and self.batch_size >= FEWEST,
        }  # fmt: skip
        self.bad = {sign: self.bad.get(sign, 0) + 1 for sign, shown in signs.items() if shown}
        lasting = [sign.format(**means) for sign, windows in self.bad.items() if windows == PATIENCE]
        return "; ".join(lasting)

    @property
    def good(self) -> bool:
        """Whether the last window showed nothing."""
        return not self.bad
