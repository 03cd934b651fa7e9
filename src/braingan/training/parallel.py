"""Several processes that train as one: each has a device, an equal share of every batch, and a copy of all weights.

A step's batch of B slices is the same whatever the number W of processes; process r takes its places rB/W to (r+1)B/W.
Losses are means over the batch, so with shares of one size, for each player's weights θ,

    ∇θ L = mean_r ∇θ L_r

and each player's gradients are averaged once a step (DistributedDataParallel would do so in every backward pass, and
both players' losses pass through the discriminator). Batch norm takes its statistics over all shares. So all copies of
the weights stay equal, bit by bit, and equal to those of one process with the whole batch up to rounding. (`latentflow`
completes some codes of the flow's own once the flow learns no more: as many, but of other places of the batch.)

Process 0 alone writes.
"""

import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from braingan.errors import InputError
from braingan.models.keras import BatchNormalization

STEPS_BETWEEN_LOOKS = 10
"""Steps on a GPU between two looks at whether a process wants to stop, which hold up the processes, though no GPU. A
step on a CPU takes far longer than a look, so there each has one."""


@dataclass(frozen=True)
class Ranks:
    """The processes that train together, seen from one of them; by default it is alone."""

    rank: int = 0
    world: int = 1
    here: int = 1
    """Processes on this machine, which share its cores."""
    device: torch.device | None = None
    """Where this process computes; None leaves the choice open."""

    @property
    def writes(self) -> bool:
        """Whether this is the one process that writes and speaks."""
        return self.rank == 0

    def share(self, batch_size: int) -> slice:
        """Return which places of a batch are this process's.

        Raises:
            InputError: there are no shares of one size.
        """
        size, left = divmod(batch_size, self.world)
        if left:
            fitting = " or ".join(str(self.world * n) for n in (size, size + 1) if n)
            raise InputError(
                f"training.batch_size is {batch_size}, which {self.world} devices cannot share equally: {fitting} "
                "would do."
            )
        return slice(self.rank * size, (self.rank + 1) * size)

    def synchronise(self, networks: nn.Module) -> None:
        """Let batch norm normalise by the whole batch, in networks that all processes train."""
        for module in networks.modules():
            if isinstance(module, BatchNormalization):
                module.synchronised = self.world > 1

    def average_gradients(self, network: nn.Module) -> None:
        """Replace a player's gradients by their means over all processes."""
        if self.world > 1:
            self._average([p.grad for p in network.parameters() if p.grad is not None])

    def mean(self, scalars: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the means over all processes: of what is a mean over each share, the mean over the batch."""
        if self.world == 1:
            return scalars
        means = {name: scalar.clone() for name, scalar in scalars.items()}
        self._average(list(means.values()))
        return means

    def _average(self, tensors: list[Tensor]) -> None:
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])  # one message for all
        dist.all_reduce(flat)
        parts = torch.split(flat / self.world, [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view(tensor.shape))  # each keeps its layout in memory

    def any(self, wish: bool, step: int) -> bool:
        """Return whether any process has a wish; between two looks the answer is no."""
        if self.world == 1:
            return wish
        on_gpu = self.device is not None and self.device.type == "cuda"
        return not (on_gpu and step % STEPS_BETWEEN_LOOKS) and self._greatest(int(wish)) == [1]

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.world > 1:
            self._greatest(0)

    @contextmanager
    def writer_first(self) -> Iterator[None]:
        """Once all are here, let the process that writes do something before the others: it may mend what they read."""
        self.wait()
        if not self.writes:
            self.wait()
        yield
        if self.writes:
            self.wait()

    def insist_same(self, *values: object) -> None:
        """Make sure that all processes hold the same values (such as JSON can say).

        Raises:
            InputError: they don't.
        """
        digest = zlib.crc32(json.dumps(values, sort_keys=True).encode())
        if self.world > 1 and self._greatest(digest, -digest) != [digest, -digest]:
            raise InputError(
                "The processes of this training differ in settings, store or checkpoint: all need the same command, "
                "and folders that their machines share."
            )

    def _greatest(self, *numbers: int) -> list[int]:
        """Each number's maximum over all processes, by way of the CPUs: no GPU is waited for."""
        tensor = torch.tensor(numbers)
        dist.all_reduce(tensor, dist.ReduceOp.MAX)
        return [int(number) for number in tensor]


ALONE = Ranks()
