"""Whether a classifier can tell real slices from generated ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from torch import nn

from braingan.data.store import to_model_range
from braingan.evaluation.intervals import half_width
from braingan.models.thesis import probability_real
from braingan.randomness import draws
from braingan.training.devices import CPU

BATCH = 64
FOLDS = 5
RIDGE = 0.3
"""Weight of the penalty, as a share of the mean squared length of standardised features."""
MOST_LOGIT = 50.0
"""Beyond it a slice is as good as certain, and its exponential would overflow."""
Confusion = dict[str, dict[str, int]]


def probabilities(discriminator: nn.Module, images: UInt8[np.ndarray, "n side side"]) -> Float[np.ndarray, " n"]:
    """Return a run's own discriminator's probability that each slice is real."""
    found, device = [], next((of.device for of in discriminator.parameters()), CPU)
    for start in range(0, len(images), BATCH):
        slices = torch.from_numpy(to_model_range(images[start : start + BATCH, None])).to(device)
        found.append(probability_real(discriminator, slices).double().cpu().numpy())
    return np.concatenate(found)


def confusion(real: Float[np.ndarray, " n"], generated: Float[np.ndarray, " m"]) -> Confusion:
    """Count, from probabilities "real", what was taken for what: `table[truth][verdict]`, threshold 0.5."""
    return {
        truth: {"real": int((found >= 0.5).sum()), "generated": int((found < 0.5).sum())}
        for truth, found in (("real", real), ("generated", generated))
    }


@dataclass(frozen=True)
class Detection:
    """What a classifier that was trained to tell real from generated makes of slices that it was not trained on."""

    real: Float[np.ndarray, " n"]
    """How real each real slice looks to it, 0 to 1; 0.5 is undecided."""
    generated: Float[np.ndarray, " m"]
    real_subjects: Shaped[np.ndarray, " n"]
    generated_subjects: Shaped[np.ndarray, " m"]

    @property
    def accuracy(self) -> float:
        """Mean of the shares of real and of generated slices that it gets right; 0.5 is a guess, and best."""
        return float(((self.real >= 0.5).mean() + (self.generated < 0.5).mean()) / 2)

    @property
    def deviation(self) -> float:
        """Standard error of the accuracy, by subject: of the mean over subjects of each subject's share."""
        sides = ((self.real >= 0.5, self.real_subjects), (self.generated < 0.5, self.generated_subjects))
        return float(np.sqrt(sum(_squared_error(right, subjects) for right, subjects in sides)) / 2)

    @property
    def width(self) -> float:
        """Half the width of a 95 % interval."""
        return half_width(self.deviation, len(np.unique(self.real_subjects)))


def _squared_error(right: Bool[np.ndarray, " n"], subjects: Shaped[np.ndarray, " n"]) -> float:
    """Return the variance of a share from its subjects' deviations (linearised ratio; Cochran, 1977, section 9.5)."""
    numbers = np.unique(subjects, return_inverse=True)[1].reshape(-1)
    residuals = np.bincount(numbers, weights=right - right.mean())
    count = len(residuals)
    return float((residuals**2).sum() * count / max(count - 1, 1) / len(right) ** 2)


def detect(
    real: Sequence[Float[np.ndarray, "n _"]],
    generated: Sequence[Float[np.ndarray, "m _"]],
    real_subjects: Shaped[np.ndarray, " n"],
    generated_subjects: Shaped[np.ndarray, " m"],
) -> Detection:
    """Train a classifier on features, cross-fitted by subject: no subject is both learnt from and judged.

    Ridge regression of real (1) against generated (0) on standardised features: a linear discriminant that holds its
    ground where there are more features than slices (Hastie, Tibshirani and Friedman, 2009, section 18.3).

    Args:
        real: blocks of features of the real slices. Each block weighs the same, however many features it has, or twenty
            measured quantities would drown among a network's thousand.
        generated: the same blocks of the generated ones.
        real_subjects: whose slices these are.
        generated_subjects: the same of the generated.
    """
    scale = np.concatenate([np.full(block.shape[1], 1 / np.sqrt(block.shape[1])) for block in real])
    sides = [np.concatenate(blocks, axis=1).astype(np.float64) for blocks in (real, generated)]
    folds = [_folds(subjects, name) for subjects, name in ((real_subjects, "real"), (generated_subjects, "generated"))]
    found = [np.zeros(len(side)) for side in sides]
    for fold in range(FOLDS):
        learnt = [side[of != fold] for side, of in zip(sides, folds, strict=True)]
        weights, offset = _ridge(learnt[0], learnt[1], scale / np.sqrt(len(real)))
        for side, of, values in zip(sides, folds, found, strict=True):
            values[of == fold] = side[of == fold] @ weights + offset
    logits = (np.clip(4 * (side - 0.5), -MOST_LOGIT, MOST_LOGIT) for side in found)
    seen, made = (1 / (1 + np.exp(-of)) for of in logits)  # 0.5 stays, the order too
    return Detection(seen, made, real_subjects, generated_subjects)


def _folds(subjects: Shaped[np.ndarray, " n"], name: str) -> Int[np.ndarray, " n"]:
    names, numbers = np.unique(subjects, return_inverse=True)
    return np.asarray((draws(0, f"folds of {name}").permutation(len(names)) % FOLDS)[numbers.reshape(-1)])


def _ridge(
    real: Float[np.ndarray, "n d"], generated: Float[np.ndarray, "m d"], weight: Float[np.ndarray, " d"]
) -> tuple[Float[np.ndarray, " d"], float]:
    """Return weights and offset; solved over slices or features, whichever are fewer.

    Standardised features are taken times `weight`, so that a slice's squared length is about 1.
    """
    rows = np.concatenate([real, generated])
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    scale = np.where(deviation > 1e-9 * (1 + np.abs(mean)), deviation, np.inf) / weight
    z = (rows - mean) / scale
    truth = np.concatenate([np.full(len(real), 0.5), np.full(len(generated), -0.5)])
    truth *= np.where(truth > 0, len(rows) / (2 * len(real)), len(rows) / (2 * len(generated)))
    if len(z) <= z.shape[1]:
        weights = z.T @ np.linalg.solve(z @ z.T + RIDGE * np.eye(len(z)), truth - truth.mean())
    else:
        weights = np.linalg.solve(z.T @ z + RIDGE * np.eye(z.shape[1]), z.T @ (truth - truth.mean()))
    weights = weights / scale
    return weights, float(0.5 - mean @ weights)


def extremes(found: Float[np.ndarray, " n"], count: int = 8) -> Iterator[list[int]]:
    """Yield the numbers of the slices that look most real, then of those that look least real."""
    order = np.argsort(found, kind="stable")
    yield order[::-1][:count].tolist()
    yield order[:count].tolist()
