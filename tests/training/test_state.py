"""Sums over steps."""

import torch

from braingan.training.state import Tally


def test_means_are_over_the_steps_with_the_same_scalars():
    tally = Tally()
    assert tally.means() == {}
    for loss in (1.0, 3.0):
        tally.add({"loss": torch.tensor(loss)})
    assert tally.means() == {"loss": 2.0}
    for loss in (5.0, 6.0):
        tally.add({"loss": torch.tensor(loss), "error": torch.tensor(1.0)})
    assert tally.means() == {"loss": 5.5, "error": 1.0}
    assert tally.steps == 2
