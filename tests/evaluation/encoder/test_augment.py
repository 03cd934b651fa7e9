"""What changes from one showing of a slice to the next, and what is said of it."""

import numpy as np
import torch

from braingan.evaluation.encoder import augment

ROW, COLUMN = np.mgrid[:64, :64] - 31.5
DISCS = torch.from_numpy(ROW**2 + COLUMN**2 < 20**2).float().expand(64, 1, 64, 64)


def test_the_same_step_shows_the_same_and_another_step_something_else():
    (first, lesions), (again, _), (other, _) = (augment.augmented(0.8 * DISCS[:4], None, 1, step) for step in (5, 5, 6))
    assert (first == again).all()
    assert (first != other).any()
    assert (first[0] != first[1]).any()
    assert first.shape == (4, 1, 64, 64)
    assert 0 <= first.min() < first.max() <= 1
    assert lesions is None


def test_lesions_move_with_their_slices(monkeypatch):
    for name in ("GAIN", "BEND", "NOISE"):
        monkeypatch.setattr(augment, name, 0.0)
    slices, lesions = augment.augmented(0.8 * DISCS, DISCS, 0, 0)
    torch.testing.assert_close(slices, 0.8 * lesions)
    larger = (lesions.sum(dim=(1, 2, 3)) / DISCS[0].sum()).sqrt().log()  # as a lengthening
    assert -0.065 < larger.min() < -0.05
    assert 0.05 < larger.max() < 0.065
