"""The log for TensorBoard says what the log says."""

import sys

import pytest

import made
from braingan.errors import InputError
from braingan.folders import RunFolder
from braingan.training.loop import train
from braingan.training.run import read_log
from braingan.training.settings import TrainingSettings, identity
from runs import Tiny


def go(folder, store, epochs):
    chosen = TrainingSettings(batch_size=8, threads=1, samples=16, epochs=epochs, tensorboard=True)
    train(RunFolder(folder), store, (), Tiny(), chosen, {"identity": {"training": identity(chosen)}})
    return RunFolder(folder)


def test_curves_hold_a_point_an_epoch_also_after_going_on(tmp_path):
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    store = made.picture_store(tmp_path, size=16)
    go(tmp_path / "run", store, 2)
    run = go(tmp_path / "run", store, 3)
    curves = event_accumulator.EventAccumulator(str(run.tensorboard))
    curves.Reload()
    points = {point.step: point.value for point in curves.Scalars("discriminator_loss")}
    rows = {int(row["images"]): float(row["discriminator_loss"]) for row in read_log(run)}
    assert points == pytest.approx(rows, rel=1e-5)
    assert len(points) == 3
    assert "diversity" in curves.Tags()["scalars"]


def test_without_the_package_the_way_out_is_said(tmp_path, monkeypatch):
    store = made.picture_store(tmp_path, size=16)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match=r"pip install 'braingan\[tensorboard\]'"):
        go(tmp_path / "run", store, 1)
    assert not (tmp_path / "run").exists()
