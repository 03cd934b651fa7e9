"""A network that was never trained: the control of the others.

Its features are of edges, contrast and texture at random. A ranking of generators that a trained extractor gives and
this one does not rests on what the trained one has learnt. Naeem et al., Reliable Fidelity and Diversity Metrics for
Generative Models, 2020, measure in such features where ImageNet's do not fit.
"""

from itertools import pairwise
from typing import final

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, UInt8

from braingan.evaluation.features.batches import in_batches
from braingan.evaluation.features.extractor import Extractor
from braingan.randomness import draws

CHANNELS = (1, 32, 64, 128, 256)
BATCH = 32
SEED = 0


@final
class RandomNetwork(Extractor):
    """The means of 256 maps after four convolutions of 3×3 and stride 2 with ReLU."""

    name = "random"

    def __init__(self) -> None:
        self._kernels = [
            torch.from_numpy(_kernel(layer, inputs, outputs)).contiguous(memory_format=torch.channels_last)
            for layer, (inputs, outputs) in enumerate(pairwise(CHANNELS))
        ]
        self.fingerprint = f"{self.name} {SEED} {CHANNELS}"
        self.description = (
            f"an untrained network of {len(self._kernels)} convolutions (seed {SEED}), {CHANNELS[-1]} features after "
            "pooling; slices of 8 bits at their own size"
        )

    def features(self, images: UInt8[np.ndarray, "n side side"]) -> Float32[np.ndarray, "n 256"]:
        """Return a row per slice."""
        return in_batches(images, BATCH, self._of_batch)

    def _of_batch(self, images: UInt8[np.ndarray, "n side side"]) -> Float[torch.Tensor, "n 256"]:
        maps = (torch.from_numpy(images)[:, None] / 127.5 - 1).contiguous(memory_format=torch.channels_last)
        for kernel in self._kernels:
            maps = F.conv2d(maps, kernel, stride=2, padding=1).relu()
        return maps.mean(dim=(2, 3))


def _kernel(layer: int, inputs: int, outputs: int) -> Float32[np.ndarray, "outputs inputs 3 3"]:
    """Draw a kernel of the scale that keeps activations' (He et al., Delving Deep into Rectifiers, 2015)."""
    normal = draws(SEED, "random extractor", layer).standard_normal((outputs, inputs, 3, 3), np.float32)
    return normal * np.float32(np.sqrt(2 / (9 * inputs)))
