"""Every metric: blind to the order of rows, zero or one for what is the same, and what it sees of collapse."""

import numpy as np
import pytest

from braingan.evaluation.features.extractor import Classifier, Extractor
from braingan.evaluation.metrics import METRICS, alone
from braingan.evaluation.pair import Pair
from braingan.evaluation.sets import SliceSet

RNG = np.random.default_rng(0)
REAL, LIKE = RNG.normal(size=(90, 6)), RNG.normal(size=(90, 6))
SUBJECTS = np.arange(90) // 3


def value(name, real, generated, subjects=SUBJECTS):
    return METRICS[name].compute(Pair.of(real, generated, subjects, np.arange(len(generated)), 3))


@pytest.mark.parametrize("name", METRICS)
def test_the_order_of_rows_does_not_matter(name):
    order = RNG.permutation(90)
    moved = value(name, REAL[order], LIKE[::-1], SUBJECTS[order])
    tolerance = 0.05 if name in ("f1_8", "f8") else 1e-9  # their bins begin at random rows
    assert moved == pytest.approx(value(name, REAL, LIKE), abs=tolerance)


@pytest.mark.parametrize("name", METRICS)
def test_the_same_set_is_as_good_as_it_gets(name):
    same = value(name, REAL, REAL)
    if METRICS[name].kind == "distance":
        assert same <= 1e-8  # the unbiased one may fall below 0
        assert same < value(name, REAL, LIKE) < value(name, REAL, LIKE + 1)
    elif METRICS[name].kind == "share":
        assert same == pytest.approx(1, abs=0.01)
        assert value(name, REAL, LIKE + 20) < 0.01
    else:
        assert same > value(name, REAL, LIKE + 1)


@pytest.mark.parametrize("name", METRICS)
def test_what_each_sees_of_collapse(name):
    collapsed = np.repeat(LIKE[:1], 90, axis=0)
    whole, lost = value(name, REAL, LIKE), value(name, REAL, collapsed)
    if METRICS[name].kind == "distance":
        assert lost > whole
    elif name.startswith(("recall", "coverage", "f8")):
        assert lost < 0.5 * whole
    else:  # precision and density ask of each picture alone, and the picture is a good one
        assert "precision" in name or "density" in name or name == "f1_8"


class Mean(Classifier):
    name = fingerprint = description = "mean"

    def features(self, images):
        return np.stack([images.mean(axis=(1, 2)), np.ones(len(images))], axis=1).astype(np.float32)

    def probabilities(self, features):
        share = features[:, 0].astype(np.float64) / 255
        return np.stack([share, 1 - share], axis=1)


class Unclassified(Extractor):
    name = fingerprint = description = "unclassified"

    def features(self, images):
        return images.reshape(len(images), -1).astype(np.float32)


def test_what_describes_one_set():
    black_and_white = np.repeat(np.array([0, 255], np.uint8), 20)[:, None, None] * np.ones((1, 24, 24), np.uint8)
    slices = SliceSet.generated(black_and_white)
    found = {name: of.statistic(of.rows(slices, Mean())) for name, of in alone(Mean(), 24).items()}
    assert found["brightness"] == pytest.approx(127.5)
    assert found["class_score"] == pytest.approx(2)
    assert set(found) == {"brightness", "class_score", "vendi", "ms_ssim"}
    assert set(alone(Unclassified(), 8)) == {"brightness", "vendi"}  # slices too small for MS-SSIM's window
