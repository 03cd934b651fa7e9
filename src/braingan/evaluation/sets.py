"""A set of slices to compare, and its features, computed once."""

import hashlib
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int, Shaped, UInt8

from braingan.data.store import Store
from braingan.evaluation.features import Extractor
from braingan.folders import replacing


@dataclass(frozen=True)
class SliceSet:
    """Slices with the subject of each; a generated slice is a subject of its own."""

    images: UInt8[np.ndarray, "n side side"]
    subjects: Shaped[np.ndarray, " n"]
    cache: Path | None = None
    """Folder for features, kept by content; None keeps them in memory only."""
    _features: dict[str, Float32[np.ndarray, "n d"]] = field(default_factory=dict, repr=False)

    @classmethod
    def of_store(cls, store: Store, indices: Int[np.ndarray, " n"]) -> "SliceSet":
        """Take slices of a store; their features are kept in its `derived` folder."""
        return cls(store.images(indices), store.columns["subject"][indices], store.folder.derived)

    @classmethod
    def generated(cls, images: UInt8[np.ndarray, "n side side"]) -> "SliceSet":
        """Take generated slices."""
        return cls(images, np.asarray([f"generated {number}" for number in range(len(images))]))

    def __len__(self) -> int:
        return len(self.images)

    def features(self, extractor: Extractor) -> Float32[np.ndarray, "n d"]:
        """Return a row of features per slice."""
        if extractor.name not in self._features:
            self._features[extractor.name] = self._load_or_compute(extractor)
        return self._features[extractor.name]

    def _load_or_compute(self, extractor: Extractor) -> Float32[np.ndarray, "n d"]:
        if self.cache is None:
            return extractor.features(self.images)
        content = hashlib.sha256(extractor.fingerprint.encode() + np.ascontiguousarray(self.images).tobytes())
        path = self.cache / f"features-{extractor.name}-{content.hexdigest()[:16]}.npy"
        if path.exists():
            cached: Float32[np.ndarray, "n d"] = np.load(path, allow_pickle=False)
            return cached
        found = extractor.features(self.images)
        with suppress(OSError), replacing(path) as temporary, temporary.open("wb") as file:
            np.save(file, found)  # a store that can't be written to keeps none
        return found
