"""The source study's networks, from Keras's files, become runs."""

import json
import shutil
import sys

import pytest
import torch
from torch import nn

import made
from braingan.cli.import_keras import command as import_command
from braingan.errors import InputError
from braingan.evaluation.evaluate import evaluate
from braingan.folders import RunFolder
from braingan.imported import import_keras, recognised
from braingan.models.keras import Conv2D, Conv2DTranspose, Dense, Reshape
from braingan.models.keras_file import read_network
from braingan.models.thesis import GENERATORS, discriminator
from braingan.report.run import write_report
from braingan.sampling.generator import TrainedGenerator
from pages import read

FILES = "tests/models/keras_files"


@pytest.fixture
def store(tmp_path):
    return made.picture_store(tmp_path)


@pytest.fixture
def reads(monkeypatch):
    """Let networks be read that no file holds."""

    def let(network):
        monkeypatch.setattr("braingan.imported.read_network", lambda path: network.eval())

    return let


def test_a_generator_becomes_a_run_and_its_discriminator_joins_it(tmp_path, store, reads):
    run = RunFolder(tmp_path / "run")
    generator = GENERATORS["thesis4"](0.3)
    reads(generator)
    assert import_keras(tmp_path / "g.h5", run, store) == "thesis4"
    trained = TrainedGenerator.open(run)
    assert list(trained.networks) == ["generator"]
    assert trained.model.leaky_slope == 0.3
    for key, tensor in trained.networks["generator"].state_dict().items():
        assert torch.equal(tensor, generator.state_dict()[key])
    assert trained.sample(2).shape == (2, 112, 112)
    found = evaluate(run, sets=["evaluation.seeds=1", "evaluation.also=[]"])
    assert found["confusion"] is None
    page = read(write_report(run))
    assert "Imported from a file of Keras" in page.text
    reads(discriminator())
    assert import_keras(tmp_path / "d.h5", run, store) == "discriminator"
    assert list(TrainedGenerator.open(run).networks) == ["generator", "discriminator"]
    assert evaluate(run, sets=["evaluation.seeds=1", "evaluation.also=[]"])["confusion"] is not None


def test_what_does_not_fit_is_refused(tmp_path, store, reads):
    reads(discriminator())
    with pytest.raises(InputError, match=r"import its generator into .* first"):
        import_keras(tmp_path / "d.h5", RunFolder(tmp_path / "run"), store)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a").write_text("")
    reads(GENERATORS["thesis4"](0.01))
    with pytest.raises(InputError, match="is not empty"):
        import_keras(tmp_path / "g.h5", RunFolder(tmp_path / "mine"), store)


def test_without_a_store_it_can_be_sampled_and_is_measured_beside_the_one_named(tmp_path, store, reads):
    run = RunFolder(tmp_path / "run")
    reads(GENERATORS["thesis4"](0.3))
    import_keras(tmp_path / "g.h5", run)
    assert TrainedGenerator.open(run).sample(2).shape == (2, 112, 112)
    sets = ["evaluation.seeds=1", "evaluation.also=[]"]
    with pytest.raises(InputError, match="without a store: name one by --data"):
        evaluate(run, sets=sets)
    with pytest.raises(InputError, match=r"slices of 112 pixels, .* has 64: name another"):
        evaluate(run, made.textured_store(tmp_path / "small").folder.root, sets=sets)
    found = evaluate(run, store.folder.root, sets=sets)
    assert found["protocol"]["store"] == store.fingerprint
    assert "Imported from a file of Keras" in read(write_report(run, store.folder.root)).text


def test_the_command_says_what_comes_next_with_a_store_and_without(tmp_path, store, reads, capsys):
    reads(GENERATORS["thesis4"](0.3))
    import_command(tmp_path / "g.h5", tmp_path / "alone")
    assert f"next: braingan evaluate {tmp_path / 'alone'} --data STORE" in capsys.readouterr().out
    import_command(tmp_path / "g.h5", tmp_path / "beside", store.folder.root)
    assert f"next: braingan evaluate {tmp_path / 'beside'}, or" in capsys.readouterr().out


def test_a_report_beside_another_store_than_it_was_measured_beside_says_so(tmp_path, store, reads):
    run, other = RunFolder(tmp_path / "run"), made.picture_store(tmp_path / "other", subjects=12)
    reads(GENERATORS["thesis4"](0.3))
    import_keras(tmp_path / "g.h5", run)
    evaluate(run, store.folder.root, sets=["evaluation.seeds=1", "evaluation.also=[]"])
    assert "Measured beside another store" in read(write_report(run, other.folder.root)).text
    assert "Measured beside another store" not in read(write_report(run, store.folder.root)).text


@pytest.mark.parametrize("name", GENERATORS)
def test_each_of_the_networks_is_recognised_whatever_its_slope(tmp_path, name):
    for slope in (0.01, 0.3):
        assert recognised(tmp_path, GENERATORS[name](slope)) == name
    assert recognised(tmp_path, discriminator()) == "discriminator"


def test_a_network_that_is_none_is_refused_with_what_differs(tmp_path, request):
    network = read_network(request.config.rootpath / FILES / "thesis7-keras2.h5")
    with pytest.raises(InputError, match=r"most like thesis7, but layer 1 is Dense\(weight \(64, 100\)"):
        recognised(tmp_path / "a.h5", network)
    with pytest.raises(InputError, match="most like thesis4, but layer 5 is not there"):
        recognised(tmp_path / "a.h5", nn.Sequential(*list(GENERATORS["thesis4"](0.01))[:4]))
    with pytest.raises(InputError, match=r"most like discriminator, but .*negative_slope 0\.3"):
        recognised(tmp_path / "a.h5", discriminator(0.3))


def test_without_h5py_it_is_said(monkeypatch, request):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(InputError, match=r"pip install 'braingan\[keras\]'"):
        read_network(request.config.rootpath / FILES / "thesis4-keras3.keras")


def full_size(narrow, path, network):
    """Write a network as Keras does, by a narrow one's file: the same words with its own sizes and arrays."""
    h5py = pytest.importorskip("h5py")
    shutil.copy(narrow, path)
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        layers = [layer for layer in config["config"]["layers"] if layer["class_name"] != "InputLayer"]
        del file["model_weights"]
        for layer, ours in zip(layers, [one for one in network if not isinstance(one, nn.Tanh)], strict=True):
            settings, state = layer["config"], {key: of.numpy() for key, of in ours.state_dict().items()}
            names = {"weight": "kernel", "bias": "bias"}
            if isinstance(ours, Dense):
                settings["units"], state["weight"] = ours.out_features, state["weight"].T
            elif isinstance(ours, Conv2D | Conv2DTranspose):
                settings["filters"], state["weight"] = ours.out_channels, state["weight"].transpose(2, 3, 1, 0)
            elif isinstance(ours, Reshape):
                settings["target_shape"] = list(ours.shape)
            else:
                names = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean",
                         "running_var": "moving_variance"}  # fmt: skip
            group = file.create_group(f"model_weights/{settings['name']}")
            group.attrs["weight_names"] = [f"{settings['name']}/{names[key]}:0" for key in state]
            for key, array in state.items():
                group[f"{settings['name']}/{names[key]}:0"] = array
        file.attrs["model_config"] = json.dumps(config)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*GENERATORS, "discriminator"])
def test_the_full_networks_are_read_from_files_like_keras_s(name, tmp_path, store, request):
    network = (GENERATORS[name](0.01) if name in GENERATORS else discriminator()).eval()
    for tensor in network.state_dict().values():
        tensor.add_(torch.rand_like(tensor) * 0.01)
    full_size(request.config.rootpath / FILES / f"{name}-keras2.h5", tmp_path / "model.h5", network)
    run = RunFolder(tmp_path / "run")
    if name == "discriminator":
        full_size(request.config.rootpath / FILES / "thesis4-keras2.h5", tmp_path / "g.h5", GENERATORS["thesis4"](0.01))
        import_keras(tmp_path / "g.h5", run, store)
    assert import_keras(tmp_path / "model.h5", run, store) == name
    read_back = TrainedGenerator.open(run).networks["discriminator" if name == "discriminator" else "generator"]
    for key, tensor in network.state_dict().items():
        assert torch.equal(read_back.state_dict()[key], tensor)
