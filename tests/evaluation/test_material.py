"""What is compared with what."""

import shutil

import numpy as np
import pytest
from PIL import Image

from braingan.errors import InputError
from braingan.evaluation.material import material_of_folders, material_of_run, spread
from braingan.evaluation.settings import EvaluationSettings
from braingan.folders import RunFolder, read_json, write_json

RNG = np.random.default_rng(0)


def folder(root, subjects, each, side=16):
    root.mkdir()
    for number in range(subjects * each):
        pixels = RNG.integers(0, 255, (side, side)).astype(np.uint8)
        Image.fromarray(pixels).save(root / f"sub-{number // each:02d}_z-{number % each}.png")
    return root


def test_of_a_run_all_sets_are_of_one_size_and_no_subject_is_on_two_sides(trained):
    material = material_of_run(trained, None, "test", EvaluationSettings(seeds=2))
    assert len(material.real) == len(material.floor) == len(material.generated[0]) == material.protocol.get("count", 8)
    assert not set(material.real.subjects) & set(material.floor.subjects)
    assert (material.generated[0].images != material.generated[1].images).any()
    baselines = material.baselines()
    assert set(baselines) == {"gaussian", "copies", "blurred"}
    assert all(len(of) == len(material.real) for of in baselines.values())
    assert (baselines["copies"].images == material.floor.images).all()


def test_of_a_run_of_few_subjects_only_theirs_are_training_slices(trained, tmp_path):
    shutil.copytree(trained.root, tmp_path / "run")
    few = RunFolder(tmp_path / "run")
    config = read_json(few.config)
    config["recipe"]["training"]["subjects"] = 3
    write_json(few.config, config)
    found = material_of_run(few, None, "test", EvaluationSettings(seeds=1)).training
    every = material_of_run(trained, None, "test", EvaluationSettings(seeds=1)).training
    assert len(np.unique(found.subjects)) == 3
    assert set(found.subjects) < set(every.subjects)


def test_folders_are_brought_to_one_size_and_their_pictures_dealt(tmp_path):
    real, fake = folder(tmp_path / "real", 6, 3), folder(tmp_path / "fake", 40, 1, 32)
    train = folder(tmp_path / "train", 10, 3)
    material = material_of_folders(real, fake, train, EvaluationSettings(seeds=5))
    assert [len(of) for of in material.generated] == [18, 18]  # as many sets as are full
    assert len(material.floor) == 18
    assert material.training is not None
    assert len(material.training) == 30
    assert any("32×32" in note for note in material.notes)
    first, second = ({picture.tobytes() for picture in made.images} for made in material.generated)
    assert not first & second


def test_without_training_pictures_the_real_ones_are_halved_by_subject(tmp_path):
    real, fake = folder(tmp_path / "real", 6, 3), folder(tmp_path / "fake", 9, 1)
    material = material_of_folders(real, fake, None, EvaluationSettings())
    assert not set(material.real.subjects) & set(material.floor.subjects)
    assert material.training is None
    assert any("--train" in note for note in material.notes)


def test_too_few_pictures_and_one_subject_name_the_way_out(tmp_path):
    real, fake = folder(tmp_path / "real", 1, 9), folder(tmp_path / "fake", 3, 1)
    with pytest.raises(InputError, match="by --train"):
        material_of_folders(real, fake, None, EvaluationSettings())
    train = folder(tmp_path / "train", 3, 3)
    with pytest.raises(InputError, match=r"at least 6 are needed: .*fake 3 and"):
        material_of_folders(real, fake, train, EvaluationSettings())


def test_slices_are_taken_evenly():
    assert spread(np.arange(10, 20), 4).tolist() == [10, 13, 16, 19]
