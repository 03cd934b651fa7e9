"""What may leave: generated slices that are no nearer to a training slice than real patients are to each other.

A slice's *likeness* is that of its most alike training slice (`nearest`). The gate refuses what lies above a threshold,
which is set without looking at test subjects:

1. m is the largest likeness of the slices of validation subjects, who are not among the training subjects.
2. c is the likeness that 99 % of planted copies reach. A planted copy is 0.8 of a training slice, moved by up to 3
   pixels and in every second one mirrored, blended with 0.2 of another: the most changed of the copies that the gate
   promises to find. A validation slice that reaches c does not count for m: the store may hold a picture twice.
3. The threshold lies `MARGIN` of the way from m to c.

The slices of one more subject, exchangeable with V validation subjects, reach above m with probability 1 / (V + 1) at
most (there are V + 1 largest ones, each as likely the largest), whatever their distribution; the margin is for where V
is small. 99 % of the planted copies lie above the threshold by construction. Where texture says too little to tell
patients apart, as in very small slices, it is real patients that are refused, and `Gate.validation_refused` says how
many.

The gate finds copies. What it admits may still say something of the training subjects: it is no guarantee of privacy.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from braingan.data.store import Store
from braingan.errors import InputError
from braingan.evaluation.nearest import CANDIDATES, Nearest, TrainingSlices
from braingan.folders import read_json, write_json
from braingan.randomness import draws

VERSION = 1
"""Another number, another threshold from the same store."""
MARGIN = 0.25
"""Of the way from the nearest of real patients to planted copies."""
PLANTED, CAUGHT = 500, 0.99
"""Copies planted, at most, and the share of them that the threshold must catch."""
SHARE, REACH = 0.8, 3.0
"""Of the training slice in a planted copy; how far it is moved, in pixels either way."""
VALIDATION = 4096
"""Validation slices looked at, at most, spread evenly over all."""
LEAST_COUNTED = 0.5
"""Share of the validation slices that must count; with fewer the gate would refuse most real slices."""
LEAST_DRAWN, REFUSALS = 200, 10
"""A generator has failed once so many slices were drawn and more than so many refused for each admitted."""


@dataclass(frozen=True)
class Threshold:
    """The likeness above which a slice is refused, and what it rests on."""

    threshold: float
    nearest_patient: float
    """Largest likeness of a validation slice that counts (m)."""
    planted_reach: float
    """Likeness that 99 % of planted copies reach (c)."""
    planted: int
    planted_caught: float
    """Share of the planted copies above the threshold."""
    validation_subjects: int
    validation_slices: int
    validation_copies: int
    """Validation slices as near as planted copies (c), which do not count."""
    training_subjects: int
    training_slices: int

    @property
    def validation_refused(self) -> float:
        """Share of the validation slices that the gate would refuse."""
        return self.validation_copies / self.validation_slices

    @property
    def chance(self) -> float:
        """Most probability that any slice of one more real subject lies above the nearest validation slice."""
        return 1 / (self.validation_subjects + 1)


@dataclass(frozen=True)
class Gate:
    """Compares slices with a store's training slices and refuses those too near."""

    training: TrainingSlices
    rests_on: Threshold

    @classmethod
    def of_store(cls, store: Store, frames: tuple[str, ...] = ()) -> "Gate":
        """Build the gate of a store, for generators trained on some or all of its training slices.

        The threshold is kept in the store's `derived` folder.

        Args:
            store: a whole store.
            frames: those that the generator was trained on; empty for all. It can't copy slices of others.

        Raises:
            InputError: there are no validation subjects, fewer than two training slices, or most validation slices are
                as near to a training slice as a copy.
        """
        numbers = store.select("train", frames)
        held_out = store.select("validation", frames)
        if not len(held_out):
            raise InputError(
                f"{store.folder.root} has no validation subject, by whom the gate sets its threshold: prepare it with "
                "another data.split_seed, other shares (data.split) or more subjects."
            )
        if len(numbers) < 2:
            raise InputError(f"{store.folder.root} has fewer than two training slices: prepare it with more subjects.")
        training = TrainingSlices(store, numbers)
        path = store.folder.derived / f"gate-{_key(store, frames)}.json"
        with suppress(InputError, TypeError):  # none yet, or a damaged one: made again
            return cls(training, Threshold(**read_json(path)))
        gate = cls.of_slices(training, held_out)
        with suppress(OSError):  # a store that can't be written to keeps none
            write_json(path, asdict(gate.rests_on))
        return gate

    @classmethod
    def of_slices(cls, training: TrainingSlices, held_out: Int[np.ndarray, " n"]) -> "Gate":
        """Build a gate by slices of real subjects, by their numbers, who are not among the training subjects.

        Raises:
            InputError: most of them are as near to a training slice as a copy.
        """
        return cls(training, _threshold(training, held_out))

    def nearest(self, images: UInt8[np.ndarray, "n side side"]) -> Nearest:
        """Find the most alike training slice of each of at least one slice."""
        return self.training.nearest(images)

    def refuses(self, nearest: Nearest) -> Bool[np.ndarray, " n"]:
        """Say which slices are too near to a training slice."""
        return np.asarray(nearest.likeness > self.rests_on.threshold)

    def admit(self, images: UInt8[np.ndarray, "n side side"]) -> Bool[np.ndarray, " n"]:
        """Say which of at least one slice may leave."""
        return ~self.refuses(self.nearest(images))


def _key(store: Store, frames: tuple[str, ...]) -> str:
    rules = [VERSION, MARGIN, PLANTED, CAUGHT, SHARE, REACH, VALIDATION, CANDIDATES]
    content = json.dumps([store.fingerprint, sorted(frame.lower() for frame in frames), rules])
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _threshold(training: TrainingSlices, held_out: Int[np.ndarray, " n"]) -> Threshold:
    store, subjects = training.store, training.store.columns["subject"]
    looked_at = spread(held_out, VALIDATION)
    patients = training.nearest(store.images(looked_at)).likeness
    copies = np.sort(training.nearest(plant(training, PLANTED)).likeness)
    reach = float(copies[int((1 - CAUGHT) * len(copies))])
    counts = patients < reach
    if counts.mean() < LEAST_COUNTED:
        raise InputError(
            f"{int((~counts).sum())} of {len(counts)} validation slices are as near to a training slice as a copy, so "
            "the gate can't tell copies from patients: look for subjects that the store holds twice by `braingan "
            "inspect`; slices under 32 pixels have too little texture, prepare larger ones by data.size."
        )
    nearest = float(patients[counts].max())
    threshold = nearest + MARGIN * (reach - nearest)
    return Threshold(
        threshold=threshold,
        nearest_patient=nearest,
        planted_reach=reach,
        planted=len(copies),
        planted_caught=float((copies > threshold).mean()),
        validation_subjects=len(np.unique(subjects[looked_at[counts]])),
        validation_slices=len(looked_at),
        validation_copies=int((~counts).sum()),
        training_subjects=len(np.unique(subjects[training.numbers])),
        training_slices=len(training.numbers),
    )


def spread(indices: Int[np.ndarray, " n"], count: int) -> Int[np.ndarray, " m"]:
    """Take at most `count`, evenly spread, so that all subjects stand for themselves."""
    if len(indices) <= count:
        return indices
    return np.asarray(indices[np.linspace(0, len(indices) - 1, count).round().astype(int)])


def plant(training: TrainingSlices, count: int) -> UInt8[np.ndarray, "n side side"]:
    """Make copies of at most `count` training slices, the most changed that the gate promises to find."""
    sources = spread(training.numbers, count)
    stream = draws(0, "planted copies")
    others = training.numbers[
        (np.searchsorted(training.numbers, sources) + stream.integers(1, len(training.numbers), len(sources)))
        % len(training.numbers)
    ]
    copies = moved(training.store.images(sources), stream.uniform(-REACH, REACH, (len(sources), 2)))
    copies[1::2] = copies[1::2, :, ::-1]
    blended = SHARE * copies + (1 - SHARE) * training.store.images(others)
    return np.clip(np.rint(blended), 0, 255).astype(np.uint8)


def moved(
    images: UInt8[np.ndarray, "n side side"], shifts: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, "n side side"]:
    """Move slices by any pixels down and across; what leaves on one side comes in on the other, where slices are
    black."""
    frequency = np.fft.fftfreq(images.shape[1])
    turns = shifts[:, 0, None, None] * frequency[:, None] + shifts[:, 1, None, None] * frequency
    return np.asarray(np.fft.ifft2(np.fft.fft2(images) * np.exp(-2j * np.pi * turns)).real)


@dataclass(frozen=True)
class Drawn:
    """A slice that was drawn, and the gate's verdict."""

    number: int
    """Seed and number determine the slice."""
    image: UInt8[np.ndarray, "side side"]
    likeness: float
    training_slice: int
    """The most alike; its number in the store."""
    turn: str
    admitted: bool


def draw(gate: Gate, batches: Iterator[UInt8[np.ndarray, "n side side"]], count: int) -> Iterator[Drawn]:
    """Yield slices in the order of their numbers, refused ones among them, until `count` are admitted.

    Args:
        gate: whose verdict counts.
        batches: slices number 0, 1, … of a seed, as many as may be needed (`most_drawn`).
        count: slices wanted.

    Raises:
        InputError: the generator copies too much.
    """
    number = admitted = 0
    for images in batches:
        nearest = gate.nearest(images)
        refused = gate.refuses(nearest)
        for i in range(len(images)):
            yield Drawn(
                number, images[i], float(nearest.likeness[i]), int(nearest.slices[i]), str(nearest.turns[i]),
                not refused[i],
            )  # fmt: skip
            number, admitted = number + 1, admitted + int(not refused[i])
            if admitted == count:
                return
            if number >= LEAST_DRAWN and number - admitted > REFUSALS * admitted:
                raise InputError(_copies_too_much(number, admitted))
    raise InputError(_copies_too_much(number, admitted))


def most_drawn(count: int) -> int:
    """Return how many slices `draw` takes at most before it gives up."""
    return max(LEAST_DRAWN, (REFUSALS + 1) * count)


def _copies_too_much(drawn: int, admitted: int) -> str:
    return (
        f"of {drawn} slices drawn the gate refused {drawn - admitted} as too near to a training slice, and nothing was "
        "written: this generator copies, so train it on more subjects, or for fewer epochs."
    )


def record(gate: Gate) -> dict[str, Any]:
    """Return what a certificate says of the gate."""
    rests_on = gate.rests_on
    return {
        "measure": "correlation of texture (6 to 22 cycles a slice, rings evened out) after the best shift up to 4 "
        "pixels and turn, with the training slice most alike; 1 for a copy",
        "rule": f"refused above {rests_on.threshold:.4f}, which lies {MARGIN:.0%} of the way from the nearest of the "
        f"validation subjects' slices ({rests_on.nearest_patient:.4f}) to the likeness that {CAUGHT:.0%} of planted "
        f"copies reach ({rests_on.planted_reach:.4f})",
        **asdict(rests_on),
        "validation_refused": rests_on.validation_refused,
        "chance_of_a_real_subject_above_the_nearest_patient": rests_on.chance,
        "side": gate.training.store.side,
    }
