"""Measured quantities as features: a distance that needs no network."""

from typing import final

import numpy as np
from jaxtyping import Float32, UInt8

from braingan.evaluation.anatomy import ROWS, measure
from braingan.evaluation.features.extractor import Extractor

VERSION = 1


@final
class Anatomy(Extractor):
    """The quantities of `ROWS`, to be taken in standard deviations of the real slices."""

    name = "anatomy"
    standardised = True

    def __init__(self) -> None:
        self.fingerprint = f"anatomy {VERSION} {' '.join(row.name for row in ROWS)}"
        self.description = f"{len(ROWS)} quantities measured without a network ({', '.join(row.name for row in ROWS)})"

    def features(self, images: UInt8[np.ndarray, "n side side"]) -> Float32[np.ndarray, "n rows"]:
        """Return a row per slice."""
        return measure(images).astype(np.float32)
