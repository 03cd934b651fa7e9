"""The training loop that every architecture shares."""

from typing import Any

from braingan.data.store import Store
from braingan.errors import InputError
from braingan.executor import keep_freed_memory
from braingan.folders import RunFolder
from braingan.models.architecture import Architecture
from braingan.models.latents import latent_batch
from braingan.progress import progress
from braingan.training.batches import Batches
from braingan.training.checkpoint import stoppable
from braingan.training.devices import Device
from braingan.training.objectives import OBJECTIVES
from braingan.training.record import Record
from braingan.training.run import check_run
from braingan.training.settings import TrainingSettings
from braingan.training.state import initial_state
from braingan.training.step import Step


def train(
    folder: RunFolder,
    store: Store,
    frames: tuple[str, ...],
    model: Architecture,
    settings: TrainingSettings,
    config: dict[str, Any],
) -> bool:
    """Train, or go on training, until the length is reached.

    Args:
        folder: the run's; a new one, or one of the same training.
        store: where the slices are.
        frames: which of its frames; empty for all.
        model: what to train.
        settings: how and how long.
        config: the run's record, its identity included; written once nothing more can be refused.

    Returns:
        whether the length was reached; False if someone asked to stop before (the state is saved).

    Raises:
        InputError: the store has no training slices, the folder is another training's, the training diverged, or
            there is trouble that it is to be stopped for.
    """
    check_run(folder, config)
    device = Device.choose(settings.precision, settings.threads)
    indices = store.select("train", frames, settings.samples, settings.seed)
    if not len(indices):
        raise InputError(f"{store.folder.root} has no training slices (of these frames): see its store.json.")
    keep_freed_memory()
    batches = Batches(store, indices, settings.batch_size, settings.seed, device.device)
    state = initial_state(model, settings, store.side, device)
    step = Step(state, OBJECTIVES[settings.objective], settings, device)
    record = Record(folder, model, settings, device, state, len(indices))
    record.go_on(config)
    with stoppable() as request, progress("train", *record.extent()) as advance:
        while not (record.finished or request.asked or record.trouble):
            real = batches.load(state.step)
            z = latent_batch(settings.seed, "training latents", state.step, len(real), model.latent_size)
            scalars = step(real, z.to(device.device, non_blocking=True))
            state.step += 1
            state.averaged.update(state.networks["generator"], len(real), record.images_seen)
            if record.note(scalars):
                step.forget()
            advance(len(real), record.word())
    finished = record.close()
    if record.trouble:
        raise InputError(
            f"{folder.root}: stopped at image {record.images_seen}, its state saved: {record.trouble}. The same "
            "command goes on with it as it is."
        )
    return finished
