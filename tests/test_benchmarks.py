"""What a benchmark does on a GPU runs on a CPU, too, on less of everything."""

import importlib.util
import sys
from pathlib import Path

import pytest

import made
from braingan.data.store import Store
from braingan.folders import RunFolder, read_json
from braingan.training.run import read_log

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


def benchmark(name):
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def gpu():
    return benchmark("gpu")


def test_the_hour_measures_no_row_twice_and_mixes_no_stores(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    hour, measured = benchmark("hour"), []

    def measure(trial, sets, store, folder):
        measured.append((folder.name, trial.minutes))
        if len(measured) == 4:
            raise KeyboardInterrupt
        return {"images": 1, "settings": sets, "metrics": {name: {"value": 0.5} for name in hour.COLUMNS}}

    monkeypatch.setattr(hour, "measure", measure)
    monkeypatch.setattr(hour, "RESULTS", tmp_path)
    store = made.picture_store(tmp_path).folder.root
    call = [str(store), str(tmp_path / "out"), "--seeds", "0", "1"]
    with pytest.raises(KeyboardInterrupt):
        hour.main(call)
    hour.main(call)
    cut_off = ("thesis-0", 60)
    assert measured == [
        ("latentflow-0", 20), ("thesis-0", 20), ("latentflow-0", 60), cut_off, cut_off,
        ("latentflow-1", 20), ("thesis-1", 20),
    ]  # fmt: skip
    assert len(read_json(tmp_path / "hour.json")["rows"]) == 6
    monkeypatch.setitem(hour.MODELS, "thesis", ["model.name=thesis7"])
    hour.main([*call[:2], "--seeds", "1"])
    assert measured[7:] == [("thesis-1", 20)]
    other = made.picture_store(tmp_path / "other", subjects=11).folder.root
    with pytest.raises(SystemExit):
        hour.main([str(other), str(tmp_path / "out")])


def test_the_gpu_benchmark_steps_once_and_compares_with_the_thesis(gpu, tmp_path, monkeypatch):
    monkeypatch.setattr(gpu.torch.cuda, "is_available", lambda: False)
    rows = [{"samples": 100, "epochs": epochs, "minutes": 12} for epochs in (1, 2)]
    monkeypatch.setattr(gpu, "THESIS", {"results": [{"generator": "thesis4", "rows": rows}]})
    store, out = made.picture_store(tmp_path).folder.root, tmp_path / "out"
    slices = len(Store.open(store).select("train"))
    gpu.main(["matrix", str(out), "--side", "64"])
    gpu.main(["probe", str(out), "thesis4", "--batches", "8", "--steps", "1"])
    train = ["train", str(out), "thesis4", "100", str(store), "--epochs", "1", "2"]
    gpu.main(train)
    trained = out / "train-thesis4-100.json"
    found, written = read_json(trained), trained.stat().st_mtime_ns
    assert found["slices"] == slices < 100  # fewer than asked for, so for more epochs
    assert 0 < found["seconds"]["1"] < found["seconds"]["2"]
    log = read_log(RunFolder(out / "thesis4-100"))
    assert int(log[-1]["images"]) >= 200
    gpu.main(train)
    assert trained.stat().st_mtime_ns == written
    gpu.main(["table", str(out)])
    cells = read_json(out / "table.json")["cells"]
    assert cells["thesis4, 100 samples, 2 epochs"]["factor"] == pytest.approx(12 * 60 / found["seconds"]["2"])
