"""Whether generated slices lie among real ones, and real ones among generated.

A set's manifold is the union of balls around its features, each as wide as the distance to its k-th nearest neighbour.
Radii and distances are squared; `across` is real (rows) against generated slices (columns), as `Pair` has them.
Neighbouring slices of one subject are nearly the same slice, which makes balls small; so radii can be taken to slices
of other subjects only.
"""

import numpy as np
from jaxtyping import Bool, Float, Int


def in_balls(across: Float[np.ndarray, "n m"], radii: Float[np.ndarray, " n"]) -> Bool[np.ndarray, " m"]:
    """Return which generated slices lie in a real slice's ball; with both turned round, which real in a generated's.

    Their shares are precision and recall (Kynkäänniemi et al., Improved precision and recall metric for assessing
    generative models, 2019, equation 2).
    """
    return np.asarray((across <= radii[:, None]).any(axis=0))


def density(across: Float[np.ndarray, "n m"], radii: Float[np.ndarray, " n"], k: int) -> float:
    """Return in how many real balls a generated slice lies, on average, over k.

    Naeem et al., Reliable fidelity and diversity metrics for generative models, 2020, equation 5. About 1 for slices
    like the real ones; it may be greater.
    """
    return float((across <= radii[:, None]).sum() / (k * across.shape[1]))


def covered(across: Float[np.ndarray, "n m"], radii: Float[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Return which real slices have a generated one in their ball; their share is coverage (the same, equation 6)."""
    return np.asarray((across <= radii[:, None]).any(axis=1))


def realism(across: Float[np.ndarray, "n m"], radii: Float[np.ndarray, " n"]) -> Float[np.ndarray, " m"]:
    """Return how deep each generated slice lies in a real ball: radius over distance, of the ball where it is largest.

    Kynkäänniemi et al., equation 3; 1 is on a ball's rim. Balls wider than the median are left out, as they are there.
    """
    kept = radii <= np.median(radii)
    return np.asarray(np.sqrt((radii[kept, None] / np.maximum(across[kept], 1e-12)).max(axis=0)))


ANGLES = 1001


def precision_recall_curve(
    x_bins: Int[np.ndarray, "n repeats"], y_bins: Int[np.ndarray, "m repeats"]
) -> tuple[Float[np.ndarray, " angles"], Float[np.ndarray, " angles"]]:
    """Return precision and recall for every trade-off between them, from features put into common bins.

    Sajjadi et al., Assessing generative models via precision and recall, 2018, equations 6 and 7, with
    P the generated and Q the real histogram: precision Σ min(λ Q, P), recall Σ min(Q, P / λ), averaged over repeats.
    """
    slope = np.tan(np.linspace(1e-6, np.pi / 2 - 1e-6, ANGLES))[:, None]
    bins = int(max(x_bins.max(), y_bins.max())) + 1
    precision, recall = np.zeros(ANGLES), np.zeros(ANGLES)
    repeats = x_bins.shape[1]
    for repeat in range(repeats):
        q = np.bincount(x_bins[:, repeat], minlength=bins) / len(x_bins)
        p = np.bincount(y_bins[:, repeat], minlength=bins) / len(y_bins)
        alpha = np.minimum(slope * q, p).sum(axis=1)
        precision += alpha / repeats
        recall += alpha / slope[:, 0] / repeats
    return np.clip(precision, 0, 1), np.clip(recall, 0, 1)


def best_f(precision: Float[np.ndarray, " angles"], recall: Float[np.ndarray, " angles"], beta: float) -> float:
    """Return the largest F score on the curve: recall weighs β² times as much as precision (the same, section 4.2)."""
    weighed = beta**2 * precision + recall
    scores = (1 + beta**2) * precision * recall / np.where(weighed > 0, weighed, 1)
    return float(scores.max())
