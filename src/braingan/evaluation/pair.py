"""A real and a generated set of slices in one extractor's features, with what the metrics share.

Notation: rows of X (n × d) are features of real slices, rows of Y (m × d) of generated ones. All distances and kernels
between slices follow from the inner products X Xᵀ, Y Yᵀ and X Yᵀ, which are computed once; a part of the slices takes
its part of them. Cost: 2 (n² + m² + n m) d operations, 3 n² numbers of 8 bytes.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped

from braingan.evaluation.clusters import k_means
from braingan.evaluation.coverage import precision_recall_curve
from braingan.randomness import draws

CLUSTERS, CLUSTERINGS = 20, 10
"""Bins of the precision-recall curve, and how often they are drawn anew (Sajjadi et al., 2018, section 4)."""

FAR = 10.0
"""Standard deviations beyond which more is not worse: a background that is never quite black in generated slices lies a
hundred of them off, and would be all that a distance is about."""


@dataclass(frozen=True)
class Pair:
    """Everything that a metric may ask of two sets; in float64."""

    x: Float[np.ndarray, "n d"]
    y: Float[np.ndarray, "m d"]
    x_subjects: Int[np.ndarray, " n"]
    y_subjects: Int[np.ndarray, " m"]
    xx: Float[np.ndarray, "n n"]
    yy: Float[np.ndarray, "m m"]
    xy: Float[np.ndarray, "n m"]
    x_bins: Int[np.ndarray, "n repeats"]
    y_bins: Int[np.ndarray, "m repeats"]
    k: int
    """Whose neighbour's distance is a ball's radius."""

    @classmethod
    def of(
        cls,
        x: Float[np.ndarray, "n d"],
        y: Float[np.ndarray, "m d"],
        x_subjects: Shaped[np.ndarray, " n"],
        y_subjects: Shaped[np.ndarray, " m"],
        k: int,
        standardised: bool = False,
    ) -> "Pair":
        """Compare two sets of features.

        Args:
            x: of real slices.
            y: of generated slices.
            x_subjects: whose slice each row of x is.
            y_subjects: the same of y.
            k: of the neighbour radii.
            standardised: whether to take features in the real set's standard deviations, at most `FAR` of them.
        """
        x, y = x.astype(np.float64), y.astype(np.float64)
        if standardised:
            deviations = x.std(axis=0)
            scale = np.where(deviations > 0, deviations, 1)
            mean = x.mean(axis=0)
            x, y = (np.clip((side - mean) / scale, -FAR, FAR) for side in (x, y))
        both = np.concatenate([x, y])
        bins = np.stack(
            [k_means(both, min(CLUSTERS, len(both)), draws(0, "bins", repeat)) for repeat in range(CLUSTERINGS)], axis=1
        )
        xx, yy, xy = x @ x.T, y @ y.T, x @ y.T
        numbers = [np.unique(subjects, return_inverse=True)[1].reshape(-1) for subjects in (x_subjects, y_subjects)]
        return cls(x, y, numbers[0], numbers[1], xx, yy, xy, bins[: len(x)], bins[len(x) :], k)

    def part(self, rows: Int[np.ndarray, " p"], columns: Int[np.ndarray, " q"]) -> "Pair":
        """Take only these real and these generated slices."""
        return Pair(
            self.x[rows],
            self.y[columns],
            self.x_subjects[rows],
            self.y_subjects[columns],
            self.xx[np.ix_(rows, rows)],
            self.yy[np.ix_(columns, columns)],
            self.xy[np.ix_(rows, columns)],
            self.x_bins[rows],
            self.y_bins[columns],
            self.k,
        )

    @cached_property
    def across(self) -> Float[np.ndarray, "n m"]:
        """The squared distance from each real to each generated slice."""
        return _squared(np.diagonal(self.xx), np.diagonal(self.yy), self.xy)

    @cached_property
    def x_radii(self) -> Float[np.ndarray, " n"]:
        """The squared distance from each real slice to its k-th nearest other one."""
        return self._of_x[0]

    @cached_property
    def y_radii(self) -> Float[np.ndarray, " m"]:
        """The same of each generated slice among the generated."""
        return self._of_y[0]

    @cached_property
    def x_radii_other(self) -> Float[np.ndarray, " n"]:
        """As `x_radii`, but slices of the same subject are passed over."""
        return self._of_x[1]

    @cached_property
    def y_radii_other(self) -> Float[np.ndarray, " m"]:
        """As `y_radii`, but slices of the same subject are passed over."""
        return self._of_y[1]

    @cached_property
    def _of_x(self) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        return _radii(self.xx, self.x_subjects, self.k)

    @cached_property
    def _of_y(self) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
        return _radii(self.yy, self.y_subjects, self.k)

    @cached_property
    def curve(self) -> tuple[Float[np.ndarray, " angles"], Float[np.ndarray, " angles"]]:
        """Precision and recall for every trade-off between them."""
        return precision_recall_curve(self.x_bins, self.y_bins)


def _radii(
    inner: Float[np.ndarray, "n n"], subjects: Int[np.ndarray, " n"], k: int
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Return each slice's squared distance to its k-th nearest other one, and to that of other subjects."""
    among = _squared(np.diagonal(inner), np.diagonal(inner), inner)
    np.fill_diagonal(among, np.inf)
    plain = _smallest(among, k)
    among[subjects[:, None] == subjects[None, :]] = np.inf
    return plain, _smallest(among, k)


def _smallest(rows: Float[np.ndarray, "n m"], k: int) -> Float[np.ndarray, " n"]:
    """Return each row's k-th smallest number; torch finds it in an eighth of NumPy's time."""
    return np.asarray(torch.topk(torch.from_numpy(rows), k, largest=False).values[:, -1].numpy())


def _squared(
    a: Float[np.ndarray, " n"], b: Float[np.ndarray, " m"], inner: Float[np.ndarray, "n m"]
) -> Float[np.ndarray, "n m"]:
    squares: Float[np.ndarray, "n m"] = a[:, None] + b[None, :] - 2 * inner
    return np.asarray(np.maximum(squares, 0, out=squares))
