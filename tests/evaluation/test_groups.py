"""A kind of real slice that a generator leaves out is found; chance is not."""

import numpy as np
import pytest

from braingan.evaluation.coverage import in_balls
from braingan.evaluation.groups import groups_of, recall_by_group
from braingan.evaluation.pair import Pair
from braingan.evaluation.sets import SliceSet

RNG = np.random.default_rng(0)
SUBJECTS = np.repeat(np.arange(24), 6)
COLUMNS = {
    "label": np.where(SUBJECTS % 2 == 0, "ill", "well"),
    "frame": np.full(144, ""),
    "depth": np.tile(np.linspace(0, 1, 6), 24),
    "lesion_area_mm2": np.where(SUBJECTS % 4 == 0, 50.0, 0.0),
}


def made(far=5.0):
    """Ill subjects' features lie apart from well ones'."""
    features = RNG.normal(size=(144, 3)) + far * (COLUMNS["label"] == "ill")[:, None]
    images = np.zeros((144, 8, 8), np.uint8)
    return SliceSet(images, SUBJECTS, COLUMNS), features


def test_groups_are_of_labels_depths_and_lesions():
    found = {(by, value): within.sum() for by, value, within in groups_of(made()[0])}
    assert found == {
        ("label", "ill"): 72, ("label", "well"): 72, ("depth", "lowest third"): 48, ("depth", "middle third"): 48,
        ("depth", "highest third"): 48, ("lesion", "none"): 108, ("lesion", "some"): 36,
    }  # fmt: skip


def test_unknown_depths_and_lesions_make_no_groups():
    columns = COLUMNS | {"depth": np.full(144, np.nan), "lesion_area_mm2": np.full(144, np.nan)}
    found = list(groups_of(SliceSet(np.zeros((144, 8, 8), np.uint8), SUBJECTS, columns)))
    assert {by for by, _, _ in found} == {"label"}


def test_a_missing_label_is_found_and_no_other():
    real, features = made()
    well = RNG.normal(size=(144, 3))
    _, like = made()
    pairs = [Pair.of(features, fake, SUBJECTS, np.arange(144), 5) for fake in (well, like)]
    of_well, of_like = (in_balls(pair.across.T, pair.y_radii) for pair in pairs)
    missing = {row["group"]: row["missing"] for row in recall_by_group(real, [of_well], of_like)}
    assert missing.pop("ill")
    assert not missing.pop("well")
    found = recall_by_group(real, [of_like], of_like)
    assert not any(row["missing"] for row in found)
    ill = next(row for row in found if row["group"] == "ill")
    assert (ill["count"], ill["subjects"]) == (72, 12)
    assert ill["recall"] == pytest.approx(ill["floor"])
