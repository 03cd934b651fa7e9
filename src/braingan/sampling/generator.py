"""A trained generator: slices from a seed and a number, and from what is wished for.

A wish is a row of conditions (`braingan.data.conditions`), whose gaps each slice fills by its own latent. The same
seed, number and wish are the same slice, whatever is made beside it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from safetensors.torch import load_file
from torch import Tensor, nn

from braingan.data.conditions import NO_WORDS, UNTOLD, Row, Rows, Vocabulary
from braingan.data.store import from_model_range
from braingan.errors import InputError
from braingan.folders import RunFolder, SnapshotFolder, read_json
from braingan.models import parse_model
from braingan.models.architecture import Architecture, channels_last
from braingan.models.latents import latents
from braingan.training.devices import CPU
from braingan.training.run import read_config

MICRO_BATCH = 16
"""Slices are always made so many at a time: a batch of 64 and one of 1 differ by rounding."""


class Exported(SnapshotFolder):
    """What `braingan export` wrote: the weights lie beside `config.json`, which says how many images they saw."""

    @property
    def images_seen(self) -> int:
        """Training images that the networks had seen."""
        return int(read_json(RunFolder(self.root).config)["images_seen"])


@dataclass(frozen=True)
class TrainedGenerator:
    """The networks of one snapshot of a run, in evaluation mode; imported and exported ones may be generators alone."""

    run: RunFolder
    config: dict[str, Any]
    snapshot: SnapshotFolder
    model: Architecture
    networks: nn.ModuleDict
    vocabulary: Vocabulary = NO_WORDS
    """What can be wished for."""
    device: torch.device = CPU
    """Where its networks lie."""
    _last: dict[tuple[int, int, bytes], UInt8[np.ndarray, "n k side side"]] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, run: RunFolder, images_seen: int | None = None, device: torch.device = CPU) -> "TrainedGenerator":
        """Open the last snapshot of a run or what was exported of one, or the one after so many training images.

        Args:
            run: its folder.
            images_seen: of which snapshot; the last one by default.
            device: where slices are made, the CPU by default; on a GPU they differ by rounding.

        Raises:
            InputError: the folder is no run, or has no snapshot yet, or not that one.
        """
        config = read_config(run)
        whole = run.snapshots() or [of for of in [Exported(run.root)] if of.weights("generator").exists()]
        snapshots = [of for of in whole if images_seen in (None, of.images_seen)]
        if not snapshots:
            which = "no snapshot yet" if images_seen is None else f"no snapshot of {images_seen} images"
            raise InputError(f"{run.root} has {which}: run its `braingan train` command to the end first.")
        model, vocabulary = parse_model(config["recipe"]["model"]), Vocabulary.from_json(config.get("vocabulary", {}))
        networks = model.build(config["recipe"]["data"]["size"], vocabulary)
        for name, network in list(networks.items()):
            if name != "generator" and not snapshots[-1].weights(name).exists():
                del networks[name]
            else:
                _load(network, snapshots[-1].weights(name))
        channels_last(networks)
        return cls(run, config, snapshots[-1], model, networks.to(device).eval(), vocabulary, device)

    def slices(self, seed: int, count: int, wish: Row = UNTOLD) -> Iterator[UInt8[np.ndarray, "n side side"]]:
        """Make slices number 0 to `count` of a seed, in constant memory."""
        for start in range(0, count, MICRO_BATCH):
            yield self._micro_batch(seed, start, wish)[: count - start, 0].copy()

    def sample(self, count: int, seed: int = 0, wish: Row = UNTOLD) -> UInt8[np.ndarray, "{count} side side"]:
        """Make `count` slices, grey levels 0..255."""
        side = self.config["recipe"]["data"]["size"]
        return np.concatenate([np.empty((0, side, side), np.uint8), *self.slices(seed, count, wish)])

    def some(self, seed: int, numbers: Sequence[int], wish: Row = UNTOLD) -> UInt8[np.ndarray, "n side side"]:
        """Make single slices of a seed by number, in the order asked for; at least one."""
        return self.with_masks(seed, numbers, wish)[0]

    def with_masks(
        self, seed: int, numbers: Sequence[int], wish: Row = UNTOLD
    ) -> tuple[UInt8[np.ndarray, "n side side"], Bool[np.ndarray, "n side side"] | None]:
        """Make single slices by number with their lesion masks; None where the run makes no masks."""
        made = self._channels(seed, numbers, wish)
        return made[:, 0], made[:, 1] > 127 if self.vocabulary.masks else None

    def _channels(self, seed: int, numbers: Sequence[int], wish: Row) -> UInt8[np.ndarray, "n k side side"]:
        starts = {number: number - number % MICRO_BATCH for number in numbers}
        made = {start: self._micro_batch(seed, start, wish) for start in set(starts.values())}
        return np.stack([made[starts[number]][number % MICRO_BATCH] for number in numbers])

    def told(self, seed: int, numbers: Sequence[int], wish: Row = UNTOLD) -> Rows:
        """Return the conditions of slices by number: what is wished for, and what each drew; at least one."""
        return self.drawn(self.latents(seed, numbers), wish)

    @property
    def latent_size(self) -> int:
        """Numbers in a latent."""
        return self.model.latent_size(self.config["recipe"]["data"]["size"], self.vocabulary)

    def latents(self, seed: int, numbers: Sequence[int]) -> Float[Tensor, "n latent"]:
        """Return the latents of slices by number."""
        return latents(seed, "slice", numbers, self.latent_size)

    def drawn(self, z: Float[Tensor, "n latent"], wish: Row | Rows) -> Rows:
        """Return the conditions of slices of some latents: a wish for each or one for all, and what each draws."""
        wishes = torch.from_numpy(np.tile(UNTOLD, (len(z), 1)))
        wishes[:] = torch.from_numpy(wish)
        drawn = self.model.draw(self.networks["generator"], z.to(self.device), wishes.to(self.device))
        return drawn.cpu().numpy()

    @property
    def wish(self) -> Callable[..., Row]:
        """Makes a wish from names and numbers: `Vocabulary.row`."""
        return self.vocabulary.row

    def make(self, z: Float[Tensor, "n latent"], told: Rows) -> UInt8[np.ndarray, "n k side side"]:
        """Make slices, with their masks if the run makes some, of any latents and conditions; at least one."""
        missing = -len(z) % MICRO_BATCH
        z, rows = (torch.cat([of, of[-1:].expand(missing, -1)]) for of in (z, torch.from_numpy(told)))
        pairs = zip(*(torch.split(of.to(self.device), MICRO_BATCH) for of in (z, rows)), strict=True)
        made = [self.model.sample(self.networks["generator"], *pair).cpu().numpy() for pair in pairs]
        return from_model_range(np.concatenate(made)[: len(told)])

    def _micro_batch(self, seed: int, start: int, wish: Row) -> UInt8[np.ndarray, "n k side side"]:
        """Make a micro-batch, unless it is the last one made, of which masks may be wanted one by one."""
        key = (seed, start, wish.tobytes())
        if key not in self._last:
            z = self.latents(seed, range(start, start + MICRO_BATCH))
            self._last.clear()
            self._last[key] = self.make(z, self.drawn(z, wish))
        return self._last[key]


def _load(network: nn.Module, path: Path) -> None:
    try:
        network.load_state_dict(load_file(path))
    except Exception as error:  # safetensors raises its own kinds beside OSError
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{path} is missing, damaged, or of another version of braingan ({reason}): train the run again."
        ) from error
