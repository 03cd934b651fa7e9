"""From a volume to square uint8 slices as they are shown.

Order of work: cut the slices, put them on one grey scale, resample. The grey scale comes from the whole
volume, so that a slice looks the same whichever others are taken with it.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Shaped, UInt8

from braingan.errors import InputError

AXES = ("axial", "coronal", "sagittal")
EVERY = 7  # percentiles from every 7th voxel: full histograms of a volume cost more than inflating it


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


def cut_spacing(spacing: tuple[float, float, float], axis: str) -> tuple[float, float]:
    """Return the spacing (mm) of the rows and of the columns of slices along an axis."""
    x, y, z = spacing
    return {"axial": (y, x), "coronal": (z, x), "sagittal": (z, y)}[axis]


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


def grey_scale(voxels: Shaped[np.ndarray, "..."], percentiles: tuple[float, float]) -> GreyScale | None:
    """Set the grey scale of a volume (or picture) from robust percentiles of its foreground.

    The background is the commonest value where it fills at least a fifth (skull-stripped volumes), or a twentieth
    and is the darkest; else the darkest percent. The foreground lies further from the background than the average
    voxel does, which parts tissue from air in stripped, unstripped and z-scored volumes alike. Black is the
    background, or the low percentile where tissue lies below the background.

    Returns None where all voxels are the same.
    """
    flat = voxels.ravel(order="K")
    sample = (flat[::EVERY] if flat.size > 200_000 else flat).astype(np.float32)
    values, counts = np.unique(sample, return_counts=True)
    if len(values) == 1:
        return None
    common = counts.argmax()
    plain = counts[common] >= (0.05 if common == 0 else 0.2) * sample.size
    background = float(values[common] if plain else np.percentile(sample, 1))
    distance = np.abs(sample - background)
    tissue = sample[distance > distance.mean()]
    if not len(tissue):
        return None
    low, high = (float(p) for p in np.percentile(tissue, percentiles))
    black = min(background, low)
    if not high > black:
        return None
    # Tissue below the background is tissue too; there only the background itself is mapped to 0.
    threshold = 0.5 if black < background else float(distance.mean()) / (high - black) * 255
    return GreyScale(background, black, high, threshold)


def to_grey(values: Shaped[np.ndarray, "n rows columns"], scale: GreyScale) -> Float32[np.ndarray, "n rows columns"]:
    """Map intensities to 0..255, not yet clipped: clipping before resampling would dull edges."""
    grey = (values.astype(np.float32) - scale.black) * (255 / (scale.white - scale.black))
    if scale.black < scale.background:
        grey[values == scale.background] = 0
    return grey


def resample(
    slices: Float32[np.ndarray, "n rows columns"], spacing: tuple[float, float], edge: float, side: int
) -> UInt8[np.ndarray, "n {side} {side}"]:
    """Resample slices to `side` × `side` square pixels that cover `edge` mm around their middle, and round to uint8.

    What lies beyond a slice is black. Antialiased bicubic (a = -0.5), as in Pillow, done as two matrix products.
    """
    rows, columns = slices.shape[1:]
    down = _resampling_matrix(rows, spacing[0], edge, side)
    across = _resampling_matrix(columns, spacing[1], edge, side)
    grey = down @ slices @ across.T
    return np.asarray(np.clip(np.rint(grey), 0, 255), np.uint8)


def resample_labels(
    maps: Shaped[np.ndarray, "n rows columns"], spacing: tuple[float, float], edge: float, side: int
) -> UInt8[np.ndarray, "n {side} {side}"]:
    """Resample label maps onto the pixels of `resample`, each pixel by its nearest voxel."""
    row, row_inside = _nearest(maps.shape[1], spacing[0], edge, side)
    column, column_inside = _nearest(maps.shape[2], spacing[1], edge, side)
    nearest = maps[:, row][:, :, column]
    return np.where(row_inside[:, None] & column_inside, nearest, 0).astype(np.uint8)


def within(shape: tuple[int, ...], spacing: tuple[float, float], edge: float) -> Bool[np.ndarray, "rows columns"]:
    """Return which pixels of a slice lie in the square of `edge` mm around its middle."""
    row, column = (
        np.abs(np.arange(count) + 0.5 - count / 2) * step <= edge / 2
        for count, step in zip(shape, spacing, strict=True)
    )
    return np.asarray(row[:, None] & column)


def covered_edge(shape: tuple[int, ...], spacing: tuple[float, float]) -> float:
    """Return the edge (mm) of the square that holds a whole slice: its longer side."""
    return max(shape[0] * spacing[0], shape[1] * spacing[1])


def _centres(count: int, spacing: float, edge: float, side: int) -> Float[np.ndarray, " side"]:
    """Output pixel centres in units of input pixels, whose own centres are at 0.5, 1.5, …"""
    millimetres = (np.arange(side) + 0.5) * (edge / side) - edge / 2
    return millimetres / spacing + count / 2


def _nearest(count: int, spacing: float, edge: float, side: int) -> tuple[np.ndarray, np.ndarray]:
    index = np.floor(_centres(count, spacing, edge, side)).astype(int)
    return np.clip(index, 0, count - 1), (index >= 0) & (index < count)


def _resampling_matrix(count: int, spacing: float, edge: float, side: int) -> Float32[np.ndarray, "side count"]:
    centres = _centres(count, spacing, edge, side)
    stretch = max(edge / side / spacing, 1.0)
    weights = _cubic((np.arange(count) + 0.5 - centres[:, None]) / stretch)
    inside = (centres >= 0) & (centres < count)
    total = np.where(inside, weights.sum(axis=1), np.inf)
    return (weights / total[:, None]).astype(np.float32)


def _cubic(x: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Keys, Cubic convolution interpolation for digital image processing, 1981, equation 4 with a = -0.5."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
