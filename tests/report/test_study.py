"""A study's page: balanced, self-contained, the same again, and true to the folders."""

import re
import shutil
from pathlib import Path

import pytest

import studies
from braingan.data.store import Store
from braingan.folders import StudyFolder, read_json, write_json
from braingan.report.study import write_study_report
from braingan.report.study_figures import label, pareto
from braingan.sampling.generator import TrainedGenerator
from braingan.study.reading import Answer, Readings
from braingan.study.table import read_rows
from pages import read


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    file, store, folder = studies.small_study(tmp_path_factory.mktemp("study"))
    studies.do(file, store, folder)
    return folder


def test_a_page_of_all_phases_with_its_files(study):
    page = read(write_study_report(study))
    for phase in ("1 Data", "2 Models", "3 Training", "4 Results", "5 Visual analysis", "6 Reproduce"):
        assert phase in page.text
    assert "4 cells, 2 trainings, 2 seeds each; 4 cells are measured" in page.text
    assert "Mean over the training seeds" in page.text
    assert {path.suffix for path in study.figures.iterdir()} == {".svg", ".png"}
    assert {path.stem for path in study.figures.iterdir()} == {"losses", "over_epochs", "along_axes", "cost", "times"}
    assert study.table.exists()
    assert study.latex.exists()


def test_it_is_made_again_byte_identical(study):
    first = {path: path.read_bytes() for path in [write_study_report(study), study.table, *study.figures.iterdir()]}
    write_study_report(study)
    assert all(path.read_bytes() == content for path, content in first.items())


def test_an_unfinished_study_shows_what_is_there(study, tmp_path):
    shutil.copytree(study.root, tmp_path / "half")
    half = StudyFolder(tmp_path / "half")
    for run in sorted((half.root / "runs").iterdir())[1:]:
        if run.is_dir():
            shutil.rmtree(run)
    plan = read_json(half.plan)
    for cell in plan["cells"]:
        cell["failed"] = "no room <on> the disk"
    write_json(half.plan, plan)
    page = read(write_study_report(half))
    assert "2 cells are measured" in page.text
    assert "failed: no room <on> the disk" in page.text
    shutil.rmtree(half.root / "runs")
    assert "Nothing is measured yet" in read(write_study_report(half)).text


def test_readings_appear_with_what_they_amount_to(study, tmp_path):
    shutil.copytree(study.root, tmp_path / "read")
    read_study = StudyFolder(tmp_path / "read")
    runs = {row.run.root.name: TrainedGenerator.open(row.run) for row in read_rows(read_study)}
    store = Store.open(Path(read_json(read_study.plan)["store_folder"]))
    readings = Readings(read_study.readings)
    series = readings.make("First reading", runs, store, 8, 0)
    assert "Blind reading test" not in read(write_study_report(read_study)).text
    for number in range(8):
        readings.answer(series, Answer("Ann", number, True, 3, 1.0))
    page = read(write_study_report(read_study))
    assert "First reading" in page.text
    assert "50%" in page.text
    assert "taken for real by 1 of 1" in page.text


def test_other_models_than_the_source_study_s_have_no_table_beside_it(study):
    page = read(write_study_report(study))
    assert "Table 5" not in page.text
    assert "claims" not in page.text


def test_the_front_holds_what_nothing_beats():
    assert pareto([(3.0, 1.0), (1.0, 5.0), (2.0, 5.0), (2.0, 3.0), (4.0, 2.0)]) == [(1, 5), (2, 3), (3, 1)]


def test_cells_are_named_by_their_values():
    assert re.fullmatch(r"thesis4, 1,000 slices, 5 epochs, seed 2", label(
        {"model.name": "thesis4", "training.samples": 1000, "training.epochs": 5, "training.seed": 2}))  # fmt: skip
