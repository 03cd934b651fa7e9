"""A set of slices to compare, and its features, computed once."""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
from jaxtyping import Bool, Float32, Int, Shaped, UInt8

from braingan.data.store import Store
from braingan.evaluation.features import Extractor
from braingan.folders import replacing


@dataclass(frozen=True)
class SliceSet:
    """Slices with the subject of each."""

    images: UInt8[np.ndarray, "n side side"]
    subjects: Shaped[np.ndarray, " n"]
    columns: Mapping[str, Shaped[np.ndarray, " n"]] = field(default_factory=dict)
    """What a store says of each, such as `depth`; of generated slices what they were told, if they were."""
    cache: Path | None = None
    """Folder for features, kept by content; None keeps them in memory only."""
    masks: Bool[np.ndarray, "n side side"] | None = None
    """Where the lesions are, if that is wanted."""
    part_of: "tuple[SliceSet, Int[np.ndarray, ' n']] | None" = None
    """A larger set and the rows of it that these are: its features are theirs."""
    _features: dict[str, Float32[np.ndarray, "n d"]] = field(default_factory=dict, repr=False)
    """By the extractor's fingerprint."""

    @classmethod
    def of_store(cls, store: Store, indices: Int[np.ndarray, " n"], masks: bool = False) -> "SliceSet":
        """Take slices of a store, with their masks if wanted; their features are kept in its `derived` folder."""
        columns = {name: store.columns[name][indices] for name in ("frame", "label", "depth", "lesion_area_mm2")}
        where = store.masks(indices) > 0 if masks else None
        return cls(store.images(indices), store.columns["subject"][indices], columns, store.folder.derived, where)

    @classmethod
    def generated(
        cls,
        images: UInt8[np.ndarray, "n side side"],
        cache: Path | None = None,
        told: Mapping[str, Shaped[np.ndarray, " n"]] = MappingProxyType({}),
        masks: Bool[np.ndarray, "n side side"] | None = None,
    ) -> "SliceSet":
        """Take generated slices; each is a subject of its own."""
        return cls(images, np.asarray([f"generated {number}" for number in range(len(images))]), told, cache, masks)

    def take(self, rows: Int[np.ndarray, " m"]) -> "SliceSet":
        """Take some of the slices; features of all of them are computed together."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        masks = None if self.masks is None else self.masks[rows]
        return SliceSet(self.images[rows], self.subjects[rows], columns, masks=masks, part_of=(self, rows))

    def __len__(self) -> int:
        return len(self.images)

    def features(self, extractor: Extractor) -> Float32[np.ndarray, "n d"]:
        """Return a row of features per slice."""
        if self.part_of is not None:
            whole, rows = self.part_of
            return np.asarray(whole.features(extractor)[rows])
        if extractor.fingerprint not in self._features:
            self._features[extractor.fingerprint] = self._load_or_compute(extractor)
        return self._features[extractor.fingerprint]

    def _load_or_compute(self, extractor: Extractor) -> Float32[np.ndarray, "n d"]:
        if self.cache is None:
            return extractor.features(self.images)
        content = hashlib.sha256(extractor.fingerprint.encode() + np.ascontiguousarray(self.images).tobytes())
        path = self.cache / f"features-{extractor.name}-{content.hexdigest()[:16]}.npy"
        with suppress(OSError, ValueError, EOFError):  # it is not there, or is damaged
            cached: Float32[np.ndarray, "n d"] = np.load(path, allow_pickle=False)
            return cached
        found = extractor.features(self.images)
        with suppress(OSError), replacing(path) as temporary, temporary.open("wb") as file:
            np.save(file, found)  # a store that can't be written to keeps none
        return found
