"""What a generator is told of a slice, and how that is drawn where nobody says it.

A row of conditions (`braingan.data.conditions`) becomes the sum of one vector a condition; what is unknown (NaN) adds
nothing. In training each condition is made unknown at times, so that any of them can be left open, and made more of (Ho
and Salimans, Classifier-free Diffusion Guidance, 2021). What is left open in sampling is drawn from the training
slices' own rows, near to what is wished for:

    P(row r) ∝ Π exp(-(w_c - r_c)² / 2 h_c²)    over the conditions c that are wished for

so that frames, depths and lesions go together as they do in the data. Where no row is near, it stays unknown. Rows lie
in the order of frame, label and lesion, and one number says how far along the near ones the drawn row is: so at one
latent, depth by depth, the lesion is as large among its kind, and a volume's does not come and go.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

FRAME, LABEL, DEPTH, LESION = range(4)
ROWS = 1024
"""Training slices whose conditions are kept, to draw from."""
OPEN = 0.1
"""Share of the training slices for which a condition is made unknown, each by itself."""
WIDTHS = (0.05, 0.05, 0.02, 1.0)
"""h: nothing but the same frame and label; 2 % of the depth; the root of the lesion's area to 1 mm."""
FAR = 1e-3
"""Below this weight no row is near."""
QUARTER_WAVES = 8


def waves(values: Float[Tensor, " n"]) -> Float[Tensor, "n waves"]:
    """Return cosines and sines that have 1 to 8 quarter waves from 0 to 1."""
    angles = values[:, None] * torch.arange(1, QUARTER_WAVES + 1, device=values.device) * (math.pi / 2)
    return torch.cat([angles.cos(), angles.sin()], 1)


class Told(nn.Module):
    """Conditions to a vector."""

    rows: Tensor
    most_lesion: Tensor

    def __init__(self, frames: int, labels: int, width: int) -> None:
        super().__init__()
        self.register_buffer("rows", torch.full((ROWS, 4), torch.nan))
        self.register_buffer("most_lesion", torch.ones(()))
        self.frame, self.label = nn.Embedding(max(frames, 1), width), nn.Embedding(max(labels, 1), width)
        self.depth, self.lesion = (
            nn.Sequential(nn.Linear(size, width), nn.SiLU(), nn.Linear(width, width))
            for size in (2 * QUARTER_WAVES, 2 * QUARTER_WAVES + 1)
        )
        for names in (self.frame, self.label):
            nn.init.normal_(names.weight, std=0.1)

    @torch.no_grad()
    def fit(self, told: Float[Tensor, "n 4"]) -> None:
        """Take the rows to draw from, sorted by frame, label, lesion and depth; and the scale of lesions."""
        for condition in (DEPTH, LESION, LABEL, FRAME):
            told = told[told[:, condition].argsort(stable=True)]
        self.rows.copy_(told[torch.arange(ROWS) * len(told) // ROWS])
        areas = told[:, LESION].nan_to_num()
        self.most_lesion.copy_(areas.max().clamp_min(1.0))

    def draw(self, wished: Float[Tensor, "n 4"], normal: Float[Tensor, " n"]) -> Float[Tensor, "n 4"]:
        """Fill what is left open in wishes, from one standard normal number each."""
        near = torch.ones(wished.shape[0], ROWS, device=wished.device)
        for condition, width in enumerate(WIDTHS):
            wish, there = wished[:, condition, None], self.rows[:, condition]
            if condition == LESION:
                wish, there = wish.sqrt(), there.sqrt()
            weight = torch.exp(-((wish - there) / width).square() / 2).nan_to_num()
            near = torch.where(wish.isnan(), near, near * weight)
        up_to = near.cumsum(1)
        chosen = (up_to < torch.special.ndtr(normal)[:, None] * up_to[:, -1:]).sum(1).clamp_max(ROWS - 1)
        drawn = torch.where(near.amax(1, keepdim=True) > FAR, self.rows[chosen], torch.nan)
        return torch.where(wished.isnan(), drawn, wished)

    def forward(self, told: Float[Tensor, "n 4"]) -> Float[Tensor, "n width"]:
        """Return the sum of what the known conditions give."""
        frame, label, depth, lesion = told.nan_to_num().unbind(1)
        extent = torch.cat([waves((lesion / self.most_lesion).sqrt()), (lesion > 0).float()[:, None]], 1)
        vectors = self.frame(frame.long()), self.label(label.long()), self.depth(waves(depth)), self.lesion(extent)
        known = told.isfinite().unbind(1)
        parts = [torch.where(there[:, None], vector, 0) for there, vector in zip(known, vectors, strict=True)]
        return torch.stack(parts).sum(0)


def left_open(told: Float[Tensor, "n 4"], normal: Float[Tensor, "n 4"]) -> Float[Tensor, "n 4"]:
    """Make some conditions unknown, from a standard normal number each."""
    return torch.where(torch.special.ndtr(normal) < OPEN, torch.nan, told)
