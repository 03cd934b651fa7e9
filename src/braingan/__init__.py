"""From brain MRI scans to an audited set of synthetic slices."""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from braingan.sampling.generator import TrainedGenerator
    from braingan.training.dataset import StoreDataset

__version__ = "0.1.0"


def open_store(path: str | PathLike[str], split: str | None = None) -> "StoreDataset":
    """Open a store as a torch dataset, of one split or of all.

    Raises:
        InputError: there is no whole store, or no such split.
    """
    from braingan.training.dataset import StoreDataset

    return StoreDataset.open(Path(path), split)


def open_run(path: str | PathLike[str]) -> "TrainedGenerator":
    """Open a run's trained generator.

    Raises:
        InputError: there is no run, or it has no snapshot yet.
    """
    from braingan.folders import RunFolder
    from braingan.sampling.generator import TrainedGenerator

    return TrainedGenerator.open(RunFolder(Path(path)))
