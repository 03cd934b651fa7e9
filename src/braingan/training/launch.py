"""Starts the processes that train together, or joins those that torchrun or SLURM has started: by Lightning Fabric.

Every process runs the same command from its beginning. None is left over when another is lost: one that was started
here ends with the process that started it, and takes it along where it fails itself; torchrun sees to its own, SLURM
does with `srun --kill-on-bad-exit`; and nobody waits for another for more than `TIMEOUT`.
"""

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist

from braingan.errors import InputError
from braingan.training.parallel import ALONE, Ranks

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment

TIMEOUT = timedelta(minutes=10)
"""How long a process waits for the others, of which one may be writing, before it takes them for lost."""
GRACE_SECONDS = 10
"""How long a process that fails waits for the writer, which mostly fails alike, to say so and to end all."""
PARENT = "BRAINGAN_LAUNCHED_BY"
"""Names, to a process that was started here, the one that started it."""


@contextmanager
def launch(devices: int = 1) -> Iterator[Ranks]:
    """Start as many processes as devices, or join those that were started; yield this one's place among them.

    Args:
        devices: GPUs of this machine, or processes where it has none; 1 under torchrun and SLURM, where they say it.

    Raises:
        InputError: there are not as many GPUs, torchrun or SLURM has started another number, or a process was lost.
    """
    if devices == 1 and not _by_torchrun() and not _by_slurm():
        yield ALONE  # without the time that Fabric's import takes
        return
    try:
        ranks = _join(devices)
    except (RuntimeError, ValueError) as error:
        raise InputError(f"The processes of this training did not come together: {error}") from error
    try:
        yield ranks
        ranks.wait()  # the writer may still be writing
    except (InputError, RuntimeError) as error:
        if not ranks.writes:
            time.sleep(GRACE_SECONDS)
        if isinstance(error, dist.DistError) or "gloo" in str(error):
            raise InputError(
                "Another process of this training has ended; the same command goes on from the last checkpoint."
            ) from error
        raise
    dist.destroy_process_group()


def _by_torchrun() -> bool:
    return "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ["WORLD_SIZE"]) > 1


def _by_slurm() -> bool:
    """Whether this is one of several tasks of srun; a batch script by itself is no step."""
    return "SLURM_STEP_ID" in os.environ and int(os.environ.get("SLURM_NTASKS", "1")) > 1


def _join(devices: int) -> Ranks:
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
    from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment

    if _by_torchrun():
        here, world = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
        fabric = _fabric(TorchElasticEnvironment(), devices, here, world // here)
    elif _by_slurm():
        machines = int(os.environ.get("SLURM_NNODES", "1"))
        here = int(os.environ["SLURM_NTASKS"]) // machines
        fabric = _fabric(SLURMEnvironment(auto_requeue=False), devices, here, machines)
    else:
        here = devices
        fabric = _fabric(LightningEnvironment(), devices, here, 1)
        if PARENT in os.environ:
            _end_with(int(os.environ[PARENT]))
        else:
            os.environ[PARENT] = str(os.getpid())
    fabric.launch()
    return Ranks(fabric.global_rank, fabric.world_size, here, fabric.device)


def _fabric(environment: "ClusterEnvironment", devices: int, here: int, machines: int) -> "Fabric":
    from lightning_fabric import Fabric
    from lightning_fabric.strategies.ddp import DDPStrategy

    if devices not in (1, here):
        raise InputError(f"--devices {devices}: {here} processes were started on this machine; leave --devices out.")
    gpus = torch.cuda.device_count()
    if 0 < gpus < here:
        raise InputError(f"--devices {here}: this machine has {gpus} GPU{'s' if gpus > 1 else ''}.")
    logging.getLogger("lightning_fabric.utilities").setLevel(logging.WARNING)  # its banner; not the news of a loss
    backend = "cpu:gloo,cuda:nccl" if gpus else "gloo"
    strategy = DDPStrategy(process_group_backend=backend, timeout=TIMEOUT)  # it launches; no network is wrapped
    kind = "cuda" if gpus else "cpu"
    return Fabric(accelerator=kind, devices=here, num_nodes=machines, strategy=strategy, plugins=[environment])


def _end_with(parent: int) -> None:
    """Let this process end when the one that started it has, even amid waiting for it."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
