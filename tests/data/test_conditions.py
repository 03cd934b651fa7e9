"""Conditions as rows of numbers, and wishes that are refused."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from braingan.data.conditions import CONDITIONS, NO_WORDS, UNTOLD, Vocabulary, names, numbers, why_no_masks
from braingan.errors import InputError
from taught import taught_store

NAN = np.nan
WORDS = Vocabulary(("FLAIR", "T1w"), ("ill", "well"), (0.387, 0.645), (0.0, 812.0))


def test_rows_say_what_the_store_says_and_nothing_where_it_does_not(tmp_path):
    store = taught_store(tmp_path)
    every = np.arange(len(store))
    words = Vocabulary.of(store, every, CONDITIONS)
    assert (words.frames, words.labels) == (("dark", "light"), ("a", "b"))
    rows = words.rows(store, every)
    assert np.asarray(words.frames)[rows[:, 0].astype(int)].tolist() == store.columns["frame"].tolist()
    assert np.asarray(words.labels)[rows[:, 1].astype(int)].tolist() == store.columns["label"].tolist()
    np.testing.assert_array_equal(rows[:, 2], store.columns["depth"])
    np.testing.assert_array_equal(rows[:, 3], store.columns["lesion_area_mm2"])
    assert np.isnan(rows[:, 3]).any()
    assert words.depth == pytest.approx((np.nanmin(rows[:, 2]), np.nanmax(rows[:, 2])))
    assert words.lesion == pytest.approx((0.0, np.nanmax(rows[:, 3])))


def test_what_is_not_to_be_told_and_what_nobody_knows_is_not_told(tmp_path):
    store = taught_store(tmp_path / "known")
    every = np.arange(len(store))
    only = Vocabulary.of(store, every, ("depth",))
    assert (only.frames, only.labels, only.lesion) == ((), (), None)
    assert np.isnan(only.rows(store, every)[:, [0, 1, 3]]).all()
    silent = taught_store(tmp_path / "silent", frames=("",), labels=("",), known=False)
    assert Vocabulary.of(silent, every, CONDITIONS) == NO_WORDS
    assert np.isnan(NO_WORDS.rows(store, every)).all()


def test_a_name_that_was_not_trained_is_unknown(tmp_path):
    store = taught_store(tmp_path)
    dark = np.flatnonzero(store.columns["frame"] == "dark")
    rows = Vocabulary.of(store, dark, CONDITIONS).rows(store, np.arange(len(store)))
    assert np.array_equal(np.isnan(rows[:, 0]), store.columns["frame"] == "light")


def test_names_are_the_same_whatever_their_case():
    assert names(np.array(["flair", "FLAIR", "", "T1w"])) == ("flair", "T1w")
    np.testing.assert_array_equal(numbers(np.array(["t1W", "Flair", "", "T2w"]), ("flair", "T1w")), [1, 0, NAN, NAN])


def test_a_vocabulary_survives_json():
    for words in (WORDS, NO_WORDS, replace(WORDS, lesion_at=(20.0, 300.0))):
        assert Vocabulary.from_json(json.loads(json.dumps(asdict(words)))) == words
    assert Vocabulary.from_json({}) == NO_WORDS


def test_a_wish_is_a_row_and_back_in_words():
    np.testing.assert_array_equal(WORDS.row(), UNTOLD)
    row = WORDS.row("flair", "WELL", 0.5, 300.0)
    np.testing.assert_array_equal(row, np.float32([0, 1, 0.5, 300]))
    assert WORDS.words(row) == {"frame": "FLAIR", "label": "well", "depth": "0.5000", "lesion_area_mm2": "300.0"}
    assert set(WORDS.words(UNTOLD).values()) == {""}


def test_what_rounds_to_the_edge_is_the_edge():
    assert WORDS.row(depth=0.6451)[2] == np.float32(0.645)
    assert WORDS.row(lesion=0.0)[3] == 0


@pytest.mark.parametrize(
    ("wish", "words", "sentence"),
    [
        ({"frame": "T2w"}, WORDS, "--frame T2w: this run knows FLAIR, T1w."),
        ({"label": "unwell"}, WORDS, "--label unwell: this run knows ill, well."),
        ({"depth": 0.9}, WORDS, "--depth 0.9: this run was trained on 0.387 to 0.645."),
        ({"lesion": 900.0}, WORDS, "--lesion 900: this run was trained on 0 to 812 mm²."),
        ({"lesion": -1.0}, WORDS, "was trained on 0 to 812 mm²"),
        ({"lesion": -0.5}, WORDS, "was trained on 0 to 812 mm²"),
        ({"depth": NAN}, WORDS, "--depth nan: this run was trained on"),
        ({"frame": "FLAIR"}, NO_WORDS, "was not told its slices' frame"),
        ({"lesion": 0.0}, NO_WORDS, "leave the option out"),
    ],
)
def test_a_wish_outside_what_was_trained_is_refused_with_the_range(wish, words, sentence):
    with pytest.raises(InputError, match=sentence.replace(".", r"\.")):
        words.row(**wish)


def rising(folder):
    """A store whose largest lesions grow with the depth: 16 mm² in its lower half, 400 in its upper."""
    store = taught_store(folder, unmapped=0)
    low = store.columns["depth"] < 0.5
    store.columns["lesion_area_mm2"] = np.where(low, np.float32(16), np.float32(400))
    return store


def test_a_lesion_larger_than_any_at_its_depth_is_refused_with_the_range_there_and_none_that_was_trained(tmp_path):
    store = rising(tmp_path)
    every = np.arange(len(store))
    words = Vocabulary.of(store, every, CONDITIONS)
    with pytest.raises(InputError, match=r"--lesion 300: this run was trained on 16 to 16 mm² at this depth\."):
        words.row(depth=0.2, lesion=300.0)
    assert words.row(depth=0.8, lesion=300.0)[3] == words.row(lesion=300.0)[3] == 300
    for row in words.rows(store, every):
        said = words.words(row)
        words.row(said["frame"], said["label"], float(said["depth"]), float(said["lesion_area_mm2"]))


def test_rows_are_shrunk_to_the_largest_lesion_at_their_depth_and_the_unknown_stays_so(tmp_path):
    store = rising(tmp_path)
    words = Vocabulary.of(store, np.arange(len(store)), CONDITIONS)
    rows = np.array([[0, 1, 0.2, 300], [0, 1, 0.8, 300], [0, 1, NAN, 300], [NAN, 1, 0.2, NAN]], np.float32)
    wanted = rows.copy()
    wanted[0, 3] = 16
    np.testing.assert_array_equal(words.shrunk(rows), wanted)
    assert rows[0, 3] == 300
    np.testing.assert_array_equal(NO_WORDS.shrunk(rows), rows)
    assert words.lesions(0.2) == (16, 16)
    assert words.lesions(None) == words.lesions(0.8) == (16, 400)


def test_no_lesion_is_refused_where_nobody_knows_the_lesions_of_its_depth(tmp_path):
    store = rising(tmp_path)
    store.columns["lesion_area_mm2"][store.columns["depth"] < 0.5] = np.nan
    words = Vocabulary.of(store, np.arange(len(store)), CONDITIONS)
    assert words.row(depth=0.2, lesion=400.0)[3] == 400
    assert Vocabulary.of(store, np.arange(len(store)), ("lesion",)).lesion_at == ()


def test_masks_are_not_learnt_where_a_slice_has_no_label_map_or_lesions_are_rare():
    areas = np.zeros(200, np.float32)
    assert "only 0 of its 200 training slices have a lesion" in why_no_masks(areas)
    areas[:2] = 9
    assert not why_no_masks(areas)
    areas[5] = NAN
    assert "1 of its 200 training slices have no label map" in why_no_masks(areas)
