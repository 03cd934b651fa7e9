"""One step of a training: the gradients of all players, then their updates.

On a CUDA device the first steps run as they are written; then a step is captured as a CUDA graph and replayed, so that
the processor's part is to copy a batch and to start it.
"""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from braingan.errors import InputError
from braingan.models.architecture import Real
from braingan.models.keras import BatchNormalization
from braingan.training.devices import Device
from braingan.training.health import norm
from braingan.training.objectives import Adversarial
from braingan.training.parallel import ALONE, Ranks
from braingan.training.settings import TrainingSettings
from braingan.training.state import State

BEFORE_CAPTURE = 4
"""Steps in which libraries choose their algorithms and optimisers get their memory."""
NO_MEMORY = ("out of memory", "can't allocate")


class Step:
    """Changes a state by one batch."""

    def __init__(
        self,
        state: State,
        objective: Adversarial,
        settings: TrainingSettings,
        device: Device,
        ranks: Ranks = ALONE,
    ) -> None:
        """Prepare; the processes that train together each take the step with their share.

        Raises:
            InputError: gradients can't be accumulated, since a network normalises by the batch.
        """
        self.state, self.objective, self.device, self.ranks = state, objective, device, ranks
        self.parts, self.batch_size = settings.accumulate, settings.batch_size
        ranks.synchronise(state.networks)
        self.norms = any(isinstance(module, BatchNormalization) for module in state.networks.modules())
        if self.parts > 1 and (self.norms or self.batch_size // ranks.world % self.parts):
            raise InputError(
                f"training.accumulate = {self.parts}: "
                + ("this model has batch norm, which needs the whole batch at once; leave it at 1." if self.norms
                   else f"it must divide a device's share of training.batch_size = {self.batch_size}.")
            )  # fmt: skip
        self.captures = device.device.type == "cuda" and ranks.world == 1
        self.taken = 0
        self.aside = torch.cuda.Stream() if self.captures else None  # type: ignore[no-untyped-call]
        self.graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, real: Real, latents: Float[Tensor, "n latent"]) -> dict[str, Float[Tensor, ""]]:
        """Take a step; return the scalars that the log averages.

        Raises:
            InputError: the batch does not fit into memory, with one to try.
        """
        self._decay()
        try:
            scalars = self._replayed(real, latents) if self.captures else self._step(real, latents)
        except RuntimeError as error:
            if not any(words in str(error) for words in NO_MEMORY):
                raise
            in_parts = "" if self.norms else f", or --set training.accumulate={2 * self.parts} in this one"
            raise InputError(
                f"training.batch_size = {self.batch_size} does not fit into the memory of {self.device.device}: try "
                f"--set training.batch_size={max(self.batch_size // 2, 1)} into another folder{in_parts}."
            ) from error
        self.taken += 1
        return scalars

    def forget(self) -> None:
        """Capture anew: a learning rate, or what a state's tensors are, has changed."""
        self.taken, self.graph = 0, None

    def _decay(self) -> None:
        """Set the rates that fall; on a GPU as numbers in its memory, which a captured step reads each time.

        What learns no more takes no gradients either: half of its cost and more.
        """
        seen = max(self.state.step * self.batch_size, 1)
        for group in (group for optimizer in self.state.optimizers.values() for group in optimizer.param_groups):
            constant, last = group["constant_images"], group["last_image"]
            if min(constant, last) < math.inf:
                share = min(constant / seen, 1) ** 0.5 * min(max(2 - 2 * seen / last, 0), 1)
                if group["params"][0].requires_grad != (seen < last):
                    for parameter in group["params"]:
                        parameter.requires_grad_(seen < last)
                    self.forget()
                rate = group["initial_lr"] / 2**self.state.rolled_back * share
                if not self.captures:
                    group["lr"] = rate
                elif isinstance(group["lr"], Tensor) and group["lr"].is_cuda:
                    group["lr"].fill_(rate)
                else:
                    group["lr"] = torch.tensor(rate, device=self.device.device)

    def _step(self, real: Real, latents: Tensor) -> dict[str, Tensor]:
        for optimizer in self.state.optimizers.values():
            optimizer.zero_grad()
        found: dict[str, Tensor] = {}
        for part, z in self._parts(real, latents):
            scalars = self.objective.gradients(self.state.networks, part, z, self.device.autocast, 1 / self.parts)
            found = {name: found.get(name, 0) + value / self.parts for name, value in scalars.items()}
        for name, optimizer in self.state.optimizers.items():
            player = self.state.networks[name]
            self.ranks.average_gradients(player)
            found[f"{name}_gradient"] = norm([p.grad for p in player.parameters() if p.grad is not None])
            optimizer.step()
        return self.ranks.mean(found)

    def _parts(self, real: Real, latents: Tensor) -> Iterator[tuple[Real, Tensor]]:
        for *known, z in zip(*(one.chunk(self.parts) for one in (*real, latents)), strict=True):
            yield Real(*known), z

    def _replayed(self, real: Real, latents: Tensor) -> dict[str, Tensor]:
        if self.taken < BEFORE_CAPTURE:
            assert self.aside is not None
            self.aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self.aside):
                scalars = self._step(real, latents)
            torch.cuda.current_stream().wait_stream(self.aside)
            return scalars
        if self.graph is None:
            self.inputs = Real(*(one.clone() for one in real)), latents.clone()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self.scalars = self._step(*self.inputs)
            self.graph = graph
        held, z = self.inputs
        for static, given in zip((*held, z), (*real, latents), strict=True):
            static.copy_(given)
        self.graph.replay()
        return self.scalars
