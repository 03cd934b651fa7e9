"""A training killed at any write, at any moment of it, ends as one that was never killed."""

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

import made
from braingan import folders
from braingan.data.store import Store
from braingan.errors import InputError
from braingan.folders import RunFolder, read_csv
from braingan.training import checkpoint, ema, run
from braingan.training import record as record_module
from braingan.training.loop import train
from braingan.training.settings import TrainingSettings, identity
from braingan.training.state import Tally
from runs import Tiny, assert_equal_runs, newest_checkpoint

MOMENTS = ("before", "half", "written", "renamed")


class Killed(BaseException):
    """Nothing in the program catches it, as nothing can a SIGKILL."""


class Disk:
    """Lets the process die at one moment of one write; after that nothing is written any more."""

    def __init__(self, write: int = -1, moment: str = "before") -> None:
        self.write, self.moment, self.writes, self.dead = write, moment, 0, False

    def replacing(self, path, lasting=True):
        return _Writing(self, path)

    def reach(self, number: int, moment: str) -> None:
        self.dead = self.dead or (number == self.write and moment == self.moment)
        if self.dead:
            raise Killed


class _Writing:
    def __init__(self, disk, path) -> None:
        self.disk, self.path, self.number = disk, path, disk.writes
        disk.writes += 1
        self.temporary = path.with_name(f".{path.name}.1.tmp")

    def __enter__(self):
        self.disk.reach(self.number, "before")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.temporary.write_bytes(b"half")
        self.disk.reach(self.number, "half")
        return self.temporary

    def __exit__(self, kind, *rest):
        if kind is None:
            self.disk.reach(self.number, "written")
            self.temporary.replace(self.path)
            self.disk.reach(self.number, "renamed")
        return False


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return made.picture_store(tmp_path_factory.mktemp("faults"), size=16)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(ema, "STATISTICS_BATCHES", 1)
    monkeypatch.setattr(record_module, "GRID", 8)
    monkeypatch.setattr(record_module, "WINDOW", 2)
    monkeypatch.setattr(record_module, "KEEP_EVERY", 1)
    monkeypatch.setattr("threading.excepthook", lambda given: None)  # a killed thread says nothing


def go(folder, store, disk, monkeypatch, **settings):
    """Train for three epochs of two steps, with a checkpoint a step and a snapshot after the second epoch."""
    for module in (folders, checkpoint, run):
        monkeypatch.setattr(module, "replacing", disk.replacing)
    chosen = TrainingSettings(
        batch_size=8, samples=16, epochs=3, snapshots=(2,), threads=1, checkpoint_seconds=1e-9, **settings
    )
    monkeypatch.setattr(checkpoint.CheckpointWriter, "SHARE", 1e9)
    config = {"identity": {"training": identity(chosen)}}
    try:
        assert train(RunFolder(folder), store, (), Tiny(), chosen, config)
    finally:
        for thread in checkpoint.threading.enumerate():
            if thread is not checkpoint.threading.main_thread() and "_write" in thread.name:
                thread.join()
    if disk.dead:  # in the thread that writes checkpoints
        raise Killed
    return RunFolder(folder)


@pytest.mark.parametrize("settings", [{"precision": "float32"}, {"precision": "bf16", "trouble": "roll_back"}])
def test_killed_at_every_moment_of_every_write(store, tmp_path, monkeypatch, settings):
    disk = Disk()
    whole = go(tmp_path / "whole", store, disk, monkeypatch, **settings)
    assert disk.writes > 15
    for write in range(disk.writes):
        for moment in MOMENTS:
            folder = tmp_path / f"{write}-{moment}"
            with pytest.raises(Killed):
                go(folder, store, Disk(write, moment), monkeypatch, **settings)
            assert_equal_runs(go(folder, store, Disk(), monkeypatch, **settings), whole)


def test_killed_at_any_write_of_a_roll_back(store, tmp_path, monkeypatch):
    look = record_module.Record.look

    def planted(self):
        if self.state.step != 6 or self.state.rolled_back:
            return look(self)
        self.state.window = Tally()
        return "planted"

    monkeypatch.setattr(record_module.Record, "look", planted)
    settings = {"precision": "float32", "trouble": "roll_back"}
    disk = Disk()
    whole = go(tmp_path / "whole", store, disk, monkeypatch, **settings)
    assert "planted; rolled back to image 32, learning rate 0.0001" in [r["event"] for r in read_csv(whole.events)]
    assert newest_checkpoint(whole)["rolled_back"] == 1
    for write in range(disk.writes):
        folder = tmp_path / str(write)
        with pytest.raises(Killed):
            go(folder, store, Disk(write, MOMENTS[write % 4]), monkeypatch, **settings)
        assert_equal_runs(go(folder, store, Disk(), monkeypatch, **settings), whole)


TRAINS = """
import sys
from pathlib import Path
from braingan.data.store import Store
from braingan.folders import RunFolder
from braingan.training.loop import train
from braingan.training.settings import TrainingSettings, identity
from braingan.training.state import Tally
from runs import Tiny
chosen = TrainingSettings(batch_size=8, epochs=150, snapshots=(3, 70), threads=1, checkpoint_seconds=0.05)
config = {"identity": {"training": identity(chosen)}}
sys.exit(not train(RunFolder(Path(sys.argv[2])), Store.open(Path(sys.argv[1])), (), Tiny(), chosen, config))
"""


@pytest.mark.slow
def test_three_kills_at_random_moments(store, tmp_path):
    """The kill is real, and work is continued: hardly a step is done twice."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}

    def start(name):
        arguments = [sys.executable, "-c", TRAINS, store.folder.root, tmp_path / name]
        return subprocess.Popen(arguments, env=environment, stderr=subprocess.DEVNULL)

    whole, killed = start("whole"), RunFolder(tmp_path / "killed")
    for _ in range(3):
        before = saved_images(killed)
        with start("killed") as process:
            while saved_images(killed) <= before and process.poll() is None:
                time.sleep(0.01)
            time.sleep(random.uniform(0, 0.4))
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL, "it was done before it could be killed: make it longer"
    with start("killed") as process:
        pass
    assert process.returncode == whole.wait() == 0
    assert_equal_runs(killed, RunFolder(tmp_path / "whole"))
    continued = [int(row["images"]) for row in read_csv(killed.events) if row["event"].startswith("continued")]
    assert len(continued) == 3
    assert 0 < continued[0] < continued[1] < continued[2]


def saved_images(run):
    return max((int(path.stem) for path in run.checkpoints.glob("*.pt")), default=0)


class FullDisk(Disk):
    """Has room for two checkpoints."""

    def replacing(self, path, lasting=True):
        self.writes += path.suffix == ".pt"
        if path.suffix == ".pt" and self.writes > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return _Writing(Disk(), path)


def test_a_full_disk_is_said_and_the_same_command_goes_on(store, tmp_path, monkeypatch):
    whole = go(tmp_path / "whole", store, Disk(), monkeypatch, precision="float32")
    with pytest.raises(InputError, match=r"No space left on device\), [\d.]+ MiB are needed"):
        go(tmp_path / "run", store, FullDisk(), monkeypatch, precision="float32")
    assert saved_images(RunFolder(tmp_path / "run")) == 16
    assert_equal_runs(go(tmp_path / "run", store, Disk(), monkeypatch, precision="float32"), whole)


def test_a_store_that_vanishes_while_training_is_not_missed_until_the_next_start(tmp_path, monkeypatch):
    """Open files outlast their names; the next start says what is gone."""
    store = made.picture_store(tmp_path, size=16)
    whole = go(tmp_path / "whole", store, Disk(), monkeypatch, precision="float32")
    note = record_module.Record.note

    def remove_then_note(self, scalars):
        shutil.rmtree(store.folder.root, ignore_errors=True)
        return note(self, scalars)

    monkeypatch.setattr(record_module.Record, "note", remove_then_note)
    assert_equal_runs(go(tmp_path / "run", store, Disk(), monkeypatch, precision="float32"), whole)
    with pytest.raises(InputError, match="is no store"):
        Store.open(store.folder.root)
