"""Collections become stores that say what their scans say, and what was left out."""

import json
import shutil

import nibabel
import numpy as np
import pytest

import made
from braingan.data.prepare import prepare
from braingan.data.settings import DataSettings
from braingan.errors import InputError


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


def test_lesions_are_counted_in_the_square_that_is_shown(tmp_path):
    source = made.decathlon(tmp_path / "task", subjects=1)  # 4 × 5 mm² around x = 12, y = 12.5 of 24 × 24
    store = prepare(source, tmp_path / "store", DataSettings(size=8, edge_mm=2), "local:1")
    assert set(store.columns["lesion_area_mm2"]) == {4.0}
    assert set(store.columns["pixel_mm"]) == {0.25}


def test_a_brats_folder_gives_the_store_of_the_same_frames_in_one_file(tmp_path):
    task = made.decathlon(tmp_path / "task", subjects=1)
    image, mask = (nibabel.load(task / folder / "MADE_000.nii.gz") for folder in ("imagesTr", "labelsTr"))
    (tmp_path / "cases" / "A").mkdir(parents=True)
    for number, name in enumerate(("flair", "t1")):
        frame = nibabel.Nifti1Image(np.asanyarray(image.dataobj)[..., number], image.affine)
        nibabel.save(frame, tmp_path / "cases" / "A" / f"A_{name}.nii.gz")
    nibabel.save(mask, tmp_path / "cases" / "A" / "A_seg.nii.gz")
    whole = prepare(task, tmp_path / "whole", DataSettings(size=24), "local:1")
    apart = prepare(tmp_path / "cases", tmp_path / "apart", DataSettings(size=24), "local:1")
    everything = np.arange(len(whole))
    np.testing.assert_array_equal(apart.images(everything), whole.images(everything))
    assert set(apart.columns["frame"]) == {"flair", "t1"}
    np.testing.assert_array_equal(apart.columns["lesion_area_mm2"], whole.columns["lesion_area_mm2"])


def test_notes_of_a_task_travel_and_other_shapes_of_them_are_passed_over(tmp_path):
    for number, (notes, kept) in enumerate(((["said", 3], ["said"]), ("text", []), (None, []), (7, []))):
        source = made.decathlon(tmp_path / f"task{number}", subjects=1)
        description = json.loads((source / "dataset.json").read_text())
        (source / "dataset.json").write_text(json.dumps(description | {"notes": notes}))
        store = prepare(source, tmp_path / f"store{number}", DataSettings(size=8), "local:1")
        assert [note for note in store.description["notes"] if "split has no subject" not in note] == kept


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
    assert "imagesTr/MADE_001.nii.gz,,the file ends early" in reasons
    assert '"2 frames are named (FLAIR, T1w), but it has 1"' in reasons
    assert "imagesTr/MADE_003.nii.gz#FLAIR,12,the same slice as imagesTr/MADE_000.nii.gz#FLAIR slice 12" in reasons
    assert reasons.count("the same slice as") == 16
    assert "imagesTr/MADE_004.nii.gz#T1w,,all its voxels have the same value" in reasons


def test_frames_are_chosen_by_name_whatever_the_case(tmp_path):
    source = made.decathlon(tmp_path / "task", subjects=1)
    store = prepare(source, tmp_path / "store", DataSettings(size=16, frames=("flair",)), "local:1")
    assert set(store.columns["frame"]) == {"FLAIR"}


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
    with pytest.raises(InputError, match="a store with other files in the source"):
        prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")


def test_a_label_map_of_another_shape_is_not_used_and_said(tmp_path):
    source = made.decathlon(tmp_path / "task", subjects=1)
    nibabel.save(made.as_stored(made.landmarks((9, 9, 9)), "LPS"), source / "labelsTr" / "MADE_000.nii.gz")
    store = prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")
    assert np.isnan(store.columns["lesion_area_mm2"]).all()
    assert 'label map,,"not used: its shape (9, 9, 9)' in store.folder.discarded.read_text()


def test_a_label_map_of_halves_is_not_used_and_said(tmp_path):
    source = made.decathlon(tmp_path / "task", subjects=1)
    halves = made.landmarks((24, 24, 31)).astype(np.float32) / 200
    nibabel.save(made.as_stored(halves, "LPS"), source / "labelsTr" / "MADE_000.nii.gz")
    store = prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")
    assert np.isnan(store.columns["lesion_area_mm2"]).all()
    assert "label map,,not used: it holds no whole numbers" in store.folder.discarded.read_text()


def test_frames_that_no_scan_has_are_said(tmp_path):
    source = made.decathlon(tmp_path / "task", subjects=1)
    store = prepare(source, tmp_path / "store", DataSettings(size=16, frames=("FLAIR", "T1ww")), "local:1")
    assert "data.frames names T1ww, which no scan has." in store.description["notes"]
