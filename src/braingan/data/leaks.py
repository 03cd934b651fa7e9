"""Finds the same slice, or nearly the same, in two splits of a store: a leak from training into testing.

A copy may be shifted by a few pixels, mirrored, upside down, brighter, or encoded again. Registered brains look alike
too, but only coarsely: the audit compares the texture between 6 and 22 cycles a slice. There, let F(u, v) be a slice's
Fourier coefficients at u cycles down and v > 0 across.

1. A shift changes no |F|, and a mirror exchanges |F(u, v)| and |F(-u, v)|. So log |F|, less its mean over the ring of
   the same frequency, is one vector a slice, and the cosines of all pairs are two matrix products: straight, mirrored.
2. Pairs above `MAGNITUDES` are compared once more by what the first step ignores, the phases: the mean cosine of their
   differences after the best shift (phase correlation; Kuglin and Hines, The phase correlation image alignment method,
   1975) must reach `PHASES`.

Correlating coarse pictures over all shifts and mirrors instead costs a product for each. The rings matter: without
them, slices with little tissue of different subjects come as near as copies. Both thresholds lie in a gap between
copies and different subjects that `benchmarks/leaks.py` measures. A neighbouring slice of the same scan is often near
enough to be found too. Only slices of one frame are compared.

Cost: a Fourier transform a slice, then 4 · 687 operations a pair: 10¹⁰ for 4 thousand slices in the usual shares,
1.4 · 10¹³ for 150 thousand, whose vectors take 0.4 GB of memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Complex128, Float, Float32, Float64, Int, UInt8

from braingan.data.store import SPLITS, SliceSource, Store
from braingan.progress import progress

MAGNITUDES = 0.55
"""Least cosine between the log magnitudes of a slice and its copy."""
PHASES = 0.75
"""Least mean cosine between their phases."""
LOWEST, HIGHEST = 6, 22
"""Frequencies compared, in cycles a slice."""
LEAST_SIDE = 48
"""Width in pixels under which slices have too little texture to tell copies by."""
FLOOR = 0.3
"""Added to magnitudes, as a share of their ring's, so that the logarithm of a vanishing one is nothing special."""
REACH, STEP = 4.0, 0.5
"""Shifts tried, in pixels either way."""
TURNS = {"none": (1, 1), "half a turn": (-1, -1), "mirrored": (1, -1), "upside down": (-1, 1)}
"""Steps through rows and columns; magnitudes tell the first two from the last two, phases tell all four."""
ROWS, COLUMNS, PIXELS = 1024, 8192, 2**22
"""Pairs compared at once, and pixels transformed at once, which bound the memory."""


@dataclass(frozen=True)
class Leak:
    """Two slices of different splits that are the same or nearly so."""

    first: int
    second: int
    """Numbers of the slices in the store."""
    turn: str
    """How the second must be turned to lie on the first: one of `TURNS`."""
    magnitudes: float
    phases: float
    """How alike, at most 1."""


@dataclass(frozen=True)
class Band:
    """The coefficients compared: row frequencies u from -22 to 22 and column frequencies v from 1 to 22."""

    side: int
    u: Int[np.ndarray, " c"]
    v: Int[np.ndarray, " c"]
    opposite: Int[np.ndarray, " c"]
    """Where the coefficient of (-u, v) stands."""
    ring: Int[np.ndarray, " c"]

    @classmethod
    def of(cls, side: int) -> "Band":
        """Return the band of slices of a width in pixels; slices under 45 pixels have a narrower one."""
        highest = min(HIGHEST, (side - 1) // 2)
        u, v = (grid.ravel() for grid in np.mgrid[-highest : highest + 1, 1 : highest + 1])
        frequency = np.hypot(u, v)
        within = (frequency >= min(LOWEST, highest // 2)) & (frequency <= highest)
        u, v, ring = u[within], v[within], np.rint(frequency[within]).astype(int)
        return cls(side, u, v, np.lexsort((v, -u)), ring - ring.min())

    def coefficients(self, images: UInt8[np.ndarray, "n side side"]) -> Complex128[np.ndarray, "n c"]:
        """Return the Fourier coefficients of slices in the band, by the two matrix products that give no others."""
        highest, place = int(self.v.max()), np.arange(self.side)
        across = np.exp(-2j * np.pi / self.side * place[:, None] * np.arange(1, highest + 1))
        down = np.exp(-2j * np.pi / self.side * np.arange(-highest, highest + 1)[:, None] * place)
        rows = images.reshape(-1, self.side).astype(np.float64)
        half = (rows @ across.real + 1j * (rows @ across.imag)).reshape(len(images), self.side, highest)
        return np.asarray((down @ half)[:, self.u + highest, self.v - 1])

    def ring_means(self, values: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
        """Return, in the place of each value, the mean over its ring."""
        member = np.eye(self.ring.max() + 1)[self.ring]
        return np.asarray((values @ (member / member.sum(axis=0)))[:, self.ring])


def magnitude_vectors(images: UInt8[np.ndarray, "n side side"], band: Band) -> Float32[np.ndarray, "n c"]:
    """Return the log magnitudes of slices, less their ring's mean, as vectors of length 1."""
    power = np.abs(band.coefficients(images)) ** 2
    ring = np.sqrt(band.ring_means(power))
    logs = np.log(np.sqrt(power) / np.maximum(ring, 1e-9) + FLOOR)
    logs -= band.ring_means(logs)
    return np.asarray(logs / np.maximum(np.linalg.norm(logs, axis=1, keepdims=True), 1e-9), np.float32)


def phase_likeness(
    first: UInt8[np.ndarray, "n side side"], second: UInt8[np.ndarray, "n side side"], band: Band
) -> Float32[np.ndarray, " n"]:
    """Return the mean cosine of the phase differences of pairs of slices, after the best shift of each pair."""
    cross = _phases(band.coefficients(first)) * _phases(band.coefficients(second)).conj()
    return np.asarray(best_shift(cross, band) / len(band.u), np.float32)


def best_shift(cross: Complex128[np.ndarray, "n c"], band: Band) -> Float64[np.ndarray, " n"]:
    """Return the largest correlation over all shifts tried, from the cross spectra of pairs of slices."""
    steps = np.arange(-REACH, REACH + STEP / 2, STEP)
    down, across = (grid.ravel() for grid in np.meshgrid(steps, steps))
    angle = 2 * np.pi / band.side * (band.u[:, None] * down + band.v[:, None] * across)
    return np.asarray((cross.real @ np.cos(angle) - cross.imag @ np.sin(angle)).max(axis=1))


def _phases(coefficients: Complex128[np.ndarray, "n c"]) -> Complex128[np.ndarray, "n c"]:
    return np.asarray(coefficients / np.maximum(np.abs(coefficients), 1e-9))


def pairs_compared(store: Store) -> int:
    """Return how many pairs of slices of one frame lie in two splits."""
    return sum(len(one) * len(other) for _, groups in _frames(store) for one, other in combinations(groups, 2))


def find_leaks(store: Store, magnitudes: float = MAGNITUDES, phases: float = PHASES) -> list[Leak]:
    """Find slices of one frame that stand, the same or nearly so, in two splits; the most alike first.

    Args:
        store: a whole store.
        magnitudes: least likeness of the first step, at most 1.
        phases: least likeness of the second step, at most 1.
    """
    band = Band.of(store.side)
    leaks: list[Leak] = []
    with progress("leak audit", pairs_compared(store), "pairs") as advance:
        for _, groups in _frames(store):
            vectors = [vectors_of(store, group, band) for group in groups]
            for one, other in combinations(range(len(groups)), 2):
                for i, j, alike, turns in _candidates(vectors[one], vectors[other], band, magnitudes):
                    leaks += _verified(store, groups[one][i], groups[other][j], alike, turns, band, phases)
                advance(len(groups[one]) * len(groups[other]))
    leaks.sort(key=lambda leak: (-leak.phases, leak.first, leak.second, leak.turn))
    once: dict[tuple[int, int], Leak] = {}
    for leak in leaks:  # slices that are symmetric match in several turns
        once.setdefault((leak.first, leak.second), leak)
    return list(once.values())


def _frames(store: Store) -> Iterator[tuple[str, list[Int[np.ndarray, " n"]]]]:
    """Yield each frame with the slices of each of its splits."""
    frames = store.columns["frame"]
    for frame in np.unique(frames):
        groups = [np.flatnonzero((frames == frame) & (store.columns["split"] == split)) for split in SPLITS]
        yield str(frame), [group for group in groups if len(group)]


def vectors_of(store: SliceSource, indices: Int[np.ndarray, " n"], band: Band) -> Float32[np.ndarray, "n c"]:
    """Return the magnitude vectors of slices of a store, in the memory of these alone."""
    each = max(PIXELS // store.side**2, 1)
    vectors = np.empty((len(indices), len(band.u)), np.float32)
    for start in range(0, len(indices), each):
        vectors[start : start + each] = magnitude_vectors(store.images(indices[start : start + each]), band)
    return vectors


def _candidates(
    one: Float32[np.ndarray, "n c"], other: Float32[np.ndarray, "m c"], band: Band, least: float
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, tuple[str, ...]]]:
    """Yield rows of `one`, rows of `other`, their cosines, and the turns that have these."""
    straight, mirrored = tuple(TURNS)[:2], tuple(TURNS)[2:]
    for top in range(0, len(other), ROWS):
        rows = other[top : top + ROWS]
        for vectors, turns in ((rows, straight), (rows[:, band.opposite], mirrored)):
            for left in range(0, len(one), COLUMNS):
                alike = vectors @ one[left : left + COLUMNS].T
                j, i = np.nonzero(alike >= least)
                for start in range(0, len(i), ROWS):
                    part = slice(start, start + ROWS)
                    yield i[part] + left, j[part] + top, alike[j[part], i[part]], turns


def _verified(
    store: Store,
    first: Int[np.ndarray, " n"],
    second: Int[np.ndarray, " n"],
    alike: Float32[np.ndarray, " n"],
    turns: tuple[str, ...],
    band: Band,
    least: float,
) -> list[Leak]:
    ones, others = store.images(first), store.images(second)
    found = np.stack([phase_likeness(ones, others[:, :: TURNS[t][0], :: TURNS[t][1]], band) for t in turns])
    best = found.argmax(axis=0)
    return [
        Leak(int(first[k]), int(second[k]), turns[best[k]], float(alike[k]), float(found[best[k], k]))
        for k in np.flatnonzero(found.max(axis=0) >= least)
    ]
