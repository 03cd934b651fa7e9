"""The training loop that every architecture shares."""

from typing import Any

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
from braingan.training.parallel import ALONE, Ranks
from braingan.training.record import Record
from braingan.training.run import check_run
from braingan.training.settings import TrainingSettings
from braingan.training.state import initial_state


def train(
    folder: RunFolder,
    store: Store,
    frames: tuple[str, ...],
    model: Architecture,
    settings: TrainingSettings,
    config: dict[str, Any],
    ranks: Ranks = ALONE,
) -> bool:
    """Train, or go on training, until the length is reached.

    Args:
        folder: the run's; a new one, or one of the same training.
        store: where the slices are.
        frames: which of its frames; empty for all.
        model: what to train.
        settings: how and how long.
        config: the run's record, its identity included; written once nothing more can be refused.
        ranks: the processes that train together; each calls this, one of them writes.

    Returns:
        whether the length was reached; False if someone asked to stop before (the state is saved).

    Raises:
        InputError: the store has no training slices, the folder is another training's, the batch cannot be
            shared out equally, or the training diverged.
    """
    check_run(folder, config)
    device = Device.choose(settings.precision, settings.threads, ranks)
    indices = store.select("train", frames, settings.samples, settings.seed)
    if not len(indices):
        raise InputError(f"{store.folder.root} has no training slices (of these frames): see its store.json.")
    share = ranks.share(settings.batch_size)
    batches = Batches(store, indices, settings.batch_size, settings.seed, share)
    objective = OBJECTIVES[settings.objective]
    state = initial_state(model, settings, store.side, device)
    ranks.synchronise(state.networks)
    record = Record(folder, model, settings, device, state, len(indices), ranks.writes)
    with ranks.writer_first():
        record.go_on(config)
    ranks.insist_same(config["identity"], state.step)
    began = state.step
    with stoppable() as request, progress("train", *record.extent(), shown=ranks.writes) as advance:
        while not record.complete and not ranks.any(record.late or request.asked, state.step - began):
            real = batches.load(state.step, device.device)
            z = latent_batch(settings.seed, "training latents", state.step, settings.batch_size, model.latent_size)
            scalars = objective.gradients(state.networks, real, z[share].to(device.device), device.autocast)
            for name, optimizer in state.optimizers.items():
                ranks.average_gradients(state.networks[name])
                optimizer.step()
            state.step += 1
            state.averaged.update(state.networks["generator"], settings.batch_size, record.images_seen)
            record.note(ranks.mean(scalars))
            advance(settings.batch_size, record.word())
    return record.close()
