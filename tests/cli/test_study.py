"""`braingan study` as a user calls it; the ten steps are not taken, which takes big networks a while."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer

import studies
import taught
from braingan.cli import study
from braingan.study.table import read_rows
from pages import read

RECIPES = Path(__file__).parents[2] / "recipes" / "studies"
BRAINGAN = """
import braingan.study.run
from braingan.training.trial import Trial

def cost(of, on="local:1"):
    for training in of.trainings:
        yield training, Trial("a made machine", 100.0, 36000, 360.0, 2**30, {})

braingan.study.run.cost = cost
from braingan.cli import main
main()
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return taught.taught_store(tmp_path_factory.mktemp("cli") / "store", subjects=80)


def call(tmp_path, file, store, *more):
    arguments = ["study", file, "--data", store.folder.root, "--out", tmp_path / "study", *more]
    return subprocess.run(
        [sys.executable, "-c", BRAINGAN, *map(str, arguments)], capture_output=True, text=True, cwd=tmp_path
    )


def test_the_small_study_is_18_cells_in_9_trainings_and_says_what_it_costs(tmp_path, store):
    assert len(store.select("train")) > 500
    found = call(tmp_path, RECIPES / "thesis-small.toml", store, "--dry-run")
    assert found.returncode == 0, found.stderr
    lines = found.stdout.splitlines()
    assert lines[0].endswith("18 cells, 9 trainings")
    assert len([line for line in lines if line.startswith("thesis") and "to epoch 5, 10; 36,000 images" in line]) == 9
    assert lines[-1].startswith("left are 324,000 training images and 54 min, one after another")
    assert "on a made machine" in lines[-1]
    assert not (tmp_path / "study").exists()


def test_more_slices_than_there_are_are_refused_or_capped_which_is_said(tmp_path, store):
    there = len(store.select("train"))
    refused = call(tmp_path, RECIPES / "thesis.toml", store, "--dry-run")
    assert refused.returncode == 1
    assert f"asks for 50,000 training slices, {store.folder.root} has {there:,}" in refused.stderr
    capped = call(tmp_path, RECIPES / "thesis.toml", store, "--dry-run", "--cap")
    assert capped.returncode == 0, capped.stderr
    assert "18 cells, 3 trainings" in capped.stdout  # three numbers of slices are one, all there are
    for wanted in ("10,000", "30,000", "50,000"):
        assert f"{wanted} training slices were asked for; the store has {there:,}" in capped.stdout


def test_trials_are_counted_in(tmp_path, store):
    (tmp_path / "study.toml").write_text(
        "[grid]\ntraining.samples = [100, 200]\n[tune]\ntrials = 5\ntraining.learning_rate = [1e-4, 1e-3]\n"
    )
    found = call(tmp_path, tmp_path / "study.toml", store, "--dry-run")
    assert found.returncode == 0, found.stderr
    assert "2 cells, 2 trainings, after 5 trials of the tuning" in found.stdout
    assert "5 trials, each: 36,000 images" in found.stdout
    assert "left are 252,000 training images and 42 min, one after another" in found.stdout
    two = call(tmp_path, tmp_path / "study.toml", store, "--dry-run", "--on", "local:2")
    assert "left are 252,000 training images and 36 min, 2 trainings at once" in two.stdout  # trials are not
    many = call(tmp_path, tmp_path / "study.toml", store, "--dry-run", "--on", "local:8")
    assert "and 36 min, 2 trainings at once" in many.stdout  # there are no more of them


def test_a_study_from_its_tuning_to_its_report_and_one_that_failed_ends_with_1(tmp_path, capsys):
    pytest.importorskip("optuna")
    pytest.importorskip("tomli_w")
    tuned = "\n[tune]\ntrials = 1\nmetric = 'kernel_distance'\ntraining.learning_rate = { choices = [1e-3] }\n"
    file, store, folder = studies.small_study(tmp_path, studies.FILE.replace("seed = [0, 1]", "seed = [0]") + tuned)
    study.command(file, store.folder.root, folder.root)
    said = capsys.readouterr()
    assert said.out.splitlines()[-1] == str(folder.report)
    assert f"{folder.best}: the best recipe, by validation subjects" in said.out
    assert "study: 1 of 1 trainings" in said.err
    rows = read_rows(folder)
    assert {row.state for row in rows} == {"done"}
    assert {row.recipe["training"]["learning_rate"] for row in rows} == {1e-3}
    page = read(folder.report).text
    assert "All with learning rate 0.001 and batch size 8." in page
    assert "learning_rate = 0.001" in page[page.index("The best recipe of the tuning") :]
    rows[-1].snapshot.metrics.unlink()
    rows[-1].snapshot.weights("generator").write_bytes(b"damaged")
    with pytest.raises(typer.Exit) as ended:
        study.command(file, store.folder.root, folder.root)
    assert ended.value.exit_code == 1
    said = capsys.readouterr()
    assert "is missing, damaged, or of another version" in said.err
    assert said.out.splitlines()[-1] == str(folder.report)
    assert "1 cells are measured" in read(folder.report).text


@pytest.mark.parametrize("place", ["local:0", "local:x", "moon:1"])
def test_a_place_that_is_none_is_said_before_anything_is_done(tmp_path, store, place):
    found = call(tmp_path, RECIPES / "thesis-small.toml", store, "--on", place)
    assert found.returncode == 1
    assert f"braingan: --on {place} is no known place" in found.stderr
    assert "Traceback" not in found.stderr
    assert not (tmp_path / "study").exists()
