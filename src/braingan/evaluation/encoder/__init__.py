"""A small network of a store's own: features of its domain, and what a slice shows."""

from braingan.evaluation.encoder.encoder import Encoder, open_encoder, train_encoder
from braingan.evaluation.encoder.training import EFFORTS, Effort

__all__ = ["EFFORTS", "Effort", "Encoder", "open_encoder", "train_encoder"]
