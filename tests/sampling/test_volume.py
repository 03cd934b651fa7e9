"""Volumes of slices made one by one."""

import nibabel
import numpy as np
import pytest
from PIL import Image

from braingan.data.slices import cut
from braingan.data.store import Store
from braingan.errors import InputError
from braingan.sampling.generator import TrainedGenerator
from braingan.sampling.volume import neighbour_correlation, real_volumes, views, volume, write_volume, write_volumes

WHERE = {"axis": "axial", "pixel_mm": 2.0, "slice_mm": 3.0, "slice_depth": 0.1}


def with_geometry(run):
    """The run's generator, as if its store had come from volumes."""
    generator = TrainedGenerator.open(run)
    generator.config["geometry"] = WHERE
    return generator


def test_a_volume_has_all_depths_of_one_frame(told):
    generator = with_geometry(told)
    slices, masks = volume(generator, 0, 0, generator.wish(frame="dark"))
    low, high = generator.vocabulary.depth
    assert len(slices) == round((high - low) / 0.1) + 1
    assert masks is None
    np.testing.assert_array_equal(slices, volume(generator, 0, 0, generator.wish(frame="dark"))[0])
    with pytest.raises(InputError, match="leave out --depth"):
        volume(generator, 0, 0, generator.wish(depth=0.5))


def test_without_depth_or_distances_there_is_no_volume(told, trained):
    with pytest.raises(InputError, match="how far apart"):
        volume(TrainedGenerator.open(told), 0)
    with pytest.raises(InputError, match="was not told its slices' depth"):
        volume(with_geometry(trained), 0)


def test_neighbours_of_one_picture_correlate_fully_and_of_noise_not_at_all():
    rng = np.random.default_rng(0)
    one, noise = rng.integers(0, 255, (2, 6, 40, 40)).astype(np.uint8)
    assert neighbour_correlation(np.repeat(one[:1], 6, axis=0)) == pytest.approx(1)
    assert abs(neighbour_correlation(noise)) < 0.05


def test_a_constant_slice_has_no_correlation_and_spoils_none():
    one = np.random.default_rng(0).integers(0, 255, (1, 40, 40)).astype(np.uint8)
    assert neighbour_correlation(np.concatenate([one, one, 0 * one])) == pytest.approx(1)
    assert np.isnan(neighbour_correlation(one))


def test_the_file_lies_in_millimetres_with_the_patients_right_on_his_right(tmp_path):
    slices = np.zeros((3, 8, 8), np.uint8)
    slices[2, 0, 1] = 200  # on the uppermost slice, anterior, the patient's right
    write_volume(tmp_path / "v.nii.gz", slices, WHERE)
    image = nibabel.load(tmp_path / "v.nii.gz")
    assert b"synthetic" in image.header["descrip"].tobytes()
    assert nibabel.aff2axcodes(image.affine) == ("R", "A", "S")
    assert image.header.get_zooms() == (2.0, 2.0, 3.0)
    place = np.argwhere(image.get_fdata() == 200)[0]
    right, anterior, superior = image.affine[:3, :3] @ place + image.affine[:3, 3]
    assert (right, anterior, superior) == (5.0, 7.0, 3.0)


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
def test_views_are_shown_as_slices_are_along_whatever_axis_they_were_made(axis):
    voxels = np.zeros((10, 12, 8), np.uint8)
    voxels[8, 6, 4], voxels[5, 10, 4], voxels[5, 6, 7] = 100, 200, 250  # the patient's right, front and top
    view = views(np.ascontiguousarray(cut(voxels, axis)), {"axis": axis, "pixel_mm": 1.0, "slice_mm": 1.0})
    axial, coronal, sagittal = view[:, :10], view[:, 10:20], view[:, 20:]
    assert np.argwhere(axial == 100).tolist() == [[5, 1]]
    assert np.argwhere(axial == 200).tolist() == [[1, 4]]
    assert np.argwhere(coronal == 100).tolist() == [[3, 1]]
    assert np.argwhere(coronal == 250).tolist() == [[0, 4]]
    assert np.argwhere(sagittal == 200).tolist() == [[3, 1]]
    assert np.argwhere(sagittal == 250).tolist() == [[0, 5]]


def test_slices_that_lie_farther_apart_than_pixels_are_stretched():
    view = views(np.zeros((5, 8, 8), np.uint8), {"axis": "axial", "pixel_mm": 1.0, "slice_mm": 3.0})
    assert view.shape == (15, 24)


def test_files_masks_views_and_how_neighbours_correlate(masked, tmp_path):
    generator = with_geometry(masked)
    store = Store.open(masked.root.parent / "store")
    found = write_volumes(generator, tmp_path / "out", 2, 0, generator.wish(frame="light"), store)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"synthetic_000001.nii.gz", "synthetic_000001_mask.nii.gz", "views.png", "volumes.json"} <= names
    real = [neighbour_correlation(of) for of in real_volumes(store, ("light",))]
    assert found["real_neighbour_correlation"] == pytest.approx(np.mean(real))
    with Image.open(tmp_path / "out" / "views.png") as picture:
        assert "synthetic" in picture.info["Description"]
        assert picture.width == 3 * 32
    write_volumes(generator, tmp_path / "out", 1, 0)
    assert "synthetic_000001.nii.gz" not in {path.name for path in (tmp_path / "out").iterdir()}
    with pytest.raises(InputError, match="is not empty"):
        write_volumes(generator, masked.root, 1, 0)
