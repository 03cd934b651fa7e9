"""Which training slice a slice is most alike to, whatever small shift, mirror, brightness or noise lies between them.

Plain correlation says little: brains of one outline correlate at 0.95. What is a subject's own is the texture, between
6 and 22 cycles a slice, as in the leak audit (`data.leaks`), whose band and first step are used here:

1. Shortlist: the `CANDIDATES` training slices whose log magnitudes, which no shift changes, are most alike.
2. Refine: let F(u, v) be a slice's Fourier coefficients in the band, divided by their root mean square over the ring of
   the same frequency, so that coarse shapes do not outweigh fine ones, and scaled to a vector of length 1. The
   *likeness* of two slices is the correlation max Re Σ F₁ F₂* e^(i shift) over shifts to 4 pixels in half-pixel steps
   and over `TURNS`: 1 for a copy, √(0.64 / 0.68) = 0.97 for 0.8 of it blended with 0.2 of a slice of unrelated texture.

Brightness and contrast change no F. A slice without texture (black, or all one grey) is like none: 0.

Cost of n slices against m: 4 · 687 · n · m operations for the shortlist, and 2 · 8 · 4 · 687 · 289 · n to refine:
2·10¹⁰ and 3·10¹⁰ for 2,048 against 4,000. Memory: 2.7 kB a training slice.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex128, Float32, Float64, Int, Shaped, UInt8

from braingan.data.leaks import TURNS, Band, best_shift, magnitude_vectors, vectors_of
from braingan.data.store import SliceSource
from braingan.errors import InputError

MIRRORED = ("mirrored", "upside down")
"""Turns that exchange the magnitudes at (u, v) and (-u, v)."""
CANDIDATES = 8
"""Training slices compared in full with each slice."""
LEAST = 1.0
"""Root mean square of a ring's coefficients under which it counts for less: one pixel that is one grey level off."""
ROWS, COLUMNS = 64, 8192
"""Slices and training slices compared at once, which bounds the memory."""


@dataclass(frozen=True)
class Nearest:
    """For each slice the training slice that is most alike to it."""

    likeness: Float64[np.ndarray, " n"]
    """At most 1, for a copy."""
    slices: Int[np.ndarray, " n"]
    """Numbers of the training slices in the store."""
    turns: Shaped[np.ndarray, " n"]
    """How the training slice must be turned to lie on the slice: one of `TURNS`."""

    def __len__(self) -> int:
        return len(self.likeness)


class TrainingSlices:
    """Slices of a store among which the most alike are looked for."""

    def __init__(self, store: SliceSource, numbers: Int[np.ndarray, " n"]) -> None:
        self.store, self.numbers = store, numbers
        self.band = Band.of(store.side)
        self._vectors = vectors_of(store, numbers, self.band)

    def nearest(self, images: UInt8[np.ndarray, "n side side"]) -> Nearest:
        """Find the most alike training slice of each of at least one slice.

        Raises:
            InputError: the slices are of another width than the store's.
        """
        if images.shape[1:] != (self.store.side, self.store.side):
            raise InputError(
                f"slices of {images.shape[2]}×{images.shape[1]} pixels can't be compared with training slices that are "
                f"{self.store.side} wide: name the store that the run was trained on by --data."
            )
        found = [self._nearest(images[start : start + ROWS]) for start in range(0, len(images), ROWS)]
        return Nearest(
            *(np.concatenate([getattr(part, name) for part in found]) for name in ("likeness", "slices", "turns"))
        )

    def _nearest(self, images: UInt8[np.ndarray, "n side side"]) -> Nearest:
        candidates, mirrored = self._shortlist(magnitude_vectors(images, self.band))
        alike, turns = self._refine(images, candidates, mirrored)
        row, best = np.arange(len(images)), alike.argmax(axis=1)
        return Nearest(alike[row, best], self.numbers[candidates[row, best]], turns[row, best])

    def _shortlist(
        self, vectors: Float32[np.ndarray, "n c"]
    ) -> tuple[Int[np.ndarray, "n k"], Shaped[np.ndarray, "n k"]]:
        """Return rows of the training slices most alike in magnitudes, in order, and whether mirrored."""
        straight = vectors
        mirrored = vectors[:, self.band.opposite]
        rows = np.empty((len(vectors), 0), int)
        cosines = np.empty((len(vectors), 0), np.float32)
        flipped = np.empty((len(vectors), 0), bool)
        for left in range(0, len(self._vectors), COLUMNS):
            part = self._vectors[left : left + COLUMNS].T
            as_is, turned = straight @ part, mirrored @ part
            among = np.concatenate([cosines, np.maximum(as_is, turned)], axis=1)
            here = np.broadcast_to(np.arange(left, left + part.shape[1]), as_is.shape)
            rows, flipped = np.concatenate([rows, here], axis=1), np.concatenate([flipped, turned > as_is], axis=1)
            kept = _largest(among, CANDIDATES)
            cosines, rows, flipped = (np.take_along_axis(of, kept, axis=1) for of in (among, rows, flipped))
        order = np.argsort(rows, axis=1)  # so that of copies of one slice the first is named
        return np.take_along_axis(rows, order, axis=1), np.take_along_axis(flipped, order, axis=1)

    def _refine(
        self,
        images: UInt8[np.ndarray, "n side side"],
        candidates: Int[np.ndarray, "n k"],
        mirrored: Shaped[np.ndarray, "n k"],
    ) -> tuple[Float64[np.ndarray, "n k"], Shaped[np.ndarray, "n k"]]:
        different, place = np.unique(candidates, return_inverse=True)
        there = texture(self.store.images(self.numbers[different]), self.band)[place.ravel()]
        own = np.repeat(texture(images, self.band), candidates.shape[1], axis=0)
        alike = np.full((len(TURNS), len(own)), -1.0)
        for number, turn in enumerate(TURNS):
            pairs = np.flatnonzero(mirrored.ravel() == (turn in MIRRORED))
            cross = own[pairs] * turned(there[pairs], turn, self.band).conj()
            alike[number, pairs] = best_shift(cross, self.band)
        best = alike.argmax(axis=0)
        names = np.array(list(TURNS))[best]
        return alike[best, np.arange(len(best))].reshape(candidates.shape), names.reshape(candidates.shape)


def texture(images: UInt8[np.ndarray, "n side side"], band: Band) -> Complex128[np.ndarray, "n c"]:
    """Return the coefficients of slices with every ring's magnitude evened out, as vectors of length 1 (0 if none)."""
    coefficients = band.coefficients(images)
    ring = np.sqrt(band.ring_means(np.abs(coefficients) ** 2))
    even = coefficients / np.maximum(ring, LEAST)
    return np.asarray(even / np.maximum(np.linalg.norm(even, axis=1, keepdims=True), 1e-9))


def turned(coefficients: Complex128[np.ndarray, "n c"], turn: str, band: Band) -> Complex128[np.ndarray, "n c"]:
    """Return the coefficients that slices have once turned, one of `TURNS`, from those that they have.

    Turning the rows of x round, x(N - 1 - n), makes F(u, v) into F(-u, v) e^(2πi u / N); and F(-u, -v) = F(u, v)*.
    """
    down, across = TURNS[turn]
    there = coefficients if down == across else coefficients[:, band.opposite]
    there = there if across == 1 else there.conj()
    moved = band.u * (down == -1) + band.v * (across == -1)
    return np.asarray(there * np.exp(2j * np.pi / band.side * moved))


def likeness(
    first: UInt8[np.ndarray, "n side side"], second: UInt8[np.ndarray, "n side side"], band: Band
) -> Float64[np.ndarray, " n"]:
    """Return how alike pairs of slices are, after the best shift of each and in the best turn."""
    own, other = texture(first, band), texture(second, band)
    each = [best_shift(own * turned(other, turn, band).conj(), band) for turn in TURNS]
    return np.asarray(np.max(each, axis=0))


def _largest(values: Float32[np.ndarray, "n m"], count: int) -> Int[np.ndarray, "n k"]:
    """Return where the `count` largest values of each row are; all of them where there are fewer."""
    if values.shape[1] <= count:
        return np.tile(np.arange(values.shape[1]), (len(values), 1))
    return np.asarray(np.argpartition(-values, count, axis=1)[:, :count])
