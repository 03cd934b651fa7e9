"""The two tasks: their targets, their scores against hand-made answers."""

import numpy as np
import pytest
import torch

from braingan.data.conditions import Vocabulary
from braingan.data.store import Store
from braingan.errors import InputError
from braingan.evaluation.utility.task import Segmenter, Task
from braingan.sampling.generator import TrainedGenerator
from marking import marking

SEGMENT, CLASSIFY = Task("segmentation", Vocabulary(masks=True)), Task("classification", Vocabulary(labels=("a", "b")))


def test_a_run_with_masks_is_segmented_one_with_labels_classified_another_refused(masked, told, trained):
    assert Task.of(TrainedGenerator.open(masked)).name == "segmentation"
    assert Task.of(TrainedGenerator.open(told)).name == "classification"
    with pytest.raises(InputError, match="neither lesion masks nor slices of several labels"):
        Task.of(TrainedGenerator.open(trained))


def test_targets_are_the_store_s_and_the_generator_s(masked, told):
    generator = marking(masked)
    store = Store.open(masked.root.parent / "store")
    indices = store.select("test")
    assert (Task.of(generator).known(store, indices) == indices).all()
    real = SEGMENT.real(store, indices)
    assert real.targets.any()
    np.testing.assert_array_equal(real.targets, store.images(indices) > 220)  # as the store was made
    made = SEGMENT.generated(generator, 5, 1)
    assert made.targets.any(axis=(1, 2)).all()
    np.testing.assert_array_equal(made.images, generator.sample(5, 1))
    np.testing.assert_array_equal(made.targets, made.images % 2)
    store = Store.open(told.root.parent / "store")
    indices = store.select("test")
    names = np.asarray(["a", "b"])[CLASSIFY.real(store, indices).targets]
    assert names.tolist() == store.columns["label"][indices].tolist()
    assert len(SEGMENT.known(store, np.arange(len(store)))) < len(store)
    generator = TrainedGenerator.open(told)
    made = CLASSIFY.generated(generator, 5, 1)
    np.testing.assert_array_equal(made.images, generator.sample(5, 1))
    words = [generator.vocabulary.words(row)["label"] for row in generator.told(1, range(5))]
    assert [("a", "b")[label] for label in made.targets] == words


def test_a_subject_s_kind_is_its_label_or_whether_it_has_lesions_anywhere(told):
    store = Store.open(told.root.parent / "store")
    indices = store.select("train")
    assert (CLASSIFY.kinds(store, indices) == (store.columns["label"][indices] == "b")).all()
    subjects, area = store.columns["subject"][indices], np.zeros(len(store), np.float32)
    ill = np.unique(subjects)[:3]
    area[[indices[subjects == name][-1] for name in ill]] = 25.0
    store.columns["lesion_area_mm2"] = area
    assert (SEGMENT.kinds(store, indices) == np.isin(subjects, ill)).all()


def test_dice_is_pooled_by_subject_and_healthy_subjects_do_not_count():
    wanted = np.zeros((4, 4, 4), np.uint8)
    wanted[0, 0, :2] = wanted[1, 0, :2] = wanted[2, 1] = 1
    found = np.zeros((4, 4, 4), bool)
    found[0, 0, :2] = True  # of subject 0 two right, two missed: 2·2 / (2 + 4)
    found[2, 1] = found[2, 2] = True  # of subject 1 four right, four too many: 2·4 / (8 + 4)
    found[3] = True  # subject 2 has none
    score = SEGMENT.score(found, wanted, np.array([0, 0, 1, 2]))
    assert score(np.ones(3)) == pytest.approx(2 / 3)
    assert score(np.array([1.0, 0, 5])) == pytest.approx(4 / 6)
    assert np.isnan(score(np.array([0, 0, 1.0])))


def test_labels_are_scored_by_area_under_the_curve():
    logits = np.array([[2.0, 0], [1, 0], [0, 1], [0, -3]])
    score = CLASSIFY.score(logits, np.array([0, 0, 1, 1]), np.array([0, 1, 2, 3]))
    # label a: all four pairs right; label b: slice 2 above both others, slice 3 below both
    assert score(np.ones(4)) == pytest.approx((1 + 0.5) / 2)
    assert score(np.array([1.0, 1, 1, 0])) == 1


@pytest.mark.parametrize("side", [32, 112])
def test_the_segmenter_gives_a_logit_a_pixel(side):
    assert Segmenter()(torch.rand(2, 1, side, side)).shape == (2, side, side)
