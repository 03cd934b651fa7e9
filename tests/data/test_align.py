"""Planted shifts and rotations are found again, and volumes land where the template is."""

import numpy as np
import pytest

import made
from braingan.data.align import centre_of_mass_mm
from braingan.data.prepare import prepare
from braingan.data.settings import DataSettings
from braingan.data.volumes import UnreadableError, read_volume

SPACING = (1.5, 2.0, 2.5)


def ball(shape, centre, radius):
    grid = np.indices(shape).transpose(1, 2, 3, 0)
    return (300 * (((grid - centre) ** 2).sum(axis=-1) < radius**2)).astype(np.int16)


def test_the_centre_of_mass_is_in_mm_from_the_middle():
    found = centre_of_mass_mm(ball((41, 51, 31), (25, 20, 17), 6), SPACING)
    assert found == pytest.approx([5 * 1.5, -5 * 2.0, 2 * 2.5], abs=1e-9)
    with pytest.raises(UnreadableError, match="the same value"):
        centre_of_mass_mm(np.zeros((5, 5, 5)), SPACING)


def test_centred_slices_show_the_tissue_in_the_middle_at_the_same_depth(tmp_path):
    import nibabel

    (tmp_path / "scans").mkdir()
    for number, centre in enumerate(((20, 20, 15), (27, 16, 18))):
        image = made.as_stored(ball((41, 41, 31), centre, 9 + number), "LPS")
        nibabel.save(image, tmp_path / "scans" / f"{number}.nii.gz")
    store = prepare(
        tmp_path / "scans", tmp_path / "store", DataSettings(size=41, align="centre", slices="15:16"), "local:1"
    )
    for image in store.images(np.arange(len(store))):
        rows, columns = np.nonzero(image > 60)
        assert (rows.mean(), columns.mean()) == (pytest.approx(20, abs=0.1), pytest.approx(20, abs=0.1))
    assert store.columns["position"].tolist() == [15, 18]
    assert store.columns["depth"].tolist() == [0.5, 0.5]
    header, _, second = store.folder.transforms.read_text().splitlines()
    assert header.startswith("volume,m00,m01")
    assert [float(value) for value in second.split(",")[1:]] == [1, 0, 0, 7, 0, 1, 0, -4, 0, 0, 1, 3]


def moved(voxels, spacing, degrees, shift):
    """A volume turned about its middle and shifted by mm, and the matrix from its mm to the first's."""
    sitk = pytest.importorskip("SimpleITK")
    from braingan.data.itk import from_image, to_image

    transform = sitk.Euler3DTransform([0, 0, 0], *np.radians(degrees), shift)
    image = to_image(sitk, np.asarray(voxels, np.float32), spacing)
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = np.array(transform.GetMatrix()).reshape(3, 3), shift
    turned = sitk.Resample(image, image, transform, sitk.sitkLinear, float(voxels.min()))
    return from_image(sitk, turned), matrix


def apart(one, other):
    """The largest distance (mm) of what two transforms make of the brain's middle and points 50 mm away; degrees."""
    points = np.hstack([np.vstack([np.zeros(3), 50 * np.eye(3), -50 * np.eye(3)]), np.ones((7, 1))]).T
    turn = one[:3, :3] @ other[:3, :3].T
    degrees = np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))
    return np.linalg.norm(((one - other) @ points)[:3], axis=0).max(), degrees


def test_a_planted_turn_and_shift_are_found_to_a_millimetre_and_a_degree():
    pytest.importorskip("SimpleITK")
    from braingan.data.align import rigid, to_template
    from braingan.data.mni152 import map_files

    spacing = (2.0, 2.0, 2.0)
    scan = np.pad(read_volume(map_files("align")[0]).voxels[::2, ::2, ::2, 0], 12)  # room, so that nothing is cut off
    first = rigid(scan, spacing)
    for degrees, shift in (((10, -10, 10), (12, -9, 14)), ((-10, 5, 0), (-20, 3, 0))):
        voxels, planted = moved(scan, spacing, degrees, shift)
        found = rigid(voxels, spacing)
        millimetres, angle = apart(planted @ found, first)
        assert millimetres < 1
        assert angle < 1
        assert np.linalg.det(found[:3, :3]) == pytest.approx(1)
        one, other = (to_template(*which) for which in ((scan, spacing, first), (voxels, spacing, found)))
        assert one.shape == (240, 240, 155)
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.98
    assert np.array_equal(rigid(voxels, spacing), found)


def test_what_looks_like_no_brain_has_a_reason():
    pytest.importorskip("SimpleITK")
    from braingan.data.align import rigid

    with pytest.raises(UnreadableError, match="alignment found"):
        rigid(np.random.default_rng(0).integers(0, 9, (40, 40, 40)).astype(np.int16), (4.0, 4.0, 4.0))


def test_an_aligned_volume_shows_the_same_slices_wherever_the_head_lay(tmp_path):
    pytest.importorskip("SimpleITK")
    import nibabel

    from braingan.data.mni152 import map_files

    scan = np.pad(read_volume(map_files("align")[0]).voxels[::2, ::2, ::2, 0], 12)
    (tmp_path / "scans").mkdir()
    for number, (degrees, shift) in enumerate((((0, 0, 0), (0, 0, 0)), ((8, -5, 7), (10, -12, 9)))):
        voxels, _ = moved(scan, (2.0, 2.0, 2.0), degrees, shift)
        image = made.as_stored(voxels.astype(np.float32), "LPS", (2.0, 2.0, 2.0))
        nibabel.save(image, tmp_path / "scans" / f"{number}.nii.gz")
    chosen = DataSettings(size=80, align="rigid", slices="70:90")
    store = prepare(tmp_path / "scans", tmp_path / "store", chosen, "local:2")
    one, other = (store.images(np.flatnonzero(store.columns["subject"] == name)) for name in ("0", "1"))
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.97
    assert len(store.folder.transforms.read_text().splitlines()) == 3


def test_labels_stay_labels_on_the_templates_grid():
    pytest.importorskip("SimpleITK")
    from braingan.data.align import labels_to_template

    labels = np.random.default_rng(0).integers(0, 4, (40, 40, 40)).astype(np.uint8)
    turn = np.eye(4)
    turn[:3, 3] = (3.3, -2.1, 0.4)
    assert set(np.unique(labels_to_template(labels, (2.0, 2.0, 2.0), turn))) == {0, 1, 2, 3}
