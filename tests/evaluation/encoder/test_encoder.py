"""An encoder learns what a store shows, is kept whole, and is trained anew when anything it depends on changes."""

import json

import numpy as np
import pytest
import torch

import taught
from braingan.data.store import Store
from braingan.errors import InputError
from braingan.evaluation.encoder import Effort, open_encoder, train_encoder, training
from braingan.evaluation.encoder import encoder as module
from braingan.evaluation.encoder.network import EncoderNetwork
from braingan.evaluation.encoder.questions import ANSWERED
from braingan.evaluation.features.encoder import EncoderFeatures

SHORT = Effort(64, 128)
"""Of a training whose result does not matter."""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return taught.taught_store(tmp_path_factory.mktemp("encoder") / "store", subjects=40)


@pytest.fixture(scope="module")
def trained(store):
    return train_encoder(store, effort=Effort(64, 2000))


@pytest.fixture
def own_store(tmp_path):
    return taught.taught_store(tmp_path / "store", subjects=12, each=4)


def weights(encoder):
    return torch.cat([tensor.flatten().double() for tensor in encoder.network.state_dict().values()])


def test_it_tells_what_was_planted_in_subjects_it_never_saw(store, trained):
    scores = trained.score(store, store.select("test"))
    assert scores["frame_accuracy"]["value"] > 0.99
    assert scores["depth_error"]["value"] < 0.05
    assert scores["lesion_area_correlation"]["value"] > 0.9
    frames = [scores[f"lesion_area_correlation in {frame}"] for frame in ("dark", "light")]
    assert min(of["value"] for of in frames) > 0.85
    assert sum(of["count"] for of in frames) == scores["lesion_area_correlation"]["count"]
    assert scores["lesion_auc"]["value"] > 0.95
    assert scores["label_auc"]["value"] > 0.95
    held_out = store.select("validation")
    assert trained.scores == trained.score(store, held_out)
    assert trained.scores["frame_accuracy"]["count"] == len(held_out)


def test_generated_slices_obey_where_they_show_what_they_were_told(store, trained):
    test = store.select("test")
    images, told = store.images(test), {name: store.columns[name][test] for name in ANSWERED}
    obeyed = trained.obeyed(images, told, 1 / 12)
    assert obeyed["frame_accuracy"]["value"] > 0.99
    assert obeyed["lesion_area_correlation"]["value"] > 0.9
    assert obeyed["depth_error_slices"]["value"] == pytest.approx(12 * obeyed["depth_error"]["value"], rel=1e-5)
    assert "depth_error_within_volume_slices" not in obeyed
    shuffled = np.random.default_rng(0).permutation(len(test))
    wrong = trained.obeyed(images, {name: column[shuffled] for name, column in told.items()}, 1 / 12)
    assert wrong["frame_accuracy"]["value"] < 0.7
    assert wrong["lesion_area_correlation"]["value"] < 0.3
    assert wrong["depth_error"]["value"] > 3 * obeyed["depth_error"]["value"]


def test_features_and_predictions_do_not_depend_on_the_batch(store, trained):
    images = store.images(np.arange(70))
    features, predicted = trained.features(images), trained.predict(images)
    assert features.shape == (70, 128)
    assert features.dtype == np.float32
    assert len(predicted["frame"]) == 70
    for number in (0, 63, 69):
        alone = images[number : number + 1]
        np.testing.assert_allclose(trained.features(alone)[0], features[number], atol=1e-5)
        for name, values in trained.predict(alone).items():
            if values.dtype.kind == "f":
                np.testing.assert_allclose(values[0], predicted[name][number], rtol=1e-4, atol=1e-5)
    assert trained.features(images[:0]).shape == (0, 128)
    assert len(trained.predict(images[:0])["depth"]) == 0


def test_only_slices_of_training_subjects_are_learnt_from(own_store, monkeypatch):
    read, images = [], Store.images
    monkeypatch.setattr(Store, "images", lambda self, indices: read.append(indices) or images(self, indices))
    monkeypatch.setattr(module, "held_out_scores", lambda *arguments: {})
    monkeypatch.setattr(Store, "select", _no_validation(Store.select))
    train_encoder(own_store, effort=SHORT)
    assert set(own_store.columns["split"][np.concatenate(read)]) == {"train"}


def _no_validation(select):
    return lambda self, split, *rest: select(self, split, *rest)[: None if split == "train" else 0]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(own_store):
    first, again, other = (train_encoder(own_store, seed=seed, effort=SHORT) for seed in (3, 3, 4))
    assert torch.equal(weights(first), weights(again))
    assert first.fingerprint == again.fingerprint != other.fingerprint


def test_it_is_kept_and_opened_again_without_training(own_store, monkeypatch):
    first = open_encoder(own_store, effort=SHORT)
    assert {path.suffix for path in own_store.folder.derived.iterdir()} == {".json", ".safetensors"}
    monkeypatch.setattr(module, "train_network", lambda *arguments: pytest.fail("trained again"))
    again = open_encoder(own_store, effort=SHORT)
    images = own_store.images(np.arange(8))
    np.testing.assert_array_equal(first.features(images), again.features(images))
    assert json.dumps(again.record) == json.dumps(first.record)
    assert (again.questions, again.note) == (first.questions, "")
    for changed in ({"seed": 1}, {"frames": ("dark",)}, {"effort": Effort(64, 192)}, {"effort": Effort(32, 128)}):
        with pytest.raises(pytest.fail.Exception):
            open_encoder(own_store, **{"effort": SHORT} | changed)
    own_store.description["fingerprint"] = "another store"
    with pytest.raises(pytest.fail.Exception):
        open_encoder(own_store, effort=SHORT)


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
def test_a_damaged_one_is_trained_anew(own_store, suffix):
    first = open_encoder(own_store, effort=SHORT)
    [path] = own_store.folder.derived.glob(f"*{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    again = open_encoder(own_store, effort=SHORT)
    assert again.fingerprint == first.fingerprint
    assert path.read_bytes() == content


def test_killed_before_the_last_file_nothing_counts_as_kept(own_store, monkeypatch):
    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            open_encoder(own_store, effort=SHORT)
    monkeypatch.setattr(module, "train_network", lambda *arguments: pytest.fail("trained again"))
    with pytest.raises(pytest.fail.Exception):
        open_encoder(own_store, effort=SHORT)


def test_where_the_store_cannot_be_written_to_it_says_that_it_is_trained_each_time(own_store):
    own_store.folder.derived.write_text("no folder")
    encoder = open_encoder(own_store, effort=SHORT)
    assert "can't be written to" in encoder.note
    assert encoder.note in EncoderFeatures(encoder).description


def test_what_a_store_does_not_know_is_neither_learnt_nor_predicted(tmp_path):
    store = taught.taught_store(tmp_path / "store", subjects=12, each=4, frames=("",), known=False)
    encoder = train_encoder(store, effort=SHORT)
    assert encoder.questions.asked == ("label",)
    assert encoder.predict(store.images(np.arange(2))).keys() == {"label", "label_probabilities"}
    assert encoder.labels == ("a", "b")
    assert encoder.frames == ()


def test_a_slice_and_its_mirror_image_get_the_same_answers(store, trained):
    images = store.images(np.arange(8))
    found, mirrored = trained.predict(images), trained.predict(images[:, :, ::-1])
    assert (images != images[:, :, ::-1]).any()
    for name in ("depth", "lesion_area_mm2", "frame_probabilities"):
        np.testing.assert_allclose(found[name], mirrored[name], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_it_learns_in_the_precision_that_the_device_multiplies_and_answers_in_float32(
    own_store, monkeypatch, precision
):
    monkeypatch.setattr(training, "settle_precision", lambda *_: precision)
    entered = []
    monkeypatch.setattr(
        EncoderNetwork,
        "_stages",
        lambda self, x, real=EncoderNetwork._stages: entered.append(real(self, x)) or entered[-1],
    )
    encoder = train_encoder(own_store, effort=SHORT)
    assert {stages[-1].dtype for stages in entered if stages[-1].requires_grad} == {
        torch.bfloat16 if precision == "bf16" else torch.float32
    }
    assert encoder.features(own_store.images(np.arange(2))).dtype == np.float32
    assert entered[-1][-1].dtype == torch.float32


def test_it_looks_as_finely_when_it_is_opened_again(own_store, monkeypatch):
    first = open_encoder(own_store, effort=Effort(16, 128, width=8))
    monkeypatch.setattr(module, "train_network", None)
    again = open_encoder(own_store, effort=Effort(16, 128, width=8))
    assert first.network.side == again.network.side == 16
    images = own_store.images(np.arange(8))
    assert first.features(images).shape == (8, 8 * 2**3)
    assert "; 64 features after pooling" in EncoderFeatures(first).description
    np.testing.assert_array_equal(first.features(images), again.features(images))
    assert "larger than 16×16 resized" in EncoderFeatures(again).description


def test_a_store_that_teaches_nothing_is_refused(tmp_path):
    store = taught.taught_store(tmp_path / "store", subjects=4, each=2, frames=("T1w",), labels=("",), known=False)
    with pytest.raises(InputError, match="teach an encoder nothing: it has one frame"):
        open_encoder(store)
    assert not store.folder.derived.exists()


def test_slices_of_another_side_are_refused(trained):
    with pytest.raises(InputError, match="slices of 32 pixels, these have 16"):
        trained.features(np.zeros((1, 16, 16), np.uint8))


def test_larger_slices_are_shrunk_first():
    network, large = EncoderNetwork(1, False).eval(), torch.rand(1, 1, 224, 224)
    shrunk = torch.nn.functional.interpolate(large, (64, 64), mode="bilinear", antialias=True)
    with torch.no_grad():
        torch.testing.assert_close(network.features(large), network.features(shrunk))


def test_the_extractor_says_what_it_was_trained_on_and_how_good_it_is(store, trained):
    extractor = EncoderFeatures(trained)
    images = store.images(np.arange(3))
    np.testing.assert_array_equal(extractor.features(images), trained.features(images))
    assert extractor.fingerprint == trained.fingerprint
    assert store.fingerprint in extractor.fingerprint
    subjects = len(np.unique(store.columns["subject"][store.select("train")]))
    assert f"real slices of {subjects} training subjects to tell frame, depth, lesion area, label" in (
        extractor.description
    )
    assert f"frame accuracy {trained.scores['frame_accuracy']['value']:.1%}" in extractor.description
