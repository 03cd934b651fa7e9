"""How far apart two sets of features lie, in float64.

Notation: rows of X (n × d) are features of real slices, rows of Y (m × d) of generated ones.
"""

import numpy as np
from jaxtyping import Float


def frechet_distance(x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "m d"]) -> float:
    """Return the squared Fréchet distance between Gaussians fitted to two sets (Heusel et al., 2017, equation 6).

        ‖μx - μy‖² + tr Cx + tr Cy - 2 tr (Cx Cy)^½

    With centred A, B, the last trace is the nuclear norm of A Bᵀ / √((n-1)(m-1)), which needs no matrix root.
    It depends on n and m: compare only values at equal counts. Needs two rows on each side.
    """
    x, y = x.astype(np.float64), y.astype(np.float64)
    a = (x - x.mean(axis=0)) / np.sqrt(len(x) - 1)
    b = (y - y.mean(axis=0)) / np.sqrt(len(y) - 1)
    spread = (a * a).sum() + (b * b).sum()
    difference = x.mean(axis=0) - y.mean(axis=0)
    cross = _square_root_rows(a) @ _square_root_rows(b).T
    return float(difference @ difference + spread - 2 * _nuclear_norm(cross))


def frechet_distance_of(
    xx: Float[np.ndarray, "n n"], yy: Float[np.ndarray, "m m"], xy: Float[np.ndarray, "n m"]
) -> float:
    """Return the same from inner products: the faster way where there are fewer slices than features."""
    n, m = xy.shape
    difference = xx.mean() + yy.mean() - 2 * xy.mean()
    spread = (np.trace(xx) - n * xx.mean()) / (n - 1) + (np.trace(yy) - m * yy.mean()) / (m - 1)
    cross = xy - xy.mean(axis=0) - xy.mean(axis=1, keepdims=True) + xy.mean()
    return float(difference + spread - 2 * _nuclear_norm(cross / np.sqrt((n - 1) * (m - 1))))


def _nuclear_norm(a: Float[np.ndarray, "n m"]) -> float:
    """Return the sum of the singular values: the roots of the eigenvalues of A Aᵀ, in a third of the time of an SVD.

    A singular value of 0 may come out as 1e-8 of the largest one.
    """
    return float(np.sqrt(np.maximum(np.linalg.eigvalsh(a @ a.T), 0)).sum())


def _square_root_rows(a: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "k d"]:
    """Return at most d rows R with RᵀR = AᵀA."""
    rows, columns = a.shape
    return np.asarray(np.linalg.qr(a, mode="r")) if rows > columns else a


def at_infinity(whole: float, half: float) -> float:
    """Extrapolate a distance to infinitely many slices from its values at n and, on average, at n/2.

    The bias of the Fréchet distance falls as 1/n (Chong and Forsyth, Effectively unbiased FID and Inception Score,
    2020, equation 8), so that 2 F(n) - F(n/2) is free of it, once n is well above the number of features.
    """
    return 2 * whole - half


def kernel_distance(x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "m d"]) -> float:
    """Return the unbiased squared maximum mean discrepancy (Bińkowski et al., 2018, section 4).

    The kernel is (a·b/d + 1)³. All pairs are used, no random subsets; the value can be slightly negative.
    """
    x, y = x.astype(np.float64), y.astype(np.float64)
    return kernel_distance_of(x @ x.T, y @ y.T, x @ y.T, x.shape[1])


def kernel_distance_of(
    xx: Float[np.ndarray, "n n"], yy: Float[np.ndarray, "m m"], xy: Float[np.ndarray, "n m"], d: int
) -> float:
    """Return the same from the inner products of d features."""
    n, m = xy.shape
    k_xx, k_yy, k_xy = (_cube(inner / d + 1) for inner in (xx, yy, xy))
    within_x = (k_xx.sum() - np.trace(k_xx)) / (n * (n - 1))
    within_y = (k_yy.sum() - np.trace(k_yy)) / (m * (m - 1))
    return float(within_x + within_y - 2 * k_xy.mean())


def _cube(a: Float[np.ndarray, "n m"]) -> Float[np.ndarray, "n m"]:
    """Return a³ by two products, which take a fraction of the time of a power."""
    return np.asarray(a * a * a)


def class_score(probabilities: Float[np.ndarray, "n classes"]) -> float:
    """Return exp of the mean divergence of each slice's classes from all slices' (Salimans et al., 2016, section 4).

    With the Inception network's classes this is the Inception Score. 1 if every slice is taken for the same, at most
    the number of classes. The classes are those of photographs: of MRI it says little.
    """
    p = np.maximum(probabilities.astype(np.float64), 1e-16)
    return float(np.exp((p * (np.log(p) - np.log(p.mean(axis=0)))).sum(axis=1).mean()))
