"""The blind reading test: real and generated slices, mixed, one at a time; the source study's visual analysis measured.

A *series* is fixed when it is made: its slices lie in one array, in an order drawn by its seed and its folder's name,
and who is who stands beside them in a file that no page shows. Readers go by a name that they type; every answer is
kept as it is given, so that a reader goes on where they stopped.
"""

import itertools
import math
import re
import secrets
import sqlite3
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from braingan.data.store import Store
from braingan.errors import InputError
from braingan.folders import read_json, replacing, write_json
from braingan.randomness import draws
from braingan.sampling.generator import MICRO_BATCH, TrainedGenerator

REAL = "real"
MOST = 500
"""Slices of a series."""
MOST_RUNS, MOST_SERIES = 8, 100
"""Runs in a series, and series of a study."""
FRESH_SEED = 1_000_000
"""Generated slices are of seeds from here on, which no report shows."""
TABLE = """create table if not exists answers (
    series text, reader text, number integer, real integer, confidence integer, seconds real,
    primary key (series, reader, number))"""


@dataclass(frozen=True)
class Answer:
    """What a reader said of a slice."""

    reader: str
    number: int
    real: bool
    confidence: int
    """1, a guess, to 5, certain."""
    seconds: float


@dataclass(frozen=True)
class Series:
    """A fixed series of slices."""

    root: Path

    @property
    def id(self) -> str:
        """Its folder's name."""
        return self.root.name

    @property
    def description(self) -> dict[str, Any]:
        """Title, seed, the truth of each slice, and the store and numbers of the real ones.

        Raises:
            InputError: the file that holds them is damaged, or that of the slices.
        """
        of = read_json(path := self.root / "series.json")
        if not (isinstance(of.get("title"), str) and isinstance(of.get("truth"), list) and of["truth"]):
            raise InputError(f"{path} is damaged: move the folder {self.id} away.")
        try:
            there = len(np.load(self.root / "slices.npy", mmap_mode="r"))
        except (OSError, ValueError, EOFError):  # missing, cut off, or empty
            there = 0
        if there != len(of["truth"]):
            raise InputError(f"{self.root / 'slices.npy'} is damaged: move the folder {self.id} away.")
        return of

    @property
    def truth(self) -> list[str]:
        """Of each slice `real`, or the run that made it."""
        return list(self.description["truth"])

    @property
    def ended(self) -> bool:
        """Whether it takes no more answers, and so may be told apart."""
        return (self.root / "ended").exists()

    def end(self) -> None:
        """Take no more answers."""
        (self.root / "ended").touch()

    @property
    def real(self) -> set[tuple[str, int]]:
        """Store and number of its real slices."""
        of = self.description
        return {(of.get("store", ""), number) for number in of.get("real", ())}

    def slice(self, number: int) -> UInt8[np.ndarray, "side side"]:
        """One of its slices."""
        return np.array(np.load(self.root / "slices.npy", mmap_mode="r")[number])


@dataclass(frozen=True)
class Readings:
    """All series of a study, and the answers to them."""

    root: Path

    def series(self) -> list[Series]:
        """Return all whole series, by name; not those that can't be read (`damaged`)."""
        return [series for series in self._there() if not _fault(series)]

    def damaged(self) -> dict[str, str]:
        """Return why a series can't be read, by name."""
        return {series.id: fault for series in self._there() if (fault := _fault(series))}

    @property
    def open_to_readers(self) -> bool:
        """Whether a series is not ended yet; one that can't be read may be mended, and go on."""
        return not all(series.ended for series in self._there())

    def _there(self) -> list[Series]:
        """Return all series, damaged ones included; not what a link leads to, which may be anyone's slices."""
        found = [Series(path.parent) for path in sorted(self.root.glob("*/series.json"))]
        return [series for series in found if not self._leads_elsewhere(series)]

    def _leads_elsewhere(self, series: Series) -> bool:
        files = (series.root / name for name in ("series.json", "slices.npy", "ended"))
        return any(path.is_symlink() for path in (self.root, self._answers, series.root, *files))

    def open(self, name: str) -> Series:
        """Return a series by name.

        Raises:
            InputError: there is none of that name, or it can't be read.
        """
        for series in self._there():
            if series.id == name:
                if fault := _fault(series):
                    raise InputError(fault)
                return series
        raise InputError(f"There is no series {name}.")

    def key_to(self, series: Series) -> list[str]:
        """Return the truth of each slice of a series that is ended.

        Raises:
            InputError: it is not, or another that is not has slices of it, whose truth that would tell.
        """
        if not series.ended:
            raise InputError("Answers are given out once the series is ended, since they hold its truth.")
        for other in self.series():
            if not other.ended and series.real & other.real:
                title = other.description["title"]
                raise InputError(f"{title} is still open and has some of the same slices: end it first.")
        return series.truth

    def make(
        self,
        title: str,
        generators: Mapping[str, TrainedGenerator],
        store: Store,
        count: int,
        seed: int | None = None,
        end: float = math.inf,
    ) -> Series:
        """Make a series, half of it real slices of test subjects, the other half in equal parts by each run.

        Real slices are such as no other series shows, where there are enough. Each generated one has a latent of its
        own: pictures of one latent by two runs may be alike, and so tell that they are generated.

        Args:
            title: what readers see; its folder is called after it.
            generators: by the name of the run.
            store: theirs.
            count: slices.
            seed: draws slices and order, together with the folder's name: no other series has either; at random by
                default, as who knows it could make the series again elsewhere.
            end: when it has to be made, in seconds of `time.monotonic`.

        Raises:
            InputError: too many slices, runs or series, too few of them, a name that can't be one, or time is up.
        """
        if not _is_name(title):
            raise InputError("A series needs a title of at most 60 letters, digits, spaces, points, hyphens.")
        if len(self._there()) >= MOST_SERIES:
            raise InputError(f"There are {MOST_SERIES} series already: move some folders out of {self.root}.")
        if REAL in generators:
            raise InputError(f"A run called {REAL} can't be told from real slices: rename its folder.")
        seed = secrets.randbelow(2**32) if seed is None else seed
        kinds = {(of.config["identity"]["store"], *of.config["identity"]["frames"]) for of in generators.values()}
        if len(kinds) > 1 or {kind[0] for kind in kinds} - {store.fingerprint}:
            raise InputError("Runs of different stores or frames can't be in one series: what they show would tell.")
        held_out = store.select("test", tuple(frame for kind in kinds for frame in kind[1:]))
        made = share_of(count, len(generators))
        if made * len(generators) > len(held_out):
            raise InputError(f"The store has {len(held_out)} test slices: ask for at most {2 * len(held_out)}.")
        root = self._new(title)
        own = int(draws(seed, f"reading: {root.name}").integers(2**62))
        shown = {number for of in self.series() for name, number in of.real if name == store.fingerprint}
        unseen = np.setdiff1d(held_out, list(shown))
        count = made * len(generators)
        real = _of_many_subjects(store, unseen if len(unseen) >= count else held_out, count, own)
        slices = [store.images(real)]
        apart = -(-made // MICRO_BATCH) * MICRO_BATCH
        for number, generator in enumerate(generators.values()):
            slices += _some(generator, FRESH_SEED + own, range(number * apart, number * apart + made), end)
        truth = [REAL] * len(real) + [name for name in generators for _ in range(made)]
        order = draws(own, "reading: order").permutation(len(truth))
        with self._database() as database:  # of a series of the same name that was removed
            database.execute("delete from answers where series = ?", (root.name,))
        with replacing(root / "slices.npy") as path, path.open("wb") as file:
            np.save(file, np.concatenate(slices)[order])
        about = {"title": title, "seed": seed, "truth": [truth[n] for n in order]}
        write_json(root / "series.json", about | {"store": store.fingerprint, "real": real.tolist()})
        return Series(root)

    def _new(self, title: str) -> Path:
        """Return a folder for a series of a title, which no other has."""
        name = re.sub(r"\W+", "-", title.lower()).strip("-") or "series"
        numbered = (self.root / (f"{name}-{n}" if n else name) for n in itertools.count())
        return next(path for path in numbered if not path.exists())

    @property
    def _answers(self) -> Path:
        return self.root / "answers.db"

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        if self.root.is_symlink() or self._answers.is_symlink():
            raise InputError(f"{self._answers} leads out of the folder: nothing is written there.")
        self.root.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._answers, timeout=10)) as database, database:
            database.execute(TABLE)
            yield database

    def answers(self, series: Series, reader: str | None = None) -> list[Answer]:
        """Return the answers to a series, of one reader or of all, by reader and in the order of the slices."""
        if not self._answers.exists():
            return []
        query = "select reader, number, real, confidence, seconds from answers where series = ?"
        given: tuple[str, ...] = (series.id,) if reader is None else (series.id, reader)
        with self._database() as database:
            rows = database.execute(
                f"{query}{'' if reader is None else ' and reader = ?'} order by reader, number", given
            )
            return [Answer(row[0], row[1], bool(row[2]), row[3], row[4]) for row in rows]

    def answer(self, series: Series, answer: Answer) -> None:
        """Keep an answer; the first one to a slice counts.

        Raises:
            InputError: no such slice, a name that can't be one, or the series is ended.
        """
        name_of_reader(answer.reader)
        if series.ended:
            raise InputError("This series is ended: it takes no more answers.")
        if not 0 <= answer.number < len(series.truth) or not 1 <= answer.confidence <= 5:
            raise InputError("There is no such slice, or no such confidence.")
        with self._database() as database:
            database.execute(
                "insert or ignore into answers values (?, ?, ?, ?, ?, ?)",
                (series.id, answer.reader, answer.number, answer.real, answer.confidence, answer.seconds),
            )

    def next_of(self, series: Series, reader: str) -> int | None:
        """Return the first slice that a reader has not answered; None where all are."""
        done = {answer.number for answer in self.answers(series, reader)}
        return next((number for number in range(len(series.truth)) if number not in done), None)


def name_of_reader(given: str) -> str:
    """Return a reader's name without spaces around it.

    Raises:
        InputError: it can't be one.
    """
    name = unicodedata.normalize("NFC", given.strip())
    if not _is_name(name):
        raise InputError("A reader's name has at most 60 letters, digits, spaces, points, hyphens.")
    return name


def _fault(series: Series) -> str:
    """Say why a series can't be read; nothing of a whole one."""
    try:
        _ = series.description
    except InputError as error:
        return str(error)
    return ""


def share_of(count: int, runs: int) -> int:
    """Return how many slices of a series each run makes.

    Raises:
        InputError: too many slices or too few, too many runs, or none.
    """
    made = count // 2 // max(runs, 1)
    if runs > MOST_RUNS:
        raise InputError(f"A series has slices of at most {MOST_RUNS} runs: choose fewer.")
    if not runs or made < 1 or count > MOST:
        raise InputError(f"A series has 2 to {MOST} slices, at least 2 for each run that is chosen; choose a run.")
    return made


def _some(
    generator: TrainedGenerator, seed: int, numbers: range, end: float
) -> Iterator[UInt8[np.ndarray, "n side side"]]:
    """Make slices by number, a few at a time.

    Raises:
        InputError: the `end`, in seconds of `time.monotonic`, has come.
    """
    for start in range(0, len(numbers), MICRO_BATCH):
        if time.monotonic() > end:
            raise InputError("Making the series took too long: ask for fewer slices.")
        yield generator.some(seed, numbers[start : start + MICRO_BATCH])


def _is_name(text: str) -> bool:
    """Whether it is of letters, with their marks, and digits of any alphabet, and of `_.'-` and spaces, at most 60."""
    fit = all(of.isalnum() or unicodedata.category(of).startswith("M") or of in " _.'-" for of in text)
    return 0 < len(text) <= 60 and not text.startswith(" ") and fit


def _of_many_subjects(store: Store, held_out: Int[np.ndarray, " m"], count: int, seed: int) -> Int[np.ndarray, " n"]:
    """Draw slices of as many subjects as can be: two of one brain are alike, as no two generated slices are."""
    mixed, seen, turns = draws(seed, "reading: real").permutation(held_out), Counter[str](), []
    for subject in store.columns["subject"][mixed]:
        turns.append(seen[subject])
        seen[subject] += 1
    return np.sort(mixed[np.argsort(turns, kind="stable")[:count]])
