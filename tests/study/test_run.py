"""A study runs, goes on, and leaves alone what is finished."""

import concurrent.futures
import multiprocessing
import os
import re
import shutil
import time
from dataclasses import replace

import numpy as np
import pytest

import studies
import taught
from braingan.data.store import Store
from braingan.errors import InputError
from braingan.folders import StudyFolder, read_csv, read_json, write_json
from braingan.recipe import train_recipe
from braingan.study.grid import StudyFile
from braingan.study.run import TRIES, begin, cost, note, outcomes, plan, threads, write_plan
from braingan.study.table import on_the_way, read_rows, write_table
from braingan.study.work import Job, Outcome, held, protocol_of, work


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


def test_snapshots_on_the_way_are_measured_too_but_for_the_detector(tmp_path):
    short = studies.FILE.replace("seeds = 1", "seeds = 1\ndetector = true").replace("seed = [0, 1]", "seed = [0]")
    short = short.replace("threads = 1", "threads = 1\nsnapshots = [2, 9]")
    file, store, folder = studies.small_study(tmp_path, short)
    assert {outcome.state for outcome in studies.do(file, store, folder)} == {"done"}
    rows = read_rows(folder)
    (between,) = on_the_way(rows, read_json(folder.plan)["protocol"])
    assert between.epochs == 2
    assert "detector_accuracy" not in between.metrics
    assert all("detector_accuracy" in row.metrics for row in rows)


def test_a_snapshot_on_the_way_that_becomes_a_cell_s_end_gets_its_detector(tmp_path):
    one = studies.FILE.replace("seed = [0, 1]", "seed = [0]").replace("[1, 3]", "[3]")
    one = one.replace("threads = 1", "threads = 1\nsnapshots = [1]")
    file, store, folder = studies.small_study(tmp_path, one)
    studies.do(file, store, folder)
    (row,) = on_the_way(read_rows(folder), read_json(folder.plan)["protocol"])
    assert "detector_accuracy" not in row.metrics
    file.write_text(one.replace("[3]", "[1, 3]"))
    assert {outcome.state for outcome in studies.do(file, store, folder)} == {"done"}
    assert all("detector_accuracy" in row.metrics for row in read_rows(folder))


def test_who_began_a_study_first_leaves_the_plan_of_who_began_it_last(study, tmp_path):
    file, store, _ = study
    folder = StudyFolder(tmp_path / "study")
    first = plan(StudyFile.read(file), store, folder)
    write_plan(first)
    (tmp_path / "more.toml").write_text(studies.FILE.replace("[1, 3]", "[1, 3, 5]"))
    last = plan(StudyFile.read(tmp_path / "more.toml"), store, folder)
    write_plan(last)
    note(folder, Outcome(last.trainings[1].id, "failed", "no room"))
    before = read_json(folder.plan)
    note(folder, Outcome(first.trainings[0].id, "failed", "a fault"))
    after = read_json(folder.plan)
    assert len(after["cells"]) == 6
    assert [cell["failed"] for cell in after["cells"]] == ["a fault", "no room"] * 3
    note(folder, Outcome(first.trainings[0].id, "done"))
    assert read_json(folder.plan) == before


def test_a_plan_is_written_by_one_process_at_a_time(tmp_path):
    folder, names = StudyFolder(tmp_path), [f"run-{number}" for number in range(40)]
    write_json(folder.plan, {"cells": [{"run": name, "failed": ""} for name in names]})
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: note(folder, Outcome(name, "failed", name)), names))
    assert [cell["failed"] for cell in read_json(folder.plan)["cells"]] == names


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


def test_ends_that_a_training_reached_before_it_failed_are_measured(tmp_path, monkeypatch):
    def fails_late(recipe, store, run, notes):
        shorter = recipe.training.model_copy(update={"epochs": 1})
        train_recipe(recipe.model_copy(update={"training": shorter}), store, run, notes)
        raise InputError("numbers are no longer finite")

    monkeypatch.setattr("braingan.study.work.train_recipe", fails_late)
    file, store, folder = studies.small_study(tmp_path, studies.FILE.replace("[0, 1]", "[0]"))
    (outcome,) = studies.do(file, store, folder)
    assert (outcome.state, outcome.reason) == ("failed", "numbers are no longer finite")
    first, last = read_rows(folder)
    assert (first.epochs, first.state, first.failed) == (1, "done", "")
    assert (last.epochs, last.state, last.failed) == (3, "failed", "numbers are no longer finite")


def test_what_was_measured_otherwise_is_measured_anew_and_not_trained_anew(study, tmp_path):
    folder, file = StudyFolder(tmp_path / "study"), tmp_path / "study.toml"
    shutil.copytree(study[2].root, folder.root)
    file.write_text(studies.FILE.replace("\nseeds = 1", "\nseeds = 2").replace("[0, 1]", "[0]"))
    begin(file, plan(StudyFile.read(file), study[1], folder))
    assert [row.state for row in read_rows(folder)] == ["trained"] * 2
    weights = {path: stamp for path, stamp in files(folder).items() if path.suffix == ".safetensors"}
    assert [outcome.state for outcome in studies.do(file, study[1], folder)] == ["done"]
    rows = read_rows(folder)
    assert [row.state for row in rows] == ["done"] * 2
    assert [row.found["protocol"]["generation_seeds"] for row in rows] == [2, 2]
    assert weights.items() <= files(folder).items()


def test_a_machine_that_measures_in_other_features_fails_and_says_so(study, tmp_path):
    folder = StudyFolder(tmp_path / "study")
    shutil.copytree(study[2].root, folder.root)
    job = plan(StudyFile.read(study[0]), study[1], folder).jobs(1)[0]
    outcome = work(replace(job, protocol=job.protocol | {"extractors": ["inception"]}))
    assert outcome.state == "failed"
    assert "was measured here in random, the study measures in inception" in outcome.reason


def test_an_extractor_that_is_none_is_refused_before_anything_is_trained(tmp_path):
    file, store, folder = studies.small_study(tmp_path, studies.FILE.replace('"random"', '"randon"'))
    with pytest.raises(InputError, match=r"evaluation\.extractor = randon is unknown"):
        begin(file, plan(StudyFile.read(file), store, folder))
    settings = plan(StudyFile.read(file), store, folder).trainings[0].recipe.evaluation
    known = settings.model_copy(update={"extractor": "random", "also": ("anatomy", "encoder", "random")})
    assert protocol_of(known)["extractors"] == ["random", "anatomy", "random"]  # a store may have no encoder


def test_a_reason_stays_until_its_training_is_done(tmp_path):
    file, store, folder = studies.small_study(tmp_path)
    planned = plan(StudyFile.read(file), store, folder)
    name = planned.trainings[0].id
    write_plan(planned)
    note(folder, Outcome(name, "failed", "no room"))
    for outcome in (Outcome(name, "busy"), Outcome(name, "stopped")):
        note(folder, outcome)
        assert {row.failed for row in read_rows(folder) if row.run.root.name == name} == {"no room"}
    write_plan(planned)
    assert {cell["failed"] for cell in read_json(folder.plan)["cells"] if cell["run"] == name} == {"no room"}
    note(folder, Outcome(name, "done"))
    assert {row.failed for row in read_rows(folder)} == {""}


def test_the_cost_is_of_what_is_left(study, tmp_path):
    file, store, folder = study
    assert list(cost(plan(StudyFile.read(file), store, folder))) == []
    longer = tmp_path / "study.toml"
    longer.write_text(studies.FILE.replace("[1, 3]", "[1, 3, 5]"))
    planned = plan(StudyFile.read(longer), store, folder)
    slices, seen = len(store.select("train")), read_rows(folder)[2].images
    found = list(cost(planned))
    assert [training.id for training, _ in found] == [training.id for training in planned.trainings]
    assert {trial.images for _, trial in found} == {5 * slices - seen}
    assert len({trial.images_per_second for _, trial in found}) == 1  # another seed makes no other kind
    assert all(trial.seconds == trial.images / trial.images_per_second for _, trial in found)


def test_a_store_without_test_subjects_is_said_before_anything_is_trained(study):
    file, store, folder = study
    few = Store(store.folder, store.description)
    few.__dict__["columns"] = {**store.columns, "split": np.full(len(store), "train")}
    with pytest.raises(InputError, match=r"has 0 test slices, and a training has .* at least \d of each"):
        plan(StudyFile.read(file), few, folder).jobs(0)


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
    for place in ("local:0", "local:x", "moon:2"):
        with pytest.raises(InputError, match="is no known place"):
            threads(place)


def test_a_training_whose_process_dies_is_begun_again_and_takes_no_other_along(tmp_path):
    jobs = [Job(tmp_path / f"run{epochs}", {}, tmp_path, (epochs,), {}) for epochs in (1, 2, 3)]
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
