"""Checkpoints from which a training goes on as if it had never stopped.

A checkpoint is one file: the state, then its SHA-256. It is written whole or not at all, and a flipped byte is
noticed, which `torch.load` would not. The training waits only while its state is copied in memory: a thread writes.
"""

import hashlib
import io
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from braingan.errors import InputError
from braingan.folders import replacing
from braingan.training.state import copied

KEPT = 2
DIGEST_BYTES = 32


class CheckpointWriter:
    """Writes checkpoints into a folder, one after another, beside the training."""

    SHARE = 1 / 50
    """Most of the training's time that checkpoints may take."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder, self.seconds = folder, seconds
        self.saved = time.monotonic()
        self.cost = 0.0
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None
        self._bytes = 0

    @property
    def due(self) -> bool:
        """Whether it is time for another."""
        return time.monotonic() - self.saved >= max(self.seconds, self.cost / self.SHARE)

    @property
    def writing(self) -> bool:
        """Whether a checkpoint is being written."""
        return self._thread is not None and self._thread.is_alive()

    def save(self, images_seen: int, state: dict[str, Any]) -> None:
        """Copy a state and begin to write it, once the one before is written; as `wait`."""
        begun = time.monotonic()
        self.wait()
        self._thread = threading.Thread(target=self._write, args=(images_seen, copied(state)))
        self._thread.start()
        self.saved = time.monotonic()
        self.cost = self.saved - begun

    def forget_after(self, images_seen: int) -> None:
        """Remove the checkpoints of later states, once an earlier one was taken up again and saved."""
        self.wait()
        for path in _newest_first(self.folder):
            if int(path.stem) > images_seen:
                path.unlink()

    def wait(self) -> None:
        """Wait until all is written.

        Raises:
            InputError: it can't be, with the reason and the way out.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        error, self._error = self._error, None
        if error is not None:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise InputError(
                f"{self.folder}: no checkpoint can be written ({reason}), {self._bytes / 2**20:.0f} "
                "MiB are needed: mend that, and the same command goes on from the last one."
            ) from error

    def _write(self, images_seen: int, state: dict[str, Any]) -> None:
        try:
            content = io.BytesIO()
            torch.save(state, content)
            payload = content.getbuffer()
            self._bytes = len(payload)
            with replacing(self.folder / f"{images_seen:012d}.pt") as path, path.open("wb") as file:
                file.write(payload)
                file.write(hashlib.sha256(payload).digest())
            for old in [*_newest_first(self.folder)[KEPT:], *self.folder.glob(".*.tmp")]:
                old.unlink()
        except Exception as error:  # said by `wait`, not lost with the thread
            self._error = error


def load_checkpoint(folder: Path) -> tuple[dict[str, Any] | None, list[str]]:
    """Read the newest whole checkpoint, and say which damaged ones were passed over.

    Returns:
        the state, None where there is no checkpoint at all; and a sentence per damaged one.

    Raises:
        InputError: there are checkpoints, but all are damaged.
    """
    damaged: list[str] = []
    for path in _newest_first(folder):
        content = path.read_bytes()
        payload, digest = memoryview(content)[:-DIGEST_BYTES], content[-DIGEST_BYTES:]
        if hashlib.sha256(payload).digest() == digest:
            for name in damaged:  # or they would count among the last two
                (folder / name).unlink()
            state = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
            return state, [f"checkpoint {name} is damaged and was passed over" for name in damaged]
        damaged.append(path.name)
    if damaged:
        raise InputError(f"{folder}: every checkpoint is damaged; delete this folder's run to train it anew.")
    return None, damaged


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.pt"), reverse=True)


class StopRequest:
    """Whether someone asked to stop; read between steps, when the state is whole."""

    asked = False


@contextmanager
def stoppable() -> Iterator[StopRequest]:
    """Turn the first Ctrl-C or termination signal into a request to stop; a second one stops at once."""
    request = StopRequest()

    def ask(number: int, frame: FrameType | None) -> None:
        if request.asked:
            raise KeyboardInterrupt
        request.asked = True

    try:
        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread, where no signal arrives
        before = {}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
