"""A study runs, goes on, and leaves alone what is finished."""

import multiprocessing
import os
import re
import time

import pytest

import studies
import taught
from braingan.errors import InputError
from braingan.folders import StudyFolder, read_csv, read_json
from braingan.study.grid import StudyFile
from braingan.study.run import TRIES, outcomes, plan, threads
from braingan.study.table import read_rows, write_table
from braingan.study.work import Job, Outcome, held, work


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A finished study; not to be changed."""
    file, store, folder = studies.small_study(tmp_path_factory.mktemp("study"))
    assert {outcome.state for outcome in studies.do(file, store, folder)} == {"done"}
    return file, store, folder


def files(folder):
    return {path: path.stat().st_mtime_ns for path in folder.root.rglob("*.safetensors")} | {
        path: path.stat().st_mtime_ns for path in folder.root.rglob("metrics.json")
    }


def test_every_cell_has_a_row_of_its_own_snapshot(study):
    rows = read_rows(study[2])
    assert [row.state for row in rows] == ["done"] * 4
    assert [row.values["training.epochs"] for row in rows[:4]] == [1, 1, 3, 3]
    for row in rows:
        slices = len(study[1].select("train"))
        assert row.slices == slices
        assert row.images == -(-row.epochs * slices // 8) * 8
        assert row.found["protocol"]["snapshot"] == row.images
        assert row.subjects == row.found["protocol"]["training_subjects"]
    assert len({row.run.root for row in rows}) == 2


def test_nothing_is_done_twice(study):
    before = files(study[2])
    assert {outcome.state for outcome in studies.do(*study)} == {"done"}
    assert files(study[2]) == before


def test_the_table_holds_every_metric_with_interval_and_floor(study):
    write_table(study[2])
    rows = read_csv(study[2].table)
    found = read_rows(study[2])[0].metrics["frechet_distance"]
    for part in ("value", "low", "high", "floor"):
        name = "frechet_distance" if part == "value" else f"frechet_distance {part}"
        assert float(rows[0][name]) == found[part]
    latex = study[2].latex.read_text()
    assert latex.count(r"\\") == 3
    assert "components & epochs & subjects" in latex
    assert re.search(r"\(\$[\d.]+\$ to \$[\d.]+\$\)", latex)


def test_another_store_and_another_folder_are_refused(study, tmp_path):
    file, store, folder = study
    (tmp_path / "a.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty and no study"):
        plan(StudyFile.read(file), store, StudyFolder(tmp_path))
    other = taught.taught_store(tmp_path / "store", subjects=8)
    with pytest.raises(InputError, match="is a study of another store"):
        plan(StudyFile.read(file), other, folder)


def test_a_longer_length_goes_on_and_a_shorter_one_trains_anew(tmp_path):
    one = studies.FILE.replace("[0, 1]", "[0]")
    file, store, folder = studies.small_study(tmp_path, one.replace("[1, 3]", "[3]"))
    studies.do(file, store, folder)
    before = files(folder)
    file.write_text(one.replace("[1, 3]", "[3, 4]"))
    studies.do(file, store, folder)
    rows = read_rows(folder)
    assert [row.state for row in rows] == ["done", "done"]
    assert len({row.run.root for row in rows}) == 1
    assert [row["event"].split()[0] for row in read_csv(rows[0].run.events)].count("continued") == 1
    assert before.items() <= files(folder).items()
    file.write_text(one.replace("[1, 3]", "[2, 3, 4]"))
    studies.do(file, store, folder)
    rows = read_rows(folder)
    assert [row.state for row in rows] == ["done"] * 3
    assert rows[0].run.root.name == f"{rows[1].run.root.name}-to-2"


def test_a_failed_training_is_recorded_with_its_reason_and_the_rest_goes_on(tmp_path):
    text = studies.FILE.replace("[0, 1]", "[0]").replace(
        "model.components = [2]", "training.learning_rate = [1e-4, 1e30]"
    )
    file, store, folder = studies.small_study(tmp_path, text)
    found = {outcome.state for outcome in studies.do(file, store, folder)}
    assert found == {"done", "failed"}
    rows = read_rows(folder)
    assert [row.state for row in rows] == ["done", "done", "failed", "failed"]
    assert "no longer finite" in rows[2].failed
    write_table(folder)
    assert "no longer finite" in folder.table.read_text()


def test_a_run_that_another_process_has_is_left_to_it(tmp_path):
    file, store, folder = studies.small_study(tmp_path)
    job = plan(StudyFile.read(file), store, folder).jobs(0)[0]
    with held(folder.run(job.id)):
        assert work(job) == Outcome(job.id, "busy")
    assert not job.run.exists()


def test_several_trainings_share_the_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(8), raising=False)
    assert threads("local:1") == threads("dask:tcp://x:1") == 0
    assert [threads(f"local:{count}") for count in (2, 3, 8, 1000)] == [4, 2, 1, 1]


def test_a_training_whose_process_dies_is_begun_again_and_takes_no_other_along(tmp_path):
    jobs = [Job(tmp_path / f"run{epochs}", {}, tmp_path, (epochs,), 2) for epochs in (1, 2, 3)]
    assert {of.id: of.state for of in outcomes(jobs, "local:2", studies.dies_once)} == dict.fromkeys(
        ("run1", "run2", "run3"), "done"
    )
    found = {of.id: of for of in outcomes(jobs[:2], "local:1", studies.always_dies)}
    assert found["run2"].state == "done"
    assert found["run1"].state == "failed"
    assert f"died {TRIES} times" in found["run1"].reason


@pytest.mark.slow
def test_a_killed_study_goes_on_and_ends_as_one_that_was_not(tmp_path, study):
    file, store, folder = studies.small_study(tmp_path)
    process = multiprocessing.get_context("spawn").Process(target=studies.run_study, args=(file, store, folder))
    process.start()
    while not list(folder.root.glob("runs/*/snapshots/*/generator.safetensors")):
        time.sleep(0.2)
    process.kill()
    process.join()
    assert any(row.state != "done" for row in read_rows(folder))
    time.sleep(2)  # its worker notices
    studies.run_study(file, store, folder)
    theirs = {(str(row.values)): row.metrics["frechet_distance"]["value"] for row in read_rows(study[2])}
    ours = {(str(row.values)): row.metrics["frechet_distance"]["value"] for row in read_rows(folder)}
    assert ours == theirs
    assert read_json(folder.plan)["cells"] == read_json(study[2].plan)["cells"]
