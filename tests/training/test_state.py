"""Sums over steps, and what a state takes over from a checkpoint."""

import torch

from braingan.models.architecture import Real
from braingan.training.devices import Device
from braingan.training.settings import TrainingSettings
from braingan.training.state import Tally, initial_state
from runs import Tiny


def test_a_checkpoint_of_a_gpu_goes_on_here_as_here():
    """Capturable is what the device is, not what the checkpoint's was."""
    examples = Real.alone(torch.zeros(4, 1, 8, 8))
    state = initial_state(Tiny(), TrainingSettings(), examples, 4, Device.choose("float32", 1))
    saved = state.to_dict()
    for of in saved["optimizers"].values():
        for group in of["param_groups"]:
            group["capturable"] = True
    state.restore(saved)
    groups = [group for optimizer in state.optimizers.values() for group in optimizer.param_groups]
    assert groups
    assert not any(group["capturable"] for group in groups)


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
