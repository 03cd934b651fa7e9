"""A linear code of slices: every block of 8×8 pixels by its leading principal components.

    y = S⁻¹ V (p - m) - ȳ

p are a block's 64 pixels, m their mean and the rows of V their leading principal directions over all blocks of many
slices (the Karhunen-Loève transform), of each channel by itself; ȳ is what the code is on average at each place. S
divides each component by the root of its standard deviation, and all of a channel by one number so that their mean
square is 1: half-way to whitening keeps the order in which components matter. Nothing of it is trained, so a flow over
codes has a target that does not move.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

BLOCK = 8
LEAST = 1e-6
"""Of a component's variance, far below a grey level's; what does not vary at all is not blown up."""


class BlockCode(nn.Module):
    """The code of slices of one side; of no use before `fit`."""

    mean: Tensor
    directions: Tensor
    scale: Tensor
    centre: Tensor

    def __init__(self, side: int, components: int, channels: int = 1) -> None:
        super().__init__()
        grid = side // BLOCK
        self.register_buffer("mean", torch.zeros(channels, BLOCK * BLOCK))
        self.register_buffer("directions", torch.zeros(channels, components, BLOCK * BLOCK))
        self.register_buffer("scale", torch.ones(channels, components))
        self.register_buffer("centre", torch.zeros(channels * components, grid, grid))

    @torch.no_grad()
    def fit(self, slices: Float[Tensor, "n k side side"]) -> None:
        """Take directions, scales and centre from slices in -1..1."""
        components = self.scale.shape[1]
        for channel, of_channel in enumerate(torch.split(slices, 1, 1)):
            blocks = F.pixel_unshuffle(of_channel, BLOCK).movedim(1, -1).reshape(-1, BLOCK * BLOCK).double()
            mean = blocks.mean(0)
            blocks -= mean
            variances, vectors = torch.linalg.eigh(blocks.T @ blocks / len(blocks))
            variances, vectors = variances.flip(0)[:components].clamp_min(LEAST), vectors.flip(1)
            self.mean[channel] = mean
            self.directions[channel] = vectors[:, :components].T
            self.scale[channel] = variances.sqrt().sqrt()
        self.centre.zero_()
        codes = self.encode(slices)
        centre = codes.mean(0)
        spread = self._parts(codes - centre).square().mean((0, 2, 3, 4)).sqrt()
        spread = torch.where(spread > 0, spread, 1)
        self.scale.mul_(spread[:, None])
        self.centre.copy_(centre / spread.repeat_interleave(components)[:, None, None])

    def encode(self, slices: Float[Tensor, "n k side side"]) -> Float[Tensor, "n c grid grid"]:
        """Return the codes of slices in -1..1."""
        kernels = (self.directions / self.scale[..., None]).view(-1, 1, BLOCK, BLOCK)
        shift = (self.directions @ self.mean[..., None])[..., 0] / self.scale
        codes = F.conv2d(slices, kernels, stride=BLOCK, groups=len(self.mean))
        return codes - (shift.reshape(-1, 1, 1) + self.centre)

    def decode(self, codes: Float[Tensor, "n c grid grid"]) -> Float[Tensor, "n k side side"]:
        """Return the slices whose other components are their mean's, in about -1..1."""
        parts = self._parts((codes + self.centre) * self.scale.reshape(-1, 1, 1))
        pixels = torch.einsum("nkchw,kcp->nkphw", parts, self.directions) + self.mean[..., None, None]
        return F.pixel_shuffle(pixels.flatten(1, 2), BLOCK)

    def _parts(self, codes: Float[Tensor, "n c grid grid"]) -> Float[Tensor, "n k components grid grid"]:
        """Return the codes by channel and component."""
        return codes.reshape(codes.shape[0], *self.scale.shape, *codes.shape[2:])
