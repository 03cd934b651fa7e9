"""What every extractor gives."""

from abc import ABC, abstractmethod

import numpy as np
from jaxtyping import Float, Float32, UInt8


class Extractor(ABC):
    """A fixed function from slices to features. Concrete subclasses are final."""

    name: str
    fingerprint: str
    """Changes whenever the features would: weights, resizing, scaling."""
    description: str
    """Which layer of which network, weights from where, resize filter and bit depth; stands under every table."""
    standardised: bool = False
    """Whether features are of different units, so that distances are to be taken in standard deviations."""

    @abstractmethod
    def features(self, images: UInt8[np.ndarray, "n side side"]) -> Float32[np.ndarray, "n d"]:
        """Return a row per slice, each independent of the others."""


class Classifier(Extractor):
    """An extractor whose features lead to classes."""

    @abstractmethod
    def probabilities(self, features: Float32[np.ndarray, "n d"]) -> Float[np.ndarray, "n classes"]:
        """Return the probability of each class, from the features."""
