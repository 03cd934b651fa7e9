"""Slices through a network in batches of one size, so that a row depends on its slice alone.

Libraries choose their algorithm by the batch's size, and round differently with it; so a short last batch is filled up.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8

from braingan.progress import progress

Network = Callable[[UInt8[np.ndarray, "n side side"]], Float[torch.Tensor, "n d"]]


def in_batches(images: UInt8[np.ndarray, "n side side"], batch: int, network: Network) -> Float32[np.ndarray, "n d"]:
    """Return a row per slice, of what `network` makes of `batch` slices at a time."""
    rows = []
    with torch.no_grad(), progress("features", len(images), "slices") as advance:
        for start in range(0, len(images), batch):
            part = images[start : start + batch]
            filled = np.zeros((batch, *images.shape[1:]), np.uint8)
            filled[: len(part)] = part
            rows.append(network(filled)[: len(part)].float().numpy())
            advance(len(part))
    return np.concatenate(rows)
