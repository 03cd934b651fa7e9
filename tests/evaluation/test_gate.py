"""The gate lets strangers through and copies not."""

import numpy as np
import pytest

import made
from braingan.errors import InputError
from braingan.evaluation.gate import Gate, draw, moved, plant, spread
from braingan.evaluation.material import Loose
from braingan.evaluation.nearest import TrainingSlices
from braingan.folders import read_json


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return made.textured_store(tmp_path_factory.mktemp("gate"))


@pytest.fixture(scope="module")
def gate(store):
    return Gate.of_store(store)


def test_planted_copies_are_refused_and_test_subjects_admitted(gate, store):
    assert gate.refuses(gate.nearest(plant(gate.training, 100))).mean() >= 0.99
    assert gate.admit(store.images(store.select("test"))).all()
    assert gate.rests_on.nearest_patient < gate.rests_on.threshold < gate.rests_on.planted_reach
    assert gate.rests_on.validation_subjects == len(set(store.columns["subject"][store.select("validation")]))


def test_the_threshold_is_kept_and_a_damaged_one_made_again(gate, store):
    (path,) = store.folder.derived.glob("gate-*.json")
    assert read_json(path)["threshold"] == gate.rests_on.threshold
    path.write_text("{")
    assert Gate.of_store(store).rests_on == gate.rests_on


def test_a_store_without_validation_subjects_says_what_to_do(store, monkeypatch):
    monkeypatch.setattr(type(store), "select", lambda *args: np.array([], int))
    with pytest.raises(InputError, match=r"no validation subject.*data\.split_seed"):
        Gate.of_store(store)


def test_slices_too_small_to_tell_patients_apart_get_no_gate(store):
    blocks = store.images(np.arange(len(store))).reshape(-1, 8, 8, 8, 8)
    tiny = blocks.mean(axis=(2, 4)).astype(np.uint8)
    held_out = store.select("validation")
    training = TrainingSlices(Loose(tiny, {"subject": store.columns["subject"]}), store.select("train"))
    with pytest.raises(InputError, match=r"of \d+ validation slices are as near .* larger ones by data\.size"):
        Gate.of_slices(training, held_out)


def test_a_slice_that_the_store_holds_twice_raises_no_threshold(store):
    held_out, training = store.select("validation"), store.select("train")
    images = store.images(np.arange(len(store)))
    images[held_out[0]] = images[training[0]]
    loose = Loose(images, {"subject": store.columns["subject"]})
    found = Gate.of_slices(TrainingSlices(loose, training), held_out).rests_on
    assert found.validation_copies == 1
    assert found.threshold < 0.9


def test_drawing_skips_what_is_refused_and_numbers_stay(gate, store):
    fresh, copies = store.images(store.select("test"))[:8], store.images(store.select("train"))[:8]
    mixed = np.stack([fresh, copies], axis=1).reshape(16, *fresh.shape[1:])
    found = list(draw(gate, iter([mixed[:6], mixed[6:]]), 5))
    assert [one.number for one in found if one.admitted] == [0, 2, 4, 6, 8]
    assert [one.number for one in found if not one.admitted] == [1, 3, 5, 7]
    assert all(one.likeness > 0.99 for one in found if not one.admitted)


def test_a_generator_that_only_copies_is_stopped(gate, store):
    copies = store.images(store.select("train"))
    with pytest.raises(InputError, match="this generator copies"):
        list(draw(gate, iter([copies] * 50), 10))


def test_moving_by_whole_pixels_is_rolling():
    slices = np.random.default_rng(0).integers(0, 255, (2, 16, 16)).astype(np.uint8)
    found = moved(slices, np.array([[2.0, -3.0], [0.0, 1.0]]))
    assert found[0] == pytest.approx(np.roll(slices[0], (2, -3), (0, 1)), abs=1e-6)
    assert spread(np.arange(10), 20).tolist() == list(range(10))
