"""A recipe is composed of what each stage owns, and fitted to a store."""

import numpy as np
import pytest

import made
import taught
from braingan.errors import InputError
from braingan.folders import RunFolder
from braingan.recipe import compose, run_record, settle, train_recipe
from braingan.training.settings import LENGTH


def test_file_then_assignments_then_defaults(tmp_path):
    (tmp_path / "r.toml").write_text("[model]\nname = 'thesis15'\n[training]\nepochs = 3\nseed = 5\n")
    recipe = compose(tmp_path / "r.toml", ["training.seed=6"])
    assert (recipe.model.name, recipe.training.epochs, recipe.training.seed) == ("thesis15", 3, 6)
    assert recipe.training.batch_size == 64
    assert recipe.model_dump(mode="json")["model"] == {
        "name": "thesis15", "discriminator": "thesis", "leaky_slope": 0.01,
    }  # fmt: skip


def test_a_model_s_own_defaults_lie_between_the_settings_defaults_and_what_is_given():
    training = compose(None, ["model.name=latentflow", "training.learning_rate=1e-3"]).training
    assert (training.batch_size, training.betas) == (16, (0.5, 0.99))
    assert training.learning_rate == 1e-3
    assert compose(None, ["model.name=thesis4"]).training.batch_size == 64


@pytest.mark.parametrize(
    ("assignment", "fault"),
    [
        ("training.sed=1", "`training.sed`"),
        ("training.epochs=0", "`training.epochs`"),
        ("model.name=gan", "model.name = gan is unknown"),
        ("model.colour=1", "`model.colour`"),
        ("training=3", "`training`"),
    ],
)
def test_a_wrong_setting_is_named(assignment, fault):
    with pytest.raises(InputError, match=fault):
        compose(None, [assignment])


def test_the_data_settings_become_the_stores_and_contradictions_are_refused(tmp_path):
    store = made.picture_store(tmp_path)
    assert settle(compose(None, []), store).data.split_seed == 1
    with pytest.raises(InputError, match=r"data\.size is 128 in the recipe, but .* was prepared with 112"):
        settle(compose(None, ["data.size=128"]), store)


def test_sagittal_slices_are_mirrored_only_if_the_recipe_says_so(tmp_path):
    store = made.picture_store(tmp_path)
    for axis, mirrored in (("axial", True), ("coronal", True), ("sagittal", False)):
        store.description["settings"]["axis"] = axis
        settled = settle(compose(None, []), store)
        assert settled.model.mirror == mirrored
        assert settle(settled, store).model == settled.model
        for wanted in ("true", "false"):
            assert settle(compose(None, [f"model.mirror={wanted}"]), store).model.mirror == (wanted == "true")
        assert settle(compose(None, ["model.name=thesis4"]), store).model.name == "thesis4"


def test_masks_that_the_store_does_not_teach_are_refused_before_any_training(tmp_path):
    wanted, few = compose(None, ["model.masks=true"]), ["model.masks=true", "training.samples=1000000"]
    store = taught.taught_store(tmp_path / "unmapped")
    with pytest.raises(
        InputError, match=r"model\.masks: .* training slices have no label map.*: leave the setting out"
    ):
        train_recipe(wanted, store, RunFolder(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
    assert not settle(compose(None, []), store).model.masks
    store = taught.taught_store(tmp_path / "mapped", unmapped=0)
    assert settle(wanted, store).model.masks
    assert settle(compose(None, few), store).model.masks  # that there are fewer slices is said elsewhere
    store.columns["lesion_area_mm2"] = np.zeros(len(store), np.float32)
    with pytest.raises(InputError, match=r"only 0 of its .* training slices have a lesion.*at least 1% of them"):
        settle(wanted, store)


def test_identity_is_everything_but_the_length(tmp_path):
    store = made.picture_store(tmp_path)

    def identity(*sets):
        return run_record(settle(compose(None, list(sets)), store), store)["identity"]

    longer = identity("training.epochs=99", "training.minutes=3", "training.snapshots=[1]", "training.threads=1")
    assert longer == identity()
    assert not set(LENGTH) & set(identity()["training"])
    assert identity("training.seed=1") != identity()
    assert identity("model.name=thesis4") != identity()
