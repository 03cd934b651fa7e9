"""Extractors, by name: slices become rows of numbers in which distances are measured."""

from braingan.errors import InputError
from braingan.evaluation.features.efficientnet import EfficientNetLite2
from braingan.evaluation.features.extractor import Classifier, Extractor

EXTRACTORS: dict[str, type[Extractor]] = {"efficientnet-lite2": EfficientNetLite2}

__all__ = ["EXTRACTORS", "Classifier", "Extractor", "open_extractor"]


def open_extractor(name: str) -> Extractor:
    """Load an extractor.

    Raises:
        InputError: no such extractor, or its weights are not installed.
    """
    if name not in EXTRACTORS:
        raise InputError(f"evaluation.extractor = {name} is unknown; there are {', '.join(EXTRACTORS)}.")
    return EXTRACTORS[name]()
