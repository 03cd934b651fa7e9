"""A generator for others."""

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open

from braingan.errors import InputError
from braingan.evaluation.measure import FORMAT
from braingan.report.export import export
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
    assert "store" not in config
    page = (tmp_path / "out" / "README.md").read_text()
    assert page.startswith("---\nlibrary_name: braingan\n")
    for said in ("Not for clinical", "frame: dark, light", "label: a, b", "Not evaluated"):
        assert said in page
    assert str(tmp_path) not in page + json.dumps(config)


def test_metrics_and_their_floors_stand_in_the_card(told, tmp_path):
    generator = TrainedGenerator.open(told)
    copy = type(generator)(**vars(generator) | {"snapshot": type(generator.snapshot)(tmp_path / "123")})
    copy.snapshot.root.mkdir()
    (copy.snapshot.root / "generator.safetensors").write_bytes(generator.snapshot.weights("generator").read_bytes())
    metrics = {
        "format": FORMAT,
        "protocol": {"count": 816, "subjects": 34, "split": "test", "extractor": "some network"},
        "metrics": {"frechet_distance": {"value": 12.5, "floor": 4.0}, "copies": {"value": 0.0, "floor": 0.0}},
    }
    copy.snapshot.metrics.write_text(json.dumps(metrics))
    assert "metrics.json" in export(copy, tmp_path / "out")
    page = (tmp_path / "out" / "README.md").read_text()
    assert "816 generated slices" in page
    assert "| 12.5 | 4 |" in page or "| 12.5 | 4.00 |" in page or "| 12.5 | 4.0 |" in page


@pytest.mark.parametrize(
    "which", ["trained", pytest.param("told", marks=pytest.mark.slow), pytest.param("masked", marks=pytest.mark.slow)]
)
def test_onnx_makes_the_same_slices(which, request, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    generator = TrainedGenerator.open(request.getfixturevalue(which))
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


def test_a_folder_of_something_else_is_refused(told, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(InputError, match="holds something else"):
        export(TrainedGenerator.open(told), tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"


def test_an_earlier_export_is_replaced_also_in_a_cloned_repository(told, tmp_path):
    (tmp_path / ".git").mkdir()
    first = export(TrainedGenerator.open(told), tmp_path)
    assert export(TrainedGenerator.open(told), tmp_path) == first
