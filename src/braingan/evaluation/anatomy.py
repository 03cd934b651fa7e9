"""What can be measured in a slice without a network, in quantities that a radiologist understands.

Each row of `ROWS` is one number per slice. The brain is what is brighter than a tenth of the slice's brightest tissue,
after a little smoothing; its outline is filled from both directions, so that dark ventricles count as inside.
All shares are of pixels; lengths are in slices' widths, so that slices of several sizes can be compared.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8


@dataclass(frozen=True)
class Row:
    """A quantity: its plain name, its unit, and what it tells."""

    name: str
    unit: str
    tells: str


ROWS = (
    Row("brain area", "share of the slice", "size of the head shown"),
    Row("brain width over height", "ratio", "proportions: squeezed or stretched heads"),
    Row("outline roundness", "4π area / outline²", "smooth outlines are near 1, ragged ones lower"),
    Row("left-right symmetry", "correlation", "likeness of the two hemispheres"),
    Row("dark area inside", "share of the brain", "ventricles and sulci, or holes"),
    Row("mean brightness of the brain", "grey levels", "exposure"),
    Row("contrast of the brain", "grey levels", "standard deviation of grey levels inside"),
    Row("10th percentile of the brain", "grey levels", "fluid, or what is taken for it"),
    Row("median of the brain", "grey levels", "the commonest tissue"),
    Row("90th percentile of the brain", "grey levels", "the brightest tissue"),
    Row("white pixels", "share of the brain", "saturated grey levels"),
    Row("background", "grey levels", "mean outside the head: haze or ghosts"),
    Row("coarse structure", "log power", "2 to 1/8 of the finest frequency: lobes and ventricles"),
    Row("middle structure", "log power", "1/8 to 1/4 of the finest frequency: gyri"),
    Row("fine structure", "log power", "1/4 to 1/2 of the finest frequency: edges"),
    Row("finest structure", "log power", "1/2 to the finest frequency: grain or blur"),
    Row("grid", "log power", "beyond the finest frequency of a row: checkerboards"),
    Row("local texture", "share of the mean", "standard deviation in windows of 5 pixels"),
    Row("edges", "share of the mean", "mean gradient"),
    Row("noise", "grey levels", "what neighbouring pixels do not explain (Immerkær, 1996)"),
)
BATCH = 256
DARK, BRIGHTNESS = 0.45, 0.1
"""Of the brain's median; and of its brightest tissue."""
SATURATED = 250


def measure(images: UInt8[np.ndarray, "n side side"]) -> Float[np.ndarray, "n rows"]:
    """Measure every quantity of `ROWS` in every slice; always finite, also for black slices and noise."""
    found = [_measure(images[start : start + BATCH]) for start in range(0, len(images), BATCH)]
    return np.concatenate(found) if found else np.zeros((0, len(ROWS)))


def _measure(images: UInt8[np.ndarray, "n side side"]) -> Float[np.ndarray, "n rows"]:
    slices = images.astype(np.float64)
    smooth = box(slices, 3)
    brain = brain_of(smooth)
    area = np.maximum(brain.sum(axis=(1, 2)), 1).astype(np.float64)
    columns = [
        brain.mean(axis=(1, 2)),
        *_shape(brain, area),
        _symmetry(slices, brain),
        *_grey_levels(slices, smooth, brain),
        *_spectrum(slices),
        *_texture(slices, brain, area),
    ]
    return np.stack(columns, axis=1)


def brain_of(smooth: Float[np.ndarray, "n side side"]) -> Bool[np.ndarray, "n side side"]:
    """Return the filled outline of the brain, or head, in smoothed slices; all False in a black one."""
    brightest = np.percentile(smooth, 98, axis=(1, 2), keepdims=True)
    tissue = (smooth > BRIGHTNESS * brightest) & (brightest > 0)
    before, after = (np.logical_or.accumulate(tissue[:, :, ::step], axis=2)[:, :, ::step] for step in (1, -1))
    above, below = (np.logical_or.accumulate(tissue[:, ::step], axis=1)[:, ::step] for step in (1, -1))
    return np.asarray(before & after & above & below)


def box(values: Float[np.ndarray, "n side side"], width: int) -> Float[np.ndarray, "n side side"]:
    """Return the mean over a square window of so many pixels, at the border over what of it is inside."""
    half = width // 2
    for axis in (1, 2):
        total = np.insert(values, 0, 0.0, axis=axis).cumsum(axis=axis)
        count = values.shape[axis]
        last, first = np.minimum(np.arange(count) + half + 1, count), np.maximum(np.arange(count) - half, 0)
        extent = (last - first).reshape((-1, 1) if axis == 1 else (1, -1))
        values = (total.take(last, axis=axis) - total.take(first, axis=axis)) / extent
    return values


def _shape(brain: Bool[np.ndarray, "n side side"], area: Float[np.ndarray, " n"]) -> Iterator[Float[np.ndarray, " n"]]:
    """Yield width over height, by the deviations of the brain's pixels, and roundness.

    An outline along pixels' edges is 4/π too long on average over all directions.
    """
    place = np.arange(brain.shape[1])
    deviations = []
    for axis in (1, 2):
        counts = brain.sum(axis=axis).astype(np.float64)
        mean = (counts * place).sum(axis=1) / area
        deviations.append(np.sqrt((counts * (place - mean[:, None]) ** 2).sum(axis=1) / area))
    yield deviations[0] / np.maximum(deviations[1], 1e-9)
    edged = np.pad(brain, ((0, 0), (1, 1), (1, 1)))
    outline = sum(np.diff(edged.astype(np.int8), axis=axis).astype(bool).sum(axis=(1, 2)) for axis in (1, 2))
    yield 4 * np.pi * area / np.maximum(outline * np.pi / 4, 1) ** 2


def _symmetry(
    slices: Float[np.ndarray, "n side side"], brain: Bool[np.ndarray, "n side side"]
) -> Float[np.ndarray, " n"]:
    """Return the correlation of the brain with its mirror image about the column of its middle."""
    side = slices.shape[1]
    counts = brain.sum(axis=1).astype(np.float64)
    middle = (counts * np.arange(side)).sum(axis=1) / np.maximum(counts.sum(axis=1), 1)
    mirror = np.rint(2 * middle[:, None] - np.arange(side)).astype(int)
    inside = (mirror >= 0) & (mirror < side)
    rows = np.clip(mirror, 0, side - 1)[:, None, :]
    other = np.take_along_axis(slices, np.broadcast_to(rows, slices.shape), axis=2)
    both = brain & np.take_along_axis(brain, np.broadcast_to(rows, brain.shape), axis=2) & inside[:, None, :]
    weight = both / np.maximum(both.sum(axis=(1, 2), keepdims=True), 1)
    a = slices - (weight * slices).sum(axis=(1, 2), keepdims=True)
    b = other - (weight * other).sum(axis=(1, 2), keepdims=True)
    scale = np.sqrt((weight * a * a).sum(axis=(1, 2)) * (weight * b * b).sum(axis=(1, 2)))
    return np.asarray((weight * a * b).sum(axis=(1, 2)) / np.maximum(scale, 1e-9))


def _grey_levels(
    slices: Float[np.ndarray, "n side side"],
    smooth: Float[np.ndarray, "n side side"],
    brain: Bool[np.ndarray, "n side side"],
) -> list[Float[np.ndarray, " n"]]:
    found = np.zeros((len(slices), 8))
    for number, (pixels, smoothed, inside) in enumerate(zip(slices, smooth, brain, strict=True)):
        if not inside.any():
            continue
        levels = pixels[inside]
        low, median, high = np.percentile(levels, [10, 50, 90])
        dark = (smoothed[inside] < DARK * median).mean()
        outside = pixels[~inside].mean() if not inside.all() else 0.0
        white = (levels >= SATURATED).mean()
        found[number] = dark, levels.mean(), levels.std(), low, median, high, white, outside
    return list(found.T)


def _spectrum(slices: Float[np.ndarray, "n side side"]) -> Iterator[Float[np.ndarray, " n"]]:
    """Yield log10 of the mean power in bands of the radial frequency, under a window against the border."""
    side = slices.shape[1]
    window = np.hanning(side)
    power = np.abs(np.fft.rfft2(slices * window[:, None] * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)) * 2  # 1 is the finest
    for low, high in ((2 / side, 1 / 8), (1 / 8, 1 / 4), (1 / 4, 1 / 2), (1 / 2, 1), (1, 1.5)):
        ring = (frequency >= low) & (frequency < high)
        yield np.log10(power[:, ring].mean(axis=1) + 1) if ring.any() else np.zeros(len(slices))


def _texture(
    slices: Float[np.ndarray, "n side side"], brain: Bool[np.ndarray, "n side side"], area: Float[np.ndarray, " n"]
) -> Iterator[Float[np.ndarray, " n"]]:
    mean = np.maximum((slices * brain).sum(axis=(1, 2)) / area, 1)
    local = np.sqrt(np.maximum(box(slices * slices, 5) - box(slices, 5) ** 2, 0))
    yield (local * brain).sum(axis=(1, 2)) / area / mean
    down, across = np.gradient(slices, axis=(1, 2))
    yield (np.hypot(down, across) * brain).sum(axis=(1, 2)) / area / mean
    rows = slices[:, :-2] - 2 * slices[:, 1:-1] + slices[:, 2:]
    second = rows[:, :, :-2] - 2 * rows[:, :, 1:-1] + rows[:, :, 2:]
    inner = brain[:, 1:-1, 1:-1]
    yield np.sqrt(np.pi / 2) / 6 * (np.abs(second) * inner).sum(axis=(1, 2)) / np.maximum(inner.sum(axis=(1, 2)), 1)


def wasserstein(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " m"]) -> float:
    """Return how far grains of one sample must move, on average, to become the other (Wasserstein-1), in their unit.

    The area between the two distribution functions.
    """
    both = np.sort(np.concatenate([x, y]))
    below = [np.searchsorted(np.sort(sample), both[:-1], side="right") / len(sample) for sample in (x, y)]
    return float((np.abs(below[0] - below[1]) * np.diff(both)).sum())
