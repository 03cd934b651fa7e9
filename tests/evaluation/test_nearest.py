"""The most alike training slice, whatever small change lies between."""

import numpy as np
import pytest

from braingan.data.leaks import Band
from braingan.errors import InputError
from braingan.evaluation.material import Loose
from braingan.evaluation.nearest import TrainingSlices, likeness, texture, turned

RNG = np.random.default_rng(0)


def textured(count=30, side=64):
    """Smooth noise: every slice has a texture of its own."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)) * side
    spectrum = np.fft.rfft2(RNG.normal(size=(count, side, side))) * np.exp(-((frequency / 14) ** 2))
    values = np.fft.irfft2(spectrum, (side, side))
    return np.clip(127 + 60 * values / values.std(), 0, 255).astype(np.uint8)


SLICES = textured()
TRAINING = TrainingSlices(Loose(SLICES, {"subject": np.arange(30)}), np.arange(30))


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s,
        lambda s: np.roll(s, (3, -2), (1, 2)),
        lambda s: s[:, :, ::-1],
        lambda s: s[:, ::-1],
        lambda s: np.clip(s * 0.9, 0, 255),
        lambda s: np.clip(s + RNG.normal(0, 4, s.shape), 0, 255),
        lambda s: 0.8 * s + 0.2 * np.roll(s, 1, 0),
    ],
)
def test_a_changed_copy_is_found_as_what_it_is(change):
    found = TRAINING.nearest(np.rint(change(SLICES.astype(float))).astype(np.uint8))
    assert (found.slices == np.arange(30)).all()
    assert found.likeness.min() > 0.9


def test_strangers_are_not_alike():
    assert TRAINING.nearest(textured()).likeness.max() < 0.7
    assert likeness(SLICES, SLICES, Band.of(64)) == pytest.approx(1)


@pytest.mark.parametrize("turn", ["none", "half a turn", "mirrored", "upside down"])
def test_turned_coefficients_are_those_of_the_turned_slice(turn):
    band = Band.of(64)
    steps = {"none": (1, 1), "half a turn": (-1, -1), "mirrored": (1, -1), "upside down": (-1, 1)}[turn]
    by_hand = texture(SLICES[:, :: steps[0], :: steps[1]], band)
    assert np.abs(turned(texture(SLICES, band), turn, band) - by_hand).max() < 1e-9


def test_black_slices_are_like_none_and_other_sizes_refused():
    assert TRAINING.nearest(np.zeros((2, 64, 64), np.uint8)).likeness == pytest.approx(0)
    with pytest.raises(InputError, match="32×32 pixels"):
        TRAINING.nearest(np.zeros((1, 32, 32), np.uint8))
