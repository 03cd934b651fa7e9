"""The place where jobs run."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from braingan.errors import InputError
from braingan.executor import as_seen_from, default_place, local_processes, open_executor


def test_jobs_run_in_other_processes():
    with open_executor("local:1") as executor:
        assert executor.submit(os.getpid).result() != os.getpid()
    assert default_place().startswith("local:")


def test_jobs_elsewhere_get_whole_paths_and_here_those_that_were_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert as_seen_from(Path("store"), "local:2") == Path("store")
    for on in ("dask:tcp://host:8786", "slurm:partition=gpu"):
        assert as_seen_from(Path("store"), on) == tmp_path / "store"
    with pytest.raises(InputError, match="no known place"):
        as_seen_from(Path("store"), "cloud")


STARTS_A_WORKER = """
import os, time
from braingan.executor import open_executor
if __name__ == "__main__":
    print(open_executor("local:1").submit(os.getpid).result(), flush=True)
    time.sleep(60)
"""


def test_workers_end_when_their_parent_is_killed(tmp_path):
    (tmp_path / "starts.py").write_text(STARTS_A_WORKER)
    parent = subprocess.Popen([sys.executable, tmp_path / "starts.py"], stdout=subprocess.PIPE, text=True)
    with parent:
        worker = Path("/proc") / parent.stdout.readline().strip()
        there = worker.exists()
        parent.kill()
    deadline = time.monotonic() + 20
    while worker.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert there or not Path("/proc").exists()
    assert not worker.exists()


@pytest.mark.parametrize("place", ["", "local", "local:0", "local:two", "moon:3"])
def test_an_unknown_place_is_named(place):
    for ask in (open_executor, local_processes):
        with pytest.raises(InputError, match="is no known place"):
            ask(place)


def test_processes_are_counted_where_they_are_this_machine_s():
    assert [local_processes(place) for place in ("local:1", "local:12")] == [1, 12]
    assert [local_processes(place) for place in ("dask:tcp://x:1", "slurm:time=1")] == [0, 0]


COUNTS_FAULTS = """
import resource
import numpy as np
from braingan.executor import keep_freed_memory
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(2**25, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
before = faults()
keep_freed_memory()
faults()
print(before, faults())
"""


def test_freed_memory_is_used_again():
    done = subprocess.run([sys.executable, "-c", COUNTS_FAULTS], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    if before == 0 or sys.platform != "linux":
        pytest.skip("page faults are not counted here")
    assert after < before / 10
