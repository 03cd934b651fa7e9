"""What a training writes, and when: rows of its log, grids of samples, checkpoints and snapshots."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from braingan.data.store import from_model_range
from braingan.errors import InputError
from braingan.folders import RunFolder
from braingan.models.architecture import Architecture, untold
from braingan.models.latents import latents
from braingan.training.checkpoint import CheckpointWriter, load_checkpoint
from braingan.training.curves import Curves
from braingan.training.devices import Device
from braingan.training.health import WINDOW
from braingan.training.parallel import ALONE, Ranks
from braingan.training.run import (
    add_event,
    mosaic,
    read_log,
    write_config,
    write_log,
    write_synthetic_png,
    write_weights,
)
from braingan.training.settings import TrainingSettings
from braingan.training.state import State, Tally
from braingan.training.step import NO_MEMORY

GRID = 64
"""Slices in the grid of an epoch, always from the same latents."""
KEEP_EVERY = 10
"""Windows between two states that are kept to go back to."""
MOST_ROLLBACKS = 5
"""After so many the learning rate is a thirty-second of what it was, and trouble is no longer its fault."""


def has_grid(epoch: int) -> bool:
    """Whether an epoch's grid is written: the first ten, every fifth to 100, every fiftieth to 1000, …."""
    return epoch <= 10 or epoch % (10 ** (len(str(epoch)) - 1) // 2) == 0


@dataclass
class Record:
    """A training's folder and clock: what is written when."""

    folder: RunFolder
    model: Architecture
    settings: TrainingSettings
    device: Device
    state: State
    slices: int
    latent_size: int
    ranks: Ranks = ALONE
    """Processes that train together: all note the same, but one has the folder and the clock."""
    rows: list[dict[str, str]] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    began_finished: bool = False
    trouble: str = ""
    """What the training is to be stopped for."""
    curves: Curves | None = None

    def __post_init__(self) -> None:
        self.checkpoints = CheckpointWriter(self.folder.checkpoints, self.settings.checkpoint_seconds)

    @property
    def images_seen(self) -> int:
        """Training images so far."""
        return self.state.step * self.settings.batch_size

    @property
    def seconds(self) -> float:
        """Wall-clock seconds of training, those before an interruption included."""
        return self.state.seconds + time.monotonic() - self.started

    @property
    def finished(self) -> bool:
        """Whether the length is reached."""
        return self.late or self.complete

    @property
    def late(self) -> bool:
        """Whether the time is up, by the clock of the process that writes."""
        return self.ranks.writes and self.settings.minutes > 0 and self.seconds >= self.settings.minutes * 60

    @property
    def complete(self) -> bool:
        """Whether all images have been seen."""
        return self.images_seen >= self.settings.epochs * self.slices

    def extent(self) -> tuple[int, str, int]:
        """Total (0: unknown, where the clock ends it), unit and what is done, for the progress bar."""
        return 0 if self.settings.minutes else self.settings.epochs * self.slices, "images", self.images_seen

    def word(self) -> str:
        """The time of a training that the clock ends, and the last epoch's losses, for the progress bar."""
        last = self.rows[-1] if self.rows else None
        clock = f"minute {self.seconds / 60:.1f} of {self.settings.minutes:g} " if self.settings.minutes else ""
        return clock + (f"D {last['discriminator_loss']} G {last['generator_loss']}" if last else "")

    def go_on(self, config: dict[str, Any]) -> None:
        """Take over the last checkpoint, if there is one; say in the folder what it is and that work goes on.

        A training that is finished already is left as it is, its record of a greater length included.
        """
        saved, damaged = load_checkpoint(self.folder.checkpoints)
        if saved is not None:
            try:
                self.state.restore(saved)
            except (KeyError, TypeError, ValueError, RuntimeError) as error:
                if any(words in str(error) for words in NO_MEMORY):
                    raise
                raise InputError(
                    f"{self.folder.checkpoints}: another version of braingan wrote them: finish the run with that "
                    "one, or train into another folder."
                ) from error
        elif self.settings.trouble == "roll_back":
            self.state.keep()
        self.rows = read_log(self.folder, self.images_seen)
        self.began_finished = self.finished
        if not self.ranks.writes:
            return
        if self.settings.tensorboard:
            self.curves = Curves(self.folder.tensorboard, self.images_seen)
        for sentence in damaged:
            add_event(self.folder, self.images_seen, sentence)
        if not self.began_finished:
            write_config(self.folder, config)
            word = "started" if saved is None else f"continued at image {self.images_seen}"
            add_event(self.folder, self.images_seen, f"{word} on {self.device.describe()}")

    def note(self, scalars: dict[str, Tensor]) -> bool:
        """Add a step's scalars; at the end of an epoch write its row, grid and snapshot; at times a checkpoint.

        Returns:
            whether the state is an earlier one now, after trouble.

        Raises:
            InputError: the training has diverged, and can't be or is not to be rolled back.
        """
        before = self.images_seen - self.settings.batch_size
        self.state.epoch.add(scalars)
        self.state.window.add(scalars)
        epoch, last = self.images_seen // self.slices, before // self.slices
        window = self.state.step % WINDOW == 0
        save = self.ranks.writes and self.checkpoints.due and (window or self.ranks.world == 1)
        trouble = self.look() if window else self.state.not_finite() if epoch > last or save else ""
        if trouble and self.act(trouble):
            return True
        if epoch > last:  # several may end in one step, where a batch is larger than the training set
            self.end_epoch(epoch)
        if self.ranks.writes and any(last < wanted <= epoch for wanted in self.settings.snapshots):
            self.snapshot()
        if save:
            self.checkpoint()
        return False

    def look(self) -> str:
        """Judge a window, and say what is wrong, if anything; at times keep a good state."""
        state = self.state
        trouble = state.health.judge(state.window.means()) or state.not_finite()
        state.window = Tally()
        good = not trouble and state.health.good and state.step % (WINDOW * KEEP_EVERY) == 0
        if good and self.settings.trouble == "roll_back":
            state.keep()
        return trouble

    def act(self, trouble: str) -> bool:
        """Do what the settings say about trouble; return whether that was to roll back."""
        state, wanted = self.state, self.settings.trouble
        if wanted == "roll_back" and state.good is not None and state.rolled_back < MOST_ROLLBACKS:
            self.roll_back(trouble)
            return True
        if self.ranks.writes:
            add_event(self.folder, self.images_seen, trouble)
        if state.not_finite():
            raise InputError(
                f"{self.folder.root}: losses, gradients or weights are no longer finite at image {self.images_seen}; "
                "lower training.learning_rate and train into another folder, or set training.trouble to roll_back."
            )
        self.trouble = trouble if wanted != "go_on" else ""
        return False

    def roll_back(self, trouble: str) -> None:
        """Go back to the last good state with half the learning rate; what was written since then is removed."""
        found = self.images_seen
        self.state.roll_back()
        self.rows = [row for row in self.rows if int(row["images"]) <= self.images_seen]
        if not self.ranks.writes:
            return
        write_log(self.folder, self.rows)
        for snapshot in self.folder.snapshots():
            if snapshot.images_seen > self.images_seen:
                shutil.rmtree(snapshot.root)
        rate = self.settings.learning_rate / 2**self.state.rolled_back
        add_event(self.folder, found, f"{trouble}; rolled back to image {self.images_seen}, learning rate {rate:.3g}")
        self.checkpoint()
        self.checkpoints.forget_after(self.images_seen)

    def end_epoch(self, epoch: int) -> None:
        """Write an epoch's row, and a grid of samples where one is due."""
        means = self.state.epoch.means()
        last = self.rows[-1] if self.rows else {"images": "0", "seconds": "0"}
        rate = (self.images_seen - int(last["images"])) / max(self.seconds - float(last["seconds"]), 1e-9)
        row = {name: f"{value:.6g}" for name, value in means.items()}
        row |= {"epoch": str(epoch), "images": str(self.images_seen)}
        row |= {"seconds": f"{self.seconds:.1f}", "images_per_second": f"{rate:.1f}"}
        row["memory_mib"] = f"{self.device.peak_memory() / 2**20:.0f}"
        self.rows.append(row)
        self.state.epoch = Tally()
        if not self.ranks.writes:
            return
        write_log(self.folder, self.rows)
        if self.curves is not None:
            self.curves.add(means | {"images_per_second": rate}, self.images_seen)
        if has_grid(epoch):
            self.write_grid(epoch)

    def write_grid(self, epoch: int) -> None:
        """Write slices of the same latents as always."""
        grid = latents(self.settings.seed, "grid", range(GRID), self.latent_size)
        generator, grid = self.averaged(), grid.to(self.device.device)
        told = self.model.draw(generator, grid, untold(GRID, self.device.device))
        made = self.model.sample(generator, grid, told)
        pixels = mosaic(from_model_range(made[:, 0].cpu().numpy()), 8)
        write_synthetic_png(self.folder.samples / f"epoch-{epoch:05d}.png", pixels, f"epoch {epoch}")

    def averaged(self) -> nn.Module:
        """The generator with averaged weights, ready to sample."""
        return self.state.averaged.ready(self.latent_size, self.settings.seed)

    def checkpoint(self) -> None:
        """Save the state."""
        self.checkpoints.save(self.images_seen, self.state.to_dict() | {"seconds": self.seconds})

    def snapshot(self) -> None:
        """Keep both players; the generator with averaged weights."""
        kept = self.folder.snapshot(self.images_seen)
        networks = {**dict(self.state.networks.items()), "generator": self.averaged()}
        for name in sorted(networks):  # the discriminator, then the generator, which marks the snapshot as whole
            write_weights(kept.weights(name), networks[name])

    @contextmanager
    def noting_failure(self) -> Iterator[None]:
        """Note in the folder why a training failed, so that nobody takes it for one that goes on."""
        try:
            yield
        except Exception as error:
            if self.ranks.writes:
                reason = str(error).removeprefix(f"{self.folder.root}: ") or type(error).__name__
                with suppress(Exception):  # a full disk, or a damaged file, must not hide its own sentence
                    add_event(self.folder, self.images_seen, f"failed: {reason.splitlines()[0]}")
            raise

    def close(self) -> bool:
        """Save the last state, as a snapshot too where the length is reached; return whether it is."""
        finished = self.finished
        if not self.ranks.writes:
            return finished
        if finished and not self.folder.snapshot(self.images_seen).weights("generator").exists():
            self.snapshot()
        if not self.began_finished:
            self.checkpoint()
            self.checkpoints.wait()
            why = "for trouble" if self.trouble else "on request"
            add_event(self.folder, self.images_seen, "finished" if finished else f"stopped {why}")
        return finished
