"""Latents that depend on a seed and a number alone, so that any slice can be made again by itself."""

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from braingan.randomness import draws


def latents(seed: int, purpose: str, numbers: Iterable[int], size: int) -> Float[Tensor, "n {size}"]:
    """Return a standard normal latent for each number (float32, on the CPU)."""
    rows = [draws(seed, purpose, number).standard_normal(size, np.float32) for number in numbers]
    return torch.from_numpy(np.stack(rows))


def latent_batch(seed: int, purpose: str, number: int, count: int, size: int) -> Float[Tensor, "{count} {size}"]:
    """Return `count` standard normal latents that belong to one number, such as a training step."""
    return torch.from_numpy(draws(seed, purpose, number).standard_normal((count, size), np.float32))
