"""Whether generated slices lie among real ones, and real ones among generated.

Kynkäänniemi et al., Improved Precision and Recall Metric for Assessing Generative Models, 2019: a set's
manifold is the union of balls around its features, each as wide as the distance to its k-th nearest neighbour.
Neighbouring slices of one subject are nearly the same slice, which makes balls small; so radii can be taken to
slices of other subjects only.
"""

import numpy as np
from jaxtyping import Bool, Float, Shaped


def covered_share(
    points: Float[np.ndarray, "m d"],
    centres: Float[np.ndarray, "n d"],
    k: int,
    subjects: Shaped[np.ndarray, " n"] | None = None,
) -> float:
    """Return the share of points that lie in the manifold of the centres.

    With generated points and real centres this is precision (equation 2 of the paper), the other way recall.

    Args:
        points: features to look for.
        centres: features that span the manifold; more than k of them.
        k: whose neighbour's distance is a ball's radius.
        subjects: of the centres; if given, neighbours of the same subject are passed over.
    """
    among = _squared_distances(centres, centres)
    same: Bool[np.ndarray, "n n"] = np.eye(len(centres), dtype=bool)
    if subjects is not None:
        same = subjects[:, None] == subjects[None, :]
    among[same] = np.inf
    radii = np.partition(among, k - 1, axis=1)[:, k - 1]
    return float((_squared_distances(points, centres) <= radii).any(axis=1).mean())


def _squared_distances(a: Float[np.ndarray, "m d"], b: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "m n"]:
    a, b = a.astype(np.float64), b.astype(np.float64)
    squares: Float[np.ndarray, "m n"] = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2 * (a @ b.T)
    return np.asarray(np.maximum(squares, 0))
