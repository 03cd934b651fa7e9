"""What every extractor gives."""

from abc import ABC, abstractmethod

import numpy as np
from jaxtyping import Float32, UInt8


class Extractor(ABC):
    """A fixed function from slices to features. Subclasses are final."""

    name: str
    fingerprint: str
    """Changes whenever the features would: weights, resizing, scaling."""
    description: str
    """Which layer of which network, weights from where, resize filter and bit depth; stands under every table."""

    @abstractmethod
    def features(self, images: UInt8[np.ndarray, "n side side"]) -> Float32[np.ndarray, "n d"]:
        """Return a row per slice, each independent of the others."""
