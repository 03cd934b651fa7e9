"""A generator for others."""

import itertools
import json
import os
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from safetensors import safe_open

from braingan.cli import export as verb
from braingan.errors import InputError
from braingan.evaluation.material import open_store_of
from braingan.evaluation.measure import FORMAT
from braingan.folders import RunFolder
from braingan.report.export import card, export
from braingan.sampling.generator import TrainedGenerator


def test_the_folder_holds_weights_settings_and_a_card_that_says_what_it_is_for(told, tmp_path):
    generator = TrainedGenerator.open(told)
    assert export(generator, tmp_path / "out") == ["README.md", "config.json", "generator.safetensors"]
    with safe_open(tmp_path / "out" / "generator.safetensors", "pt") as weights:
        assert "synthetic" in weights.metadata()["synthetic"]
        for name, tensor in generator.networks["generator"].state_dict().items():
            torch.testing.assert_close(weights.get_tensor(name), tensor, equal_nan=True)
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert "synthetic" in config["synthetic"]
    page = (tmp_path / "out" / "README.md").read_text()
    for said in ("Not for clinical", "frame: dark, light", "label: a, b", "Not evaluated"):
        assert said in page
    for folder in (tmp_path, told.root.parent):
        assert str(folder) not in page + json.dumps(config)


def test_what_is_exported_opens_as_a_run_by_the_card_s_own_code(told, tmp_path, monkeypatch):
    generator = TrainedGenerator.open(told)
    export(generator, tmp_path / "FOLDER")
    (code,) = re.findall(r"```python\n(.*?)```", (tmp_path / "FOLDER" / "README.md").read_text(), re.DOTALL)
    found = {}
    monkeypatch.chdir(tmp_path)
    exec(code, found)
    np.testing.assert_array_equal(found["images"], generator.sample(16))
    opened = found["run"]
    assert opened.snapshot.images_seen == generator.snapshot.images_seen
    assert opened.vocabulary == generator.vocabulary
    assert list(opened.networks) == ["generator"]
    with pytest.raises(InputError, match="is no store"):
        open_store_of(opened.run)
    assert open_store_of(opened.run, told.root.parent / "store").fingerprint == opened.config["identity"]["store"]
    assert export(opened, tmp_path / "FOLDER") == ["README.md", "config.json", "generator.safetensors"]
    np.testing.assert_array_equal(TrainedGenerator.open(opened.run).sample(2), generator.sample(2))


def head_and_text(generator, source, axis="axial", notes=()):
    """Return the front matter and the text of a run's card, as if its store had been another."""
    generator.config["source"], generator.config["notes"] = source, list(notes)
    generator.config["recipe"]["data"]["axis"] = axis
    head, text = re.fullmatch(r"---\n(.*?)---\n(.*)", card(generator, None, None, False), re.DOTALL).groups()
    return yaml.safe_load(head), text


def test_the_card_says_the_source_s_terms_and_notes_and_that_a_licence_is_not_stated(told):
    generator = TrainedGenerator.open(told)
    known = {"name": "scans", "kind": "decathlon", "licence": "CC-BY-SA 4.0", "notes": ["Faces may be recognised."]}
    head, text = head_and_text(generator, known, notes=["Of a short training."])
    assert head == {
        "library_name": "braingan", "license": "other", "pipeline_tag": "unconditional-image-generation",
        "tags": ["synthetic", "medical-imaging", "brain-mri", "not-for-clinical-use"],
    }  # fmt: skip
    for line in ("name: scans", "licence: CC-BY-SA 4.0", "Faces may be recognised.", "Of a short training."):
        assert f"\n- {line}\n" in text
    assert "not stated" not in text
    head, text = head_and_text(generator, {"name": "scans", "notes": []})
    assert head["license"] == "unknown"
    assert "\n- licence: not stated by the source" in text


@pytest.mark.parametrize(
    ("axis", "shown", "depth"),
    [
        ("axial", "nose up, the patient's right on the left side", "0 inferior to 1 superior"),
        ("coronal", "crown up, the patient's right on the left side", "0 posterior to 1 anterior"),
        ("sagittal", "crown up, the nose on the left side", "0 left to 1 right"),
    ],
)
def test_the_card_s_words_are_those_of_the_axis(told, axis, shown, depth):
    text = head_and_text(TrainedGenerator.open(told), {"kind": "decathlon"}, axis)[1]
    assert f"32×32 pixels, {shown}." in text
    assert f"- depth ({depth}): " in text


def test_pictures_have_no_known_orientation(told):
    text = head_and_text(TrainedGenerator.open(told), {"kind": "pictures"})[1]
    assert "32×32 pixels." in text
    assert "- depth (0 first to 1 last): " in text


@pytest.mark.parametrize("written", range(3))
def test_the_same_call_mends_what_an_interrupted_one_left(told, tmp_path, monkeypatch, written):
    generator, files, flush = TrainedGenerator.open(told), itertools.count(), os.fsync

    def interrupted(descriptor):
        if next(files) == written:
            raise KeyboardInterrupt
        flush(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            export(generator, tmp_path / "out")
    assert len(export(generator, tmp_path / "out")) == 3
    np.testing.assert_array_equal(TrainedGenerator.open(RunFolder(tmp_path / "out")).sample(2), generator.sample(2))


def test_without_a_folder_it_lies_in_the_run_s(told, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(told.root, run)
    verb.command(run)
    assert (run / "export" / "README.md").exists()
    assert len(TrainedGenerator.open(RunFolder(run)).networks) == 2


def test_metrics_and_their_floors_stand_in_the_card(told, tmp_path):
    generator = TrainedGenerator.open(told)
    copy = type(generator)(**vars(generator) | {"snapshot": type(generator.snapshot)(tmp_path / "123")})
    copy.snapshot.root.mkdir()
    (copy.snapshot.root / "generator.safetensors").write_bytes(generator.snapshot.weights("generator").read_bytes())
    metrics = {
        "format": FORMAT,
        "protocol": {"count": 816, "subjects": 34, "split": "test", "extractor": "some network"},
        "metrics": {"frechet_distance": {"value": 12.5, "floor": 4.0}, "copies": {"value": 0.0, "floor": 0.0}},
        "encoder": {
            "scores": {"depth_error_slices": {"value": 0.5}},
            "obeyed": {"depth_error_slices": {"value": 1.25}},
        },
        "masks": {"area_correlation": 0.913, "frames": {}},
    }
    copy.snapshot.metrics.write_text(json.dumps(metrics))
    assert "metrics.json" in export(copy, tmp_path / "out")
    page = (tmp_path / "out" / "README.md").read_text()
    assert "816 generated slices" in page
    assert re.search(r"\| .*slices.* \| 0\.50* \| 1\.25 \|\n\| correlation .* \|  \| 0\.913 \|\n\n## Copying", page)
    assert "| 12.5 | 4 |" in page or "| 12.5 | 4.00 |" in page or "| 12.5 | 4.0 |" in page


@pytest.mark.parametrize(
    ("which", "changes"),
    [
        ("told", {"steps": 1}),  # each step makes the graph longer, and guidance each step
        pytest.param("told", {"steps": 1, "guidance": (0.5, 0.5)}, marks=pytest.mark.slow),
        pytest.param("trained", {}, marks=pytest.mark.slow),
        pytest.param("masked", {}, marks=pytest.mark.slow),
    ],
)
def test_onnx_makes_the_same_slices(which, changes, request, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    generator = TrainedGenerator.open(request.getfixturevalue(which))
    generator = replace(generator, model=generator.model.model_copy(update=changes))
    torch.manual_seed(0)
    for parameter in getattr(generator.networks["generator"], "field", torch.nn.Module()).parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    assert "generator.onnx" in export(generator, tmp_path / "out", onnx=True)
    session = onnxruntime.InferenceSession(tmp_path / "out" / "generator.onnx", providers=["CPUExecutionProvider"])
    about = session.get_modelmeta().custom_metadata_map
    assert "synthetic" in about["synthetic"]
    assert int(about["latent_size"]) == generator.latent_size
    wish = generator.wish(depth=0.5) if which != "trained" else np.full(4, np.nan, np.float32)
    rows = np.tile(wish, (7, 1))
    (made,) = session.run(None, {"latents": generator.latents(4, range(7)).numpy(), "told": rows})
    as_pixels = np.clip(np.rint((made[:, 0] + 1) * 127.5), 0, 255)
    assert np.abs(as_pixels - generator.sample(7, 4, wish)).max() <= 1


def test_a_graph_that_makes_other_slices_is_not_written(told, tmp_path, monkeypatch):
    runtime = pytest.importorskip("onnxruntime")
    generator = TrainedGenerator.open(told)
    generator = replace(generator, model=generator.model.model_copy(update={"steps": 1}))
    other = type("Session", (), {"run": lambda self, names, given: [np.zeros((len(given["told"]), 1, 32, 32))]})
    monkeypatch.setattr(runtime, "InferenceSession", lambda *_, **__: other())
    with pytest.raises(InputError, match=r"differ from torch's by .*: this graph is not written"):
        export(generator, tmp_path / "out", onnx=True)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_refused(told, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(InputError, match="holds something else"):
        export(TrainedGenerator.open(told), tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"


def test_an_earlier_export_is_replaced_also_in_a_cloned_repository(told, tmp_path):
    (tmp_path / ".git").mkdir()
    first = export(TrainedGenerator.open(told), tmp_path)
    assert export(TrainedGenerator.open(told), tmp_path) == first
