"""The encoder's training: a fixed number of images with a learning rate that rises and falls once.

AdamW (Loshchilov and Hutter, 2019) with the one-cycle schedule (Smith and Topin, Super-convergence, 2018), which ends
at rest: the last weights are taken. On a CPU, where it takes a minute or two; the same seed and number of threads give
the same weights.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from braingan.data.store import Store
from braingan.evaluation.encoder.augment import augmented
from braingan.evaluation.encoder.network import EncoderNetwork, shrunk
from braingan.evaluation.encoder.questions import ANSWERED, Questions
from braingan.progress import progress
from braingan.randomness import draws
from braingan.training.batches import Batches

IMAGES = 120_000
"""Slices seen in a training, whatever the store's size."""
BATCH = 16
"""Small: so few images teach more in more steps."""
LEARNING_RATE, WEIGHT_DECAY = 2e-3, 0.02
WARM_UP = 0.15
"""Share of the steps in which the learning rate rises."""


def train_network(
    store: Store, indices: Int[np.ndarray, " n"], questions: Questions, seed: int, images: int
) -> EncoderNetwork:
    """Return a network trained on a store's slices, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(draws(seed, "encoder weights").integers(2**63)))
        network = EncoderNetwork(questions.width, questions.extent is not None)
    batches = Batches(store, indices, BATCH, seed, torch.device("cpu"))
    columns = {name: store.columns[name][indices] for name in ANSWERED}
    answers, steps = questions.answers(columns), max(images // BATCH, 2)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps, pct_start=WARM_UP)
    with progress("encoder", steps * BATCH, "slices") as advance:
        for step in range(steps):
            places = batches.places(step)
            slices, lesions = _read(store, indices[places], questions.extent is not None)
            slices, lesions = augmented(slices, lesions, seed, step)
            raw, lesion_map = network(slices)
            loss = questions.loss(raw, lesion_map, answers.of(places), lesions)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            advance(BATCH, f"loss {loss.item():.3f}")
    return network.eval()


def _read(
    store: Store, indices: Int[np.ndarray, " n"], with_lesions: bool
) -> tuple[Float[Tensor, "n 1 side side"], Float[Tensor, "n 1 side side"] | None]:
    """Read slices, black 0 and white 1, and which of their pixels are lesion, both shrunk as the network does."""
    slices = torch.from_numpy(store.images(indices))[:, None].float() / 255
    lesions = torch.from_numpy(store.masks(indices) > 0)[:, None].float() if with_lesions else None
    return shrunk(slices), None if lesions is None else shrunk(lesions)
