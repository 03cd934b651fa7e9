"""The training loop that every architecture shares."""

from dataclasses import asdict
from typing import Any

from braingan.data.store import Store
from braingan.errors import InputError
from braingan.executor import keep_freed_memory
from braingan.folders import RunFolder
from braingan.models.architecture import Architecture
from braingan.models.latents import latent_batch
from braingan.progress import progress
from braingan.training.batches import training_batches
from braingan.training.checkpoint import stoppable
from braingan.training.devices import Device
from braingan.training.objectives import objective
from braingan.training.parallel import ALONE, Ranks
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
        InputError: the store has no training slices, the folder is another training's, the batch can't be shared out
            equally, the training diverged, or there is trouble that it is to be stopped for.
    """
    check_run(folder, config)
    device = Device.choose(settings.precision, settings.threads, ranks)
    keep_freed_memory()
    share = ranks.share(settings.batch_size)
    batches = training_batches(store, frames, model, settings, device.device, share)
    size = model.latent_size(store.side, batches.vocabulary)
    state = initial_state(model, settings, batches.examples(), len(batches.indices), device, batches.vocabulary)
    step = Step(state, objective(model, settings.objective), settings, device, ranks)
    record = Record(folder, model, settings, device, state, len(batches.indices), size, ranks)
    with ranks.writer_first():
        record.go_on({**config, "vocabulary": asdict(batches.vocabulary)})
    ranks.insist_same(config["identity"], state.step)
    began = state.step
    shown = progress("train", *record.extent(), shown=ranks.writes)
    with record.noting_failure():
        with stoppable() as request, shown as advance:
            while not (
                record.complete or record.trouble or ranks.any(record.late or request.asked, state.step - began)
            ):
                z = latent_batch(settings.seed, "training latents", state.step, settings.batch_size, size)
                scalars = step(batches.load(state.step), z[share].to(device.device, non_blocking=True))
                state.step += 1
                state.averaged.update(state.networks["generator"], settings.batch_size, record.images_seen)
                if record.note(scalars):
                    step.forget()
                advance(settings.batch_size, record.word())
        finished = record.close()
    if record.trouble:
        raise InputError(
            f"{folder.root}: stopped at image {record.images_seen}, its state saved: {record.trouble}. The same "
            "command goes on with it as it is."
        )
    return finished
