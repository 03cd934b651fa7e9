"""A planted bias field is taken out."""

import nibabel
import numpy as np
import pytest

from braingan.data.prepare import prepare
from braingan.data.settings import DataSettings
from braingan.data.volumes import UnreadableError

pytest.importorskip("SimpleITK")
from braingan.data.bias import correct_bias

SPACING = (4.5, 4.5, 4.5)


def brain_with_field(strength):
    """Two tissues of 100 and 160, and a field that is `strength` brighter at the right than at the left."""
    grid = (np.indices((40, 46, 34)).transpose(1, 2, 3, 0) + 0.5) / (40, 46, 34) - 0.5
    inside = (grid**2).sum(axis=-1) < 0.2
    white = inside & (np.sin(grid @ (40, 25, 31)) > 0)
    clean = np.where(white, 160.0, 100.0) * inside + np.random.default_rng(0).normal(0, 2, inside.shape) * inside
    field = 1 + strength * (grid[..., 0] + 0.4 * grid[..., 1] ** 2)
    return (clean * field).clip(0).astype(np.float32), inside, white


def spread(voxels, tissue):
    return voxels[tissue].std() / voxels[tissue].mean()


def test_the_spread_of_each_tissue_falls_to_a_third_and_the_background_stays():
    voxels, inside, white = brain_with_field(0.8)
    corrected = correct_bias(voxels, SPACING)
    for tissue in (white, inside & ~white):
        assert spread(corrected, tissue) < spread(voxels, tissue) / 3
    assert (corrected[~inside] == 0).all()
    assert corrected[inside].mean() == pytest.approx(voxels[inside].mean(), rel=0.02)


def test_a_volume_without_a_field_keeps_its_intensities():
    voxels, inside, _ = brain_with_field(0.0)
    assert abs(correct_bias(voxels, SPACING)[inside] / voxels[inside] - 1).mean() < 0.02


def test_the_same_volume_gives_the_same_bytes():
    voxels, _, _ = brain_with_field(0.5)
    assert correct_bias(voxels, SPACING).tobytes() == correct_bias(voxels, SPACING).tobytes()


def test_an_empty_frame_takes_no_other_along(tmp_path):
    voxels = np.stack([brain_with_field(0.3)[0], np.zeros((40, 46, 34))], -1).astype(np.float32)
    (tmp_path / "scans").mkdir()
    nibabel.save(nibabel.Nifti1Image(voxels, np.diag([*SPACING, 1.0])), tmp_path / "scans" / "sub-1.nii.gz")
    store = prepare(tmp_path / "scans", tmp_path / "store", DataSettings(bias=True, slices="all", size=32), "local:1")
    assert len(store) > 0
    reasons = store.folder.discarded.read_text()
    assert "all its voxels have the same value" in reasons
    assert "below 0" not in reasons


def test_what_is_no_signal_has_a_reason():
    with pytest.raises(UnreadableError, match="below 0"):
        correct_bias(np.full((9, 9, 9), -1.0), SPACING)
