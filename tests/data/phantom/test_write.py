"""Phantoms as files and as a store: the same slices, resumable, and the truth that preparation must give back."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

from braingan.data.phantom import write as module
from braingan.data.phantom.settings import PhantomSettings
from braingan.data.phantom.subject import FRAMES, make_phantom
from braingan.data.phantom.write import NOTE, phantom_store, write_phantoms
from braingan.data.prepare import prepare
from braingan.data.settings import DataSettings
from braingan.errors import InputError

SETTINGS = PhantomSettings(seed=3, lesions=1.0)
DATA = DataSettings(size=120, slices="30:125")


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantoms") / "task"
    write_phantoms(folder, 2, SETTINGS, "local:1")
    return folder


@pytest.fixture(scope="module")
def store(task):
    return prepare(task, task.parent / "store", DATA, "local:1")


def test_the_files_are_those_of_a_decathlon_task(task):
    description = json.loads((task / "dataset.json").read_text())
    assert list(description["modality"].values()) == list(FRAMES) == ["FLAIR", "T1w", "T1gd", "T2w"]
    assert description["numTraining"] == len(description["training"]) == 2
    image = nibabel.load(task / description["training"][0]["image"])
    assert image.shape == (240, 240, 155, 4)
    assert image.get_data_dtype() == np.int16
    assert nibabel.aff2axcodes(image.affine) == ("L", "P", "S")
    assert image.header.get_zooms()[:3] == (1, 1, 1)
    labels = nibabel.load(task / description["training"][0]["label"])
    np.testing.assert_array_equal(labels.affine, image.affine)
    turned = nibabel.as_closest_canonical(image)
    made = make_phantom(3, 0, 1.0)
    np.testing.assert_array_equal(np.asanyarray(turned.dataobj), made.voxels)
    np.testing.assert_array_equal(np.asanyarray(nibabel.as_closest_canonical(labels).dataobj), made.labels)


def test_preparation_gives_back_the_truth(store):
    """Areas in mm², positions, frames, sides: a lesion stands in the slice where its label map says."""
    assert NOTE in store.description["notes"]
    columns = store.columns
    images, masks = np.load(store.folder.images(0)), np.load(store.folder.masks(0))
    for number in range(2):
        truth = make_phantom(3, number, 1.0)
        mine = columns["subject"] == f"PHANTOM_{number:05d}"
        assert set(columns["frame"][mine]) == set(FRAMES)
        for frame in range(4):
            here = mine & (columns["frame"] == FRAMES[frame])
            assert sorted(columns["position"][here]) == list(range(30, 125))
        for position in (40, 75, 100):
            at = np.flatnonzero(mine & (columns["position"] == position) & (columns["frame"] == "FLAIR"))[0]
            label = truth.labels[:, :, position]
            assert columns["lesion_area_mm2"][at] == (label > 0).sum()
            shown = label[::-1, ::-1].T[1::2, 1::2]  # nose up, the patient's right at the left, every other voxel
            np.testing.assert_array_equal(masks[at], shown)
            voxels = truth.voxels[:, :, position, 0].astype(float)[::-1, ::-1].T
            coarse = voxels.reshape(120, 2, 120, 2).mean(axis=(1, 3))
            assert np.corrcoef(coarse.ravel(), images[at].ravel())[0, 1] > 0.97


def test_a_store_made_at_once_is_the_one_that_files_would_give(task, store):
    at_once = phantom_store(task.parent / "at_once", 2, SETTINGS, DATA, "local:2")
    assert at_once.fingerprint == store.fingerprint
    for name in ("images-00000.npy", "masks-00000.npy", "slices.csv", "discarded.csv"):
        assert (at_once.folder.root / name).read_bytes() == (store.folder.root / name).read_bytes()
    assert phantom_store(task.parent / "at_once", 2, SETTINGS, DATA, "local:1").fingerprint == store.fingerprint
    with pytest.raises(InputError, match=r"a store with other source seed \(3 there\)"):
        phantom_store(task.parent / "at_once", 2, PhantomSettings(seed=4), DATA, "local:1")


def test_a_half_made_task_is_known_as_one_of_phantoms(tmp_path, monkeypatch):
    def stopped(task, unit, waiting, total, on):
        waiting[0]()
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "run_jobs", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_phantoms(tmp_path / "task", 2, SETTINGS, "local:1")
    half = prepare(tmp_path / "task", tmp_path / "store", DataSettings(size=16), "local:1")
    assert NOTE in half.description["notes"]
    assert 'PHANTOM_00001.nii.gz,,"named in dataset.json, but not there"' in half.folder.discarded.read_text()
    with pytest.raises(InputError, match="phantoms have FLAIR, T1w, T1gd, T2w, but not t1"):
        phantom_store(tmp_path / "other", 1, SETTINGS, DataSettings(frames=("T1",)), "local:1")


def test_work_goes_on_where_it_stopped_and_more_subjects_are_added(tmp_path, monkeypatch):
    made = []

    def fake(out: Path, number: int, settings: PhantomSettings) -> None:
        made.append(number)
        for folder in ("labelsTr", "imagesTr"):
            (out / folder).mkdir(exist_ok=True)
            (out / folder / f"PHANTOM_{number:05d}.nii.gz").touch()

    def at_once(task, unit, waiting, total, on):
        for job in waiting:
            job()

    monkeypatch.setattr(module, "_write", fake)
    monkeypatch.setattr(module, "run_jobs", at_once)
    write_phantoms(tmp_path / "task", 3, SETTINGS, "local:1")
    assert made == [0, 1, 2]
    (tmp_path / "task" / "imagesTr" / "PHANTOM_00001.nii.gz").unlink()
    write_phantoms(tmp_path / "task", 5, SETTINGS, "local:1")
    assert made == [0, 1, 2, 1, 3, 4]
    assert json.loads((tmp_path / "task" / "dataset.json").read_text())["numTraining"] == 5
    (tmp_path / "task" / "labelsTr" / "PHANTOM_00004.nii.gz").unlink()
    (tmp_path / "task" / "labelsTr" / ".PHANTOM_00004.nii.gz.77.tmp").touch()
    write_phantoms(tmp_path / "task", 5, SETTINGS, "local:1")
    assert made[6:] == [4]
    assert not list((tmp_path / "task").rglob("*.tmp"))
    write_phantoms(tmp_path / "task", 2, SETTINGS, "local:1")
    assert json.loads((tmp_path / "task" / "dataset.json").read_text())["numTraining"] == 2
    with pytest.raises(InputError, match="holds phantoms of other settings"):
        write_phantoms(tmp_path / "task", 5, PhantomSettings(seed=9), "local:1")
    monkeypatch.undo()
    with pytest.raises(InputError, match="--on moon is no known place"):
        write_phantoms(tmp_path / "new", 1, SETTINGS, "moon")
    monkeypatch.setattr(module, "run_jobs", at_once)
    monkeypatch.setattr(module, "_write", fake)
    write_phantoms(tmp_path / "new", 1, PhantomSettings(seed=9), "local:1")  # nothing was made, so nothing is held
    description = json.loads((tmp_path / "new" / "dataset.json").read_text())
    assert description["phantom"]["seed"] == 9
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    with pytest.raises(InputError, match="is not empty and holds no phantoms"):
        write_phantoms(tmp_path / "full", 1, SETTINGS, "local:1")
