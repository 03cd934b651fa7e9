"""From a volume to square uint8 slices as they are shown.

Order of work: cut the slices, resample them, put them on one grey scale. The grey scale comes from the whole
volume, so that a slice looks the same whichever others are taken with it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Shaped, UInt8

from braingan.errors import InputError

SAMPLE = 300_000
"""Percentiles come from at least so many voxels, evenly spread: full histograms cost more than inflating the file."""
MOST_LEVELS = 2**18
FAR = 16
"""A background so many times further from the tissue than that spreads is a mark, such as -32768, and no intensity."""
BLOCK = 16
MOST_LABELS = 10


def cut(voxels: Shaped[np.ndarray, "x y z"], axis: str) -> Shaped[np.ndarray, "n rows columns"]:
    """Return all slices of a RAS volume along an axis, as shown (a view, nothing is copied).

    Axial: row 0 is anterior, column 0 the patient's right (radiological). Coronal: row 0 is superior, column 0
    the patient's right. Sagittal: row 0 is superior, column 0 anterior. Slices count from inferior, posterior
    and left.
    """
    if axis == "axial":
        return voxels[::-1, ::-1, :].transpose(2, 1, 0)
    if axis == "coronal":
        return voxels[::-1, :, ::-1].transpose(1, 2, 0)
    return voxels[::-1, ::-1, ::-1].transpose(0, 2, 1)[::-1]


def stacked(slices: Shaped[np.ndarray, "n rows columns"], axis: str) -> Shaped[np.ndarray, "x y z"]:
    """Return the RAS volume whose slices along an axis these are: the inverse of `cut` (a view)."""
    if axis == "axial":
        return slices.transpose(2, 1, 0)[::-1, ::-1, :]
    if axis == "coronal":
        return slices.transpose(2, 0, 1)[::-1, :, ::-1]
    return slices.transpose(0, 2, 1)[:, ::-1, ::-1]


def cut_spacing(spacing: tuple[float, float, float], axis: str) -> tuple[float, float]:
    """Return the spacing (mm) of the rows and of the columns of slices along an axis."""
    x, y, z = spacing
    return {"axial": (y, x), "coronal": (z, x), "sagittal": (z, y)}[axis]


def cut_offset(offset: tuple[float, float, float], axis: str) -> tuple[float, float, float]:
    """Return how far (mm) a step along x, y, z goes along the slices' numbers, their rows and their columns."""
    x, y, z = offset
    return {"axial": (z, -y, -x), "coronal": (y, -z, -x), "sagittal": (x, -z, -y)}[axis]


def chosen_positions(rule: str, count: int) -> range:
    """Return which of a volume's `count` slices a rule takes.

    Rules: `60:100` by slice number, half-open; `60:100/155` the same in a volume of 155 slices and in
    proportion in any other; `0.4:0.6` by share of depth; `all`.

    Raises:
        InputError: the rule is none of these.
    """
    if rule == "all":
        return range(count)
    span, _, depth = rule.partition("/")
    try:
        first, last = (float(text) for text in span.split(":"))
        scale = count / int(depth) if depth else (float(count) if "." in span else 1.0)
        start, stop = round(first * scale), round(last * scale)
        if not 0 <= first < last or not scale > 0:
            raise ValueError
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise InputError(
            f"data.slices = {rule} is no rule; use 60:100 (slice numbers), 60:100/155 (in proportion), "
            "0.4:0.6 (share of depth) or all."
        ) from error
    return range(min(start, count), min(max(stop, start + 1), count))


@dataclass(frozen=True)
class GreyScale:
    """Which intensities (in the file's units) become black and white."""

    background: float
    black: float
    white: float
    foreground: float
    """Grey level 0..255 above which a pixel counts as tissue."""
    few: bool = False
    """Whether there are only a few whole numbers from 0 to 255, as in a label map."""


def grey_scale(voxels: Shaped[np.ndarray, "x y z"], percentiles: tuple[float, float]) -> GreyScale | None:
    """Set the grey scale of a volume (or a picture, as `[1, rows, columns]`) from robust percentiles of its foreground.

    The background is the commonest value where it fills at least a fifth (skull-stripped volumes), or a twentieth
    and is the darkest; else the darkest percent. The foreground lies further from the background than the average
    voxel does, which parts tissue from air in stripped, unstripped and z-scored volumes alike. Black is the
    background, or the low percentile where tissue lies below the background or very far above it.

    Returns None where all voxels are the same.
    """
    every = max(int((voxels.size / SAMPLE) ** (1 / 3)), 1)
    # Whole lines along the first axis, mostly the one that lies in order in memory: faster to copy than points.
    values, counts = _histogram(voxels[:, :: every**2, ::every].ravel(order="K"))
    if len(values) == 1:
        return None
    common = counts.argmax()
    plain = counts[common] >= (0.05 if common == 0 else 0.2) * counts.sum()
    background = float(values[common]) if plain else _percentile(values, counts, 1.0)
    distance = np.abs(values - background)
    average = float(distance @ counts / counts.sum())
    tissue = distance > average
    if not tissue.any():
        return None
    low, high = (_percentile(values[tissue], counts[tissue], percent) for percent in percentiles)
    black = low if low - background > FAR * (high - low) > 0 else min(background, low)
    if not high > black:
        return None
    # Tissue below the background is tissue too; there only the background itself is mapped to 0.
    threshold = 0.5 if black != background else average / (high - black) * 255
    return GreyScale(background, black, high, threshold, _few(values))


def _few(values: Float[np.ndarray, " k"]) -> bool:
    return len(values) <= MOST_LABELS and bool(((values % 1 == 0) & (values >= 0) & (values <= 255)).all())


def _histogram(sample: Shaped[np.ndarray, " n"]) -> tuple[Float[np.ndarray, " k"], Int[np.ndarray, " k"]]:
    """Return the values that occur, sorted, and how often each does; counting integers is faster than sorting."""
    if sample.dtype.kind in "iu":
        darkest, brightest = int(sample.min()), int(sample.max())
        if brightest - darkest < MOST_LEVELS:
            wide = sample if sample.dtype.kind == "u" else sample.astype(np.intp)
            counts = np.bincount((wide - wide.dtype.type(darkest)).astype(np.intp))
            levels = np.flatnonzero(counts)
            return (levels + darkest).astype(np.float64), counts[levels]
    values, counts = np.unique(sample.astype(np.float32), return_counts=True)
    return values.astype(np.float64), counts


def _percentile(values: Float[np.ndarray, " k"], counts: Int[np.ndarray, " k"], percent: float) -> float:
    """Return a percentile of sorted values that occur so often, interpolated between neighbours as NumPy does."""
    last = np.cumsum(counts) - 1
    rank = percent / 100 * last[-1]
    below, above = (values[np.searchsorted(last, at)] for at in (np.floor(rank), np.ceil(rank)))
    return float(below + (above - below) * (rank % 1))


def tissue(values: Shaped[np.ndarray, "..."], scale: GreyScale) -> Bool[np.ndarray, "..."]:
    """Return which voxels differ from the background by as much as tissue does."""
    distance = np.abs(values.astype(np.float32) - scale.background)
    return np.asarray(distance > scale.foreground / 255 * (scale.white - scale.black))


def above_black(
    values: Shaped[np.ndarray, "n rows columns"], scale: GreyScale
) -> Float32[np.ndarray, "n rows columns"]:
    """Return how far intensities lie above black, in the file's units; the background is 0."""
    above = values.astype(np.float32)
    if scale.black:
        above -= np.float32(scale.black)
    if scale.black != scale.background:
        above[values == scale.background] = 0
    return above


def to_grey(above: Float32[np.ndarray, "n rows columns"], scale: GreyScale) -> UInt8[np.ndarray, "n rows columns"]:
    """Map intensities above black to 0..255 and round; after resampling, as clipping before it would dull edges."""
    grey = above * np.float32(255 / (scale.white - scale.black))
    return np.asarray(np.clip(np.rint(grey), 0, 255), np.uint8)


@dataclass(frozen=True)
class Square:
    """The part of a slice that is shown."""

    edge: float
    """In mm."""
    row: float = 0.0
    """From the slice's middle to the square's, in mm along the rows' numbers; `column` likewise."""
    column: float = 0.0


def resample(
    slices: Float32[np.ndarray, "n rows columns"], spacing: tuple[float, float], square: Square, side: int
) -> Float32[np.ndarray, "n {side} {side}"]:
    """Resample a square of each slice to `side` × `side` square pixels; what lies beyond the slice is 0.

    Antialiased bicubic (a = -0.5), as in Pillow, done as products with two matrices. Each row of these reaches only a
    few pixels, so they are taken in blocks of rows, and only the columns that a block reaches.
    """
    down = _resampling_matrix(slices.shape[1], spacing[0], square.edge, square.row, side)
    across = _resampling_matrix(slices.shape[2], spacing[1], square.edge, square.column, side)
    shorter = np.zeros((len(slices), side, slices.shape[2]), np.float32)
    for rows, reached in _blocks(down):
        np.matmul(down[rows, reached], slices[:, reached], out=shorter[:, rows])
    done = np.zeros((len(slices), side, side), np.float32)
    for columns, reached in _blocks(across):
        done[:, :, columns] = shorter[:, :, reached] @ across[columns, reached].T
    return done


def resample_labels(
    maps: Shaped[np.ndarray, "n rows columns"], spacing: tuple[float, float], square: Square, side: int
) -> UInt8[np.ndarray, "n {side} {side}"]:
    """Resample label maps onto the pixels of `resample`, each pixel by its nearest voxel."""
    row, row_inside = _nearest(maps.shape[1], spacing[0], square.edge, square.row, side)
    column, column_inside = _nearest(maps.shape[2], spacing[1], square.edge, square.column, side)
    nearest = maps[:, row][:, :, column]
    return np.where(row_inside[:, None] & column_inside, nearest, 0).astype(np.uint8, order="C")


def within(shape: tuple[int, ...], spacing: tuple[float, float], square: Square) -> Bool[np.ndarray, "rows columns"]:
    """Return which pixels of a slice lie in a square."""
    row, column = (
        np.abs((np.arange(count) + 0.5 - count / 2) * step - offset) <= square.edge / 2
        for count, step, offset in zip(shape, spacing, (square.row, square.column), strict=True)
    )
    return np.asarray(row[:, None] & column)


def brain_square(brain: Shaped[np.ndarray, "n rows columns"], spacing: tuple[float, float], margin: float) -> Square:
    """Return the smallest square that holds the brain in all slices, and a margin (a share of its edge) around it.

    Rows and columns with next to nothing of it (a hundredth of the fullest one's voxels) do not count.
    """
    middles, edges = [], []
    for axis, step in enumerate(spacing):
        held = np.count_nonzero(brain, axis=(0, 2 - axis))
        held = np.flatnonzero(held > held.max() / 100)
        first, last = (held[0], held[-1] + 1) if len(held) else (0, brain.shape[1 + axis])
        middles.append(float((first + last - brain.shape[1 + axis]) / 2 * step))
        edges.append(float((last - first) * step))
    return Square(max(edges) * (1 + 2 * margin), *middles)


def covered_edge(shape: tuple[int, ...], spacing: tuple[float, float]) -> float:
    """Return the edge (mm) of the square that holds a whole slice: its longer side."""
    return max(shape[0] * spacing[0], shape[1] * spacing[1])


def _centres(count: int, spacing: float, edge: float, offset: float, side: int) -> Float[np.ndarray, " side"]:
    """Output pixel centres in units of input pixels, whose own centres are at 0.5, 1.5, …"""
    millimetres = (np.arange(side) + 0.5) * (edge / side) - edge / 2 + offset
    return millimetres / spacing + count / 2


def _nearest(
    count: int, spacing: float, edge: float, offset: float, side: int
) -> tuple[Int[np.ndarray, " side"], Bool[np.ndarray, " side"]]:
    index = np.floor(_centres(count, spacing, edge, offset, side)).astype(int)
    return np.clip(index, 0, count - 1), (index >= 0) & (index < count)


@lru_cache(maxsize=8)
def _resampling_matrix(
    count: int, spacing: float, edge: float, offset: float, side: int
) -> Float32[np.ndarray, "side count"]:
    centres = _centres(count, spacing, edge, offset, side)
    stretch = max(edge / side / spacing, 1.0)
    weights = _cubic((np.arange(count) + 0.5 - centres[:, None]) / stretch)
    inside = (centres >= 0) & (centres < count)
    total = np.where(inside, weights.sum(axis=1), np.inf)
    return (weights / total[:, None]).astype(np.float32)


def _blocks(matrix: Float32[np.ndarray, "side count"]) -> Iterator[tuple[slice, slice]]:
    """Yield blocks of a banded matrix's rows, each with the columns that are not 0 there."""
    for start in range(0, len(matrix), BLOCK):
        reached = np.flatnonzero(matrix[start : start + BLOCK].any(axis=0))
        if len(reached):
            yield slice(start, min(start + BLOCK, len(matrix))), slice(reached[0], reached[-1] + 1)


def _cubic(x: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Keys, Cubic convolution interpolation for digital image processing, 1981, equation 4 with a = -0.5."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
