"""What a generator has to beat: slices that cost nothing, and that stand in every table.

- `gaussian`: drawn from a Gaussian over the principal components of training slices (Turk and Pentland, 1991): the
  right mean and covariance of pixels, and no anatomy.
- `copies`: training slices themselves: perfect by every distance, caught by the measures of memorisation.
- `blurred`: training slices without their fine detail.
"""

import numpy as np
from jaxtyping import Float, UInt8

from braingan.randomness import draws

COMPONENTS = 128
BLUR = 1.5
"""Standard deviation of the blur in pixels of a slice of 112; in proportion at other sizes."""


def gaussian(training: UInt8[np.ndarray, "n side side"], count: int) -> UInt8[np.ndarray, "{count} side side"]:
    """Draw slices from a Gaussian over the first principal components of training slices.

    With centred slices as rows of X, eigenvectors U and eigenvalues Λ of X Xᵀ: the components are Λ^-½ Uᵀ X, a
    slice's coordinates have the variances Λ / (n - 1), and so a draw is the mean + z Uᵀ X / √(n - 1), z normal.
    """
    rows = training.reshape(len(training), -1).astype(np.float64)
    mean = rows.mean(axis=0)
    rows -= mean
    vectors = np.linalg.eigh(rows @ rows.T)[1][:, -COMPONENTS:]
    z = draws(0, "gaussian over principal components").normal(size=(count, vectors.shape[1]))
    return _grey((mean + z @ (vectors.T @ rows) / np.sqrt(len(rows) - 1)).reshape(count, *training.shape[1:]))


def blurred(slices: UInt8[np.ndarray, "n side side"]) -> UInt8[np.ndarray, "n side side"]:
    """Blur slices."""
    side = slices.shape[1]
    deviation = BLUR * side / 112
    frequency = np.fft.fftfreq(side)
    response = np.exp(-2 * (np.pi * frequency * deviation) ** 2)
    kernel = np.real(np.fft.ifft(response))
    matrix = np.stack([np.roll(kernel, shift) for shift in range(side)]).astype(np.float32)
    return _grey(np.einsum("ab,nbc,dc->nad", matrix, slices.astype(np.float32), matrix, optimize=True))


def _grey(values: Float[np.ndarray, "n side side"]) -> UInt8[np.ndarray, "n side side"]:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
