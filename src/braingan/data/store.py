"""Opens a store: memory-mapped slices and what is known of each.

A store is read in place: images stay on the disk until a batch asks for them, and the columns are read at
their first use.
"""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int, Shaped, UInt8

from braingan.errors import InputError
from braingan.folders import StoreFolder, read_json
from braingan.randomness import draws

FORMAT = 1
COLUMNS = ("subject", "volume", "frame", "position", "depth", "split", "pixel_mm", "brain_fraction",
           "lesion_area_mm2", "label")  # fmt: skip
SPLITS = ("train", "validation", "test")


def to_model_range(images: UInt8[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
    """Map grey levels 0..255 to -1..1, as generators make them."""
    return images.astype(np.float32) * np.float32(1 / 127.5) - np.float32(1)


def from_model_range(images: Float32[np.ndarray, "..."]) -> UInt8[np.ndarray, "..."]:
    """Map -1..1 back to the nearest grey level 0..255."""
    return np.clip(np.rint((images + 1) * 127.5), 0, 255).astype(np.uint8)


class Columns(dict[str, Shaped[np.ndarray, " n"]]):
    """The columns of a store, each read from its file at its first use."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def __missing__(self, name: str) -> Shaped[np.ndarray, " n"]:
        """Read a column.

        Raises:
            InputError: the file is missing or damaged.
        """
        if name not in COLUMNS:
            raise KeyError(name)
        try:
            with self._path.open("rb") as file, np.load(file, allow_pickle=False) as table:
                self[name] = table[name]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(f"{self._path} is missing or damaged: prepare the store again.") from error
        return self[name]


@runtime_checkable
class SliceSource(Protocol):
    """A store, or any slices by number."""

    @property
    def side(self) -> int:
        """Width and height of a slice in pixels."""

    @property
    def columns(self) -> Mapping[str, Shaped[np.ndarray, " n"]]:
        """At least `subject`."""

    def images(self, indices: Int[np.ndarray, " n"]) -> UInt8[np.ndarray, "n side side"]:
        """Return slices by number, in the order asked for."""


@dataclass(frozen=True)
class Store:
    """A whole store. Slices are numbered from 0 in the order of its columns."""

    folder: StoreFolder
    description: dict[str, Any]

    @classmethod
    def open(cls, path: Path) -> "Store":
        """Open a store.

        Raises:
            InputError: there is none, it is half made, or a newer braingan made it.
        """
        folder = StoreFolder(path)
        if not folder.description.exists():
            half = folder.parts.exists()
            way_out = "run the command that began it again to finish it" if half else "make one by `braingan prepare`"
            raise InputError(f"{path} is {'a half-made' if half else 'no'} store: {way_out}.")
        description = read_json(folder.description)
        if description.get("format") != FORMAT:
            raise InputError(
                f"{path} has store format {description.get('format')}, this braingan reads {FORMAT}: "
                "prepare it again, or install the version that made it."
            )
        return cls(folder, description)

    @property
    def side(self) -> int:
        """Width and height of a slice in pixels."""
        return int(self.description["side"])

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all slices and columns."""
        return str(self.description["fingerprint"])

    def __len__(self) -> int:
        return int(self.description["count"])

    @cached_property
    def columns(self) -> Columns:
        """What is known of each slice; see `COLUMNS`. Unknown numbers are NaN, or -1 for a position."""
        return Columns(self.folder.columns)

    @cached_property
    def _image_shards(self) -> list[UInt8[np.ndarray, "n side side"]]:
        return [_map(self.folder.images(shard)) for shard in range(self.description["shards"])]

    @cached_property
    def _mask_shards(self) -> list[UInt8[np.ndarray, "n side side"]]:
        return [_map(self.folder.masks(shard)) for shard in range(self.description["shards"])]

    def images(self, indices: Int[np.ndarray, " n"]) -> UInt8[np.ndarray, "n side side"]:
        """Read slices by number, in the order asked for."""
        return _read(self._image_shards, indices)

    def masks(self, indices: Int[np.ndarray, " n"]) -> UInt8[np.ndarray, "n side side"]:
        """Read label maps by slice number, in the order asked for; all 0 where a volume of the store has none.

        Raises:
            InputError: the store has no label maps.
        """
        if not self.description["masks"]:
            raise InputError(f"{self.folder.root} has no label maps: prepare a source that has some.")
        return _read(self._mask_shards, indices)

    def select(
        self, split: str, frames: tuple[str, ...] = (), count: int = 0, seed: int = 0, subjects: int = 0
    ) -> Int[np.ndarray, " n"]:
        """Return the numbers of a split's slices, sorted.

        Args:
            split: `train`, `validation` or `test`.
            frames: only these frames, whatever their case; empty for all.
            count: a seeded subset of so many; smaller ones lie within larger ones; 0 for all.
            seed: of the subset.
            subjects: of a seeded subset of so many subjects, in the same way; 0 for all.

        Raises:
            InputError: a frame is not in the store, or fewer slices or subjects are there than asked for.
        """
        wanted = self.columns["split"] == split
        if frames:
            there = np.char.lower(self.columns["frame"])
            unknown = [name for name in frames if name.lower() not in there]
            if unknown:
                has = ", ".join(np.unique(self.columns["frame"])) or "one, unnamed"
                raise InputError(f"data.frames: {', '.join(unknown)} not in the store, which has {has}.")
            wanted &= np.isin(there, [name.lower() for name in frames])
        indices = np.flatnonzero(wanted)
        if subjects:
            names = np.unique(self.columns["subject"][indices])
            if subjects > len(names):
                raise InputError(
                    f"{subjects} {split} subjects were asked for, but the store has {len(names)}: ask for fewer."
                )
            few = draws(seed, f"subjects of {split}").permutation(names)[:subjects]
            indices = indices[np.isin(self.columns["subject"][indices], few)]
        if count > len(indices):
            raise InputError(f"{count} {split} slices were asked for, but the store has {len(indices)}: ask for fewer.")
        if count:
            indices = np.sort(draws(seed, f"subset of {split}").permutation(indices)[:count])
        return indices


def _read(
    shards: list[UInt8[np.ndarray, "_ side side"]], indices: Int[np.ndarray, " n"]
) -> UInt8[np.ndarray, "n side side"]:
    starts = np.cumsum([0] + [len(shard) for shard in shards[:-1]])
    found = np.searchsorted(starts, indices, side="right") - 1
    out = np.empty((len(indices), *shards[0].shape[1:]), np.uint8)
    for number in np.unique(found):
        here = found == number
        out[here] = shards[number][indices[here] - starts[number]]
    return out


def _map(path: Path) -> UInt8[np.ndarray, "n side side"]:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} is missing or damaged: prepare the store again ({error}).") from error
