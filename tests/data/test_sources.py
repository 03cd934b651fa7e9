"""Each kind of collection lists the right scans, and faults are named."""

import json

import pytest
from PIL import Image

import made
from braingan.data.settings import DataSettings
from braingan.data.sources import list_scans
from braingan.data.sources.listing import Listing
from braingan.errors import InputError

PATTERN = DataSettings().pattern


def test_a_decathlon_task_names_frames_masks_and_subjects(tmp_path):
    found = list_scans(made.decathlon(tmp_path / "task"), PATTERN)
    assert found.kind == "decathlon"
    assert [scan.subject for scan in found.scans] == ["MADE_000", "MADE_001", "MADE_002"]
    assert {scan.frames for scan in found.scans} == {("FLAIR", "T1w")}
    assert [scan.mask is not None for scan in found.scans] == [True, False, False]


def test_a_file_named_but_absent_is_passed_over_with_the_reason(tmp_path):
    root = made.decathlon(tmp_path / "task")
    (root / "imagesTr" / "MADE_001.nii.gz").unlink()
    found = list_scans(root, PATTERN)
    assert len(found.scans) == 2
    assert found.passed_over == [("./imagesTr/MADE_001.nii.gz", "named in dataset.json, but not there")]


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"training": []}), json.dumps({"modality": {"0": "T1"}})])
def test_a_wrong_description_is_named(tmp_path, content):
    (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(InputError, match=r"dataset\.json is not a Decathlon description"):
        list_scans(tmp_path, PATTERN)


def test_pictures_have_subject_and_position_from_their_names(tmp_path):
    found = list_scans(made.picture_folder(tmp_path, subjects=2, each=3), PATTERN)
    assert found.kind == "pictures"
    assert [(scan.subject, scan.position) for scan in found.scans] == [(s, p) for s in ("00", "01") for p in range(3)]
    assert found.notes == []


def test_pictures_without_subjects_take_their_folder_as_label_and_warn_of_leaks(tmp_path):
    for name in ("glioma/a.jpg", "glioma/b.JPG", "none/a.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (9, 9)).save(tmp_path / name)
    found = list_scans(tmp_path, PATTERN)
    assert [(scan.subject, scan.label) for scan in found.scans] == [
        ("glioma/a", "glioma"), ("glioma/b", "glioma"), ("none/a", "none"),
    ]  # fmt: skip
    assert "the split leaks" in found.notes[0]


def test_a_pattern_names_subject_label_and_frame(tmp_path):
    (tmp_path / "vm07_T1_12.png").touch()
    pattern = r"(?P<subject>(?P<label>[a-z]+)\d+)_(?P<frame>\w+)_(?P<position>\d+)"
    (scan,) = list_scans(tmp_path, pattern).scans
    assert (scan.subject, scan.label, scan.frames, scan.position) == ("vm07", "vm", ("T1",), 12)


@pytest.mark.parametrize("pattern", ["(", "no group", "(?P<subject>a)(?P<colour>b)"])
def test_an_unusable_pattern_is_named(tmp_path, pattern):
    with pytest.raises(InputError, match=r"data\.pattern"):
        list_scans(tmp_path, pattern)


def test_pictures_among_volumes_are_not_skipped_without_a_word(tmp_path):
    made.nibabel.save(made.as_stored(made.landmarks(), "RAS"), tmp_path / "scan.nii")
    (tmp_path / "shot.png").touch()
    assert list_scans(tmp_path, PATTERN).passed_over[0][0] == "shot.png"


def test_an_empty_or_absent_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="holds nothing to prepare"):
        list_scans(tmp_path, PATTERN)
    with pytest.raises(InputError, match="is not a folder"):
        list_scans(tmp_path / "absent", PATTERN)


def test_hidden_folders_links_and_unreachable_files(tmp_path):
    """As in a data set under git-annex: visible names are links into a hidden folder."""
    annex = tmp_path / ".git" / "annex"
    annex.mkdir(parents=True)
    made.nibabel.save(made.as_stored(made.landmarks(), "RAS"), annex / "MD5E-1.nii.gz")
    (tmp_path / "sub-01").mkdir()
    (tmp_path / "sub-01" / "T1w.nii.gz").symlink_to(annex / "MD5E-1.nii.gz")
    (tmp_path / "sub-02.nii.gz").symlink_to(annex / "absent.nii.gz")
    (tmp_path / "sub-03").symlink_to(tmp_path / "sub-01", target_is_directory=True)
    (tmp_path / "sub-01" / "circle").symlink_to(tmp_path, target_is_directory=True)
    found = list_scans(tmp_path, PATTERN)
    assert [(scan.subject, scan.path.name) for scan in found.scans] == [("01", "T1w.nii.gz")]
    assert ("sub-02.nii.gz", "a link that leads nowhere, or a file that cannot be reached") in found.passed_over


def test_label_maps_among_volumes_are_no_scans(tmp_path):
    for name in ("sub-1_scan.nii.gz", "sub-1_seg.nii.gz", "sub-1_DSEG.NII"):
        made.nibabel.save(made.as_stored(made.landmarks(), "RAS"), tmp_path / "scan.nii")
        (tmp_path / "scan.nii").rename(tmp_path / name)
    found = list_scans(tmp_path, PATTERN)
    assert [scan.path.name for scan in found.scans] == ["sub-1_scan.nii.gz"]
    assert {name for name, _ in found.passed_over} == {"sub-1_seg.nii.gz", "sub-1_DSEG.NII"}


def test_a_description_that_leads_out_of_its_folder_or_repeats_a_frame(tmp_path):
    root = made.decathlon(tmp_path / "task", subjects=1)
    made.nibabel.save(made.as_stored(made.landmarks(), "RAS"), tmp_path / "elsewhere.nii.gz")
    content = json.loads((root / "dataset.json").read_text())
    content["test"] = ["../elsewhere.nii.gz", str(tmp_path / "elsewhere.nii.gz")]
    (root / "dataset.json").write_text(json.dumps(content))
    assert [reason for _, reason in list_scans(root, PATTERN).passed_over] == [
        "named in dataset.json, but outside its folder"
    ] * 2
    content = content | {
        "test": [],
        "training": [content["training"][0] | {"label": str(tmp_path / "elsewhere.nii.gz")}],
    }
    (root / "dataset.json").write_text(json.dumps(content))
    found = list_scans(root, PATTERN)
    assert found.scans[0].mask is None
    assert "outside its folder: not used" in found.passed_over[0][1]
    (root / "dataset.json").write_text(json.dumps(content | {"modality": {"0": "MR", "1": "mr"}}))
    with pytest.raises(InputError, match="names a frame twice"):
        list_scans(root, PATTERN)


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_a_bids_folder_names_subjects_and_frames_and_leaves_derivatives_alone(tmp_path):
    touch(
        tmp_path, "sub-01/anat/sub-01_T1w.nii.gz", "sub-01/ses-2/anat/sub-01_ses-2_run-1_FLAIR.nii",
        "sub-02/anat/sub-02_dseg.nii.gz", "sub-02/func/sub-02_task-rest_bold.nii.gz",
        "derivatives/tool/sub-01/anat/sub-01_T1w.nii.gz",
    )  # fmt: skip
    (tmp_path / "dataset_description.json").write_text('{"Name": "made", "License": "CC0"}')
    found = list_scans(tmp_path, PATTERN)
    assert found.kind == "bids"
    assert [(scan.subject, scan.frames) for scan in found.scans] == [("01", ("T1w",)), ("01", ("FLAIR",))]
    assert found.facts == {"name": "made", "licence": "CC0"}
    assert [name for name, _ in found.passed_over] == [
        "derivatives/tool/sub-01/anat/sub-01_T1w.nii.gz", "sub-02/anat/sub-02_dseg.nii.gz",
        "sub-02/func/sub-02_task-rest_bold.nii.gz",
    ]  # fmt: skip


def test_brats_folders_of_both_naming_schemes_have_a_file_per_frame(tmp_path):
    touch(tmp_path, *(f"Brats18_A_1/Brats18_A_1_{name}.nii.gz" for name in ("flair", "t1", "t1ce", "t2", "seg")))
    for time in ("000", "101"):
        case = f"BraTS-GLI-00005-{time}"
        touch(tmp_path, *(f"{case}/{case}-{name}.nii.gz" for name in ("t1c", "t1n", "t2f", "t2w")))
    touch(tmp_path, "notes.nii.gz")
    found = list_scans(tmp_path, PATTERN)
    assert found.kind == "brats"
    assert {scan.subject for scan in found.scans} == {"Brats18_A_1", "BraTS-GLI-00005"}
    assert len({scan.volume for scan in found.scans}) == 3
    assert [scan.frames[0] for scan in found.scans if scan.subject == "Brats18_A_1"] == ["flair", "t1", "t1ce", "t2"]
    assert all((scan.mask is not None) == (scan.subject == "Brats18_A_1") for scan in found.scans)
    assert [name for name, _ in found.passed_over] == ["notes.nii.gz"]


def test_one_frame_in_a_file_name_does_not_make_a_folder_brats(tmp_path):
    touch(tmp_path, "ann_t1.nii.gz", "bob_t1.nii.gz")
    assert list_scans(tmp_path, PATTERN).kind == "nifti"


def test_sessions_of_one_patient_with_brats_like_names_stay_one_subject(tmp_path):
    touch(tmp_path, *(f"sub-07_ses-{n}_{frame}.nii.gz" for n in (1, 2) for frame in ("t1", "flair")))
    found = list_scans(tmp_path, PATTERN)
    assert found.kind == "brats"
    assert {scan.subject for scan in found.scans} == {"07"}
    assert found.notes == []
    other = tmp_path / "other"
    touch(other, *(f"ann_{year}_{frame}.nii.gz" for year in (2019, 2020) for frame in ("t1", "flair")))
    assert "the split leaks" in list_scans(other, PATTERN).notes[0]
    pattern = r"(?P<subject>[a-z]+)_\d{4}"
    assert {scan.subject for scan in list_scans(other, pattern).scans} == {"ann"}


def test_a_session_of_a_bids_folder_has_its_brain_mask_and_its_lesion_mask(tmp_path):
    touch(
        tmp_path, "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz", "sub-01/ses-2/anat/sub-01_ses-2_T1w.nii.gz",
        "sub-01/ses-2/anat/sub-01_ses-2_label-lesion_mask.nii.gz",
        "derivatives/strip/sub-01/ses-2/anat/sub-01_ses-2_desc-brain_mask.nii.gz",
        "derivatives/strip/sub-01/ses-1/anat/sub-01_ses-1_space-MNI152_desc-brain_mask.nii.gz",
    )  # fmt: skip
    first, second = list_scans(tmp_path, PATTERN).scans
    assert (first.mask, first.brain) == (None, None)
    assert second.mask.name == "sub-01_ses-2_label-lesion_mask.nii.gz"
    assert second.brain.name == "sub-01_ses-2_desc-brain_mask.nii.gz"


def test_masks_beside_a_volume_belong_to_it(tmp_path):
    touch(tmp_path, "a/scan.nii.gz", "a/scan_seg.nii.gz", "a/scan_brain_mask.nii.gz", "b/scan.nii", "b/lesion_mask.nii")
    first, second = list_scans(tmp_path, PATTERN).scans
    assert (first.mask.name, first.brain.name) == ("scan_seg.nii.gz", "scan_brain_mask.nii.gz")
    assert (second.mask, second.brain) == (None, None)


def test_the_pattern_names_subjects_in_a_decathlon_task_too(tmp_path):
    root = made.decathlon(tmp_path / "task", subjects=2)
    assert {scan.subject for scan in list_scans(root, r"(?P<subject>MADE)_\d+").scans} == {"MADE"}


def test_pairs_of_header_and_voxels_are_one_volume_whatever_the_case_of_their_endings(tmp_path):
    touch(tmp_path, "one.hdr", "one.img", "two.HDR", "two.IMG")
    assert [scan.path.name for scan in list_scans(tmp_path, PATTERN).scans] == ["one.hdr", "two.HDR"]


def test_arrays_of_slices_are_like_pictures_and_arrays_of_volumes_stand_alone(tmp_path):
    for name, shape in (("sub-1_z-4.npy", (5, 5)), ("sub-1_z-5.npy", (5, 5)), ("sub-1_whole.npy", (5, 5, 5))):
        made.np.save(tmp_path / name, made.np.ones(shape))
    found = list_scans(tmp_path, PATTERN)
    assert found.kind == "arrays"
    assert [(scan.volume, scan.position) for scan in found.scans] == [("1", 4), ("1", 5), ("sub-1_whole.npy", None)]
    assert "no orientation" in found.notes[-1]


def test_names_with_spaces_and_other_scripts_are_names_like_any(tmp_path):
    touch(tmp_path, "Иванова 1/снимок 02.nii.gz", "脳/正常.nii.gz")
    assert [scan.subject for scan in list_scans(tmp_path, PATTERN).scans] == ["Иванова 1/снимок 02", "脳/正常"]


def test_links_in_a_circle_end(tmp_path):
    touch(tmp_path, "a/scan.nii.gz")
    (tmp_path / "a" / "again").symlink_to(tmp_path, target_is_directory=True)
    assert [scan.volume for scan in list_scans(tmp_path, PATTERN).scans] == ["a/scan.nii.gz"]


def test_a_name_that_is_no_text_and_a_folder_that_cannot_be_listed_are_named(tmp_path, monkeypatch):
    touch(tmp_path, "scan.nii.gz")
    (tmp_path / "bad\udcff.nii.gz").touch()
    assert [reason for _, reason in list_scans(tmp_path, PATTERN).passed_over] == [
        "its name is not valid text: rename it"
    ]


def test_nothing_to_prepare_names_what_was_found(tmp_path):
    touch(tmp_path, "brain.mgz")
    with pytest.raises(InputError, match=r"holds nothing to prepare.*brain\.mgz: a format that is not read"):
        list_scans(tmp_path, PATTERN)


def test_a_store_within_the_source_is_no_source(tmp_path):
    made.picture_folder(tmp_path, subjects=2, each=2)
    before = list_scans(tmp_path, PATTERN).scans
    made.prepare(tmp_path, tmp_path / "store", DataSettings(size=16), "local:1")
    assert list_scans(tmp_path, PATTERN).scans == before
    assert list_scans(tmp_path, PATTERN).passed_over == []


@pytest.mark.parametrize(
    ("names", "scans", "masks"),
    [
        (["imagesTr/case_001_0000.nii", "labelsTr/case_001.nii"], ["imagesTr/case_001_0000.nii"], {}),
        (["img/a.nii", "seg/a.nii", "brain_masks/sub/a.nii"], ["img/a.nii"], {}),
        (["labeled/a.nii", "masked/b.nii"], ["labeled/a.nii", "masked/b.nii"], {}),
        (["b_T1.nii", "b_T1-seg.nii"], ["b_T1.nii"], {"b_T1.nii": "b_T1-seg.nii"}),
        (["a.nii", "a_labels.nii", "a_seg.nii"], ["a.nii"], {"a.nii": "a_labels.nii"}),
        (["c.nii", "c_segmentation.nii"], ["c.nii"], {"c.nii": "c_segmentation.nii"}),
        (["a.nii", "c_segmentation.nii", "d-labels.nii", "segmentation-3.nii"], ["a.nii"], {}),
        (["a.nii", "mask.nii", "seg.nii", "label.nii", "brain_mask.nii"], ["a.nii"], {}),
        (["b_T1.nii", "b_T1_brain.nii", "c_T1_brain.nii"], ["b_T1.nii", "c_T1_brain.nii"], {}),
        (["tasks.nii", "task/dataset.json", "task/imagesTr/a.nii", "task/labelsTr/a.nii"], ["tasks.nii"], {}),
        (["a.png", "masks/a.png", "a_mask.png"], ["a.png"], {}),
    ],
)
def test_label_maps_are_no_scans_and_have_a_reason_each(tmp_path, names, scans, masks):
    touch(tmp_path, *names)
    found = list_scans(tmp_path, PATTERN)
    assert [scan.volume for scan in found.scans] == scans
    assert {scan.volume: scan.mask.name for scan in found.scans if scan.mask} == masks
    others = {name for name, _ in found.passed_over}
    apart = set(names) - set(scans) - set(masks.values())
    assert others == ({"task"} if "task" in others else apart)


def test_a_parent_of_tasks_says_where_to_go(tmp_path):
    made.decathlon(tmp_path / "task", subjects=1)
    with pytest.raises(InputError, match="task: a task of its own: prepare that folder apart"):
        list_scans(tmp_path, PATTERN)


def test_brats_cases_of_one_frame_are_known_by_their_label_map_or_name(tmp_path):
    names = [f"BraTS-GLI-00005-{time}-t1c.nii.gz" for time in ("100", "101")]
    touch(tmp_path / "named", *names)
    touch(tmp_path / "with_label_map", "a_flair.nii.gz", "a_SEG.nii.gz", "b_flair.nii.gz")
    named, beside = (list_scans(tmp_path / name, PATTERN) for name in ("named", "with_label_map"))
    assert (named.kind, beside.kind) == ("brats", "brats")
    assert [(scan.subject, scan.frames) for scan in named.scans] == [("BraTS-GLI-00005", ("t1c",))] * 2
    assert len({scan.volume for scan in named.scans}) == 2
    assert [(scan.subject, scan.mask and scan.mask.name) for scan in beside.scans] == [
        ("a", "a_SEG.nii.gz"), ("b", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("scans", "masks", "expected"),
    [
        (["run-1_T1w", "run-2_T1w"], ["run-1_desc-brain_mask", "run-2_desc-brain_mask"], [0, 1]),
        (["run-1_T1w", "run-2_T1w"], ["desc-brain_mask", "run-2_desc-brain_mask"], [0, 1]),
        (["run-1_T1w", "run-2_T1w"], ["desc-brain_mask"], [0, 0]),
        (["run-2_T1w"], ["run-1_desc-brain_mask"], [None]),
        (["T1w", "T2w"], ["T2w_brain_mask", "T2w_desc-brain_mask"], [None, 0]),
        (["space-MNI_T1w"], ["desc-brain_mask", "space-MNI_desc-brain_mask", "acq-x_desc-brain_mask"], [1]),
        (["acq-a_run-1_T1w", "FLAIR"], ["acq-a_desc-brain_mask"], [0, None]),
    ],
)
def test_a_brain_mask_belongs_to_the_run_that_its_name_names(tmp_path, scans, masks, expected):
    scans = [f"sub-1/ses-a/anat/sub-1_ses-a_{name}.nii" for name in scans]
    masks = [f"derivatives/d/sub-1/ses-a/anat/sub-1_ses-a_{name}.nii" for name in masks]
    touch(tmp_path, *scans, *masks)
    found = list_scans(tmp_path, PATTERN)
    brains = {scan.volume: scan.brain and scan.brain.relative_to(tmp_path).as_posix() for scan in found.scans}
    assert brains == {
        scan: None if number is None else masks[number] for scan, number in zip(scans, expected, strict=True)
    }
    assert {name for name, _ in found.passed_over} == set(masks) - set(brains.values())


@pytest.mark.parametrize("content", ["[1, 2]", "{", "[" * 100_000])
def test_a_damaged_description_stops_no_bids_folder(tmp_path, content):
    touch(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz")
    (tmp_path / "dataset_description.json").write_text(content)
    found = list_scans(tmp_path, PATTERN)
    assert (found.kind, len(found.scans), found.facts) == ("bids", 1, {})
    assert found.passed_over == [("dataset_description.json", "damaged, it holds no JSON object: not used")]


def test_endings_that_are_read_or_named_and_tables_that_are_neither(tmp_path):
    read, named = ["a.jpe", "b.jfif", "c.dib"], ["d.nii.bz2", "e.dcm.gz", "f.zst", "g.lz4", "h.tga", "i.avif"]
    touch(tmp_path, *read, *named, "j.tsv.gz")
    found = list_scans(tmp_path, PATTERN)
    assert [scan.volume for scan in found.scans] == read
    assert [name for name, _ in found.passed_over] == named


def test_a_stray_array_does_not_hide_a_folder_of_pictures(tmp_path):
    touch(tmp_path, "a.png", "b.png")
    made.np.save(tmp_path / "embeddings.npy", made.np.ones((10, 4)))
    found = list_scans(tmp_path, PATTERN)
    assert (found.kind, len(found.scans)) == ("pictures", 2)
    assert found.passed_over == [("embeddings.npy", "one of the arrays in a folder of pictures: prepare it apart")]
    made.np.save(tmp_path / "volume.npy", made.np.ones((9, 9, 9)))
    assert list_scans(tmp_path, PATTERN).kind == "arrays"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sub-01_T1w.nii.gz", {"subject": "01"}),
        ("sub-01/sub-01_z-04.png", {"subject": "01", "position": "04"}),
        ("train/sub-01_FLAIR_z-072_n-000003.png", {"subject": "01", "frame": "FLAIR", "position": "072"}),
        ("sub-01_ses-2_T1w_z-3.png", {"subject": "01", "frame": "T1w", "position": "3"}),
        ("sub-01_ses-2_z-3.png", {"subject": "01", "position": "3"}),
        ("sub-01_T1w_z-1/sub-01_z-12.png", {"subject": "01", "position": "12"}),
    ],
)
def test_the_default_pattern_reads_subject_frame_and_position(tmp_path, name, expected):
    assert Listing(tmp_path, PATTERN).parts(tmp_path / name) == expected
