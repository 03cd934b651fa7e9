"""A linear code of slices: every block of 8×8 pixels by its leading principal components.

    y = S⁻¹ V (p - m) - ȳ

p are a block's 64 pixels, m their mean and the rows of V their leading principal directions over all blocks of many
slices (the Karhunen-Loève transform); ȳ is what the code is on average at each place. S divides each component by the
root of its standard deviation, and all by one number so that the code's mean square is 1: half-way to whitening keeps
the order in which components matter. Nothing of it is trained, so a flow over codes has a target that does not move.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

BLOCK = 8


class BlockCode(nn.Module):
    """The code of slices of one side; of no use before `fit`."""

    mean: Tensor
    directions: Tensor
    scale: Tensor
    centre: Tensor

    def __init__(self, side: int, components: int) -> None:
        super().__init__()
        grid = side // BLOCK
        self.register_buffer("mean", torch.zeros(BLOCK * BLOCK))
        self.register_buffer("directions", torch.zeros(components, BLOCK * BLOCK))
        self.register_buffer("scale", torch.ones(components))
        self.register_buffer("centre", torch.zeros(components, grid, grid))

    @torch.no_grad()
    def fit(self, slices: Float[Tensor, "n 1 side side"]) -> None:
        """Take directions, scales and centre from slices in -1..1."""
        blocks = F.pixel_unshuffle(slices, BLOCK).movedim(1, -1).reshape(-1, BLOCK * BLOCK).double()
        mean = blocks.mean(0)
        blocks -= mean
        variances, vectors = torch.linalg.eigh(blocks.T @ blocks / len(blocks))
        variances, vectors = variances.flip(0)[: len(self.scale)].clamp_min(1e-12), vectors.flip(1)
        roots = variances.sqrt().sqrt()
        self.mean.copy_(mean)
        self.directions.copy_(vectors[:, : len(self.scale)].T)
        self.centre.zero_()
        self.scale.copy_(roots)
        codes = self.encode(slices)
        centre = codes.mean(0)
        spread = (codes - centre).square().mean().sqrt().clamp_min(1e-6)
        self.scale.mul_(spread)
        self.centre.copy_(centre / spread)

    def encode(self, slices: Float[Tensor, "n 1 side side"]) -> Float[Tensor, "n c grid grid"]:
        """Return the codes of slices in -1..1."""
        kernel = (self.directions / self.scale[:, None]).view(-1, 1, BLOCK, BLOCK)
        shift = (self.directions @ self.mean) / self.scale
        return F.conv2d(slices, kernel, stride=BLOCK) - (shift[:, None, None] + self.centre)

    def decode(self, codes: Float[Tensor, "n c grid grid"]) -> Float[Tensor, "n 1 side side"]:
        """Return the slices whose other components are their mean's, in about -1..1."""
        pixels = torch.einsum("nchw,cp->nphw", (codes + self.centre) * self.scale[:, None, None], self.directions)
        return F.pixel_shuffle(pixels + self.mean[:, None, None], BLOCK)
