"""What a benchmark does on a GPU runs on a CPU, too, on less of everything."""

import importlib.util
from pathlib import Path

import pytest

import made
from braingan.data.store import Store
from braingan.folders import RunFolder, read_json
from braingan.training.run import read_log

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def gpu():
    spec = importlib.util.spec_from_file_location("gpu", BENCHMARKS / "gpu.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
