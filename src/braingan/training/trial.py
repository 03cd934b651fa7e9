"""What a training will take, from its first ten steps; nothing is written."""

import statistics
import time
from dataclasses import dataclass

from braingan.data.store import Store
from braingan.executor import keep_freed_memory
from braingan.models.architecture import Architecture, count_parameters
from braingan.models.latents import latent_batch
from braingan.training.batches import training_batches
from braingan.training.devices import Device
from braingan.training.objectives import objective
from braingan.training.settings import TrainingSettings
from braingan.training.state import initial_state
from braingan.training.step import Step

STEPS = 10


@dataclass(frozen=True)
class Trial:
    """The first steps of a training."""

    device: str
    images_per_second: float
    images: int
    """Of the whole training."""
    seconds: float
    """Of the whole training, without grids, snapshots and checkpoints."""
    memory: int
    """Bytes at the peak: of the GPU, or of this process where there is none."""
    parameters: dict[str, tuple[int, int]]
    """Total and trainable ones of each network."""


def try_steps(store: Store, frames: tuple[str, ...], model: Architecture, settings: TrainingSettings) -> Trial:
    """Take ten steps, and reckon what all will take.

    Raises:
        InputError: as `train`.
    """
    device = Device.choose(settings.precision, settings.threads)
    keep_freed_memory()
    batches = training_batches(store, frames, model, settings, device.device)
    size = model.latent_size(store.side, batches.vocabulary)
    state = initial_state(model, settings, batches.examples(), len(batches.indices), device, batches.vocabulary)
    step = Step(state, objective(model, settings.objective), settings, device)
    seconds = []
    for number in range(STEPS):
        begun = time.monotonic()
        z = latent_batch(settings.seed, "training latents", number, settings.batch_size, size)
        scalars = step(batches.load(number), z.to(device.device))
        state.averaged.update(state.networks["generator"], settings.batch_size, (number + 1) * settings.batch_size)
        scalars["generator_loss"].item()  # waits for a GPU
        seconds.append(time.monotonic() - begun)
    rate = settings.batch_size / statistics.median(seconds[STEPS // 2 :])
    images = settings.epochs * len(batches.indices)
    length = images / rate
    if settings.minutes:
        length = min(length, settings.minutes * 60)
    parameters = {name: count_parameters(network) for name, network in state.networks.items()}
    return Trial(device.describe(), rate, round(length * rate), length, device.peak_memory(), parameters)
