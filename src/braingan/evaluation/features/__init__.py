"""Extractors, by name: slices become rows of numbers in which distances are measured."""

from collections.abc import Callable
from pathlib import Path

from braingan.data.store import Store
from braingan.errors import InputError
from braingan.evaluation.features.anatomy import Anatomy
from braingan.evaluation.features.efficientnet import EfficientNetLite2
from braingan.evaluation.features.encoder import EncoderFeatures
from braingan.evaluation.features.extractor import Classifier, Extractor
from braingan.evaluation.features.file import FileNetwork
from braingan.evaluation.features.inception import Inception
from braingan.evaluation.features.keras_inception import KerasInception
from braingan.evaluation.features.random import RandomNetwork
from braingan.evaluation.settings import EffortName

OFFLINE = "efficientnet-lite2"
EXTRACTORS: dict[str, Callable[[], Extractor]] = {
    OFFLINE: EfficientNetLite2,
    "anatomy": Anatomy,
    "random": RandomNetwork,
}
WITH_WEIGHTS: dict[str, Callable[[Path | None], Extractor]] = {
    "inception": Inception,
    "inception-keras": KerasInception,
}
OF_STORE: dict[str, Callable[[Store, tuple[str, ...], EffortName], Extractor]] = {"encoder": EncoderFeatures.of_store}

__all__ = ["OFFLINE", "OF_STORE", "WITH_WEIGHTS", "Classifier", "Extractor", "open_extractor"]


def open_extractor(
    name: str,
    weights: str = "",
    store: Store | None = None,
    frames: tuple[str, ...] = (),
    effort: EffortName = "quick",
) -> Extractor:
    """Load an extractor.

    Args:
        name: one of the tables above, or `file:PATH` of a TorchScript or ONNX file.
        weights: a file with the weights of `inception` or `inception-keras`.
        store: whose own encoder `encoder` is.
        frames: of the slices that it is for.
        effort: with which a store's own is trained.

    Raises:
        InputError: no such extractor, its weights are not there, or it needs a store.
    """
    if name.startswith("file:"):
        return FileNetwork(Path(name.removeprefix("file:")))
    if name in WITH_WEIGHTS:
        return WITH_WEIGHTS[name](Path(weights) if weights else None)
    if name in OF_STORE:
        if store is None:
            raise InputError(f"The extractor {name} is a store's own: it measures runs, not folders of pictures.")
        return OF_STORE[name](store, frames, effort)
    if name not in EXTRACTORS:
        known = ", ".join([*EXTRACTORS, *WITH_WEIGHTS, *OF_STORE, "file:PATH"])
        raise InputError(f"evaluation.extractor = {name} is unknown; there are {known}.")
    return EXTRACTORS[name]()
