"""Checkpoints from which a training goes on as if it had never stopped.

A checkpoint is one file: the state, then its SHA-256. It is written whole or not at all, and a flipped byte is
noticed, which `torch.load` would not.
"""

import hashlib
import io
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from braingan.errors import InputError
from braingan.folders import write_bytes

KEPT = 2
DIGEST_BYTES = 32


def save_checkpoint(folder: Path, images_seen: int, state: dict[str, Any]) -> None:
    """Write a checkpoint and remove all but the last two."""
    content = io.BytesIO()
    torch.save(state, content)
    payload = content.getvalue()
    write_bytes(folder / f"{images_seen:012d}.pt", payload + hashlib.sha256(payload).digest())
    for old in [*_newest_first(folder)[KEPT:], *folder.glob(".*.tmp")]:
        old.unlink()


def load_checkpoint(folder: Path, device: torch.device) -> tuple[dict[str, Any] | None, list[str]]:
    """Read the newest whole checkpoint, and say which damaged ones were passed over.

    Returns:
        the state, None where there is no checkpoint at all; and a sentence per damaged one.

    Raises:
        InputError: there are checkpoints, but all are damaged.
    """
    damaged: list[str] = []
    for path in _newest_first(folder):
        content = path.read_bytes()
        payload, digest = content[:-DIGEST_BYTES], content[-DIGEST_BYTES:]
        if hashlib.sha256(payload).digest() == digest:
            for name in damaged:  # or they would count among the last two
                (folder / name).unlink()
            state = torch.load(io.BytesIO(payload), map_location=device, weights_only=True)
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
