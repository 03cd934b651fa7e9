"""Training: what a run holds, that stopping changes nothing, and that other trainings are refused."""

import os
import signal

import numpy as np
import pytest
import torch
from PIL import Image

import made
from braingan.errors import InputError
from braingan.folders import RunFolder, read_csv, read_json, write_json
from braingan.recipe import Recipe, run_record, settle
from braingan.settings import parse
from braingan.training import ema
from braingan.training import record as record_module
from braingan.training.loop import train
from braingan.training.record import has_grid
from braingan.training.run import read_log
from runs import assert_equal_runs, newest_checkpoint

# Small in time, not in kind: the 4-layer network, few slices, few steps.
TRAINING = {"epochs": 2, "batch_size": 8, "samples": 16, "threads": 2, "precision": "float32"}
SHORT_FLOW = {"name": "latentflow", "flow_widths": [8, 8], "widths": [8, 8, 8], "flow_epochs": 2}
"""Learns no more from its fifth step on."""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return made.picture_store(tmp_path_factory.mktemp("training"))


def start(folder, store, model="thesis4", **training):
    chosen = model if isinstance(model, dict) else {"name": model}
    recipe = settle(parse(Recipe, {"model": chosen, "training": TRAINING | training}), store)
    run = RunFolder(folder)
    return run, train(run, store, recipe.data.frames, recipe.model, recipe.training, run_record(recipe, store))


@pytest.fixture(scope="module")
def whole(store, tmp_path_factory):
    """A run that was never stopped, 3 epochs."""
    run, finished = start(tmp_path_factory.mktemp("runs") / "whole", store, epochs=3, snapshots=[1])
    assert finished
    return run


def test_a_run_holds_log_grids_snapshots_and_the_last_two_checkpoints(whole):
    rows = read_log(whole)
    assert [(row["epoch"], row["images"]) for row in rows] == [("1", "16"), ("2", "32"), ("3", "48")]
    assert all(float(row["discriminator_loss"]) > 0 and float(row["images_per_second"]) > 0 for row in rows)
    assert [snapshot.images_seen for snapshot in whole.snapshots()] == [16, 48]
    with Image.open(whole.samples / "epoch-00003.png") as grid:
        assert grid.size == (8 * 112, 8 * 112)
        assert "synthetic" in grid.info["Description"]
    assert [row["event"].split()[0] for row in read_csv(whole.events)] == ["started", "finished"]
    assert len(list(whole.checkpoints.iterdir())) == 1  # on the way none was due


def test_a_longer_training_continues_a_shorter_one_exactly(whole, store, tmp_path):
    start(tmp_path / "run", store, epochs=1, snapshots=[1])
    run, finished = start(tmp_path / "run", store, epochs=3, snapshots=[1])
    assert finished
    assert_equal_runs(run, whole)
    events = [row["event"] for row in read_csv(run.events)]
    assert any(event.startswith("continued at image 16") for event in events)


@pytest.mark.parametrize(
    ("model", "precision"),
    [
        ("thesis4", "float32"),
        (SHORT_FLOW, "float32"),
        pytest.param("thesis7", "bf16", marks=pytest.mark.slow),
        pytest.param(SHORT_FLOW, "bf16", marks=pytest.mark.slow),
    ],
)
def test_a_training_killed_between_checkpoints_ends_as_one_never_killed(store, tmp_path, monkeypatch, model, precision):
    """Killed in step 5, when only the state after step 3 was saved: amid an epoch of two steps."""
    monkeypatch.setattr(ema, "STATISTICS_BATCHES", 1)  # the grids are not what is tested
    monkeypatch.setattr(record_module, "GRID", 8)
    unbroken, _ = start(tmp_path / "unbroken", store, model, epochs=3, precision=precision)
    note, saves = record_module.Record.note, []

    def note_then_die(self, scalars):
        note(self, scalars)
        if self.state.step == 3:
            self.checkpoint()
            saves.append(self.images_seen)
        if self.state.step == 5:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(record_module.Record, "note", note_then_die)
        with pytest.raises(KeyboardInterrupt):
            start(tmp_path / "killed", store, model, epochs=3, precision=precision)
    run, finished = start(tmp_path / "killed", store, model, epochs=3, precision=precision)
    assert finished
    assert saves == [24]
    assert_equal_runs(run, unbroken)


def test_good_states_are_kept_after_the_flow_s_end_as_before(store, tmp_path, monkeypatch):
    """Its loss is gone then, in the middle of a window."""
    monkeypatch.setattr(record_module, "WINDOW", 2)
    monkeypatch.setattr(record_module, "KEEP_EVERY", 2)
    monkeypatch.setattr(record_module, "GRID", 8)
    run, _ = start(tmp_path / "run", store, SHORT_FLOW | {"flow_epochs": 2.5}, epochs=6, trouble="roll_back")
    assert "flow_loss" not in newest_checkpoint(run)["window"]["names"]
    assert newest_checkpoint(run)["good"]["step"] == 12


def test_what_a_step_calls_is_compiled(store, tmp_path, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: compiled.append(type(self).__name__))
    start(tmp_path / "flow", store, SHORT_FLOW, epochs=1, compile=True)
    assert compiled == ["VelocityField", "Decoder", "Sequential"]


def test_a_termination_signal_saves_and_the_same_command_goes_on(store, tmp_path, monkeypatch):
    note = record_module.Record.note

    def note_then_signal(self, scalars):
        note(self, scalars)
        if self.state.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(record_module.Record, "note", note_then_signal)
    run, finished = start(tmp_path / "run", store, epochs=10_000)
    assert not finished
    assert read_csv(run.events)[-1] == {"images": "24", "event": "stopped on request"}
    assert [path.name for path in run.checkpoints.iterdir()] == ["000000000024.pt"]
    assert not run.snapshots()
    run, finished = start(tmp_path / "run", store, epochs=1)  # shorter than what was trained: its end is here
    assert finished
    assert [snapshot.images_seen for snapshot in run.snapshots()] == [24]


def test_a_finished_training_is_not_run_again(whole, store):
    before = {path: path.stat().st_mtime_ns for path in whole.root.rglob("*")}
    start(whole.root, store, epochs=3, snapshots=[1])
    start(whole.root, store, epochs=1)  # nor is the record of its length lost
    assert before == {path: path.stat().st_mtime_ns for path in whole.root.rglob("*")}


def test_minutes_end_a_training_too(store, tmp_path):
    run, finished = start(tmp_path / "run", store, epochs=100_000, minutes=0.02)
    assert finished
    assert run.snapshots()


def test_another_training_in_the_same_folder_is_refused_and_what_differs_named(whole, store, tmp_path):
    with pytest.raises(InputError, match=r"training\.learning_rate: 0\.0002 there, 0\.001 now"):
        start(whole.root, store, learning_rate=1e-3)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.pdf").touch()
    with pytest.raises(InputError, match="is not empty and no run"):
        start(tmp_path / "full", store)


def test_grids_thin_out():
    assert [epoch for epoch in range(1, 31) if has_grid(epoch)] == [*range(1, 11), 15, 20, 25, 30]
    assert [epoch for epoch in range(90, 260) if has_grid(epoch)] == [90, 95, 100, 150, 200, 250]


def test_divergence_is_said_and_never_saved(store, tmp_path):
    with pytest.raises(InputError, match=r"no longer finite .* lower training\.learning_rate"):
        start(tmp_path / "run", store, learning_rate=1e38, epochs=4, checkpoint_seconds=1e-9)
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_run_from_before_a_setting_existed_had_its_default(store, tmp_path):
    run, _ = start(tmp_path / "run", store, epochs=1)
    config = read_json(run.config)
    del config["identity"]["training"]["compile"]
    config["identity"]["training"]["accumulate"] = 1  # counted once, and no longer does
    write_json(run.config, config)
    assert start(tmp_path / "run", store, epochs=1)[1]
    with pytest.raises(InputError, match=r"training\.compile: False there, True now"):
        start(tmp_path / "run", store, epochs=1, compile=True)


def test_a_refused_start_does_not_claim_the_folder(store, tmp_path):
    with pytest.raises(InputError, match="9999 train slices were asked for"):
        start(tmp_path / "run", store, samples=9999)
    assert start(tmp_path / "run", store, epochs=1)[1]


def test_a_batch_over_several_epochs_keeps_every_snapshot_asked_for(store, tmp_path):
    run, _ = start(tmp_path / "run", store, batch_size=40, epochs=5, snapshots=[1, 4])
    assert [snapshot.images_seen for snapshot in run.snapshots()] == [40, 80]


def test_training_learns(store, tmp_path):
    """After a minute's worth of steps generated slices are nearer to real ones in mean and contrast."""
    run, _ = start(tmp_path / "run", store, epochs=25, learning_rate=2e-4, samples=16)
    real = store.images(store.select("train"))
    first, last = (np.asarray(Image.open(run.samples / f"epoch-{epoch:05d}.png")) for epoch in (1, 25))
    assert abs(last.mean() - real.mean()) < abs(first.mean() - real.mean())
    assert last.std() > first.std()
