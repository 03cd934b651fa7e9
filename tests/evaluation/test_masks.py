"""Masks that fit, and masks that do not."""

import numpy as np
import pytest

from braingan.evaluation.masks import contrast, fit
from braingan.evaluation.sets import SliceSet


def lesions(count, bright, shift=0, seed=0):
    """Slices of grey 100 with a square lesion, and masks of it that lie `shift` pixels beside it."""
    rng = np.random.default_rng(seed)
    images, masks = np.full((count, 48, 48), 100, np.uint8), np.zeros((count, 48, 48), bool)
    edges = rng.integers(3, 9, count)
    for image, mask, edge in zip(images, masks, edges, strict=True):
        image[10 : 10 + edge, 10 : 10 + edge] = bright
        mask[10 + shift : 10 + shift + edge, 10 : 10 + edge] = True
    return images, masks, edges**2.0


def of(images, masks, area, frame="FLAIR", generated=False):
    columns = {"frame": np.full(len(images), frame), "lesion_area_mm2": area}
    if generated:
        return SliceSet.generated(images, None, columns, masks)
    return SliceSet(images, np.arange(len(images)), columns, masks=masks)


def test_contrast_is_inside_less_around_and_nothing_without_a_lesion():
    images, masks, _ = lesions(5, 180)
    masks[4] = False
    assert contrast(images, masks)[:4] == pytest.approx(np.full(4, 80.0))
    assert np.isnan(contrast(images, masks)[4])


def test_masks_of_the_area_told_on_the_lesion_fit():
    images, masks, area = lesions(30, 180)
    found = fit(of(*lesions(20, 160)), [of(images, masks, 4 * area, generated=True)], 4.0)
    assert found["area_correlation"] == pytest.approx(1)
    of_lesions = found["of_lesions"]
    assert of_lesions["area_correlation"] == pytest.approx(1)
    assert (of_lesions["area_error_mm2"], of_lesions["count"]) == (0, 30)
    assert of_lesions["mean_area_mm2"] == of_lesions["mean_told_mm2"] == pytest.approx(4 * area.mean())
    assert found["frames"]["FLAIR"] == pytest.approx(
        {"real": 60, "generated": 80, "real_same_sign": 1, "generated_same_sign": 1}
    )
    assert found["lesions"]["FLAIR"] == {
        "real": {"slices": 20, "with_lesion": 20}, "generated": {"slices": 30, "with_lesion": 30},
    }  # fmt: skip


def test_masks_beside_the_lesion_or_of_another_area_do_not():
    images, masks, area = lesions(30, 180, shift=12)
    wrong = np.random.default_rng(1).permutation(area)
    found = fit(of(*lesions(20, 160)), [of(images, masks, wrong, generated=True)], 1.0)
    assert abs(found["area_correlation"]) < 0.5
    assert found["frames"]["FLAIR"]["generated_same_sign"] < 0.5


def test_slices_told_no_lesion_do_not_hide_that_lesions_have_the_wrong_area():
    images, masks, area = lesions(60, 180)
    masks[:50], area[:50] = False, 0
    area[50:] = np.linspace(area[50:].max(), area[50:].min(), 10)[np.argsort(np.argsort(area[50:]))]  # the other way
    found = fit(of(*lesions(20, 160)), [of(images, masks, area, generated=True)], 1.0)
    assert found["area_correlation"] > 0.5
    assert found["of_lesions"]["area_correlation"] < -0.5
    assert found["of_lesions"]["area_error_mm2"] == pytest.approx(
        np.abs(masks[50:].sum(axis=(1, 2)) - area[50:]).mean()
    )
    none = fit(of(*lesions(20, 160)), [of(images[:50], masks[:50], area[:50], generated=True)], 1.0)
    assert none["area_correlation"] is None
    assert "of_lesions" not in none


def test_a_dark_lesion_in_another_frame_is_right_there():
    real = of(*lesions(20, 40), frame="T1w")
    found = fit(real, [of(*lesions(20, 60, seed=2), frame="T1w", generated=True)], 1.0)
    assert found["frames"]["T1w"]["real"] == -60
    assert found["frames"]["T1w"]["generated_same_sign"] == 1


def test_slices_that_were_told_no_area_do_not_count():
    images, masks, area = lesions(30, 180)
    area[::2] = np.nan
    assert fit(of(*lesions(20, 160)), [of(images, masks, area, generated=True)], 1.0)["count"] == 15
    untold = fit(of(*lesions(20, 160)), [of(images, masks, np.full(30, np.nan), generated=True)], 1.0)
    assert untold.keys() == {"count", "lesions", "frames"}
    assert untold["frames"]["FLAIR"]["generated"] == 80


@pytest.mark.parametrize("left", [0, 3])
def test_empty_masks_are_counted_and_frames_are_the_same_whatever_their_case(left):
    images, masks, area = lesions(30, 180)
    masks[left:] = False
    found = fit(of(*lesions(20, 160)), [of(images, masks, area, frame="flair", generated=True)], 1.0)
    assert found["lesions"]["FLAIR"]["generated"] == {"slices": 30, "with_lesion": left}
    assert found["frames"].keys() == ({"FLAIR"} if left else set())
