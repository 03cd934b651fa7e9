"""Random numbers that depend on what they are for, never on what was drawn before.

Every draw belongs to (seed, purpose, index): the latents of step 812, the order of epoch 3, the latent of
slice 64. So there is no random state to save, and work can be resumed, split or repeated in any order.
"""

import zlib

import numpy as np


def draws(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """Return the random stream of one purpose and index under a seed (all non-negative integers)."""
    return np.random.default_rng([seed, zlib.crc32(purpose.encode()), index])
