"""The brain is found in a head of known parts, and what is no head has a reason."""

import numpy as np
import pytest

from braingan.data.strip import brain_mask
from braingan.data.volumes import UnreadableError

pytest.importorskip("brainextractor")
SPACING = (2.5, 2.5, 2.5)


def head():
    """A brain of 0.9 litres, dark bone around it, and a bright scalp."""
    grid = (np.indices((80, 96, 80)).transpose(1, 2, 3, 0) - (39.5, 47.5, 39.5)) * SPACING
    radius = np.sqrt(((grid / (60, 75, 50)) ** 2).sum(axis=-1))
    rng = np.random.default_rng(0)
    voxels = np.select([radius < 1, radius < 1.12, radius < 1.22], [140, 15, 200], 3) + rng.normal(0, 3, radius.shape)
    return voxels.clip(0).astype(np.float32), radius < 1


def test_the_brain_of_a_drawn_head_is_found():
    voxels, brain = head()
    found = brain_mask(voxels, SPACING)
    dice = 2 * (found & brain).sum() / (found.sum() + brain.sum())
    assert dice > 0.93
    assert (found == brain_mask(voxels, SPACING)).all()


def test_what_is_no_head_has_a_reason():
    noise = np.random.default_rng(0).integers(0, 9, (20, 20, 20)).astype(np.int16)
    with pytest.raises(UnreadableError, match="its skull could not be stripped"):
        brain_mask(noise, (1.0, 1.0, 1.0))
