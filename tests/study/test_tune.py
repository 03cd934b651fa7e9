"""Tuning, with trainings that only pretend, and one that does not."""

import tomllib
from pathlib import Path

import pytest

import studies
from braingan.errors import InputError
from braingan.folders import RunFolder, read_json, write_csv, write_json
from braingan.study.grid import StudyFile
from braingan.study.tune import space_of, tune
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
        value = abs(settings["learning_rate"] - best) + job.recipe["model"]["components"]
        write_json(run.snapshot(8).metrics_on("validation"), {"metrics": {"frechet_distance": {"value": value}}})
        return Outcome(job.id, "done")

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
    tune(file, store, folder, str, pretend(calls=calls))
    tune(file, store, folder, str, pretend(calls=calls))
    assert len(calls) == 3
    (tmp_path / "study.toml").write_text(FILE.replace("12", "5"))
    tune(StudyFile.read(tmp_path / "study.toml"), store, folder, str, pretend(calls=calls))
    assert len(calls) == 5


def test_a_trial_that_was_cut_short_is_tried_again_with_its_settings(tmp_path):
    file, store, folder = small(tmp_path, FILE.replace("12", "2"))
    begun = []

    def cut(job):
        begun.append(job.id)
        raise SystemExit

    with pytest.raises(SystemExit):
        tune(file, store, folder, str, cut)
    calls = []
    tune(file, store, folder, str, pretend(calls=calls))
    assert calls[0] == begun[0]
    assert len(read_json(folder.trials)["trials"]) == 2


def test_a_trial_that_another_process_trains_is_left_to_it(tmp_path):
    file, store, folder = small(tmp_path, FILE.replace("12", "2"))
    begun = []

    def cut(job):
        begun.append(job)
        raise SystemExit

    with pytest.raises(SystemExit):
        tune(file, store, folder, str, cut)
    calls = []
    with held(RunFolder(begun[0].run)):
        tune(file, store, folder, str, pretend(calls=calls))
    assert begun[0].id not in calls
    assert len(calls) == 2


def test_where_no_training_comes_to_an_end_it_is_said(tmp_path):
    file, store, folder = small(tmp_path, FILE.replace("12", "2"))
    with pytest.raises(InputError, match=r"No trial .* see trials\.json"):
        tune(file, store, folder, str, lambda job: Outcome(job.id, "failed", "no"))


@pytest.mark.parametrize(
    ("tuned", "said"),
    [
        ("trials = 3", "names no setting"),
        ("training.learning_rate = [1e-3]", "a range of two positive numbers"),
        ("training.learning_rate = [1e-3, 1e-4]", "a range of two positive numbers"),
        ("training.minutes = [1, 2]", "can't be searched"),
        ("evaluation.seeds = [1, 2]", "can't be searched"),
        ("training.learning_rate = [1e-4, 1e-3]\ntrials = 0", "tune.trials"),
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
