"""Display orientation, grey scale and resampling against known answers and Pillow."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import made
from braingan.data.slices import (
    Square,
    above_black,
    chosen_positions,
    cut,
    cut_spacing,
    grey_scale,
    resample,
    resample_labels,
    stacked,
    to_grey,
)
from braingan.errors import InputError


def grey_of(voxels, scale):
    return to_grey(above_black(voxels, scale), scale)


def centre_of(mask):
    rows, columns = np.nonzero(mask)
    return rows.mean() / mask.shape[0], columns.mean() / mask.shape[1]


@pytest.mark.parametrize(
    ("axis", "shape", "value", "row", "column"),
    [
        ("axial", (20, 30, 24), 200, 0.5, 0.1),  # the right is at column 0
        ("axial", (20, 30, 24), 300, 0.1, 0.5),  # the front is at row 0
        ("coronal", (30, 20, 24), 200, 0.5, 0.1),
        ("coronal", (30, 20, 24), 400, 0.1, 0.5),  # the top is at row 0
        ("sagittal", (24, 20, 30), 300, 0.5, 0.1),  # the front is at column 0
        ("sagittal", (24, 20, 30), 400, 0.1, 0.5),
    ],
)
def test_landmarks_are_where_the_design_says(axis, shape, value, row, column):
    slices = cut(made.landmarks((24, 30, 20)), axis)
    assert slices.shape == shape
    found = centre_of((slices == value).any(axis=0))
    assert found == pytest.approx((row, column), abs=0.12)


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
def test_slices_that_are_stacked_are_the_volume_again(axis):
    voxels = np.random.default_rng(0).random((3, 4, 5))
    np.testing.assert_array_equal(stacked(cut(voxels, axis), axis), voxels)


def test_slices_count_from_inferior_posterior_and_left():
    voxels = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    assert set(cut(voxels, "axial")[0].ravel()) == set(voxels[:, :, 0].ravel())
    assert set(cut(voxels, "coronal")[0].ravel()) == set(voxels[:, 0, :].ravel())
    assert set(cut(voxels, "sagittal")[0].ravel()) == set(voxels[0].ravel())


def test_spacing_of_rows_and_columns():
    assert [cut_spacing((1.0, 2.0, 3.0), axis) for axis in ("axial", "coronal", "sagittal")] == [(2, 1), (3, 1), (3, 2)]


@pytest.mark.parametrize(
    ("rule", "count", "expected"),
    [
        ("60:100", 155, range(60, 100)),
        ("60:100", 80, range(60, 80)),
        ("60:100", 20, range(20, 20)),
        ("60:100/155", 155, range(60, 100)),
        ("60:100/155", 31, range(12, 20)),
        ("60:100/155", 1, range(0, 1)),
        ("0.25:0.75", 20, range(5, 15)),
        ("all", 7, range(7)),
    ],
)
def test_slice_rules(rule, count, expected):
    assert chosen_positions(rule, count) == expected


@pytest.mark.parametrize("rule", ["", "60", "100:60", "a:b", "1:2/0", "-3:5", "0:inf"])
def test_a_wrong_slice_rule_is_named(rule):
    with pytest.raises(InputError, match=r"data\.slices"):
        chosen_positions(rule, 155)


def test_grey_scale_of_a_stripped_volume_spans_background_to_the_percentile():
    rng = np.random.default_rng(0)
    voxels = np.zeros((60, 60, 60), np.int16)
    voxels[10:50, 10:50, 10:50] = rng.integers(300, 1301, (40, 40, 40))
    scale = grey_scale(voxels, (0.5, 99.5))
    assert (scale.background, scale.black) == (0, 0)
    assert scale.white == pytest.approx(1295, abs=5)


def test_grey_scale_does_not_depend_on_which_slices_are_taken_nor_on_the_files_unit():
    voxels = made.landmarks().astype(np.float32)
    scale, scaled = grey_scale(voxels, (0.5, 99.5)), grey_scale(voxels * 37 + 5, (0.5, 99.5))
    np.testing.assert_array_equal(grey_of(voxels, scale), grey_of(voxels * 37 + 5, scaled))


def test_tissue_below_the_background_is_kept_and_the_background_black():
    """z-scored: the background is 0 amid the tissue."""
    rng = np.random.default_rng(0)
    voxels = np.zeros((40, 40, 40), np.float32)
    voxels[8:32, 8:32, 8:32] = rng.normal(0, 1, (24, 24, 24))
    scale = grey_scale(voxels, (0.5, 99.5))
    grey = grey_of(voxels, scale)
    assert scale.black < -2
    assert scale.white > 2
    assert (grey[voxels == 0] == 0).all()
    assert (grey > scale.foreground).mean() == pytest.approx(0.6**3, rel=0.02)
    assert np.median(grey[voxels != 0]) == pytest.approx(127, abs=10)


def test_air_with_noise_counts_as_background():
    rng = np.random.default_rng(0)
    voxels = rng.rayleigh(5, (50, 50, 50)).astype(np.float32)
    voxels[15:40, 15:40, 15:40] = rng.normal(400, 40, (25, 25, 25))
    scale = grey_scale(voxels, (0.5, 99.5))
    grey = grey_of(voxels, scale)
    assert scale.white == pytest.approx(400 + 2.576 * 40, rel=0.03)
    assert (grey[:10] < scale.foreground).all()
    assert (grey[15:40, 15:40, 15:40] > scale.foreground).all()


def test_a_constant_volume_has_no_grey_scale():
    assert grey_scale(np.full((5, 5, 5), 3), (0.5, 99.5)) is None


@pytest.mark.parametrize("side", [20, 56, 112, 150])
def test_resampling_is_pillows_bicubic(side):
    image = np.random.default_rng(0).uniform(30, 220, (112, 112)).astype(np.float32)
    ours = resample(image[None], (1.0, 1.0), Square(float(max(image.shape))), side)[0]
    pillow = np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC))
    np.testing.assert_allclose(ours, pillow, atol=0.01)


def test_anisotropic_spacing_keeps_millimetres_square_and_the_middle_in_the_middle():
    """A disc of 20 mm radius, scanned with rows 2 mm and columns 0.5 mm apart."""
    row, column = (np.arange(30) - 14.5) * 2.0, (np.arange(100) - 49.5) * 0.5
    disc = (255.0 * (row[:, None] ** 2 + column**2 < 400)).astype(np.float32)
    image = resample(disc[None], (2.0, 0.5), Square(60.0), 120)[0] > 127  # 60 mm across: half a millimetre a pixel
    height, width = np.ptp(np.nonzero(image.any(axis=1))) + 1, np.ptp(np.nonzero(image.any(axis=0))) + 1
    assert (height, width) == (pytest.approx(80, abs=4), pytest.approx(80, abs=2))
    assert centre_of(image) == pytest.approx((0.5, 0.5), abs=0.01)


@given(st.integers(3, 40), st.integers(3, 40), st.floats(0.3, 4), st.floats(0.3, 4), st.integers(8, 48))
def test_any_shape_and_spacing_gives_black_edges_and_a_full_middle(rows, columns, high, wide, side):
    slices = np.full((1, rows, columns), 200, np.float32)
    edge = max(rows * high, columns * wide)
    image = resample(slices, (high, wide), Square(edge), side)[0]
    share = (rows * high / edge) * (columns * wide / edge)
    assert (
        image[side // 2, side // 2] == pytest.approx(200, abs=0.01)
        or min(rows * high, columns * wide) / edge < 2 / side
    )
    assert (image > 0).mean() == pytest.approx(share, abs=2.1 / side)
    labels = resample_labels(np.ones((1, rows, columns), np.uint8), (high, wide), Square(edge), side)[0]
    np.testing.assert_array_equal(labels > 0, image > 0)


def test_a_smaller_square_is_the_middle_of_the_whole_slice():
    rng = np.random.default_rng(0)
    slices, labels = rng.uniform(30, 220, (1, 40, 32)).astype(np.float32), rng.integers(0, 4, (1, 40, 32))
    for cropped, whole in (
        (resample(slices, (1.0, 1.0), Square(20.0), 10), resample(slices, (1.0, 1.0), Square(40.0), 20)),
        (resample_labels(labels, (1.0, 1.0), Square(20.0), 10), resample_labels(labels, (1.0, 1.0), Square(40.0), 20)),
    ):
        np.testing.assert_allclose(cropped, whole[:, 5:15, 5:15], rtol=1e-5)


def test_labels_stay_labels():
    labels = np.random.default_rng(0).integers(0, 4, (2, 33, 21))
    assert set(np.unique(resample_labels(labels, (1.0, 1.0), Square(40.0), 50))) <= {0, 1, 2, 3}


def test_a_common_tissue_value_is_not_taken_for_background():
    """A tightly cropped picture whose commonest grey is tissue."""
    picture = np.random.default_rng(0).integers(100, 110, (1, 60, 60)).astype(np.uint8)
    picture[0, :5] = 3
    scale = grey_scale(picture, (0.5, 99.5))
    grey = grey_of(picture, scale)[0]
    assert grey[:5].max() < 10
    assert grey[10:].min() > 200


@pytest.mark.parametrize("lowest", [-1e30, 1e30])
def test_a_volume_of_one_extreme_value_has_no_grey_scale(lowest):
    assert grey_scale(np.full((5, 5, 5), lowest, np.float32), (0.5, 99.5)) is None
