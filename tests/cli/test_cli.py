"""The command line from end to end, as a user calls it."""

import re
import subprocess
import sys
import time

import pytest

import made

BRAINGAN = [sys.executable, "-c", "from braingan.cli import main; main()"]


FEW = ("evaluation.also=['anatomy']",)
"""Extractors: to train an encoder takes minutes."""


def call(*arguments, **options):
    return subprocess.run([*BRAINGAN, *map(str, arguments)], capture_output=True, text=True, **options)


def test_help_imports_nothing_heavy_and_answers_at_once():
    heavy = "import sys; import braingan.cli; print({'torch', 'pydantic', 'numpy', 'nibabel'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True).stdout == "set()\n"
    times = []
    for _ in range(5):
        start = time.perf_counter()
        found = call("--help")
        times.append(time.perf_counter() - start)
    assert found.returncode == 0
    for verb in ("prepare", "train", "sample", "evaluate", "report"):
        assert verb in found.stdout
    assert min(times) < 0.5


def test_the_package_is_the_command():
    found = subprocess.run([sys.executable, "-m", "braingan", "--version"], capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (0, call("--version").stdout)


def test_from_pictures_to_a_report(tmp_path):
    source = made.picture_folder(tmp_path / "pictures", subjects=12, each=4)
    store, run = tmp_path / "store", tmp_path / "run"
    quick = ("model.name=thesis4", "training.epochs=2", "training.batch_size=8", "evaluation.seeds=1", *FEW)
    sets = [part for name in quick for part in ("--set", name)]
    prepared = call("prepare", source, "--out", store, "--on", "local:1", "--set", "data.split_seed=1")
    assert prepared.returncode == 0, prepared.stderr
    assert f"{store}: 48 slices of 12 subjects, 112×112 pixels" in prepared.stdout
    dry = call("train", "--data", store, "--out", run, *sets, "--dry-run")
    assert "generator: 20,072,001 parameters, 20,072,001 trainable" in dry.stdout
    assert "discriminator: 282,881 parameters, 282,497 trainable" in dry.stdout
    assert re.search(r"10 steps on .*: [\d.]+ images/s, [\d.]+ GiB of memory; \d+ images would take \d+ s", dry.stdout)
    assert not run.exists()
    trained = call("train", "--data", store, "--out", run, *sets)
    assert trained.returncode == 0, trained.stderr
    assert "train: " in trained.stderr  # plain progress lines where there is no terminal
    evaluated = call("evaluate", run)
    assert evaluated.returncode == 0, evaluated.stderr
    assert "frechet_distance" in evaluated.stdout
    reported = call("report", run)
    assert reported.stdout.strip() == str(run / "report.html")
    assert "Fréchet distance" in (run / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["train", "--data", "absent", "--out", "x"], 1, "braingan: absent is no store: make one by"),
        (["prepare", "absent", "--out", "x"], 1, "braingan: absent is not a folder"),
        (["prepare", ".", "--out", "x", "--size", "huge"], 2, "Invalid value for '--size'"),
        (["prepare", ".", "--out", "x", "--axis", "diagonal"], 1, "`data.axis`"),
        (["evaluate", "absent"], 1, "braingan: absent is no run"),
        (["report", "absent"], 1, "braingan: absent is no run"),
        (["sample", "absent", "--out", "x"], 1, "braingan: absent is no run"),
        (["evaluate", "absent", "--split", "all"], 1, "choose test or validation"),
        (["evaluate", "absent", "--train", "x"], 1, "--train goes with --real and --fake"),
        (["evaluate", "--real", "a", "--fake", "b", "--data", "x"], 1, "--data, --on and --split go with a run"),
        (["fly"], 2, "No such command"),
    ],
)
def test_wrong_use_gets_a_sentence_and_no_traceback(tmp_path, arguments, status, sentence):
    found = call(*arguments, cwd=tmp_path)
    assert found.returncode == status
    assert sentence in found.stderr
    assert "Traceback" not in found.stderr
    assert not (tmp_path / "x").exists()


def test_what_a_trained_generator_is_asked_for(told, tmp_path):
    made = call("sample", told.root, "--out", tmp_path / "a", "--count", 3, "--frame", "DARK", "--depth", 0.5)
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "a" / "synthetic.csv").read_text().count("dark,") == 3
    way = call("sample", told.root, "--out", tmp_path / "b", "--interpolate", "depth", "--count", 4)
    assert "4 synthetic slices along depth" in way.stdout
    written = call("export", told.root, "--out", tmp_path / "c")
    assert "generator.safetensors" in written.stdout
    helped = call("utility", told.root, "--share", 0.2, "--seeds", 2, "--steps", 3)
    assert helped.returncode == 0, helped.stderr
    assert re.search(r"classification by mean AUC of the labels: \d+ real test subjects", helped.stdout)
    for arguments, sentence in (
        (("--frame", "T1w"), "this run knows dark, light."),
        (("--depth", 2), "was trained on"),
        (("--interpolate", "age"), "there are latents, frame, label, depth, lesion."),
        (("--interpolate", "depth", "--gate"), "go with neither each other nor"),
        (("--volume", "--layout", "imagefolder"), "go with neither each other nor"),
        (("--interpolate", "depth", "--count", 1), "at least two slices"),
        (("--volume",), "how far apart"),
        (("--layout", "nnunet"), "of slices with masks"),
    ):
        refused = call("sample", told.root, "--out", tmp_path / "d", *arguments)
        assert refused.returncode == 1
        assert sentence in refused.stderr
        assert "Traceback" not in refused.stderr
    assert not (tmp_path / "d").exists()


def test_strict_fails_if_anything_was_left_out_and_debug_shows_the_traceback(tmp_path):
    source = made.picture_folder(tmp_path / "pictures", subjects=3, each=2)
    (source / "sub-09_z-00.png").touch()
    found = call("prepare", source, "--out", tmp_path / "store", "--strict", "--on", "local:1")
    assert found.returncode == 1
    assert "--strict: left out: 1 file or slice" in found.stderr
    assert "Traceback" in call("--debug", "evaluate", "absent", cwd=tmp_path).stderr


def test_a_fault_of_the_system_is_a_sentence_too(tmp_path):
    (tmp_path / "file").touch()
    source = made.picture_folder(tmp_path / "pictures", subjects=1, each=1)
    found = call("prepare", source, "--out", tmp_path / "file", "--on", "local:1")
    assert found.returncode == 1
    assert "file" in found.stderr
    assert "Traceback" not in found.stderr


def test_phantoms_as_scans_take_no_slice_settings_and_as_a_store_they_do(tmp_path):
    refused = call("phantom", "--subjects", 1, "--out", tmp_path / "task", "--set", "data.size=64")
    assert refused.returncode == 1
    assert "so they need --store" in refused.stderr
    assert not (tmp_path / "task").exists()
    sets = ("--set", "data.size=32", "--set", "data.slices=70:72", "--set", "data.frames=['FLAIR']")
    made = call("phantom", "--subjects", 2, "--out", tmp_path / "store", "--store", "--on", "local:1", *sets)
    assert made.returncode == 0, made.stderr
    assert "4 slices of 2 phantom subjects" in made.stdout
