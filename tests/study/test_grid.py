"""A study file, its cells and the trainings that they share."""

from pathlib import Path

import numpy as np
import pytest

import studies
import taught
from braingan.data.store import Store
from braingan.errors import InputError
from braingan.study.grid import StudyFile, cells, trainings

THESIS = """
[grid]
model.name = ["thesis4", "thesis7", "thesis15"]
training.samples = [4, 8, 12]
training.epochs = [50, 100]
[training]
snapshots = [20, 60]
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return taught.taught_store(tmp_path_factory.mktemp("grid") / "store", subjects=8)


def read(tmp_path, text):
    (tmp_path / "study.toml").write_text(text)
    return StudyFile.read(tmp_path / "study.toml")


def test_cells_that_differ_only_in_length_share_one_training(tmp_path, store):
    found = cells(read(tmp_path, THESIS), store)
    shared = trainings(found, store)
    assert (len(found), len(shared)) == (18, 9)
    assert len({training.id for training in shared}) == 9
    for training in shared:
        assert [cell.epochs for cell in training.cells] == [50, 100]
        assert training.recipe.training.epochs == 100
        assert training.recipe.training.snapshots == (20, 50, 60, 100)
    assert [cell.values["training.epochs"] for cell in found[:3]] == [50, 100, 50]
    assert {training.id.partition("-")[0] for training in shared} == {"thesis4", "thesis7", "thesis15"}


def test_the_source_study_s_grid_is_18_cells_in_9_trainings(store, monkeypatch):
    monkeypatch.setattr(Store, "select", lambda self, *_, **__: np.arange(60_000))
    recipes = Path(__file__).parents[2] / "recipes" / "studies"
    found = cells(StudyFile.read(recipes / "thesis.toml"), store)
    shared = trainings(found, store)
    assert (len(found), len(shared)) == (18, 9)
    assert {of.recipe.training.snapshots for of in shared} == {(20, 50, 60, 100)}
    small = cells(StudyFile.read(recipes / "thesis-small.toml"), store)
    assert (len(small), len(trainings(small, store))) == (18, 9)


def test_the_first_cell_has_the_first_value_of_each_list(tmp_path, store):
    file = read(tmp_path, THESIS)
    (cell,) = cells(file.first, store)
    assert cell.recipe == cells(file, store)[0].recipe


def test_a_training_keeps_its_name_when_others_are_added(tmp_path, store):
    before = {training.id for training in trainings(cells(read(tmp_path, THESIS), store), store)}
    more = THESIS.replace("[4, 8, 12]", "[4, 8, 12, 16]").replace("[50, 100]", "[50, 100, 200]")
    after = {training.id for training in trainings(cells(read(tmp_path, more), store), store)}
    assert before < after
    seeds = THESIS.replace("training.epochs", "training.seed = [0, 1]\ntraining.epochs")
    assert before < {training.id for training in trainings(cells(read(tmp_path, seeds), store), store)}


def test_more_slices_than_there_are_are_refused_with_the_number_or_capped_and_said(tmp_path, store):
    there = len(store.select("train"))
    file = read(tmp_path, THESIS.replace("[4, 8, 12]", f"[4, {there}, 30000]"))
    with pytest.raises(InputError, match=rf"asks for 30,000 training slices, .* has {there}: .*--cap"):
        cells(file, store)
    found = cells(file, store, cap=True)
    assert [bool(cell.note) for cell in found[:6]] == [False] * 4 + [True] * 2
    assert f"30,000 training slices were asked for; the store has {there}" in found[5].note
    assert len(trainings(found, store)) == 6  # all there are, asked for by number or capped, is one training


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ("training.samples = 10", "must be a list"),
        ("training.samples = []", "must be a list"),
        ("training.samples = [10, 10]", "a value twice"),
        ("training.minutes = [1, 2]", "can't be in the grid"),
        ("evaluation.seeds = [1, 2]", "can't be in the grid"),
        ("data.size = [112, 128]", "can't be in the grid"),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused(tmp_path, grid, said):
    with pytest.raises(InputError, match=said):
        read(tmp_path, f"[grid]\n{grid}")


@pytest.mark.parametrize("name", ["grid", "tune", "training"])
def test_what_should_be_a_table_is_said(tmp_path, name):
    with pytest.raises(InputError, match=rf"{name} must be a table of settings, \[{name}\]"):
        read(tmp_path, f"{name} = [1]")


def test_a_setting_that_is_refused_is_named(tmp_path, store):
    with pytest.raises(InputError, match=r"`training\.rate`"):
        cells(
            read(tmp_path, "[grid]\ntraining.rate = [1, 2]".replace("rate", "learning_rate") + "\n[training]\nrate=1"),
            store,
        )


def test_a_file_without_a_grid_is_one_cell(tmp_path, store):
    found = cells(read(tmp_path, studies.FILE.partition("[grid]")[0]), store)
    assert len(found) == 1
    assert found[0].values == {}
