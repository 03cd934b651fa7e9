"""How alike the slices of one set are to each other: a generator that repeats itself makes its pairs alike.

Wang, Simoncelli and Bovik, Multiscale structural similarity for image quality assessment, 2003. Similarity is 1 for
the same picture; Odena et al. (Conditional image synthesis with auxiliary classifier GANs, 2017, section 4.2) take
its mean over random pairs as a measure of variety.
"""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import avg_pool2d

from braingan.randomness import draws

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Of the scales, from the full size to a sixteenth; small slices have fewer scales, and the weights sum to 1 again."""
WINDOW, DEVIATION = 11, 1.5
PAIRS = 512


def pair_similarities(images: UInt8[np.ndarray, "n side side"]) -> Float[np.ndarray, " pairs"]:
    """Return the MS-SSIM of random pairs, no slice in two of them, the same whatever the order of the slices."""
    order = np.array(sorted(range(len(images)), key=lambda i: images[i].tobytes()))
    chosen = order[draws(0, "pairs").permutation(len(images))][: 2 * min(PAIRS, len(images) // 2)].reshape(-1, 2)
    batches = np.array_split(chosen, max(len(chosen) // 64, 1))
    found = [ms_ssim(_tensor(images[batch[:, 0]]), _tensor(images[batch[:, 1]])) for batch in batches]
    return np.asarray(torch.cat(found).numpy())


def ms_ssim(a: Float[Tensor, "n 1 side side"], b: Float[Tensor, "n 1 side side"]) -> Float[Tensor, " n"]:
    """Return the similarity (equation 7) of each pair of pictures in 0..255, at least 11 pixels wide."""
    scales = next(s for s in range(len(WEIGHTS), 0, -1) if WINDOW * 2 ** (s - 1) <= a.shape[-1])
    weights = np.array(WEIGHTS[:scales]) / sum(WEIGHTS[:scales])
    result = torch.ones(len(a), dtype=a.dtype)
    for scale, weight in enumerate(weights):
        luminance, structure = _compare(a, b)
        similarity = structure if scale < scales - 1 else luminance * structure
        result = result * similarity.mean(dim=(1, 2, 3)).clamp(min=0) ** float(weight)
        a, b = avg_pool2d(a, 2), avg_pool2d(b, 2)
    return result


def _compare(
    a: Float[Tensor, "n 1 side side"], b: Float[Tensor, "n 1 side side"]
) -> tuple[Float[Tensor, "n 1 rows columns"], Float[Tensor, "n 1 rows columns"]]:
    """Return luminance, and contrast times structure, around each pixel (equations 1 to 3)."""
    pixels, places = torch.arange(a.shape[-1]), torch.arange(a.shape[-1] - WINDOW + 1)[:, None]
    x = pixels - places - (WINDOW - 1) / 2
    window = torch.exp(-((x.to(a.dtype) / DEVIATION) ** 2) / 2) * (x.abs() <= WINDOW / 2)
    window = window / window.sum(dim=1, keepdim=True)
    blurred = window @ torch.cat([a, b, a * a, b * b, a * b]) @ window.T
    mean_a, mean_b, square_a, square_b, product = blurred.chunk(5)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    variances = square_a - mean_a**2 + square_b - mean_b**2
    return luminance, (2 * (product - mean_a * mean_b) + c2) / (variances + c2)


def _tensor(images: UInt8[np.ndarray, "n side side"]) -> Float[Tensor, "n 1 side side"]:
    return torch.from_numpy(images.astype(np.float64))[:, None]


def vendi_score(features: Float[np.ndarray, "n d"]) -> float:
    """Return the effective number of different slices (Friedman and Dieng, The Vendi Score, 2023, definition 3.1).

    exp of the entropy of the eigenvalues of K / n, K the cosines between features: 1 if all are the same, n if all
    are at right angles. It grows with n: compare at equal counts.
    """
    rows = features.astype(np.float64)
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12) / np.sqrt(len(rows))
    gram = rows @ rows.T if len(rows) <= rows.shape[1] else rows.T @ rows
    eigenvalues = np.linalg.eigvalsh(gram)
    eigenvalues = eigenvalues[eigenvalues > 1e-12]
    return float(np.exp(-(eigenvalues * np.log(eigenvalues)).sum()))
