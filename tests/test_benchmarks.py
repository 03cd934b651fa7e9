"""What a benchmark does on a GPU runs on a CPU, too, on less of everything."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import made
import studies
import taught
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


@pytest.fixture
def conditions(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    return benchmark("conditions")


def test_an_encoder_that_has_not_proven_itself_judges_nothing(conditions):
    scores = {"frame_accuracy": {"value": 0.99}, "depth_error_slices": {"value": 5.0}, "lesion_auc": {"value": 0.7}}
    proven = {"frame_accuracy": True, "depth_error_slices": False, "lesion_area_correlation": False}
    found = conditions.judged(scores, conditions.OBEYED, proven)
    assert found["frame_accuracy"] == {"value": 0.99, "wanted": "at least 0.98", "holds": True}
    assert found["depth_error_slices"] == {"value": 5.0, "wanted": "at most 3", "holds": None}
    assert found["lesion_auc"] == {"value": 0.7}
    assert conditions.judged(scores, conditions.OBEYED)["depth_error_slices"]["holds"] is False
    said = list(conditions.said("it", found))
    assert said[0].endswith("it: frame_accuracy 0.99; wanted at least 0.98: holds")
    assert said[1].endswith("not judged, since the encoder has not proven itself")


def test_lesions_are_judged_frame_by_frame(conditions):
    scores = {"lesion_area_correlation": {"value": 0.93}}
    scores |= {
        f"lesion_area_correlation in {frame}": {"value": value} for frame, value in (("T1w", 0.8), ("T2w", 0.96))
    }
    proof = conditions.judged(scores, conditions.PROVEN)
    assert [of["holds"] for of in proof.values()] == [False, False, True]
    found = conditions.judged(scores, conditions.OBEYED, {name: of["holds"] for name, of in proof.items()})
    assert [of["holds"] for of in found.values()] == [None, None, True]


def test_masks_are_judged_on_lesions_alone_too_and_signs_where_real_lesions_have_one(conditions):
    frames = {
        "FLAIR": {"real_same_sign": 0.97, "generated_same_sign": 0.8},
        "T1w": {"real_same_sign": 0.55, "generated_same_sign": 0.5},
    }
    of_lesions = {"area_correlation": 0.4, "area_error_mm2": 90.0, "count": 20}
    found = conditions.matching({"area_correlation": 0.95, "of_lesions": of_lesions, "frames": frames})
    assert found["area_correlation"]["holds"] is True
    assert found["area_correlation_of_lesions"]["holds"] is False
    assert found["area_error_mm2_of_lesions"] == {"value": 90.0}
    assert found["same sign in FLAIR"]["holds"] is False
    assert "holds" not in found["same sign in T1w"]
    assert conditions.matching({}) == {}


def test_wishes_lie_in_every_frame_at_every_depth_with_lesions_that_there_can_be(conditions, masked):
    asked = []

    class Encoder:
        def obeyed(self, images, told, spacing):
            asked.append((images, told, spacing))
            return {"lesion_area_correlation": {"value": 0.5 + len(asked) / 10}}

    found = conditions.wished(masked, Encoder(), 0.25)
    (images, told, spacing), (ill, ill_told, _) = asked
    assert spacing == 0.25
    assert len(images) == 2 * 2 * conditions.DEPTHS * len(conditions.SHARES) * conditions.EACH  # frames and labels
    assert set(told["frame"]) == {"dark", "light"}
    assert len(np.unique(told["depth"])) == conditions.DEPTHS
    assert len(ill) == len(ill_told["depth"]) == (told["lesion_area_mm2"] > 0).sum() > 0
    assert (ill_told["lesion_area_mm2"] > 0).all()
    assert {name: of["value"] for name, of in found.items()} == {
        "lesion_area_correlation": 0.6, "lesion_area_correlation_of_lesions": 0.7,
    }  # fmt: skip


def test_a_study_is_summed_up(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    study = benchmark("study")
    monkeypatch.setattr(study, "RESULTS", tmp_path)
    store = taught.taught_store(tmp_path / "store", subjects=8)
    rows = studies.made_rows(lambda layers, samples, epochs: 300 - 5 * layers - samples / 10 - 2 * epochs)
    rows = [replace(row, found=row.found | {"seconds": 6.0}) for row in rows]
    folder = studies.made_study(tmp_path / "made", store, rows)
    study.main([str(folder.root)])
    found = read_json(tmp_path / "study.json")
    assert (found["cells"], found["trainings"], found["seeds"]) == (18, 27, 3)
    assert found["evaluation_minutes"] == pytest.approx(54 * 6 / 60)
    longest = sum(row.seconds for row in rows if row.epochs == 10)
    assert found["training_minutes"] == pytest.approx(longest / 60)
    assert found["rows"][0]["cell"] == "thesis4, 200 slices, 5 epochs"
    assert found["rows"][0]["metrics"]["frechet_distance"]["value"] == pytest.approx(250, abs=2)
    assert {of["verdict"] for of in found["claims"]} >= {"supported", "not supported"}
