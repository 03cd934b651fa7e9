"""Where independent jobs run: `concurrent.futures` whatever the place. A job is a top-level function with picklable
arguments; what it writes lies in folders that all machines see.

    local:2                              processes on this machine
    dask:tcp://host:8786[,GPU=1]         Dask workers, each job with so much of their resources
    slurm:partition=gpu[,time=600,...]   a SLURM job each, by submitit, whose parameters follow

Processes are spawned, never forked: a fork after torch has started its threads can hang.
"""

import ctypes
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from braingan.errors import InputError

T = TypeVar("T")


def default_place() -> str:
    """Return this machine with one process per core that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return f"local:{cores}"


def local_processes(on: str) -> int:
    """Return how many processes of this machine a place is, 0 if it is elsewhere.

    Raises:
        InputError: the place is not of a known kind.
    """
    kind, _, where = on.partition(":")
    if kind == "local" and where.isdecimal() and int(where) > 0:
        return int(where)
    if kind in ("dask", "slurm") and where:
        return 0
    raise InputError(
        f"--on {on} is no known place; use local:N with N processes, such as local:2, dask:ADDRESS of a scheduler, or "
        "slurm:partition=NAME."
    )


def as_seen_from(path: Path, on: str) -> Path:
    """Return a path as its jobs find it: elsewhere they work in folders of their own, here it stays as it was given.

    Raises:
        InputError: the place is not of a known kind.
    """
    return path if local_processes(on) else path.absolute()


def open_executor(on: str, apart: bool = False) -> Executor:
    """Return an executor for a place.

    Args:
        on: the place, as above.
        apart: whether each job gets a process of its own, so that one that dies takes no other along.

    Raises:
        InputError: the place is not of a known kind, or can't be reached, or what it takes is not installed.
    """
    if count := local_processes(on):
        # Read by each worker as it starts: two workers with two BLAS threads each were nine times slower than with one.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        return Apart(count) if apart else _processes(count)
    from braingan.cluster import dask_executor, slurm_executor

    kind, _, where = on.partition(":")
    return dask_executor(where) if kind == "dask" else slurm_executor(where)


def _processes(count: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"), initializer=_start_worker)


class Apart(Executor):
    """Processes of this machine, a new one for each job, so many at a time."""

    def __init__(self, count: int) -> None:
        self.starters = ThreadPoolExecutor(count)

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Run a job when there is room."""
        return self.starters.submit(_alone, fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Wait for the jobs that run, and those that don't unless they are cancelled."""
        self.starters.shutdown(wait, cancel_futures=cancel_futures)


def _alone(job: Callable[..., T], *arguments: Any, **named: Any) -> T:
    with _processes(1) as process:
        return process.submit(job, *arguments, **named).result()


def keep_freed_memory() -> None:
    """Let this process use freed arrays' memory again instead of giving it back, where its C library is glibc.

    By default each array of more than 32 MiB is new memory, whose every page the system hands out, and clears, at its
    first touch. That was a sixth of the time of preparing a volume.
    """
    trim_threshold, mmap_max = -1, -4  # numbers of malloc.h
    with suppress(AttributeError, TypeError, OSError):  # another C library, without it
        settings = ctypes.CDLL(None)
        settings.mallopt(mmap_max, 0)
        settings.mallopt(trim_threshold, 2**31 - 1)


def _start_worker() -> None:
    keep_freed_memory()
    _end_with_parent()


def _end_with_parent() -> None:
    """Let a worker end when the process that started it is killed, instead of waiting for work for ever."""

    def wait() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which ends its workers
    threading.Thread(target=wait, daemon=True).start()
