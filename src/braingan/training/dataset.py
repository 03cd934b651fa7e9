"""A store as a torch dataset, for any other training.

An item is a dict, as MONAI's transforms and datasets take it: tensors are channels-first, numbers and names are plain.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch.utils.data import Dataset

from braingan.data.store import SPLITS, Store
from braingan.errors import InputError

NAMES = ("subject", "frame", "label", "split")
NUMBERS = ("depth", "lesion_area_mm2")
UNKNOWN = 255
"""In a mask: nobody knows; what torch's losses are told to ignore (`ignore_index`)."""


@dataclass(frozen=True)
class StoreDataset(Dataset[dict[str, Any]]):
    """Slices of a store, in its order."""

    store: Store
    indices: Int[np.ndarray, " n"]
    """Which of the store's slices."""

    @classmethod
    def open(cls, path: Path, split: str | None = None) -> "StoreDataset":
        """Open a store.

        Raises:
            InputError: there is no whole store, or no such split.
        """
        if split is not None and split not in SPLITS:
            raise InputError(f"split {split}: there are {', '.join(SPLITS)}.")
        store = Store.open(path)
        return cls(store, np.arange(len(store)) if split is None else store.select(split))

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Return a slice.

        `image` (float32 [1, side, side], 0 black to 1 white), `subject`, `frame`, `label`, `split`, `depth` (0 to 1:
        from inferior, of coronal slices from posterior, of sagittal ones from left), `lesion_area_mm2` (NaN: unknown)
        and, in a store with label maps, `mask` (uint8 [1, side, side], the source's classes; 255 throughout where this
        slice has no label map).
        """
        if not -len(self) <= number < len(self):
            raise IndexError(number)
        index = self.indices[[number]]
        columns = {name: self.store.columns[name][index][0] for name in NAMES + NUMBERS}
        item: dict[str, Any] = {"image": torch.from_numpy(self.store.images(index)).float() / 255}
        item |= {name: str(columns[name]) for name in NAMES} | {name: float(columns[name]) for name in NUMBERS}
        if self.store.description["masks"]:
            known = np.isfinite(item["lesion_area_mm2"])
            mask = self.store.masks(index) if known else np.full((1, *item["image"].shape[1:]), UNKNOWN, np.uint8)
            item["mask"] = torch.from_numpy(mask)
        return item
