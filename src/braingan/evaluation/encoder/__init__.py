"""A small network of a store's own: features of its domain, and what a slice shows."""

from braingan.evaluation.encoder.encoder import Encoder, open_encoder, train_encoder

__all__ = ["Encoder", "open_encoder", "train_encoder"]
