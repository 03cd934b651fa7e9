"""Executors of several machines: Dask's own, and submitit for SLURM. Nothing here schedules by itself."""

import threading
from concurrent.futures import BrokenExecutor, Executor, Future
from concurrent.futures import wait as wait_for
from pathlib import Path
from typing import Any

from braingan.errors import InputError
from braingan.optional import optional

LOG_FOLDER = Path.home() / ".cache" / "braingan" / "slurm"
"""Where SLURM's scripts and outputs go, unless `folder` is given; all machines must see it."""
CONNECT_SECONDS = 10


def dask_executor(where: str) -> Executor:
    """Return the executor of a Dask scheduler: its address, and amounts of resources that each job takes.

    Raises:
        InputError: Dask is not installed, or no scheduler answers there.
    """
    address, *amounts = where.split(",")
    try:
        resources = {name: float(amount) for name, _, amount in (one.partition("=") for one in amounts)}
    except ValueError as error:
        raise InputError(f"--on dask:{where}: resources follow the address, such as GPU=1.") from error
    distributed = optional("distributed", "cluster", f"--on dask:{where} needs Dask")
    try:
        client = distributed.Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:  # its timeouts are OSErrors
        raise InputError(f"--on dask:{where}: no Dask scheduler answers at {address}.") from error
    return OnDask(client, resources)


def slurm_executor(where: str) -> Executor:
    """Return an executor whose jobs are SLURM's, by submitit; parameters by its names, `partition` and `time` short.

    `cluster=local` runs them as processes of this machine, to try out what would be submitted.

    Raises:
        InputError: submitit is not installed, SLURM is not there, or a parameter is not known.
    """
    given = dict(one.partition("=")[::2] for one in where.split(","))
    submitit = optional("submitit", "cluster", f"--on slurm:{where} needs submitit")
    cluster, folder = given.pop("cluster", "slurm"), Path(given.pop("folder", LOG_FOLDER))
    names = {"partition": "slurm_partition", "time": "timeout_min"}
    try:
        inner = submitit.AutoExecutor(folder=folder, cluster=cluster)
        inner.update_parameters(**{names.get(name, name): _number(value) for name, value in given.items()})
    except (RuntimeError, NameError, TypeError, ValueError) as error:
        raise InputError(f"--on slurm:{where}: {error}.") from error
    return Submitted(inner, submitit.core.utils.UncompletedJobError)


class OnDask(Executor):
    """Dask's own executor, which is done with its scheduler when it is shut down."""

    def __init__(self, client: Any, resources: dict[str, float]) -> None:
        self.client = client
        self.inner = client.get_executor(pure=False, resources=resources, retries=3)

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Submit a job."""
        future: Future[Any] = self.inner.submit(fn, *args, **kwargs)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Wait for all jobs, or cancel those that are left."""
        self.inner.shutdown(wait=wait and not cancel_futures)
        self.client.close()


class Submitted(Executor):
    """submitit's executor as `concurrent.futures` has it: a thread a job waits, and holds up nobody who leaves.

    What submitit raises of a job that ended without a result, `lost`, becomes `BrokenExecutor`.
    """

    def __init__(self, inner: Any, lost: type[Exception]) -> None:
        self.inner, self.lost, self.futures = inner, lost, list[Future[Any]]()

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Submit a job."""
        future: Future[Any] = Future()
        self.futures.append(future)
        job = self.inner.submit(fn, *args, **kwargs)
        threading.Thread(target=self._settle, args=(future, job), daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Wait for all jobs, or leave: those that SLURM has go on, and the same command finds their work."""
        if wait and not cancel_futures:
            wait_for(self.futures)

    def _settle(self, future: Future[Any], job: Any) -> None:
        try:
            future.set_result(job.result())
        except Exception as error:  # the job's own, or of submitit about it
            future.set_exception(BrokenExecutor(str(error)) if type(error) is self.lost else error)


def _number(text: str) -> int | str:
    return int(text) if text.isdigit() else text
