"""Do generated slices help? A small network trained on real ones of few subjects, on generated ones, and on both."""

from braingan.evaluation.utility.compare import ARMS, utility

__all__ = ["ARMS", "utility"]
