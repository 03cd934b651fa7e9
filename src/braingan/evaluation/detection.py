"""Whether a classifier can tell real slices from generated ones."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import nn

from braingan.data.store import to_model_range
from braingan.models.thesis import probability_real

BATCH = 64
Confusion = dict[str, dict[str, int]]


def probabilities(discriminator: nn.Module, images: UInt8[np.ndarray, "n side side"]) -> Float[np.ndarray, " n"]:
    """Return a run's own discriminator's probability that each slice is real."""
    found = []
    for start in range(0, len(images), BATCH):
        slices = torch.from_numpy(to_model_range(images[start : start + BATCH])[:, None])
        found.append(probability_real(discriminator, slices).double().numpy())
    return np.concatenate(found)


def confusion(real: Float[np.ndarray, " n"], generated: Float[np.ndarray, " m"]) -> Confusion:
    """Count, from probabilities "real", what was taken for what: `table[truth][verdict]`, threshold 0.5."""
    return {
        truth: {"real": int((found >= 0.5).sum()), "generated": int((found < 0.5).sum())}
        for truth, found in (("real", real), ("generated", generated))
    }
