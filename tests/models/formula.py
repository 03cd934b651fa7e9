"""Weights and inputs that Keras and PyTorch both compute, from integer arithmetic alone.

NumPy only: `benchmarks/keras_parity.py` imports this where no PyTorch is installed.
"""

import numpy as np


def uniform(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers in -1..1 (float64) from a hash of the key and each entry's place (SplitMix64)."""
    seed = sum(ord(letter) * 257**place for place, letter in enumerate(key)) % 2**63
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z.astype(np.float64) / 2**63 - 1).reshape(shape)


def weights(network: str, layer: int, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A weight array in Keras's axis order; `name` is kernel, bias, gamma, beta, moving_mean or moving_variance."""
    values = uniform(f"{network}/{layer}/{name}", shape)
    if name == "kernel":
        field = int(np.prod(shape[:-2]))
        return values * np.sqrt(6 / (field * (shape[-1] + shape[-2])))
    return {"gamma": 1 + 0.2 * values, "moving_variance": 1 + 0.5 * values}.get(name, 0.1 * values)


def latents(count: int) -> np.ndarray:
    return uniform("latents", (count, 100)) * np.sqrt(3)


def real_slices(count: int) -> np.ndarray:
    """`[count, 112, 112]` in -1..1."""
    return uniform("real", (count, 112, 112))


def probe(values: np.ndarray) -> np.ndarray:
    """The norm, then up to 256 entries spread over the array."""
    flat = np.asarray(values, np.float64).ravel()
    picked = flat[np.linspace(0, flat.size - 1, min(256, flat.size)).astype(int)]
    return np.concatenate([[np.linalg.norm(flat)], picked])
