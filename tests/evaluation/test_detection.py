"""The discriminator's confusion matrix."""

import numpy as np
import torch

from braingan.evaluation.detection import confusion, probabilities


def test_counts():
    found = confusion(np.array([0.9, 0.5, 0.2]), np.array([0.1, 0.8]))
    assert found == {"real": {"real": 2, "generated": 1}, "generated": {"real": 1, "generated": 1}}


class Brightness(torch.nn.Module):
    """Takes bright slices for real."""

    def forward(self, slices):
        return slices.mean(dim=(1, 2, 3), keepdim=False)[:, None] * 10


def test_every_slice_is_asked_about_once_in_order():
    images = np.stack([np.full((8, 8), 255 * (number % 2), np.uint8) for number in range(130)])
    found = probabilities(Brightness(), images)
    assert ((found > 0.5) == (np.arange(130) % 2 == 1)).all()
