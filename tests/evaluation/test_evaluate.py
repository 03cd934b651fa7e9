"""A run's metrics, with floors, protocol and the ways out of wrong input."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import made
from braingan.data.store import Store
from braingan.errors import InputError
from braingan.evaluation.evaluate import evaluate, evaluate_folders
from braingan.evaluation.features.extractor import Extractor
from braingan.evaluation.metrics import METRICS
from braingan.evaluation.sets import SliceSet
from braingan.folders import RunFolder, read_json, write_json


@pytest.fixture(scope="module")
def copied(trained, tmp_path_factory):
    """A copy of the run to write into."""
    copy = RunFolder(tmp_path_factory.mktemp("evaluated") / "run")
    shutil.copytree(trained.root, copy.root)
    return copy


class Pixels(Extractor):
    """Features that cost nothing: the slice, eight times smaller."""

    name = "pixels"
    fingerprint = description = "pixels"

    def features(self, images):
        return images[:, ::8, ::8].reshape(len(images), -1).astype(np.float32)


@pytest.fixture
def pixels(monkeypatch):
    monkeypatch.setattr("braingan.evaluation.measure.open_extractor", lambda *args: Pixels())


def test_metrics_hold_value_floor_ratio_and_protocol(copied, pixels):
    found = evaluate(copied)
    assert found == read_json(copied.snapshots()[-1].metrics)
    assert set(found["metrics"]) >= {name for name, of in METRICS.items() if not of.other_subject} | {
        "vendi",
        "brightness",
    }
    distance = found["metrics"]["frechet_distance"]
    assert distance["ratio"] == pytest.approx(distance["value"] / distance["floor"])
    assert distance["value"] == pytest.approx(np.mean(distance["values"]))
    assert len(distance["values"]) == 2
    assert distance["value"] > distance["floor"] > 0  # two epochs do not suffice
    store = Store.open(Path(read_json(copied.config)["store"]))
    assert found["protocol"]["count"] == len(store.select("test")) == distance["count"]
    assert found["protocol"]["subjects"] == len(set(store.columns["subject"][store.select("test")]))
    confusion = found["confusion"]
    assert sum(confusion["real"].values()) == sum(confusion["generated"].values()) == distance["count"]


def test_choices_are_made_on_validation_subjects_apart_from_the_final_table(copied, pixels):
    found = evaluate(copied, split="validation")
    assert found["protocol"]["split"] == "validation"
    assert (copied.snapshots()[-1].root / "metrics-validation.json").exists()


def test_a_moved_store_is_named_by_data_and_a_changed_one_refused(copied, pixels, tmp_path):
    config, moved = read_json(copied.config), tmp_path / "moved"
    shutil.copytree(config["store"], moved)
    write_json(copied.config, config | {"store": str(tmp_path / "gone")})
    with pytest.raises(InputError, match="is no store"):
        evaluate(copied)
    assert evaluate(copied, moved)["protocol"]["store"] == config["identity"]["store"]
    description = read_json(moved / "store.json")
    write_json(moved / "store.json", description | {"fingerprint": "0"})
    with pytest.raises(InputError, match="is not the store that"):
        evaluate(copied, moved)
    write_json(copied.config, config)


def test_settings_go_over_the_runs_and_too_few_slices_name_the_way_out(copied, pixels):
    found = evaluate(copied, sets=["evaluation.count=7", "evaluation.seeds=1"])
    assert found["metrics"]["recall"]["count"] == 7
    with pytest.raises(InputError, match=r"at least 501 are needed: .*data\.split_seed"):
        evaluate(copied, sets=["evaluation.neighbours=500"])
    with pytest.raises(InputError, match=r"takes settings of \[evaluation\] only, not of training"):
        evaluate(copied, sets=["training.seed=2"])


def test_radii_to_other_subjects_need_other_subjects(copied, pixels, monkeypatch):
    alone = staticmethod(
        lambda store, indices, masks=False: SliceSet(store.images(indices), np.full(len(indices), "one"))
    )
    monkeypatch.setattr(SliceSet, "of_store", alone)
    found = evaluate(copied)
    assert "precision" in found["metrics"]
    assert "precision_other_subject" not in found["metrics"]


def test_anyones_pictures_are_measured_beside_real_ones(pixels, tmp_path):
    real, fake, train = (tmp_path / name for name in ("real", "fake", "train"))
    made.picture_folder(real, 6, 3)
    made.picture_folder(train, 10, 3)
    rng = np.random.default_rng(0)
    fake.mkdir()
    for number in range(20):
        Image.fromarray(rng.integers(0, 255, (40, 40)).astype(np.uint8)).save(fake / f"{number}.png")
    found = evaluate_folders(real, fake, train, tmp_path / "numbers.json")
    assert found == read_json(tmp_path / "numbers.json")
    assert found["metrics"]["frechet_distance"]["ratio"] > 2
    assert found["baselines"]["copies"]["frechet_distance"] == found["metrics"]["frechet_distance"]["floor"]
    assert found["baselines"]["blurred"]["frechet_distance"] > found["baselines"]["copies"]["frechet_distance"]
    assert found["protocol"]["count"] == 18


def test_uses_of_the_test_subjects_are_counted(copied, pixels):
    first = evaluate(copied)["protocol"]["test_uses"]
    assert evaluate(copied)["protocol"]["test_uses"] == first >= 1
    assert "test_uses" not in evaluate(copied, split="validation")["protocol"]
    other = RunFolder(copied.root.with_name("other"))
    shutil.copytree(copied.root, other.root)
    assert evaluate(other)["protocol"]["test_uses"] == first + 1


def test_damaged_features_are_computed_anew(copied, pixels):
    first = evaluate(copied)["metrics"]["frechet_distance"]["value"]
    kept = sorted(Path(read_json(copied.config)["store"]).rglob("features-*.npy"))
    assert kept
    for path in kept:
        path.write_bytes(path.read_bytes()[:40])
    assert evaluate(copied)["metrics"]["frechet_distance"]["value"] == first


def test_without_its_weights_inception_gives_way_to_the_offline_network_by_its_own_name(copied, monkeypatch):
    def opened(name, *rest):
        if name == "inception":
            raise InputError("The weights are not here.")
        return Pixels()

    monkeypatch.setattr("braingan.evaluation.measure.open_extractor", opened)
    found = evaluate(copied, sets=["evaluation.extractor=inception"])
    assert found["metrics"]["frechet_distance"]["extractor"] == "pixels"
    assert any("under its own name" in note for note in found["protocol"]["notes"])
    with pytest.raises(InputError, match="weights are not here"):
        evaluate(copied, sets=["evaluation.extractor=inception", "evaluation.weights=/tmp/none.pth"])


def test_the_thesiss_distance_has_its_own_name(copied, monkeypatch):
    class AsTheThesis(Pixels):
        name = "inception-keras"

    monkeypatch.setattr("braingan.evaluation.measure.open_extractor", lambda name, *rest: of[name]())
    of = {"efficientnet-lite2": Pixels, "inception-keras": AsTheThesis}
    metrics = evaluate(copied, sets=["evaluation.also=['inception-keras']"])["metrics"]
    assert metrics["thesis_distance"]["extractor"] == "inception-keras"
    assert not any(name.startswith("frechet_distance@") for name in metrics)
    assert "precision@inception-keras" in metrics
