"""Whatever way a file stores its axes, the same voxels come out; what can't be read has a reason."""

import gzip
import itertools
import warnings

import nibabel
import numpy as np
import pytest

import made
from braingan.data.volumes import UnreadableError, read_volume

ORIENTATIONS = [
    "".join(letters)
    for axes in itertools.permutations(("RL", "AP", "SI"))
    for letters in itertools.product(*axes)
]  # fmt: skip


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_all_48_orientations_give_the_same_ras_voxels_and_spacing(tmp_path, codes):
    voxels, path = made.landmarks(), tmp_path / "scan.nii"
    nibabel.save(made.as_stored(voxels, codes, (1.0, 2.0, 3.5)), path)
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.voxels[..., 0], voxels)
    assert volume.spacing == (1.0, 2.0, 3.5)
    assert volume.voxels.dtype == np.int16


@pytest.mark.parametrize(("unit", "mm"), [("meter", 1000.0), ("micron", 0.001)])
def test_places_are_compared_in_millimetres(tmp_path, unit, mm):
    """A mask half a head away is elsewhere, whatever unit its file is in."""
    for name, shift in (("scan", 0.0), ("near", 0.3), ("far", 40.0)):
        affine = np.diag([1.0, 1.0, 1.0, mm]) / mm
        affine[0, 3] = shift / mm
        image = nibabel.Nifti1Image(made.landmarks(), affine)
        image.header.set_xyzt_units(unit)
        nibabel.save(image, tmp_path / f"{name}.nii")
    scan, near, far = (read_volume(tmp_path / f"{name}.nii") for name in ("scan", "near", "far"))
    assert scan.spacing == pytest.approx((1.0, 1.0, 1.0))
    assert near.lies_as(scan)
    assert not far.lies_as(scan)


def test_four_dimensions_and_both_nifti_versions(tmp_path):
    voxels = np.stack([made.landmarks(), 2 * made.landmarks()], axis=-1)
    for kind, name in ((nibabel.Nifti1Image, "one.nii.gz"), (nibabel.Nifti2Image, "two.nii")):
        nibabel.save(kind(voxels, np.eye(4)), tmp_path / name)
        np.testing.assert_array_equal(read_volume(tmp_path / name).voxels, voxels)


def test_scaled_intensities_are_in_the_files_units_and_nan_is_zero(tmp_path):
    image = nibabel.Nifti1Image(np.full((3, 3, 3), 7, np.int16), np.eye(4))
    image.header.set_slope_inter(0.5, 10)
    nibabel.save(image, tmp_path / "scaled.nii")
    expected = nibabel.load(tmp_path / "scaled.nii").get_fdata()
    np.testing.assert_array_equal(read_volume(tmp_path / "scaled.nii").voxels[..., 0], expected)
    broken = np.ones((3, 3, 3), np.float32)
    broken[0, 0, 0], broken[1, 1, 1] = np.nan, np.inf
    nibabel.save(nibabel.Nifti1Image(broken, np.eye(4)), tmp_path / "nan.nii")
    assert read_volume(tmp_path / "nan.nii").voxels.sum() == 25


def truncated(path):
    path.write_bytes(path.read_bytes()[:200])


def flipped_checksum(path):
    content = bytearray(path.read_bytes())
    content[-6] ^= 1
    path.write_bytes(content)


def no_nifti(path):
    path.write_bytes(gzip.compress(b"no NIfTI" * 100))


def empty(path):
    path.write_bytes(b"")


def singular(path):
    image = made.as_stored(made.landmarks(), "RAS")
    image.header["pixdim"][1:4] = 0
    image.header["qform_code"], image.header["sform_code"] = 0, 1
    image.header["srow_x"] = image.header["srow_y"] = image.header["srow_z"] = 0
    raw = image.header.binaryblock + b"\0" * 4 + made.landmarks().tobytes(order="F")
    path.write_bytes(gzip.compress(raw))


def two_dimensions(path):
    nibabel.save(nibabel.Nifti1Image(np.ones((5, 5), np.int16), np.eye(4)), path)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (truncated, "ends early"),
        (flipped_checksum, "damaged gzip"),
        (no_nifti, "not a NIfTI file"),
        (empty, "the file is empty"),
        (singular, "singular"),
        (two_dimensions, "3-D or 4-D"),
    ],
)
def test_unreadable_volumes_have_a_reason(tmp_path, spoil, reason):
    path = tmp_path / "scan.nii.gz"
    nibabel.save(made.as_stored(made.landmarks(), "LPS"), path)
    spoil(path)
    with pytest.raises(UnreadableError, match=reason):
        read_volume(path)


def test_endings_do_not_decide_what_a_file_is(tmp_path):
    nibabel.save(made.as_stored(made.landmarks(), "RAS"), tmp_path / "scan.nii")
    (tmp_path / "plain.nii.gz").write_bytes((tmp_path / "scan.nii").read_bytes())
    (tmp_path / "SCAN.NII.GZ").write_bytes(gzip.compress((tmp_path / "scan.nii").read_bytes()))
    for name in ("plain.nii.gz", "SCAN.NII.GZ"):
        np.testing.assert_array_equal(read_volume(tmp_path / name).voxels[..., 0], made.landmarks())


def test_numbers_too_large_for_their_type_warn_nobody(tmp_path):
    steep = bytearray(made.as_stored(made.landmarks(), "RAS").to_bytes())
    steep[112:120] = np.array([3e36, 0], np.float32).tobytes()  # scl_slope: 100 becomes 3e38, 200 infinite
    (tmp_path / "steep.nii").write_bytes(steep)
    np.save(tmp_path / "half.npy", np.array([[[1, 60000, np.inf]]], np.float16))
    with warnings.catch_warnings(action="error"):
        assert not read_volume(tmp_path / "steep.nii").voxels.any()
        assert read_volume(tmp_path / "half.npy").voxels.ravel().tolist() == [1, 60000, 0]
