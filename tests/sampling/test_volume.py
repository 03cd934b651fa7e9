"""Volumes of slices made one by one."""

import shutil
import subprocess
import sys
from dataclasses import replace

import nibabel
import numpy as np
import pytest
from PIL import Image

from braingan.data.slices import cut
from braingan.data.store import Store
from braingan.errors import InputError
from braingan.folders import read_csv, write_json
from braingan.sampling.generator import TrainedGenerator
from braingan.sampling.volume import (
    neighbour_correlations,
    real_volumes,
    told_of,
    views,
    volume,
    write_volume,
    write_volumes,
)
from marking import marking

WHERE = {"axis": "axial", "pixel_mm": 2.0, "slice_mm": 3.0, "slice_depth": 0.1}


def with_geometry(run):
    """The run's generator, as if its store had come from volumes."""
    generator = TrainedGenerator.open(run)
    generator.config["geometry"] = WHERE
    return generator


def test_a_volume_has_all_depths_of_one_frame_at_one_latent(told, monkeypatch):
    generator, asked, make = with_geometry(told), [], TrainedGenerator.make
    monkeypatch.setattr(TrainedGenerator, "make", lambda self, *of: asked.append(of) or make(self, *of))
    low, high = generator.vocabulary.depth
    for wish in (generator.wish(frame="light"), generator.wish(frame="dark"), generator.wish()):
        slices, masks = volume(generator, 0, 3, wish)
        z, rows = asked[-1]
        assert len(slices) == len(rows) == round((high - low) / 0.1) + 1
        assert masks is None
        np.testing.assert_allclose(rows[:, 2], np.linspace(low, high, len(rows)), rtol=1e-6)
        assert (rows[:, :2] == generator.told(0, [3], wish)[0, :2]).all()
        assert (z == generator.latents(0, [3])).all()
    assert asked[0][1][0, 0] != asked[1][1][0, 0]
    np.testing.assert_array_equal(slices, volume(generator, 0, 3)[0])
    with pytest.raises(InputError, match="leave out --depth"):
        volume(generator, 0, 0, generator.wish(depth=0.5))


def test_a_wished_lesion_is_nowhere_larger_than_any_at_its_depth(told):
    generator = with_geometry(told)
    words = generator.vocabulary
    most = tuple(np.linspace(4, 100, len(words.lesion_at)))
    generator = TrainedGenerator(
        **vars(generator) | {"vocabulary": replace(words, lesion=(0.0, 100.0), lesion_at=most)}
    )
    rows = told_of(generator, 0, 0, generator.wish(frame="light", lesion=50.0))
    at = [generator.vocabulary.lesions(float(depth))[1] for depth in rows[:, 2]]
    np.testing.assert_allclose(rows[:, 3], np.minimum(50, at), rtol=1e-6)
    assert rows[0, 3] < 10 < 50 == rows[-1, 3]


def test_without_depth_or_distances_there_is_no_volume(told, trained):
    with pytest.raises(InputError, match="how far apart"):
        volume(TrainedGenerator.open(told), 0)
    with pytest.raises(InputError, match="was not told its slices' depth"):
        volume(with_geometry(trained), 0)


def test_neighbours_of_one_picture_correlate_fully_and_of_noise_not_at_all():
    rng = np.random.default_rng(0)
    one, noise = rng.integers(0, 255, (2, 6, 40, 40)).astype(np.uint8)
    assert neighbour_correlations(np.repeat(one[:1], 6, axis=0)) == pytest.approx(np.ones(5))
    assert abs(neighbour_correlations(noise).mean()) < 0.05


def test_a_constant_slice_has_no_correlation_and_spoils_none():
    one = np.random.default_rng(0).integers(0, 255, (1, 40, 40)).astype(np.uint8)
    assert neighbour_correlations(np.concatenate([one, one, 0 * one])) == pytest.approx(np.ones(1))
    assert len(neighbour_correlations(one)) == 0


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
    generator, out = marking(masked), tmp_path / "out"
    generator.config["geometry"] = WHERE
    store, wish = Store.open(masked.root.parent / "store"), generator.wish(frame="light", lesion=16.0)
    found = write_volumes(generator, out, 2, 0, wish, store)
    made = [volume(generator, 0, number, wish)[0] for number in range(2)]
    assert (made[1] % 2).any()
    for name, wanted in (("synthetic_000001", made[1]), ("synthetic_000001_mask", made[1] % 2)):
        image = nibabel.load(out / f"{name}.nii.gz")
        np.testing.assert_array_equal(cut(np.asarray(image.dataobj), "axial"), wanted)
        assert b"synthetic" in image.header["descrip"].tobytes()
    assert found["slices"] == len(made[0])
    assert found["neighbour_correlation"] == pytest.approx(np.mean([neighbour_correlations(of).mean() for of in made]))
    real = [neighbour_correlations(of).mean() for of in real_volumes(store, ("light",))]
    assert found["real_neighbour_correlation"] == pytest.approx(np.mean(real))
    with Image.open(out / "views.png") as picture:
        assert picture.info["Description"].startswith("synthetic")
        assert picture.width == 3 * 32
        np.testing.assert_array_equal(np.asarray(picture), np.concatenate([views(of, WHERE) for of in made]))
    rows = read_csv(out / "synthetic.csv")
    assert [row["file"] for row in rows] == ["synthetic_000000.nii.gz", "synthetic_000001.nii.gz"]
    assert [row["mask"] for row in rows] == ["synthetic_000000_mask.nii.gz", "synthetic_000001_mask.nii.gz"]
    each = read_csv(out / "slices.csv")
    assert [row["slice"] for row in each] == [str(place) for _ in range(2) for place in range(len(made[0]))]
    assert {row["lesion_area_mm2"] for row in each} == {"16.0"}
    assert [float(row["depth"]) for row in each[: len(made[0])]] == pytest.approx(
        np.linspace(*generator.vocabulary.depth, len(made[0])), abs=1e-4
    )
    for number, row in enumerate(rows):
        label = generator.vocabulary.words(generator.told(0, [number], wish)[0])["label"]
        assert (row["seed"], row["number"], row["frame"], row["label"]) == ("0", str(number), "light", label)
        assert (row["depth"], row["lesion_area_mm2"], row["synthetic"]) == ("", "16.0", "yes")
    write_volumes(generator, out, 1, 0)
    assert {path.name for path in out.iterdir()} == {
        "synthetic_000000.nii.gz", "synthetic_000000_mask.nii.gz", "synthetic.csv", "views.png", "volumes.json",
        "files.csv", "slices.csv", "source.json",
    }  # fmt: skip
    with pytest.raises(InputError, match="is not empty"):
        write_volumes(generator, masked.root, 1, 0)


def test_a_volume_is_written_before_the_next_is_made(told, tmp_path, monkeypatch):
    there = []

    def noting(*given):
        there.append(len(list(tmp_path.glob(".out.*.tmp/*.nii.gz"))))
        return volume(*given)

    monkeypatch.setattr("braingan.sampling.volume.volume", noting)
    write_volumes(with_geometry(told), tmp_path / "out", 3, 0)
    assert there == [0, 1, 2]


def test_real_volumes_of_the_same_frames_are_shown_beside_and_said_to_be_real(told, tmp_path):
    run, store = tmp_path / "run", Store.open(told.root.parent / "store")
    shutil.copytree(told.root, run)
    write_json(run / "config.json", with_geometry(told).config)
    call = [sys.executable, "-m", "braingan", "sample", run, "--volume", "--frame", "dark"]
    said = subprocess.run(call, capture_output=True, text=True, check=True).stdout
    beside = run / "volumes" / "views-real.png"
    assert f"{beside}: real test subjects" in said
    with Image.open(beside) as picture:
        assert picture.info["Description"].startswith("real brain MRI of test subjects, not synthetic")
        pixels = np.asarray(picture)
    first = next(real_volumes(store, ("dark",)))
    np.testing.assert_array_equal(pixels[:, :96][: len(views(first, WHERE))], views(first, WHERE))
    assert len(pixels) > len(views(first, WHERE))
