"""Groups of nearby features: k-means (Lloyd, Least squares quantization in PCM, 1982), begun as k-means++ does
(Arthur and Vassilvitskii, 2007).
"""

import numpy as np
from jaxtyping import Float, Int

ROUNDS = 50


def k_means(rows: Float[np.ndarray, "n d"], clusters: int, random: np.random.Generator) -> Int[np.ndarray, " n"]:
    """Return the cluster, 0 to `clusters` - 1, of each row; in float32. Some may stay empty where rows coincide."""
    rows = (rows - rows.mean(axis=0)).astype(np.float32)
    lengths = (rows * rows).sum(axis=1)
    centres = _spread_out(rows, lengths, clusters, random)
    found = _nearest(rows, centres)
    for _ in range(ROUNDS):
        member = np.eye(clusters, dtype=np.float32)[:, found]
        sizes = member.sum(axis=1, keepdims=True)
        centres = np.where(sizes > 0, member @ rows / np.maximum(sizes, 1), centres)
        before, found = found, _nearest(rows, centres)
        if (before == found).all():
            break
    return found


def _nearest(rows: Float[np.ndarray, "n d"], centres: Float[np.ndarray, "k d"]) -> Int[np.ndarray, " n"]:
    return np.asarray(((centres * centres).sum(axis=1) - 2 * (rows @ centres.T)).argmin(axis=1))


def _spread_out(
    rows: Float[np.ndarray, "n d"], lengths: Float[np.ndarray, " n"], clusters: int, random: np.random.Generator
) -> Float[np.ndarray, "k d"]:
    """Draw rows as centres, each with a chance that grows with the squared distance to those drawn before."""
    chosen = [int(random.integers(len(rows)))]
    nearest = np.full(len(rows), np.inf)  # in float64, as chances have to sum to 1
    for _ in range(clusters - 1):
        last = rows[chosen[-1]]
        nearest = np.minimum(nearest, np.maximum(lengths + last @ last - 2 * (rows @ last), 0))
        total = nearest.sum()
        chosen.append(int(random.choice(len(rows), p=nearest / total if total > 0 else None)))
    return rows[chosen]
