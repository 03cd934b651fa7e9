"""Executors of several machines, on one: what each gives is what the local one gives."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

import studies
from braingan.cluster import Submitted
from braingan.errors import InputError
from braingan.executor import open_executor
from braingan.folders import StudyFolder, read_csv
from braingan.study.grid import StudyFile
from braingan.study.run import begin, outcomes, plan, run
from braingan.study.table import read_rows, write_table
from braingan.study.work import Job

THREE = studies.FILE.replace("[0, 1]", "[0, 1, 2]")


@contextmanager
def ended(process):
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def dask(*arguments):
    call = [sys.executable, "-m", "distributed.cli." + arguments[0], *arguments[1:]]
    return subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def worker(address, *more):
    return dask(
        "dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", "/tmp", *more
    )


@pytest.fixture
def scheduler():
    """A Dask scheduler on loopback: its address."""
    pytest.importorskip("distributed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with ended(dask("dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")):
        for _ in range(200):
            with socket.socket() as there:
                if there.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"tcp://127.0.0.1:{port}"


def wait_for(what, seconds=120):
    for _ in range(10 * seconds):
        if what():
            return
        time.sleep(0.1)
    raise AssertionError("it never came")


def local(folder, text):
    file, store, study = studies.small_study(folder, text)
    studies.do(file, store, study)
    return file, store, study


def told(study):
    write_table(study)
    return [{key: value for key, value in row.items() if key not in ("seconds",)} for row in read_csv(study.table)]


def begins(run):
    """How often a training was begun or gone on with."""
    return sum(row["event"].startswith(("started", "continued")) for row in read_csv(run.events))


def test_a_study_on_dask_loses_a_worker_gets_another_and_equals_the_local_one(scheduler, tmp_path):
    file, store, here = local(tmp_path, THREE)
    there = StudyFolder(tmp_path / "there")
    planned = plan(StudyFile.read(file), store, there)
    begin(file, planned)
    with ExitStack() as stack:
        first, _ = (stack.enter_context(ended(worker(scheduler))) for _ in range(2))
        found, before = [], []

        def say(outcomes, of):
            if not found:
                before.append(outcomes[0].id)
                first.send_signal(signal.SIGKILL)
                stack.enter_context(ended(worker(scheduler)))
            found[:] = outcomes

        run(planned, f"dask:{scheduler}", say)
    assert [outcome.state for outcome in found] == ["done"] * 3
    assert told(there) == told(here)
    begun = {row.run.root.name: begins(row.run) for row in read_rows(there)}
    assert [begun[name] for name in before] == [1]
    assert 3 <= sum(begun.values()) <= 4  # what the killed worker had in hand is begun again


def test_dask_s_executor_runs_jobs_in_its_workers(scheduler):
    with ended(worker(scheduler)) as process, open_executor(f"dask:{scheduler}") as executor:
        assert executor.submit(os.getpid).result(60) == process.pid


def test_a_job_that_takes_a_gpu_goes_to_the_worker_that_has_one(scheduler):
    with (
        ended(worker(scheduler)),
        ended(worker(scheduler, "--resources", "GPU=1")) as with_gpu,
        open_executor(f"dask:{scheduler},GPU=1") as executor,
    ):
        wait_for(lambda: len(executor.client.scheduler_info()["workers"]) == 2)
        assert {executor.submit(os.getpid).result(60) for _ in range(3)} == {with_gpu.pid}


def test_a_scheduler_that_does_not_answer_and_resources_without_amount_are_said(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("braingan.cluster.CONNECT_SECONDS", 1)
    with pytest.raises(InputError, match=r"resources follow the address, such as GPU=1"):
        open_executor("dask:tcp://127.0.0.1:9,GPU=many")
    with pytest.raises(InputError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        open_executor("dask:tcp://127.0.0.1:9")


def test_submitit_runs_jobs_as_processes_of_their_own(tmp_path):
    pytest.importorskip("submitit")
    with open_executor(f"slurm:cluster=local,folder={tmp_path},time=5") as executor:
        first, second = (executor.submit(os.getpid).result(120) for _ in range(2))
    assert len({first, second, os.getpid()}) == 3


def test_a_slurm_job_that_dies_is_begun_again(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.setenv("PYTHONPATH", str(Path(studies.__file__).parent))  # where a job's process finds what it runs
    (tmp_path / "runs").mkdir()
    jobs = [Job(tmp_path / "runs" / f"run{epochs}", {}, tmp_path, (epochs,), {}) for epochs in (1, 2)]
    found = list(outcomes(jobs, f"slurm:cluster=local,folder={tmp_path},time=5", studies.dies_once))
    assert sorted((outcome.id, outcome.state) for outcome in found) == [("run1", "done"), ("run2", "done")]
    assert (tmp_path / "runs" / "run1.tried").exists()


def test_who_leaves_does_not_wait_for_slurm_s_jobs():
    never = SimpleNamespace(submit=lambda *job: SimpleNamespace(result=threading.Event().wait))
    executor = Submitted(never, RuntimeError)
    future = executor.submit(os.getpid)
    executor.shutdown(cancel_futures=True)
    assert not future.done()


def test_slurm_that_is_not_there_and_unknown_parameters_are_said(tmp_path):
    pytest.importorskip("submitit")
    with pytest.raises(InputError, match=r"--on slurm:partition=gpu"):
        open_executor("slurm:partition=gpu")
    with pytest.raises(InputError, match="colour"):
        open_executor(f"slurm:cluster=local,folder={tmp_path},colour=red")


@pytest.mark.parametrize("place", ["", "local", "local:0", "local:x", "dask:", "slurm:", "cloud:1"])
def test_places_that_are_none_are_refused(place):
    with pytest.raises(InputError, match="is no known place"):
        open_executor(place)
