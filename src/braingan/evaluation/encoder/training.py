"""The encoder's training: a fixed number of images with a learning rate that rises and falls once.

AdamW (Loshchilov and Hutter, 2019) with the one-cycle schedule (Smith and Topin, Super-convergence, 2018), which ends
at rest: the last weights are taken. The network is in bf16 where the device multiplies it. On
one CPU the same seed and number of threads give the same weights.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn

from braingan.data.store import Store
from braingan.evaluation.encoder.augment import augmented
from braingan.evaluation.encoder.network import SIDE, WIDTH, EncoderNetwork, shrunk
from braingan.evaluation.encoder.questions import ANSWERED, Questions
from braingan.evaluation.settings import EffortName
from braingan.progress import progress
from braingan.randomness import draws
from braingan.training.batches import Batches
from braingan.training.devices import CPU, accelerator, settle_precision


@dataclass(frozen=True)
class Effort:
    """How finely the slices are looked at, and how long."""

    side: int
    """Larger slices are shrunk to so many pixels."""
    images: int
    """Slices seen in a training, whatever the store's size."""
    batch: int = 16
    """Small: few images teach more in more steps."""
    width: int = WIDTH
    """Channels of the network's first stage."""


EFFORTS: dict[EffortName, Effort] = {"quick": Effort(SIDE, 120_000), "thorough": Effort(128, 960_000, 96, 24)}
SAID = 50
"""Steps between two looks at the loss."""
LEARNING_RATE, WEIGHT_DECAY = 2e-3, 0.02
WARM_UP = 0.15
"""Share of the steps in which the learning rate rises."""


def train_network(
    store: Store, indices: Int[np.ndarray, " n"], questions: Questions, seed: int, effort: Effort
) -> EncoderNetwork:
    """Return a network trained on a store's slices, in evaluation mode; on a GPU where there is one."""
    device = accelerator()
    bf16 = settle_precision("auto", device) == "bf16"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(draws(seed, "encoder weights").integers(2**63)))
        network = EncoderNetwork(questions.width, questions.extent is not None, effort.side, effort.width).to(device)
    batches, slices_of = Batches(store, indices, effort.batch, seed, CPU), Slices(store, indices, questions, device)
    columns = {name: store.columns[name][indices] for name in ANSWERED}
    answers, steps = questions.answers(columns), max(effort.images // effort.batch, 2)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=WEIGHT_DECAY, fused=device != CPU)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps, pct_start=WARM_UP)
    said = ""
    with progress("encoder", steps * effort.batch, "slices") as advance:
        for step in range(steps):
            places = batches.places(step)
            slices, lesions = augmented(*slices_of.shrunk(places, effort.side), seed, step)
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                raw, lesion_map = network(slices)
            lesion_map = lesion_map.float() if lesion_map is not None else None
            loss = questions.loss(raw.float(), lesion_map, answers.of(places), lesions)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            said = said if step % SAID else f"loss {loss.item():.3f}"
            advance(effort.batch, said)
    return network.eval()


class Slices:
    """Training slices and their lesions, read as they are needed; for a GPU all of them at once, into its memory."""

    def __init__(
        self, store: Store, indices: Int[np.ndarray, " n"], questions: Questions, device: torch.device
    ) -> None:
        self.store, self.indices, self.device = store, indices, device
        self.with_lesions = questions.extent is not None
        self.resident = None if device == CPU else self._read(indices)

    def shrunk(
        self, places: Int[np.ndarray, " n"], side: int
    ) -> tuple[Float[Tensor, "n 1 small small"], Float[Tensor, "n 1 small small"] | None]:
        """Return some, black 0 and white 1, and which of their pixels are lesion, shrunk as the network does."""
        if self.resident is None:
            slices, lesions = self._read(self.indices[places])
        else:
            chosen = torch.from_numpy(places).to(self.device)
            slices, lesions = self.resident
            slices, lesions = slices[chosen], None if lesions is None else lesions[chosen]
        small = shrunk(slices[:, None].float() / 255, side)
        return small, None if lesions is None else shrunk(lesions[:, None].float(), side)

    def _read(
        self, indices: Int[np.ndarray, " n"]
    ) -> tuple[UInt8[Tensor, "n side side"], Bool[Tensor, "n side side"] | None]:
        slices = torch.from_numpy(self.store.images(indices)).to(self.device)
        if not self.with_lesions:
            return slices, None
        return slices, torch.from_numpy(self.store.masks(indices) > 0).to(self.device)
