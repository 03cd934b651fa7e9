"""Headers alone tell which files make up which volume; what makes up none has a reason."""

import builtins
import random

import numpy as np
import pytest

import made
from braingan.data.dicom import is_dicom, list_series
from braingan.errors import InputError

pydicom = pytest.importorskip("pydicom")


def listed(folder):
    return list_series([path for path in folder.rglob("*") if path.is_file()])


def test_files_in_any_order_are_sorted_along_the_normal_and_say_what_they_show(tmp_path):
    paths = made.dicom_series(tmp_path, made.landmarks())
    found, passed_over = listed(tmp_path)
    assert not passed_over
    assert [(one.paths, one.patient, one.frame, one.modality) for one in found] == [
        (tuple(paths), "4711", "FLAIR", "MR")
    ]
    shuffled = random.Random(1).sample(paths, len(paths))
    assert list_series(shuffled) == (found, passed_over)


def test_patients_are_known_by_identifier_else_name_else_study(tmp_path):
    def without(*keywords):
        return lambda dataset, k: [delattr(dataset, keyword) for keyword in keywords]

    made.dicom_series(tmp_path / "a", made.landmarks(), change=without())
    made.dicom_series(tmp_path / "b", made.landmarks(), change=without("PatientID"))
    made.dicom_series(tmp_path / "c", made.landmarks(), change=without("PatientID", "PatientName"))
    assert [one.patient for one in listed(tmp_path)[0]] == ["4711", "Doe^Jane", "1.2.3"]


def test_two_series_in_a_folder_are_two_volumes(tmp_path):
    first = made.dicom_series(tmp_path, made.landmarks(), series="1")
    second = made.dicom_series(tmp_path, made.landmarks(), series="2", axis="sagittal")
    assert [one.paths for one in listed(tmp_path)[0]] == [tuple(first), tuple(second)]


def test_orientations_and_sizes_within_a_series_are_volumes_of_their_own(tmp_path):
    axial = made.dicom_series(tmp_path / "1", made.landmarks(), shuffle=1)
    coronal = made.dicom_series(tmp_path / "2", made.landmarks(), axis="coronal", shuffle=2)
    cropped = made.dicom_series(tmp_path / "3", made.landmarks()[2:], shuffle=3)
    posterior_first = tuple(coronal[::-1])  # a coronal slice, seen from the front, has its normal backwards
    assert [one.paths for one in listed(tmp_path)[0]] == [tuple(axial), posterior_first, tuple(cropped)]


@pytest.mark.parametrize(
    ("keyword", "values"),
    [
        ("EchoTime", [10.0, 90.0, 170.0]),
        ("ImageType", [["ORIGINAL", "PRIMARY", kind] for kind in ("W", "F", "IN")]),
        ("TemporalPositionIdentifier", [1, 2, 3]),
        ("DiffusionBValue", [0.0, 500.0, 1000.0]),
    ],
)
def test_several_images_at_a_place_are_told_apart_by_what_differs(tmp_path, keyword, values):
    expected = []
    for number, value in enumerate(values):

        def change(dataset, k, value=value, number=number):
            setattr(dataset, keyword, value)
            dataset.AcquisitionNumber = 100 * number + k  # differs from slice to slice: tells nothing

        expected.append(tuple(made.dicom_series(tmp_path, made.landmarks(), shuffle=number, change=change)))
    found, passed_over = listed(tmp_path)
    assert {one.paths for one in found} == set(expected)
    assert not passed_over


def test_two_tags_together_tell_images_apart(tmp_path):
    expected = set()
    for number, (echo, time) in enumerate([(10, 1), (10, 2), (90, 1), (90, 2)]):

        def change(dataset, k, echo=echo, time=time):
            dataset.EchoTime, dataset.TemporalPositionIdentifier = echo, time

        expected.add(tuple(made.dicom_series(tmp_path, made.landmarks(), shuffle=number, change=change)))
    assert {one.paths for one in listed(tmp_path)[0]} == expected


def test_images_at_one_place_that_nothing_tells_apart_are_passed_over(tmp_path):
    for number in range(2):
        made.dicom_series(tmp_path, made.landmarks(), shuffle=number)
    found, passed_over = listed(tmp_path)
    assert not found
    assert len(passed_over) == 40
    assert all("at the same place" in reason for _, reason in passed_over)


def test_copies_of_an_image_are_left_out_but_not_images_with_one_identifier_for_all(tmp_path):
    paths = made.dicom_series(tmp_path, made.landmarks())
    (tmp_path / "1.copy").write_bytes(paths[3].read_bytes())
    found, passed_over = listed(tmp_path)
    assert len(found[0].paths) == 20
    assert passed_over == [(max(paths[3], tmp_path / "1.copy"), "another file holds the same image")]

    same = made.dicom_series(tmp_path / "b", made.landmarks(), series="9", change=one_identifier)
    assert listed(tmp_path / "b")[0][0].paths == tuple(same)


def one_identifier(dataset, k):
    dataset.SOPInstanceUID = "1.2.3"


@pytest.mark.parametrize(
    ("keyword", "value", "reason"),
    [
        ("Modality", "SR", "a report"),
        ("Modality", "PR", "a presentation state"),
        ("Modality", "SEG", "a segmentation"),
        ("Modality", "US", "not an MR, CT or PET image"),
        ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.7", "a secondary capture"),
        ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.7.4", "a secondary capture"),
        ("BurnedInAnnotation", "YES", "text is burned into its pixels"),
        ("SeriesDescription", "3-plane LOCALIZER", "a localizer"),
        ("ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"], "a localizer"),
        ("ImageType", ["ORIGINAL", "PRIMARY", "P", "ND"], "a phase image"),
        ("ImageType", ["DERIVED", "PRIMARY", "PROJECTION IMAGE"], "a projection"),
        ("ImageType", ["ORIGINAL", "PRIMARY", "M", "MOSAIC"], "a mosaic"),
        ("SamplesPerPixel", 3, "a colour image"),
        ("Rows", None, "holds no image"),
        ("SeriesInstanceUID", "", "names no series"),
        ("ImagePositionPatient", None, "lacks ImagePositionPatient"),
        ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0], "not two perpendicular directions"),
        ("PixelSpacing", [0, 0], "PixelSpacing is not above 0"),
        ("PixelSpacing", [1], "PixelSpacing should be 2 numbers"),
    ],
)
def test_what_is_no_slice_of_a_volume_is_passed_over_with_the_reason(tmp_path, keyword, value, reason):
    paths = made.dicom_series(tmp_path, made.landmarks(), change=lambda dataset, k: setattr(dataset, keyword, value))
    found, passed_over = listed(tmp_path)
    assert not found
    assert [path for path, _ in passed_over] == sorted(paths)
    assert all(reason in said for _, said in passed_over)


def test_fewer_than_three_slices_are_no_volume(tmp_path):
    made.dicom_series(tmp_path, made.landmarks((24, 30, 20))[:, :, 9:11])
    found, passed_over = listed(tmp_path)
    assert not found
    assert all("a volume needs 3 slices" in reason for _, reason in passed_over)


def test_damaged_files_have_a_reason_that_quotes_nothing(tmp_path):
    paths = made.dicom_series(tmp_path, made.landmarks())
    whole = paths[0].read_bytes()
    paths[0].write_bytes(whole[:400])
    paths[1].write_bytes(whole[:132])
    (tmp_path / "text.dcm").write_text("Jane Doe is fine")
    (tmp_path / "empty.ima").write_bytes(b"")
    _, passed_over = listed(tmp_path)
    reasons = dict(passed_over)
    assert {paths[0], paths[1], tmp_path / "text.dcm", tmp_path / "empty.ima"} <= reasons.keys()
    assert reasons[tmp_path / "text.dcm"] == "ends as DICOM files do, but is none"
    assert not any("Doe" in reason or "4711" in reason for reason in reasons.values())


def test_deflated_files_are_refused_as_they_may_inflate_to_any_size(tmp_path):
    def change(dataset, k):
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian

    made.dicom_series(tmp_path, made.landmarks(), change=change)
    assert {reason.partition(" (")[0] for _, reason in listed(tmp_path)[1]} == {"is deflated as a whole"}


def test_dicom_is_known_by_its_preamble_or_claimed_by_its_ending(tmp_path):
    paths = made.dicom_series(tmp_path, made.landmarks())
    (tmp_path / "notes.txt").write_text("x" * 200)
    (tmp_path / "short").write_bytes(b"DICM")
    (tmp_path / "old.IMA").write_bytes(paths[0].read_bytes()[132:])
    assert all(is_dicom(path) for path in [*paths, tmp_path / "old.IMA"])
    assert not any(is_dicom(tmp_path / name) for name in ("notes.txt", "short", "absent", "."))


def test_without_pydicom_the_extra_is_named_but_only_where_there_are_files(tmp_path, monkeypatch):
    real = builtins.__import__

    def absent(name, *arguments, **options):
        if name.startswith("pydicom"):
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", absent)
    assert list_series([]) == ([], [])
    with pytest.raises(InputError, match=r"pip install 'braingan\[dicom\]'"):
        list_series([tmp_path / "scan.dcm"])


def test_slices_stored_feet_first_are_still_sorted_along_the_normal(tmp_path):
    half_turn = np.diag([-1.0, 1.0, -1.0])
    paths = made.dicom_series(tmp_path, made.landmarks(), turn=half_turn)
    (series,) = listed(tmp_path)[0]
    assert series.paths == tuple(paths)
