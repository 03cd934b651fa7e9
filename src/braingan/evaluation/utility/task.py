"""What a small network is to learn: where the lesions are, or which label a slice has.

Lesions, where the run makes masks; the labels, where it was told at least two. Each task has a score of test slices as
a function of how often each subject counts, so that a bootstrap by subject needs the predictions once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, Int, Shaped, UInt8
from torch import Tensor, nn

from braingan.data.conditions import UNTOLD, Vocabulary
from braingan.data.store import Store
from braingan.errors import InputError
from braingan.evaluation.encoder.network import EncoderNetwork, convolution
from braingan.evaluation.encoder.scores import area_under_curve
from braingan.sampling.generator import TrainedGenerator

Name = Literal["segmentation", "classification"]
Score = Callable[[Float[np.ndarray, " subjects"]], float]
WIDTHS = (16, 32, 64)
LABEL = 1
"""Place of the label among the conditions."""


@dataclass(frozen=True)
class Taught:
    """Slices with what is to be found in them: lesions (uint8, 1 inside) or the number of a label."""

    images: UInt8[np.ndarray, "n side side"]
    targets: Shaped[np.ndarray, "n ..."]

    def take(self, rows: Int[np.ndarray, " m"]) -> "Taught":
        """Take some of them."""
        return Taught(self.images[rows], self.targets[rows])


class Segmenter(nn.Module):
    """A U-Net of three resolutions (Ronneberger et al., 2015), to a logit a pixel."""

    def __init__(self) -> None:
        super().__init__()
        fine, middle, coarse = WIDTHS
        self.down = nn.ModuleList([_twice(1, fine), _twice(fine, middle), _twice(middle, coarse)])
        self.up = nn.ModuleList([_twice(coarse + middle, middle), _twice(middle + fine, fine)])
        self.logit = nn.Conv2d(fine, 1, 1)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, slices: Float[Tensor, "n 1 side side"]) -> Float[Tensor, "n side side"]:
        """Return the logits of lesion."""
        fine = self.down[0](slices)
        middle = self.down[1](F.max_pool2d(fine, 2))
        x = self.down[2](F.max_pool2d(middle, 2))
        for block, beside in zip(self.up, (middle, fine), strict=True):
            x = block(torch.cat([F.interpolate(x, beside.shape[-2:]), beside], 1))
        logits: Tensor = self.logit(x)[:, 0]
        return logits


class Classifier(EncoderNetwork):
    """The encoder's network, freshly initialised, to a logit a label."""

    def __init__(self, labels: int) -> None:
        super().__init__(labels, False)


def _twice(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(convolution(before, after, 3, 1), convolution(after, after, 3, 1))


@dataclass(frozen=True)
class Task:
    """What is to be learnt."""

    name: Name
    vocabulary: Vocabulary

    @classmethod
    def of(cls, generator: TrainedGenerator) -> "Task":
        """Choose what a run's slices can teach.

        Raises:
            InputError: they come with neither masks nor labels.
        """
        words = generator.vocabulary
        if words.masks:
            return cls("segmentation", words)
        if len(words.labels) > 1:
            return cls("classification", words)
        raise InputError(
            f"{generator.run.root} makes neither lesion masks nor slices of several labels, so there is nothing to "
            "teach a network: train on a store with label maps of all slices, or with labels."
        )

    def known(self, store: Store, indices: Int[np.ndarray, " n"]) -> Int[np.ndarray, " m"]:
        """Return those of a store's slices whose answer is known."""
        segmented = self.name == "segmentation"
        answer = store.columns["lesion_area_mm2"][indices] if segmented else self._labels(store, indices)
        return np.asarray(indices[np.isfinite(answer)])

    def _labels(self, store: Store, indices: Int[np.ndarray, " n"]) -> Float32[np.ndarray, " n"]:
        return self.vocabulary.rows(store, indices)[:, LABEL]

    def kinds(self, store: Store, indices: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """Return the kind of each slice's subject, of which few are to show all: its label, or 1 if it has lesions."""
        if self.name == "classification":
            return self._labels(store, indices).astype(np.int64)
        subjects = store.columns["subject"][indices]
        ill = subjects[store.columns["lesion_area_mm2"][indices] > 0]
        return np.isin(subjects, ill).astype(np.int64)

    def real(self, store: Store, indices: Int[np.ndarray, " n"]) -> Taught:
        """Take slices of a store whose answer is known."""
        if self.name == "segmentation":
            return Taught(store.images(indices), (store.masks(indices) > 0).astype(np.uint8))
        return Taught(store.images(indices), self._labels(store, indices).astype(np.int64))

    def generated(self, generator: TrainedGenerator, count: int, seed: int) -> Taught:
        """Make slices of a seed with their answers; those whose label stayed open are left out."""
        images, masks = generator.with_masks(seed, range(count), UNTOLD)
        if self.name == "segmentation":
            assert masks is not None
            return Taught(images, masks.astype(np.uint8))
        labels = generator.told(seed, range(count))[:, LABEL]
        return Taught(images, labels.astype(np.int64)).take(np.flatnonzero(np.isfinite(labels)))

    def telling_subjects(self, wanted: Taught, subject: Int[np.ndarray, " n"]) -> int:
        """Return how many subjects tell something of a network: those with lesions; none where a label never occurs."""
        if self.name == "segmentation":
            return len(np.unique(subject[wanted.targets.any(axis=(1, 2))]))
        return len(np.unique(subject)) if len(np.unique(wanted.targets)) == len(self.vocabulary.labels) else 0

    def network(self) -> nn.Module:
        """Build a fresh network."""
        return Segmenter() if self.name == "segmentation" else Classifier(len(self.vocabulary.labels))

    def loss(self, network: nn.Module, slices: Float[Tensor, "n 1 h w"], targets: Tensor) -> Float[Tensor, ""]:
        """Return what a network minimises: cross-entropy, of lesions plus 1 - Dice of the batch's pixels together."""
        if self.name == "classification":
            return F.cross_entropy(network(slices)[0].float(), targets)
        logits = network(slices).float()
        shares = logits.sigmoid()
        dice = (2 * (shares * targets).sum() + 1) / (shares.sum() + targets.sum() + 1)
        loss: Tensor = F.binary_cross_entropy_with_logits(logits, targets) + 1 - dice
        return loss

    def answers(self, network: nn.Module, slices: Float[Tensor, "n 1 h w"]) -> Shaped[np.ndarray, "n ..."]:
        """Return a network's answers: lesion or not for each pixel, or the logit of each label."""
        if self.name == "classification":
            return np.asarray(network(slices)[0].float().cpu().numpy())
        return np.asarray((network(slices) > 0).cpu().numpy())

    def score(
        self, answers: Shaped[np.ndarray, "n ..."], wanted: Shaped[np.ndarray, "n ..."], subject: Int[np.ndarray, " n"]
    ) -> Score:
        """Return the score of answers: mean Dice of the subjects that have lesions, or the mean AUC of the labels."""
        if self.name == "segmentation":
            return _mean_dice(answers, wanted, subject)
        of_label = [area_under_curve(answers[:, label], wanted == label) for label in range(answers.shape[1])]

        def mean_auc(weights: Float[np.ndarray, " subjects"]) -> float:
            known = [value for value in (auc(weights[subject]) for auc in of_label) if np.isfinite(value)]
            return float(np.mean(known)) if known else np.nan

        return mean_auc


def _mean_dice(
    found: Shaped[np.ndarray, "n h w"], wanted: UInt8[np.ndarray, "n h w"], subject: Int[np.ndarray, " n"]
) -> Score:
    """Dice of all pixels of a subject together, its mean over the subjects that have a lesion."""

    def by_subject(values: Shaped[np.ndarray, "n h w"]) -> Float32[np.ndarray, " subjects"]:
        return np.bincount(subject, values.sum(axis=(1, 2), dtype=np.int64)).astype(np.float32)

    both, one, other = (by_subject(values) for values in (found & (wanted > 0), found, wanted))
    ill = other > 0
    dice = 2 * both[ill] / (one[ill] + other[ill])

    def score(weights: Float[np.ndarray, " subjects"]) -> float:
        return float(weights[ill] @ dice / weights[ill].sum()) if weights[ill].any() else np.nan

    return score
