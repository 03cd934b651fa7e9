"""Whether slices show a head with its skull, so that a face may be recognised in them.

From the outline of a head inwards comes the bright scalp, then bone, which is dark in every contrast, then the brain. A
brain without its skull has no such dark ring beneath its outline.
"""

import numpy as np
from jaxtyping import Bool, Float, UInt8

LOOKED_AT = 3
"""Slices, evenly spread."""
TISSUE = 18
"""Grey level above which a pixel is no background."""
DEEPEST_SHARE = 1 / 8
"""How far inwards the ring may lie, as a share of a slice's side."""
LEAST_DIP = 0.17
"""How much darker than both its sides the ring must be; stripped brains of real collections reach 0.12, heads 0.22 and
more."""


def shows_skull(slices: UInt8[np.ndarray, "n side side"]) -> bool:
    """Whether most of a volume's slices show a dark ring beneath the outline."""
    chosen = np.linspace(0, len(slices) - 1, min(LOOKED_AT, len(slices))).astype(int)
    return bool(np.median([_dip(image) for image in slices[chosen]]) > LEAST_DIP)


def _dip(image: UInt8[np.ndarray, "side side"]) -> float:
    """How much darker some ring is than the brightest further out and the brightest further in, as a share."""
    rings = _rings(image, int(len(image) * DEEPEST_SHARE))
    dips = [0.0]
    for depth in range(1, len(rings) - 1):
        sides = min(rings[:depth].max(), rings[depth + 1 :].max())
        dips.append((sides - rings[depth]) / max(sides, 1.0))
    return float(max(dips))


def _rings(image: UInt8[np.ndarray, "side side"], count: int) -> Float[np.ndarray, " rings"]:
    """Return the mean grey level of each ring of one pixel's width, from the outline inwards."""
    tissue = image > TISSUE
    inside = _spanned(tissue) & _spanned(tissue.T).T
    means = []
    for _ in range(count):
        around = np.pad(inside, 1)
        inner = inside & around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
        if not inner.any():
            break
        means.append(image[inside & ~inner].mean())
        inside = inner
    return np.array(means)


def _spanned(tissue: Bool[np.ndarray, "rows columns"]) -> Bool[np.ndarray, "rows columns"]:
    """Fill each row from its first pixel of tissue to its last."""
    return np.logical_or.accumulate(tissue, 1) & np.logical_or.accumulate(tissue[:, ::-1], 1)[:, ::-1]
