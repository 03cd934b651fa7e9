"""Slices on request: one request at a time, others wait in a short queue, none for long."""

import base64
import io
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydantic import BaseModel, BeforeValidator

from braingan.data.conditions import Row
from braingan.errors import InputError
from braingan.evaluation.gate import Gate
from braingan.evaluation.material import open_store_of
from braingan.folders import RunFolder, read_json
from braingan.report.figures import loss_curves
from braingan.report.pictures import Pair, pairs
from braingan.sampling.generator import MICRO_BATCH, TrainedGenerator
from braingan.sampling.interpolate import way
from braingan.study.reading import FRESH_SEED
from braingan.training.run import mosaic, read_config

MOST, QUEUE, SECONDS = 64, 8, 60.0
NONE_YET = "There are no slices yet: they come with the first snapshot."
SIDE_BY_SIDE, OPEN = 8, 8
"""Slices of each run, and generators that stay open."""
NOTE = "synthetic brain MRI, made by braingan; not for clinical use"
CHANCE = 2 * float(np.log(2))
Number = Annotated[float | None, BeforeValidator(lambda given: None if given == "" else given)]
"""In a form, where nothing typed is nothing wished for."""


class Busy(InputError):
    """Others come first: the same may be asked again soon."""


class Asked(BaseModel):
    """What a form asks for."""

    count: int = 16
    seed: int = 0
    frame: str = ""
    label: str = ""
    depth: Number = None
    lesion: Number = None
    walk: bool = False
    """On the way between the first two latents of the seed, instead of its first slices."""

    @property
    def query(self) -> dict[str, Any]:
        """The same for an address."""
        return self.model_dump(exclude_none=True)

    def wish(self, generator: TrainedGenerator) -> Row:
        """Return it as a run's generator takes it.

        Raises:
            InputError: it was not trained, with what was.
        """
        return generator.wish(self.frame or None, self.label or None, self.depth, self.lesion)


@dataclass
class Workshop:
    """Opened generators, of use only in one's turn, gates, and what was drawn for pages."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    places: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(QUEUE))
    """In the queue."""
    setting_up: threading.Lock = field(default_factory=threading.Lock)
    drawing: threading.Lock = field(default_factory=threading.Lock)
    """matplotlib's settings are those of all threads."""
    _generators: dict[tuple[Path, int], TrainedGenerator] = field(default_factory=dict)
    """By folder, and when its weights were written."""
    _gates: dict[tuple[str, ...], "Future[Gate | None]"] = field(default_factory=dict)
    """By store and frames; None where there are too few slices for one."""
    _losses: dict[Path, tuple[int, str]] = field(default_factory=dict)
    _first: dict[Path, tuple[int, dict[str, str]]] = field(default_factory=dict)
    _nearest: dict[Path, tuple[int, list[Pair]]] = field(default_factory=dict)

    @contextmanager
    def turn(self) -> Iterator[float]:
        """Wait for one's turn; yield when it has to end.

        Raises:
            Busy: too many wait already, or it took too long.
        """
        if not self.places.acquire(blocking=False):
            raise Busy("Others wait for slices already: try again in a moment.")
        try:
            if not self.lock.acquire(timeout=SECONDS):
                raise Busy("Others' slices took too long: try again in a moment.")
        finally:
            self.places.release()
        try:
            yield time.monotonic() + SECONDS
        finally:
            self.lock.release()

    def generator(self, run: RunFolder) -> TrainedGenerator:
        """Open a run's last snapshot, once."""
        key = run.root, _written(run)
        if key not in self._generators:
            kept = [(k, v) for k, v in self._generators.items() if k[0] != run.root]
            self._generators = dict(kept[-OPEN + 1 :])
            self._generators[key] = TrainedGenerator.open(run)
        return self._generators[key]

    def begin_gate(self, run: RunFolder) -> "Future[Gate | None]":
        """Begin, once, to set up the gate of a run's store: it looks at all training slices, in a thread of its own.

        Raises:
            InputError: the store is gone.
        """
        config = read_config(run)
        frames = tuple(config["recipe"]["data"]["frames"])
        key = config["identity"]["store"], *frames
        with self.setting_up:
            if key in self._gates:
                return self._gates[key]
            of_store = partial(Gate.of_store, open_store_of(run, None), frames)
            coming = self._gates[key] = Future()
            threading.Thread(target=self._set_up, args=(key, coming, of_store), daemon=True).start()
            return coming

    def _set_up(self, key: tuple[str, ...], coming: "Future[Gate | None]", of_store: Callable[[], Gate]) -> None:
        try:
            coming.set_result(of_store())
        except InputError:
            coming.set_result(None)
        except BaseException as error:  # to be raised where the gate is wanted, and tried again
            del self._gates[key]
            coming.set_exception(error)

    def gate(self, run: RunFolder, end: float) -> Gate | None:
        """Return the gate of a run's store; None while the store is gone, or where it is too small.

        Raises:
            Busy: it is not ready at the `end` of one's turn.
        """
        try:
            coming = self.begin_gate(run)
        except InputError:
            return None
        try:
            return coming.result(end - time.monotonic())
        except TimeoutError as error:
            raise Busy("Training slices are still looked through for the first time: try again soon.") from error

    def slices(self, run: RunFolder, asked: Asked) -> UInt8[np.ndarray, "n side side"]:
        """Make the first slices of a seed.

        Raises:
            InputError: the count is out of bounds, the wish was not trained, or time is up.
        """
        with self.turn() as end:
            return self._make(run, asked, end)

    def judged(
        self, run: RunFolder, asked: Asked
    ) -> tuple[UInt8[np.ndarray, "n side side"], Bool[np.ndarray, " n"] | None]:
        """Make the first slices of a seed, and say which the gate refuses; None where there is no gate.

        Raises:
            InputError: as `slices`.
        """
        with self.turn() as end:
            made, gate = self._make(run, asked, end), self.gate(run, end)
            return made, None if gate is None else gate.refuses(gate.nearest(made))

    def _make(self, run: RunFolder, asked: Asked, end: float) -> UInt8[np.ndarray, "n side side"]:
        if not (2 if asked.walk else 1) <= asked.count <= MOST or not 0 <= asked.seed < FRESH_SEED:
            raise InputError(
                f"Ask for 1 to {MOST} slices, a walk for 2 at least, of a seed from 0 to {FRESH_SEED - 1:,}."
            )
        generator, made = self.generator(run), []
        wish = asked.wish(generator)
        if asked.walk:
            z, told = way(generator, "latents", asked.count, asked.seed, wish)
        else:
            z = generator.latents(asked.seed, range(asked.count))
            told = generator.drawn(z, wish)
        for start in range(0, asked.count, MICRO_BATCH):
            if time.monotonic() > end:
                raise InputError(f"That took longer than {SECONDS:g} seconds: ask for fewer slices.")
            made.append(generator.make(z[start : start + MICRO_BATCH], told[start : start + MICRO_BATCH])[:, 0])
        return np.concatenate(made)

    def losses(self, run: RunFolder, log: list[dict[str, str]]) -> str:
        """Draw a run's losses, anew when there are more; of rows that have them, nothing where none has."""
        with self.drawing:
            if log and self._losses.get(run.root, (0, ""))[0] != (written := run.log.stat().st_mtime_ns):
                whole = [row for row in log if _has_losses(row)]
                self._losses[run.root] = written, loss_curves(whole, CHANCE) if whole else ""
            return self._losses.get(run.root, (0, ""))[1]

    def first(self, run: RunFolder) -> dict[str, str]:
        """Return the last snapshot's `first` slices of seed 0, made once, or what was `said` instead of them."""
        if not (written := _written(run)):
            return {"first": "", "said": NONE_YET}
        if run.root not in self._first or self._first[run.root][0] != written:
            try:
                made = mosaic(self.slices(run, Asked(count=SIDE_BY_SIDE)), SIDE_BY_SIDE // 2)
            except InputError as error:
                return {"first": "", "said": str(error)}
            self._first[run.root] = written, {"first": uri(made), "said": ""}
        return self._first[run.root][1]

    def nearest(self, run: RunFolder) -> tuple[list[Pair], str]:
        """Return the last snapshot's slices nearest to training slices, made once, or what is said instead of them."""
        snapshots = run.snapshots()
        if not snapshots or not snapshots[-1].metrics.exists():
            return [], "This run is not measured yet."
        measured = snapshots[-1].metrics.stat().st_mtime_ns
        if self._nearest.get(run.root, (0, []))[0] != measured:
            found = read_json(snapshots[-1].metrics).get("memorisation")
            try:
                with self.turn():
                    shown = pairs(found, self.generator(run), open_store_of(run, None)) if found else []
            except InputError as error:
                return [], str(error)
            self._nearest[run.root] = measured, shown
        return self._nearest[run.root][1], ""


def _has_losses(row: dict[str, str]) -> bool:
    """Whether a row of a log has what is drawn."""
    try:
        return bool([float(row[name]) for name in ("images", "discriminator_loss", "generator_loss")])
    except (KeyError, TypeError, ValueError):
        return False


def _written(run: RunFolder) -> int:
    """When a run's last weights were written; 0: there are none."""
    snapshots = run.snapshots()
    return snapshots[-1].weights("generator").stat().st_mtime_ns if snapshots else 0


def png(pixels: UInt8[np.ndarray, "height width"], note: str = NOTE, level: int = 6) -> bytes:
    """Return slices as PNG that says that they are synthetic; at level 0 all of one size have one length."""
    info, content = PngInfo(), io.BytesIO()
    if note:
        info.add_text("Description", note)
    Image.fromarray(pixels).save(content, "PNG", pnginfo=info, compress_level=level)
    return content.getvalue()


def uri(pixels: UInt8[np.ndarray, "height width"], note: str = NOTE) -> str:
    """Return slices as a data URI; real ones must not have the note."""
    return "data:image/png;base64," + base64.b64encode(png(pixels, note)).decode()


def archive(
    slices: UInt8[np.ndarray, "n side side"], refused: Bool[np.ndarray, " n"] | None, asked: Asked, made_by: str
) -> bytes:
    """Return slices as PNG files in a zip archive; near-copies are called so."""
    content, way = io.BytesIO(), "step {} of the walk" if asked.walk else "number {}"
    with zipfile.ZipFile(content, "w") as files:
        for number, pixels in enumerate(slices):
            near = "" if refused is None or not refused[number] else "_near-copy"
            note = f"{NOTE}: {made_by}, seed {asked.seed}, {way.format(number)}"
            files.writestr(f"synthetic_{number:06d}{near}.png", png(pixels, note))
    return content.getvalue()
