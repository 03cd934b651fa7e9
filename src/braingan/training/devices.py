"""Where a training runs, and in which precision."""

import os
import platform
import resource
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from braingan.training.parallel import ALONE, Ranks

CPU = torch.device("cpu")
RSS_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in the unit of `ru_maxrss`."""


@dataclass(frozen=True)
class Device:
    """A device with its precision and threads settled."""

    device: torch.device
    precision: str
    threads: int
    processes: int = 1
    """That train together, each on such a device."""

    @classmethod
    def choose(cls, precision: str = "auto", threads: int = 0, ranks: Ranks = ALONE) -> "Device":
        """Take a CUDA device where there is one, else the CPU; set this process's number of CPU threads.

        In float32 a GPU's convolutions keep all 24 bits of what they multiply, of which TF32 would keep 11.
        """
        device = ranks.device or accelerator()
        cores = len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1))
        threads = threads or max(cores // ranks.here, 1)
        torch.set_num_threads(threads)
        torch.backends.cudnn.benchmark = True  # each convolution by the fastest of its algorithms on this GPU
        precision = settle_precision(precision, device)
        torch.backends.cudnn.allow_tf32 = precision != "float32"
        return cls(device, precision, threads, ranks.world)

    @property
    def autocast(self) -> Callable[[], AbstractContextManager[object]]:
        """Make a context for one forward pass; autocast keeps its bf16 weights for the length of a block."""
        if self.precision == "float32":
            return nullcontext
        return lambda: torch.autocast(self.device.type, torch.bfloat16)

    def peak_memory(self) -> int:
        """Return the most bytes taken so far: of the GPU, or by this process where there is none."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT

    def describe(self) -> str:
        """Say what results depend on, for the record."""
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else cpu_name()
        together = f", {self.processes} processes" if self.processes > 1 else ""
        return f"{name}, {self.precision}, {self.threads} threads, torch {torch.__version__}{together}"


def accelerator() -> torch.device:
    """Return the GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def settle_precision(precision: str, device: torch.device | None = None) -> str:
    """Return `float32` or `bf16`; `auto` is bf16 where the device (by default the one to train on) multiplies it."""
    if precision != "auto":
        return precision
    return "bf16" if _multiplies_bf16(device or accelerator()) else "float32"


def cpu_name() -> str:
    """Return the processor's name and how many of its cores this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{_cpuinfo('model name') or platform.machine()}, {cores} cores"


def _cpuinfo(key: str) -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")


def _multiplies_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return any(flag in _cpuinfo("flags").split() for flag in ("avx512_bf16", "amx_bf16"))
