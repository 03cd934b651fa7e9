"""Tuning, with trainings that only pretend, and one that does not."""

import tomllib
from pathlib import Path

import pytest

import studies
from braingan.errors import InputError
from braingan.folders import RunFolder, StudyFolder, read_json, write_bytes, write_csv, write_json
from braingan.study.grid import StudyFile
from braingan.study.tune import objective, space_of, trials_left, tune
from braingan.study.work import Job, Outcome, held

optuna = pytest.importorskip("optuna")
FILE = (
    studies.FILE.partition("[grid]")[0]
    + """
[tune]
trials = 12
training.learning_rate = [1e-4, 1e-1]
model.components = { choices = [2, 4] }
"""
)


def pretend(best=3e-3, calls=None):
    """A training whose distance is least at one learning rate, and that fails where it is above 0.05."""

    def do(job: Job) -> Outcome:
        settings = job.recipe["training"]
        if calls is not None:
            calls.append(job.id)
        if settings["learning_rate"] > 0.05:
            return Outcome(job.id, "failed", "the discriminator has won")
        assert job.split == "validation"
        assert settings["trouble"] == "stop"
        run = RunFolder(job.run)
        write_csv(run.log, ("epoch", "images"), [(settings["epochs"], 8)])
        write_bytes(run.snapshot(8).weights("generator"), b"")
        value = abs(settings["learning_rate"] - best) + job.recipe["model"]["components"]
        write_json(run.snapshot(8).metrics_on("validation"), {"metrics": {"frechet_distance": {"value": value}}})
        return Outcome(job.id, "done")

    return do


def cut_short(begun):
    """A process that is killed while it trains."""

    def do(job):
        begun.append(job)
        raise SystemExit

    return do


def small(tmp_path: Path, text=FILE):
    file, store, folder = studies.small_study(tmp_path, text)
    return StudyFile.read(file), store, folder


def test_the_best_recipe_is_written_and_every_trial_kept(tmp_path):
    file, store, folder = small(tmp_path)
    said = []
    best = tomllib.loads(tune(file, store, folder, said.append, pretend()).read_text())
    trials = read_json(folder.trials)["trials"]
    assert len(trials) == len(said) == 12
    values = [trial["value"] for trial in trials if trial["state"] == "complete"]
    chosen = next(trial for trial in trials if trial["value"] == min(values))
    assert best["training"]["learning_rate"] == chosen["settings"]["training.learning_rate"]
    assert best["model"] == {"name": "latentflow", "flow_widths": [8, 8], "widths": [8, 8, 8], "components": 2}
    assert all(trial["reason"] == "the discriminator has won" for trial in trials if trial["state"] == "pruned")


def test_the_same_call_goes_on_and_more_trials_are_added(tmp_path):
    file, store, folder = small(tmp_path, FILE.replace("12", "3"))
    calls = []
    assert trials_left(file, folder) == 3
    tune(file, store, folder, str, pretend(calls=calls))
    tune(file, store, folder, str, pretend(calls=calls))
    assert len(calls) == 3
    assert trials_left(file, folder) == 0
    (tmp_path / "study.toml").write_text(FILE.replace("12", "5"))
    tune(StudyFile.read(tmp_path / "study.toml"), store, folder, str, pretend(calls=calls))
    assert len(calls) == 5


def test_a_trial_that_was_cut_short_is_tried_again_with_its_settings(tmp_path):
    file, store, folder = small(tmp_path, FILE.replace("12", "2"))
    begun, calls = [], []
    with pytest.raises(SystemExit):
        tune(file, store, folder, str, cut_short(begun))
    tune(file, store, folder, str, pretend(calls=calls))
    assert calls[0] == begun[0].id
    assert len(read_json(folder.trials)["trials"]) == 2


def test_a_trial_that_another_process_trains_is_left_to_it(tmp_path):
    file, store, folder = small(tmp_path, FILE.replace("12", "2"))
    begun, calls = [], []
    with pytest.raises(SystemExit):
        tune(file, store, folder, str, cut_short(begun))
    with held(RunFolder(begun[0].run)):
        tune(file, store, folder, str, pretend(calls=calls))
    assert begun[0].id not in calls
    assert len(calls) == 2


def test_a_trial_of_another_folder_is_left_alone_where_several_share_a_storage(tmp_path):
    shared = FILE.replace("12", "2").replace("[tune]", f"[tune]\nstorage = 'sqlite:///{tmp_path}/shared.db'")
    file, store, folder = small(tmp_path, shared)
    begun, calls = [], []
    with pytest.raises(SystemExit):
        tune(file, store, folder, str, cut_short(begun))
    tune(file, store, StudyFolder(tmp_path / "elsewhere"), str, pretend(calls=calls))
    assert len(calls) == 2
    assert begun[0].id not in calls


def test_the_first_cell_of_the_grid_is_what_is_tuned(tmp_path):
    grid = "[grid]\ntraining.batch_size = [4, 8]\ntraining.samples = [30000]\n"
    file, store, folder = small(tmp_path, FILE.replace("12", "2") + grid)
    jobs = []

    def do(job):
        jobs.append(job)
        return pretend()(job)

    with pytest.raises(InputError, match="asks for 30,000 training slices"):
        tune(file, store, folder, str, do)
    best = tomllib.loads(tune(file, store, folder, str, do, cap=True).read_text())
    assert {job.recipe["training"]["batch_size"] for job in jobs} == {4}
    assert {job.recipe["training"]["samples"] for job in jobs} == {0}
    assert best["training"]["batch_size"] == 4
    validation = len(store.select("validation"))
    assert {job.protocol["count"] for job in jobs} == {validation}
    assert {job.recipe["evaluation"]["count"] for job in jobs} == {validation}


def test_trials_of_another_recipe_or_metric_are_another_search(tmp_path):
    _, store, folder = small(tmp_path)
    calls = []
    trains = pretend(calls=calls)

    def measures_both(job):
        outcome = trains(job)
        if outcome.state == "done":
            path = RunFolder(job.run).snapshot(8).metrics_on("validation")
            metrics = read_json(path)["metrics"]
            write_json(path, {"metrics": metrics | {"kernel_distance": metrics["frechet_distance"]}})
        return outcome

    few = FILE.replace("12", "2")
    kernel = few.replace("[tune]", '[tune]\nmetric = "kernel_distance"')
    for text in (few, few, few.replace("batch_size = 8", "batch_size = 4"), kernel):
        (tmp_path / "study.toml").write_text(text)
        tune(StudyFile.read(tmp_path / "study.toml"), store, folder, str, measures_both)
    assert len(calls) == 6
    assert read_json(folder.trials)["metric"] == "kernel_distance"


def test_other_choices_than_in_the_trials_that_there_are_are_said(tmp_path):
    file, store, folder = small(tmp_path, FILE.replace("12", "2"))
    tune(file, store, folder, str, pretend())
    (tmp_path / "study.toml").write_text(FILE.replace("12", "3").replace("[2, 4]", "[2, 8]"))
    with pytest.raises(InputError, match=r"tune\.model\.components is searched otherwise than in the trials"):
        tune(StudyFile.read(tmp_path / "study.toml"), store, folder, str, pretend())


def test_a_storage_that_can_t_be_opened_is_said(tmp_path):
    file, store, folder = small(tmp_path, FILE.replace("[tune]", "[tune]\nstorage = 'nosuch://here/x'"))
    with pytest.raises(InputError, match=r"can't be opened .*: mend tune\.storage"):
        tune(file, store, folder, str, pretend())


def test_where_no_training_comes_to_an_end_it_is_said(tmp_path):
    file, store, folder = small(tmp_path, FILE.replace("12", "2"))
    with pytest.raises(InputError, match=r"No trial .* see trials\.json"):
        tune(file, store, folder, str, lambda job: Outcome(job.id, "failed", "no"))


def test_what_is_good_near_a_number_is_searched_by_how_far_it_is_from_there():
    assert objective("frechet_distance", {"value": 3.0, "floor": 1.0}) == 3
    assert objective("brightness", {"value": 40.0, "floor": 45.0}) == 5
    assert objective("ms_ssim@encoder", {"value": 0.5, "floor": 0.25}) == 0.25
    assert objective("membership_auc", {"value": 0.4}) == pytest.approx(0.1)
    with pytest.raises(InputError, match="no value of real slices"):
        objective("brightness", {"value": 40.0})


@pytest.mark.parametrize(
    ("tuned", "said"),
    [
        ("trials = 3", "names no setting"),
        ("training.learning_rate = [1e-3]", "a range of two positive numbers"),
        ("training.learning_rate = [1e-3, 1e-4]", "a range of two positive numbers"),
        ("training.minutes = [1, 2]", "can't be searched"),
        ("evaluation.seeds = [1, 2]", "can't be searched"),
        ("training.learning_rate = [1e-4, 1e-3]\ntrials = 0", "tune.trials"),
        ("training.learning_rate = [1e-4, 1e-3]\nmetric = 'brightnes'", "brightnes is unknown; there are .*brightness"),
        ("training.learning_rate = [1e-4, 1e-3]\n[grid]\ntraining.learning_rate = [1e-3]", r"both in the grid and in"),
    ],
)
def test_what_can_t_be_searched_is_refused(tmp_path, tuned, said):
    (tmp_path / "study.toml").write_text(f"[tune]\n{tuned}")
    with pytest.raises(InputError, match=said):
        space_of(StudyFile.read(tmp_path / "study.toml"))


def test_real_trainings_are_judged_on_validation_subjects_alone(tmp_path):
    file, store, folder = small(tmp_path, FILE.replace("12", "1").replace("[evaluation]", "epochs = 1\n[evaluation]"))
    tune(file, store, folder, str)
    (trial,) = read_json(folder.trials)["trials"]
    snapshot = folder.run(trial["run"]).snapshots()[-1]
    assert read_json(snapshot.metrics_on("validation"))["protocol"]["split"] == "validation"
    assert not snapshot.metrics.exists()
