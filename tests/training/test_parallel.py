"""Several processes train as one, and none is left over."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import companions
import made
from braingan.errors import InputError
from braingan.folders import RunFolder, read_csv
from braingan.recipe import compose, train_recipe
from braingan.training.devices import Device
from braingan.training.launch import launch
from braingan.training.parallel import ALONE, Ranks
from braingan.training.run import read_config, read_log

SOURCE = Path(companions.__file__).parents[1] / "src"
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5}


def environment(**more):
    """This process's, without what another launcher left in it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "TORCHELASTIC_"))}
    return kept | {"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"} | more


def free_port():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return str(bound.getsockname()[1])


def torchrun(rank, port):
    return {
        "TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "0",
        "RANK": rank, "LOCAL_RANK": rank, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port,
    }  # fmt: skip


def slurm(rank, port):
    return {
        "SLURM_STEP_ID": "0", "SLURM_JOB_ID": "1", "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2",
        "SLURM_NNODES": "1", "SLURM_NODEID": "0", "SLURM_PROCID": rank, "SLURM_LOCALID": rank,
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port,
    }  # fmt: skip


@pytest.fixture(scope="module", params=[torchrun, pytest.param(slurm, marks=pytest.mark.slow)])
def two(request, tmp_path_factory):
    """What each of two processes found (`companions.main`)."""
    folder, port = tmp_path_factory.mktemp("two"), free_port()
    command = [sys.executable, companions.__file__, folder]
    processes = [subprocess.Popen(command, env=environment(**request.param(rank, port))) for rank in "01"]
    assert [process.wait(120) for process in processes] == [0, 0]
    return [torch.load(folder / f"{rank}.pt") for rank in (0, 1)]


def farthest(found, expected):
    assert found.keys() == expected.keys()
    return max(float((found[name] - expected[name]).abs().max()) for name in expected)


@pytest.mark.parametrize("case", companions.CASES, ids=str)
def test_two_processes_find_the_losses_and_gradients_of_one_with_the_whole_batch(two, case):
    expected = companions.step(ALONE, *case)
    for found in two:
        assert farthest(found[str(case)], expected) < TOLERANCE[case[0]]
    assert farthest(two[0][str(case)], two[1][str(case)]) == 0


def test_batch_norm_over_shares_would_be_another_training(two):
    expected = companions.step(ALONE, *companions.CASES[2])
    assert farthest(two[0]["unsynchronised"], expected) > 1e-3


def test_processes_agree_and_the_writer_comes_first(two):
    for found in two:
        assert (found["world"], found["here"]) == (2, 2)
        assert found["any"] == [False, True]
        assert found["mended"]
        assert "differ in settings, store or checkpoint" in found["refusal"]


def test_shares_are_equal_or_refused():
    assert [Ranks(rank, 3).share(6) for rank in range(3)] == [slice(0, 2), slice(2, 4), slice(4, 6)]
    with pytest.raises(InputError, match=r"batch_size is 10, which 4 devices cannot share equally: 8 or 12 would do"):
        Ranks(1, 4).share(10)
    with pytest.raises(InputError, match="equally: 4 would do"):
        Ranks(1, 4).share(3)


def test_on_a_gpu_only_some_steps_look_whether_to_stop():
    on_gpu = Ranks(0, 2, 2, torch.device("cuda", 0))
    assert not on_gpu.any(True, 11)  # without processes to ask, asking would fail


def test_cores_are_divided_among_the_processes_of_a_machine():
    before = torch.get_num_threads()
    cores = Device.choose("float32").threads
    assert Device.choose("float32", ranks=Ranks(0, 2 * cores, cores)).threads == 1
    assert Device.choose("float32", ranks=Ranks(0, 200 * cores, 100 * cores)).threads == 1
    assert Device.choose("float32", threads=3, ranks=Ranks(0, 2, 2)).threads == 3
    torch.set_num_threads(before)


def test_one_device_needs_no_fabric():
    heavy = (
        "import sys; from braingan.training.launch import launch\n"
        "with launch() as ranks: print(ranks.world, 'lightning_fabric' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, env=environment())
    assert found.stdout == "1 False\n"


def test_another_number_than_torchrun_started_is_refused(monkeypatch):
    for name, value in torchrun("0", "1").items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match="--devices 3: 2 processes were started on this machine"), launch(3):
        pass


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return made.picture_store(tmp_path_factory.mktemp("together"))


SETS = ("model.name=thesis4", "training.batch_size=8", "training.samples=8", "training.precision=float32",
        "training.threads=1", "training.learning_rate=1e-5")  # fmt: skip  # low: Adam makes much of rounding


def command(folder, store, *sets):
    """`braingan train --devices 2` as a file that can start itself again."""
    script = folder / "start.py"
    script.write_text("from braingan.cli import main\nmain()\n")
    chosen = [part for name in (*SETS, *sets) for part in ("--set", name)]
    return [
        sys.executable,
        script,
        "train",
        "--data",
        store.folder.root,
        "--out",
        folder / "run",
        "--devices",
        "2",
        *chosen,
    ]


def test_two_devices_end_where_one_does_and_one_goes_on_from_there(store, tmp_path):
    ended = subprocess.run(
        command(tmp_path, store, "training.epochs=2"), capture_output=True, text=True, env=environment()
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("trained; next") == 1
    assert ended.stderr.count("train: ") == 1
    run, alone = RunFolder(tmp_path / "run"), RunFolder(tmp_path / "alone")
    three = compose(None, [*SETS, "training.epochs=3"])
    assert train_recipe(three, store, run)
    assert train_recipe(three, store, alone)
    events = [row["event"].split()[0] for row in read_csv(run.events)]
    assert events == ["started", "finished", "continued", "finished"]
    assert "2 processes" in read_csv(run.events)[0]["event"]
    assert read_config(run)["identity"] == read_config(alone)["identity"]
    assert [row["images"] for row in read_log(run)] == ["8", "16", "24"]
    for ours, theirs in zip(read_log(run), read_log(alone), strict=True):
        for name in ("discriminator_loss", "generator_loss", "real_probability", "fake_probability"):
            assert float(ours[name]) == pytest.approx(float(theirs[name]), abs=1e-3), name


def until(what, seconds=60):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


def gone(process):
    """Whether a process has ended, reaped or not."""
    stat = Path(f"/proc/{process}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


linux = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes as Linux shows them")


@contextlib.contextmanager
def started(command):
    """A command that starts a second process, and is ended after the test whatever this found."""
    parent = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        yield parent
    finally:
        parent.kill()
        parent.communicate()


@linux
def test_a_signal_to_any_process_stops_all_and_saves(store, tmp_path):
    run = RunFolder(tmp_path / "run")
    with started(command(tmp_path, store, "training.epochs=100000")) as parent:
        until(lambda: read_log(run))
        child = int(Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text())
        os.kill(child, signal.SIGTERM)
        _, said = parent.communicate(timeout=60)
        assert parent.returncode == 1
        assert "Traceback" not in said
        until(lambda: gone(child))
    stopped = read_csv(run.events)[-1]
    assert stopped["event"] == "stopped on request"
    assert (run.checkpoints / f"{int(stopped['images']):012d}.pt").exists()


ENDLESS = """
import os, pathlib, sys, time
from braingan.training.launch import launch
with launch(2) as ranks:
    pathlib.Path(sys.argv[1], f"rank{ranks.rank}").write_text(str(os.getpid()))
    while not ranks.any(False, 0):
        time.sleep(0.01)
"""


@linux
@pytest.mark.parametrize("lost", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_a_lost_process_leaves_none_waiting(tmp_path, lost):
    script, ranks = tmp_path / "start.py", [tmp_path / "rank0", tmp_path / "rank1"]
    script.write_text(ENDLESS)
    with started([sys.executable, script, tmp_path]) as parent:
        until(lambda: all(path.exists() and path.read_text() for path in ranks))
        processes = [int(path.read_text()) for path in ranks]
        os.kill(processes[lost], signal.SIGKILL)
        _, said = parent.communicate(timeout=60)
        assert parent.returncode != 0
        until(lambda: gone(processes[1]))
    assert lost == 0 or "Another process of this training has ended; the same command goes on" in said
