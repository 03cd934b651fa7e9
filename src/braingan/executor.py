"""Where independent jobs run. A job is a top-level function with picklable arguments.

Processes are spawned, never forked: a fork after torch has started its threads can hang.
"""

import ctypes
import multiprocessing
import os
import signal
import threading
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import suppress

from braingan.errors import InputError


def default_place() -> str:
    """Return this machine with one process per core that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return f"local:{cores}"


def open_executor(on: str) -> Executor:
    """Return an executor for a place such as `local:2` (two processes on this machine).

    Raises:
        InputError: the place is not of a known kind.
    """
    kind, _, count = on.partition(":")
    if kind != "local" or not count.isdigit() or int(count) < 1:
        raise InputError(f"--on {on} is no known place; use local:N with N processes, such as local:2.")
    # Read by each worker as it starts: two workers with two BLAS threads each were nine times slower than with one.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(int(count), mp_context=spawn, initializer=_start_worker)


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
