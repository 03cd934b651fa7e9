"""The log as curves for TensorBoard (extra `tensorboard`)."""

from collections.abc import Mapping
from pathlib import Path

from braingan.errors import InputError


class Curves:
    """Writes scalars beside the log."""

    def __init__(self, folder: Path, images_seen: int) -> None:
        """Open a folder; what it holds of later images is taken back.

        Raises:
            InputError: tensorboard is not installed.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise InputError(
                "training.tensorboard needs a package that is absent: pip install 'braingan[tensorboard]'."
            ) from error
        self._writer = SummaryWriter(str(folder), purge_step=images_seen + 1)

    def add(self, scalars: Mapping[str, float], images_seen: int) -> None:
        """Add a point to each curve."""
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, images_seen)
        self._writer.flush()
