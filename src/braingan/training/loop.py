"""The training loop that every architecture shares."""

from braingan.data.store import Store
from braingan.errors import InputError
from braingan.folders import RunFolder
from braingan.models.architecture import Architecture
from braingan.models.latents import latent_batch
from braingan.progress import progress
from braingan.training.batches import Batches
from braingan.training.checkpoint import stoppable
from braingan.training.devices import Device
from braingan.training.objectives import OBJECTIVES
from braingan.training.record import Record
from braingan.training.settings import TrainingSettings
from braingan.training.state import initial_state


def train(
    folder: RunFolder, store: Store, frames: tuple[str, ...], model: Architecture, settings: TrainingSettings
) -> bool:
    """Train, or go on training, until the length is reached; the run's folder must have been begun.

    Returns:
        whether the length was reached; False if someone asked to stop before (the state is saved).

    Raises:
        InputError: the store has no training slices, or the training diverged.
    """
    device = Device.choose(settings.precision, settings.threads)
    indices = store.select("train", frames, settings.samples, settings.seed)
    if not len(indices):
        raise InputError(f"{store.folder.root} has no training slices (of these frames): see its store.json.")
    batches = Batches(store, indices, settings.batch_size, settings.seed)
    objective = OBJECTIVES[settings.objective]
    state = initial_state(model, settings, store.side, device)
    record = Record(folder, model, settings, device, state, len(indices))
    record.go_on()
    if record.finished:
        return True
    with stoppable() as request, progress("train", *record.extent()) as advance:
        while not record.finished and not request.asked:
            real = batches.load(state.step, device.device)
            z = latent_batch(settings.seed, "training latents", state.step, len(real), model.latent_size)
            scalars = objective.gradients(state.networks, real, z.to(device.device), device.autocast)
            for optimizer in state.optimizers.values():
                optimizer.step()
            state.step += 1
            state.averaged.update(state.networks["generator"], len(real), record.images_seen)
            record.note(scalars)
            advance(len(real), record.word())
    record.close()
    return record.finished
