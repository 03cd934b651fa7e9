"""Heads with their skull are told from brains without, drawn and real."""

import numpy as np
import pytest

from braingan.data.prepare import prepare
from braingan.data.settings import DataSettings
from braingan.data.skull import shows_skull


def drawn(rings, side=112, n=5, noise=8, seed=0):
    """An ellipse of rings, each (how far in it begins, grey level)."""
    row, column = (np.mgrid[:side, :side] + 0.5) / side * 2 - 1
    radius = np.hypot(row / 0.85, column / 0.7)
    image = np.zeros((n, side, side))
    for begins, level in rings:
        image[:, radius < begins] = level
    noisy = image + np.random.default_rng(seed).normal(0, noise, image.shape)
    return noisy.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("side", [48, 112, 256])
@pytest.mark.parametrize("brain", [70, 130, 220])
def test_a_scalp_and_a_dark_ring_are_a_skull_and_a_bare_brain_is_none(side, brain):
    assert shows_skull(drawn([(1, 180), (0.93, 25), (0.84, brain)], side))
    assert not shows_skull(drawn([(1, brain)], side))
    assert not shows_skull(drawn([(1, brain), (0.3, 20)], side))  # dark ventricles
    assert not shows_skull(drawn([(1, 90), (0.9, brain)], side))  # a cortex of its own grey


def test_one_slice_is_enough_and_an_empty_one_is_no_head():
    assert shows_skull(drawn([(1, 180), (0.93, 25), (0.84, 130)], n=1))
    assert not shows_skull(np.zeros((3, 112, 112), np.uint8))


@pytest.mark.parametrize(
    ("name", "skull"),
    [("Task01_BrainTumour", False), ("t1_slices", False), ("flair_volumes", True), ("t1_volumes", True)],
)
def test_real_collections(real_data, tmp_path, name, skull):
    store = prepare(real_data / name, tmp_path / "store", DataSettings(), "local:2")
    volumes, frames = store.columns["volume"], store.columns["frame"]
    for volume in np.unique(volumes):
        for frame in np.unique(frames[volumes == volume]):
            here = np.flatnonzero((volumes == volume) & (frames == frame))
            assert shows_skull(store.images(here)) == skull, (volume, frame)
    noted = [note for note in store.description["notes"] if "seem to show a head with its skull" in note]
    assert bool(noted) == skull
