"""Scores of answers whose truth is known, and intervals that hold it."""

import math

import numpy as np
import pytest

from braingan.evaluation.intervals import student
from braingan.study.reading import REAL, Answer
from braingan.study.reading_scores import half_width, scores, wilson


def test_scores_of_answers_whose_truth_is_known():
    truth = [REAL, REAL, "a", "a", "b", "b"]
    answers = [Answer("Ann", n, n in (0, 1, 2), 5 if n == 2 else 3, 2.0) for n in range(6)]
    answers += [Answer("Bob", n, True, 1, 4.0) for n in range(6)]
    found = scores(truth, answers)
    assert found["right"]["value"] == pytest.approx(7 / 12)
    assert found["right"]["answers"] == 12
    assert found["confusion"] == {"real": {"real": 4, "generated": 0}, "generated": {"real": 5, "generated": 3}}
    assert found["readers"]["Ann"]["value"] == pytest.approx(5 / 6)
    assert found["readers"]["Ann"]["confidence_wrong"] == 5
    assert found["readers"]["Bob"]["seconds"] == 4
    assert found["runs"]["a"]["value"] == pytest.approx(3 / 4)
    assert found["runs"]["b"]["value"] == pytest.approx(2 / 4)
    assert [of["number"] for of in found["fooled"]] == [2, 3, 4, 5]
    assert found["fooled"][0] | {"confidence": 3} == {
        "number": 2, "made_by": "a", "taken_for": REAL, "wrong": 2, "of": 2, "confidence": 3}  # fmt: skip
    (real,) = scores(truth, [Answer("Ann", 0, False, 4, 1.0)])["fooled"]
    assert (real["made_by"], real["taken_for"]) == (REAL, "generated")
    nothing = scores(truth, [])
    assert math.isnan(nothing["right"]["value"])
    assert math.isnan(nothing["runs"]["a"]["value"])


def test_of_several_readers_those_who_answered_all_have_an_interval():
    """Ten who said the same of one slice are no ten answers."""
    truth = [REAL, "a"] * 6

    def of(reader, count):
        return [Answer(reader, n, n % 3 == 0, 3, 1.0) for n in range(count)]

    one = scores(truth, of("Ann", 8))
    assert (one["right"]["low"], one["right"]["high"]) == wilson(5, 8)
    unfinished = scores(truth, [*of("Ann", 11), *of("Bob", 11), *of("Eve", 12)])
    assert unfinished["right"]["answers"] == 34
    assert all(math.isnan(unfinished[key][end]) for key in ("right",) for end in ("low", "high"))
    assert math.isnan(unfinished["runs"]["a"]["low"])
    finished = scores(truth, [*of("Ann", 12), *of("Bob", 11), *of("Eve", 12)])
    assert finished["right"] == scores(truth, [*of("Ann", 12), *of("Eve", 12)])["right"]
    low, high = wilson(12, 24)
    assert finished["right"]["low"] < low < high < finished["right"]["high"]
    real = finished["runs"][REAL]
    assert real["high"] - real["low"] > wilson(4, 12)[1] - wilson(4, 12)[0]


def test_the_interval_holds_for_other_readers_and_other_slices():
    random = np.random.default_rng(0)
    held = {"both": 0, "answers": 0}
    truth = [REAL, "a"] * 30
    for _ in range(200):
        skill, ease = random.normal(0, 0.08, 6)[:, None], random.uniform(-0.25, 0.25, 60)
        right = random.random((6, 60)) < 0.6 + skill + ease
        answers = [
            Answer(f"reader {reader}", number, bool(of) == (truth[number] == REAL), 3, 1.0)
            for (reader, number), of in np.ndenumerate(right)
        ]
        found = scores(truth, answers)
        assert len(found["finished"]) == 6
        held["both"] += found["right"]["low"] < 0.6 < found["right"]["high"]
        low, high = wilson(int(right.sum()), right.size)
        held["answers"] += low < 0.6 < high
    assert held["both"] >= 184
    assert held["answers"] < 175


def test_half_the_interval_s_width_is_that_of_a_known_table():
    """By hand: two readers with 5/6 and 4/6, slices with 1, 1, 1, 1, 1/2 and 0, of mean 3/4."""
    right = np.array([[True, True, True, True, True, False], [True, True, True, True, False, False]])
    rows, columns, rest = 1 / 12, 7 / 20, 1 / 12
    variance = rows + columns - rest
    freedom = int(variance**2 / (rows**2 / 1 + columns**2 / 5 + rest**2 / 5))
    assert half_width(right) == pytest.approx(student(0.975, freedom) * math.sqrt(variance / 12))
    assert half_width(np.ones((3, 4), bool)) == 0
    assert math.isnan(half_width(np.ones((1, 4), bool)))
    assert math.isnan(half_width(np.ones((3, 1), bool)))


def test_wilson_s_interval_is_that_of_the_tables():
    assert wilson(8, 10) == pytest.approx((0.4901, 0.9433), abs=1e-4)  # Newcombe, 1998
    assert wilson(0, 20) == pytest.approx((0, 0.1611), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)
