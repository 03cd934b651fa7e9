"""The features of a store's own encoder: distances in what slices of this store differ in.

They can be compared only between sets measured by the same encoder, never between stores.
"""

from typing import final

import numpy as np
from jaxtyping import Float32, UInt8

from braingan.data.store import Store
from braingan.evaluation.encoder import EFFORTS, Encoder, open_encoder
from braingan.evaluation.features.extractor import Extractor
from braingan.evaluation.settings import EffortName

SAID = {
    "frame_accuracy": "frame accuracy {:.1%}",
    "depth_error_slices": "depth off by {:.1f} slices",
    "lesion_area_correlation": "lesion area correlation {:.3f}",
    "lesion_auc": "lesion AUC {:.3f}",
    "label_auc": "label AUC {:.2f}",
}


@final
class EncoderFeatures(Extractor):
    """The 128 pooled activations that the encoder's answers are read from."""

    name = "encoder"

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.fingerprint = encoder.fingerprint
        self.description = _described(encoder)

    @classmethod
    def of_store(cls, store: Store, frames: tuple[str, ...] = (), effort: EffortName = "quick") -> "EncoderFeatures":
        """Open a store's encoder; it is trained where there is none yet.

        Raises:
            InputError: a frame is not in the store, or its training slices teach nothing.
        """
        return cls(open_encoder(store, frames, effort=EFFORTS[effort]))

    def features(self, images: UInt8[np.ndarray, "n side side"]) -> Float32[np.ndarray, "n features"]:
        """Return a row per slice."""
        return self.encoder.features(images)


def _described(encoder: Encoder) -> str:
    record, scores, side = encoder.record, encoder.scores, encoder.network.side
    said = ", ".join(text.format(scores[name]["value"]) for name, text in SAID.items() if name in scores)
    subjects = max((score["subjects"] for score in scores.values()), default=0)
    held_out = f"on {subjects} validation subjects: {said}" if said else "no validation subjects to check it on"
    note = f"; {encoder.note}" if encoder.note else ""
    return (
        f"the store's own encoder, trained on {record['training_slices']} real slices of "
        f"{record['training_subjects']} training subjects to tell {', '.join(encoder.questions.asked)} ({held_out}); "
        f"{encoder.network.feature_count} features after pooling; slices of 8 bits, larger than "
        f"{side}×{side} resized to that bilinearly (antialiased), not rounded; "
        f"weights SHA-256 {record['weights'][:12]}…{note}"
    )
