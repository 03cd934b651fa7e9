"""What a training writes, and when: rows of its log, grids of samples, checkpoints and snapshots."""

import math
import time
from dataclasses import dataclass, field
from typing import Any

from safetensors.torch import save
from torch import Tensor, nn

from braingan.data.store import from_model_range
from braingan.errors import InputError
from braingan.folders import RunFolder, replacing
from braingan.models.architecture import Architecture
from braingan.models.latents import latents
from braingan.training.checkpoint import load_checkpoint, save_checkpoint
from braingan.training.devices import Device
from braingan.training.run import add_event, mosaic, read_log, write_config, write_log, write_synthetic_png
from braingan.training.settings import TrainingSettings
from braingan.training.state import State

GRID = 64
"""Slices in the grid of an epoch, always from the same latents."""


@dataclass
class Record:
    """A training's folder and clock: what is written when."""

    folder: RunFolder
    model: Architecture
    settings: TrainingSettings
    device: Device
    state: State
    slices: int
    writes: bool = True
    """False in a process beside the one that writes: all is noted alike, but the folder and the clock are not its."""
    rows: list[dict[str, str]] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    saved: float = field(default_factory=time.monotonic)
    began_finished: bool = False

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
        return self.writes and self.settings.minutes > 0 and self.seconds >= self.settings.minutes * 60

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
        saved, damaged = load_checkpoint(self.folder.checkpoints, self.device.device)
        if saved is not None:
            self.state.restore(saved)
        self.rows = read_log(self.folder, self.images_seen)
        if not self.writes:
            return
        for sentence in damaged:
            add_event(self.folder, self.images_seen, sentence)
        self.began_finished = self.finished
        if not self.began_finished:
            write_config(self.folder, config)
            word = "started" if saved is None else f"continued at image {self.images_seen}"
            add_event(self.folder, self.images_seen, f"{word} on {self.device.describe()}")

    def note(self, scalars: dict[str, Tensor]) -> None:
        """Add a step's scalars; at the end of an epoch write its row, grid and snapshot; at times a checkpoint."""
        state, before = self.state, self.images_seen - self.settings.batch_size
        state.sums = {name: state.sums[name] + s if state.summed else s.double() for name, s in scalars.items()}
        state.summed += 1
        epoch, last = self.images_seen // self.slices, before // self.slices
        if epoch > last:  # several may end in one step, where a batch is larger than the training set
            self.end_epoch(epoch)
        if not self.writes:
            return
        if any(last < wanted <= epoch for wanted in self.settings.snapshots):
            self.snapshot()
        if time.monotonic() - self.saved >= self.settings.checkpoint_seconds:
            self.checkpoint()

    def end_epoch(self, epoch: int) -> None:
        """Write an epoch's row and its grid of samples."""
        means = self.means()
        last = self.rows[-1] if self.rows else {"images": "0", "seconds": "0"}
        rate = (self.images_seen - int(last["images"])) / max(self.seconds - float(last["seconds"]), 1e-9)
        row = {name: f"{value:.6g}" for name, value in means.items()}
        row |= {"epoch": str(epoch), "images": str(self.images_seen)}
        row |= {"seconds": f"{self.seconds:.1f}", "images_per_second": f"{rate:.1f}"}
        self.rows.append(row)
        self.state.sums, self.state.summed = {}, 0
        if not self.writes:
            return
        write_log(self.folder, self.rows)
        grid = latents(self.settings.seed, "grid", range(GRID), self.model.latent_size)
        made = self.model.sample(self.averaged(), grid.to(self.device.device))
        pixels = mosaic(from_model_range(made[:, 0].cpu().numpy()), 8)
        write_synthetic_png(self.folder.samples / f"epoch-{epoch:05d}.png", pixels, f"epoch {epoch}")

    def means(self) -> dict[str, float]:
        """Return the mean scalars of the epoch so far."""
        means = {name: float(total) / self.state.summed for name, total in self.state.sums.items()}
        self.insist(all(math.isfinite(value) for value in means.values()))
        return means

    def insist(self, finite: bool) -> None:
        """End a training that has diverged."""
        if not finite:
            raise InputError(
                f"{self.folder.root}: losses or weights are no longer finite at image {self.images_seen}; lower "
                "training.learning_rate and train into another folder."
            )

    def averaged(self) -> nn.Module:
        """The generator with averaged weights, ready to sample."""
        return self.state.averaged.ready(self.model.latent_size, self.settings.seed)

    def checkpoint(self) -> None:
        """Save the state, unless it has diverged."""
        self.means()
        self.insist(all(bool(p.isfinite().all()) for p in self.state.networks.parameters()))
        saved = self.state.to_dict() | {"seconds": self.seconds}
        save_checkpoint(self.folder.checkpoints, self.images_seen, saved)
        self.saved = time.monotonic()

    def snapshot(self) -> None:
        """Keep both players; the generator with averaged weights."""
        kept = self.folder.snapshot(self.images_seen)
        networks = {**dict(self.state.networks.items()), "generator": self.averaged()}
        for name in sorted(networks):  # the discriminator, then the generator, which marks the snapshot as whole
            with replacing(kept.weights(name)) as path:
                weights = {key: value.contiguous() for key, value in networks[name].state_dict().items()}
                metadata = {"synthetic": "makes synthetic brain MRI, not for clinical use"}
                path.write_bytes(save(weights, metadata))  # save_file's fault on a full disk is no OSError

    def close(self) -> bool:
        """Save the last state, as a snapshot too where the length is reached; return whether it is."""
        finished = self.finished
        if not self.writes:
            return finished
        if finished and not self.folder.snapshot(self.images_seen).weights("generator").exists():
            self.snapshot()
        if not self.began_finished:
            self.checkpoint()
            add_event(self.folder, self.images_seen, "finished" if finished else "stopped on request")
        return finished
