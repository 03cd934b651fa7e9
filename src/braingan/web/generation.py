"""Slices on request: one request at a time, others wait in a short queue, none for long."""

import base64
import io
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from braingan.data.conditions import UNTOLD, Row
from braingan.errors import InputError
from braingan.evaluation.gate import Gate
from braingan.evaluation.material import open_store_of
from braingan.folders import RunFolder
from braingan.sampling.generator import MICRO_BATCH, TrainedGenerator
from braingan.sampling.interpolate import way

MOST, QUEUE, SECONDS = 64, 8, 60.0
WALK = 12
NOTE = "synthetic brain MRI, made by braingan; not for clinical use"


@dataclass
class Workshop:
    """Opened generators and gates; the lock that lets one request work."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: int = 0
    _generators: dict[tuple[Path, int], TrainedGenerator] = field(default_factory=dict)
    _gates: dict[Path, Gate | None] = field(default_factory=dict)

    @contextmanager
    def turn(self) -> Iterator[float]:
        """Wait for one's turn; yield when it has to end.

        Raises:
            InputError: too many wait already, or it took too long.
        """
        if self.waiting >= QUEUE:
            raise InputError("Others wait for slices already: try again in a moment.")
        self.waiting += 1
        try:
            if not self.lock.acquire(timeout=SECONDS):
                raise InputError("Others' slices took too long: try again in a moment.")
        finally:
            self.waiting -= 1
        try:
            yield time.monotonic() + SECONDS
        finally:
            self.lock.release()

    def generator(self, run: RunFolder) -> TrainedGenerator:
        """Open a run's last snapshot, once."""
        snapshots = run.snapshots()
        key = run.root, snapshots[-1].images_seen if snapshots else 0
        if key not in self._generators:
            self._generators = {k: v for k, v in self._generators.items() if k[0] != run.root}
            self._generators[key] = TrainedGenerator.open(run)
        return self._generators[key]

    def gate(self, run: RunFolder) -> Gate | None:
        """Open the gate of a run's store, once; None where the store is gone or too small."""
        if run.root not in self._gates:
            try:
                store = open_store_of(run, None)
                frames = tuple(self.generator(run).config["recipe"]["data"]["frames"])
                self._gates[run.root] = Gate.of_store(store, frames)
            except InputError:
                self._gates[run.root] = None
        return self._gates[run.root]

    def slices(self, run: RunFolder, count: int, seed: int, wish: Row = UNTOLD) -> UInt8[np.ndarray, "n side side"]:
        """Make the first slices of a seed.

        Raises:
            InputError: the count is out of bounds, or time is up.
        """
        if not 1 <= count <= MOST or not 0 <= seed < 2**53:
            raise InputError(f"Ask for 1 to {MOST} slices of a seed from 0 on.")
        with self.turn() as end:
            generator, made = self.generator(run), []
            for start in range(0, count, MICRO_BATCH):
                if time.monotonic() > end:
                    raise InputError(f"That took longer than {SECONDS:g} seconds: ask for fewer slices.")
                made.append(generator.some(seed, range(start, min(start + MICRO_BATCH, count)), wish))
            return np.concatenate(made)

    def walk(self, run: RunFolder, seed: int, wish: Row = UNTOLD) -> UInt8[np.ndarray, "n side side"]:
        """Make slices on the way between the first two latents of a seed."""
        with self.turn():
            generator = self.generator(run)
            return generator.make(*way(generator, "latents", WALK, seed, wish))[:, 0]


def png(pixels: UInt8[np.ndarray, "height width"], note: str = NOTE, level: int = 6) -> bytes:
    """Return slices as PNG that says that they are synthetic; at level 0 all of one size have one length."""
    info, content = PngInfo(), io.BytesIO()
    if note:
        info.add_text("Description", note)
    Image.fromarray(pixels).save(content, "PNG", pnginfo=info, compress_level=level)
    return content.getvalue()


def uri(pixels: UInt8[np.ndarray, "height width"]) -> str:
    """Return slices as a data URI."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()


def archive(slices: UInt8[np.ndarray, "n side side"], seed: int, made_by: str) -> bytes:
    """Return slices as PNG files in a zip archive."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as files:
        for number, pixels in enumerate(slices):
            files.writestr(
                f"synthetic_{number:06d}.png", png(pixels, f"{NOTE}: {made_by}, seed {seed}, number {number}")
            )
    return content.getvalue()


def facts(generator: TrainedGenerator) -> dict[str, Any]:
    """Return what can be wished for, for the form."""
    words = generator.vocabulary
    return {"frames": words.frames, "labels": words.labels, "depth": words.depth, "lesion": words.lesion}
