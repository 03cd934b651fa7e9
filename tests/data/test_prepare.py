"""A store is the same whatever the workers and interruptions, is split by subject, and says what it left out."""

import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest

import made
from braingan.data import prepare as module
from braingan.data.prepare import prepare, split_of
from braingan.data.settings import DataSettings
from braingan.data.store import SPLITS, Store
from braingan.errors import InputError


def contents(folder: Path):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_decathlon_task_becomes_the_store_that_its_voxels_say(tmp_path):
    source = made.decathlon(tmp_path / "task")
    store = prepare(source, tmp_path / "store", DataSettings(size=24), "local:1")
    columns = store.columns
    assert len(store) == 3 * 2 * 8  # subjects, frames, slices 12 to 20 of 31
    assert set(columns["frame"]) == {"FLAIR", "T1w"}
    assert set(columns["position"]) == set(range(12, 20))
    assert columns["depth"].min() == pytest.approx(12 / 30)
    assert set(columns["pixel_mm"]) == {1.0}
    with_mask = columns["subject"] == "MADE_000"
    assert (columns["lesion_area_mm2"][with_mask] == 20).all()
    assert np.isnan(columns["lesion_area_mm2"][~with_mask]).all()
    masks = np.load(store.folder.masks(0))
    assert (masks.sum(axis=(1, 2))[with_mask] == 20).all()
    image = store.images(np.array([0]))[0]
    assert image[4, 12] > image[12, 12]  # the bright block at the front is at the top
    assert image[12, 4] > image[12, 20]  # the one at the right is at the left
    assert not (store.folder.root / "parts").exists()
    table = store.folder.table.read_text().splitlines()
    assert len(table) == 1 + len(store)
    assert ",," in table[-1]  # no lesion area where there is no label map


def test_the_store_is_byte_identical_with_more_workers_and_after_an_interruption(tmp_path, monkeypatch):
    source, settings = made.decathlon(tmp_path / "task", subjects=4), DataSettings(size=24)
    prepare(source, tmp_path / "one", settings, "local:1")
    prepare(source, tmp_path / "two", settings, "local:2")

    def killed(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "assemble", killed)
        with pytest.raises(KeyboardInterrupt):
            prepare(source, tmp_path / "three", settings, "local:1")
    (next((tmp_path / "three" / "parts").glob("*.npz"))).unlink()
    (tmp_path / "three" / ".images-00000.npy.77.tmp").touch()
    with pytest.raises(InputError, match="half-made store: run the same"):
        Store.open(tmp_path / "three")
    prepare(source, tmp_path / "three", settings, "local:1")
    assert contents(tmp_path / "one") == contents(tmp_path / "two") == contents(tmp_path / "three")


def test_the_same_command_again_says_done_and_another_is_refused(tmp_path):
    source = made.picture_folder(tmp_path / "pictures", subjects=3, each=2)
    first = prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")
    assert prepare(source, tmp_path / "store", DataSettings(size=16), "local:1").fingerprint == first.fingerprint
    with pytest.raises(InputError, match="a store with other settings"):
        prepare(source, tmp_path / "store", DataSettings(size=17), "local:1")
    shutil.copytree(source / "sub-00", source / "sub-77")
    with pytest.raises(InputError, match="a store with other listing"):
        prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").touch()
    with pytest.raises(InputError, match="is not empty"):
        prepare(source, tmp_path / "other", DataSettings(), "local:1")
    assert (tmp_path / "other" / "thesis.txt").exists()


def test_what_is_left_out_is_named_with_its_reason_and_stops_nothing(tmp_path):
    source = made.decathlon(tmp_path / "task", subjects=5)
    images = source / "imagesTr"
    (images / "MADE_001.nii.gz").write_bytes(b"\x1f\x8b broken")
    nibabel.save(made.as_stored(made.landmarks(), "LPS"), images / "MADE_002.nii.gz")
    shutil.copy(images / "MADE_000.nii.gz", images / "MADE_003.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.zeros((9, 9, 9, 2), np.int16), np.eye(4)), images / "MADE_004.nii.gz")
    store = prepare(source, tmp_path / "store", DataSettings(size=24), "local:2")
    assert set(store.columns["subject"]) == {"MADE_000"}
    reasons = store.folder.discarded.read_text()
    assert "imagesTr/MADE_001.nii.gz,,damaged gzip file" in reasons
    assert '"2 frames are named (FLAIR, T1w), but it has 1"' in reasons
    assert "imagesTr/MADE_003.nii.gz#FLAIR,12,the same slice as imagesTr/MADE_000.nii.gz#FLAIR slice 12" in reasons
    assert reasons.count("the same slice as") == 16
    assert "imagesTr/MADE_004.nii.gz#T1w,,all its voxels have the same value" in reasons


def test_nothing_usable_is_an_error_that_points_to_the_reasons(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "empty.png").touch()
    with pytest.raises(InputError, match=r"No usable slice was found; .*discarded\.csv"):
        prepare(tmp_path / "pictures", tmp_path / "store", DataSettings(), "local:1")
    assert not (tmp_path / "store" / "store.json").exists()
    made.picture_folder(tmp_path / "pictures", subjects=2, each=1)
    assert len(prepare(tmp_path / "pictures", tmp_path / "store", DataSettings(size=16), "local:1")) == 2


def test_frames_are_chosen_by_name_whatever_the_case(tmp_path):
    source = made.decathlon(tmp_path / "task", subjects=1)
    store = prepare(source, tmp_path / "store", DataSettings(size=16, frames=("flair",)), "local:1")
    assert set(store.columns["frame"]) == {"FLAIR"}


def test_the_split_is_by_subject_near_its_shares_and_never_moved_by_others():
    settings = DataSettings()
    before = {f"subject {n}": split_of(f"subject {n}", settings) for n in range(2000)}
    shares = [list(before.values()).count(split) / 2000 for split in SPLITS]
    assert shares == pytest.approx([0.7, 0.1, 0.2], abs=0.03)
    other = DataSettings(split_seed=1)
    assert sum(split_of(name, other) != split for name, split in before.items()) > 600


def test_an_empty_split_is_warned_of_with_the_way_out(tmp_path):
    store = prepare(made.decathlon(tmp_path / "task", 1), tmp_path / "store", DataSettings(size=16), "local:1")
    assert any("add subjects" in note and "data.split_seed" in note for note in store.description["notes"])


def test_no_absolute_path_and_no_time_reach_the_store(tmp_path):
    source = made.picture_folder(tmp_path / "pictures", subjects=2, each=2)
    store = prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")
    for content in contents(store.folder.root).values():
        assert str(tmp_path).encode() not in content
    assert json.loads(store.folder.description.read_text())["source"] == {"name": "pictures", "kind": "pictures"}


def test_wrong_settings_are_named():
    from braingan.settings import parse

    with pytest.raises(InputError, match="split: three shares that sum to 1"):
        parse(DataSettings, {"split": (0.5, 0.1, 0.1)})
    with pytest.raises(InputError, match="`sise`"):
        parse(DataSettings, {"sise": 3})


def test_real_collections(real_data, tmp_path):
    """Counts of the three real kinds: 4-D Decathlon, 3-D NIfTI, pictures."""
    task = prepare(real_data / "Task01_BrainTumour", tmp_path / "task", DataSettings(), "local:2")
    assert len(task) == 3 * 4 * 40
    areas = task.columns["lesion_area_mm2"]
    assert np.isfinite(areas).sum() == 4 * 40
    assert set(task.columns["frame"]) == {"FLAIR", "T1w", "t1gd", "T2w"}
    volumes = prepare(real_data / "t1_volumes", tmp_path / "volumes", DataSettings(), "local:2")
    assert volumes.description["subjects"] == 4
    pictures = prepare(real_data / "mixed_jpg", tmp_path / "pictures", DataSettings(), "local:2")
    assert len(set(pictures.columns["label"])) == 4
    assert "the split leaks" in pictures.description["notes"][0]


def test_a_corrected_label_map_is_noticed(tmp_path):
    source = made.decathlon(tmp_path / "task", subjects=1)
    prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")
    mask = source / "labelsTr" / "MADE_000.nii.gz"
    nibabel.save(made.as_stored(made.landmarks((24, 24, 31)).astype(np.uint8), "LPS"), mask)
    with pytest.raises(InputError, match="a store with other listing"):
        prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")


def test_a_label_map_of_another_shape_is_not_used_and_said(tmp_path):
    source = made.decathlon(tmp_path / "task", subjects=1)
    nibabel.save(made.as_stored(made.landmarks((9, 9, 9)), "LPS"), source / "labelsTr" / "MADE_000.nii.gz")
    store = prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")
    assert np.isnan(store.columns["lesion_area_mm2"]).all()
    assert "label map not used: its shape (9, 9, 9)" in store.folder.discarded.read_text()


def test_copies_are_left_out_whatever_they_are_called(tmp_path):
    source = made.picture_folder(tmp_path / "pictures", subjects=1, each=1)
    (original,) = source.rglob("*.png")
    for name in ("a.png", "b.png"):
        shutil.copy(original, source / name)
    store = prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")
    assert len(store) == 1
    assert store.folder.discarded.read_text().count("the same slice as") == 2


def test_frames_that_no_scan_has_are_said(tmp_path):
    source = made.decathlon(tmp_path / "task", subjects=1)
    store = prepare(source, tmp_path / "store", DataSettings(size=16, frames=("FLAIR", "T1ww")), "local:1")
    assert "data.frames names T1ww, which no scan has." in store.description["notes"]


def test_what_a_killed_process_left_is_removed(tmp_path):
    source = made.picture_folder(tmp_path / "pictures", subjects=2, each=1)
    store = prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")
    before = contents(store.folder.root)
    store.folder.parts.mkdir()
    (store.folder.root / ".images-00000.npy.77.tmp").touch()
    prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")
    assert contents(store.folder.root) == before


def test_a_full_disk_is_an_error_and_no_store(tmp_path, monkeypatch):
    source = made.picture_folder(tmp_path / "pictures", subjects=2, each=1)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module.np.lib.format, "write_array_header_1_0", full)
        with pytest.raises(OSError, match="No space left"):
            prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")
    assert not list((tmp_path / "store").glob("images*"))
    with pytest.raises(InputError, match="half-made"):
        Store.open(tmp_path / "store")
    assert len(prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")) == 2
