"""A recipe is composed of what each stage owns, and fitted to a store."""

import pytest

import made
from braingan.errors import InputError
from braingan.recipe import compose, run_record, settle
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


def test_identity_is_everything_but_the_length(tmp_path):
    store = made.picture_store(tmp_path)

    def identity(*sets):
        return run_record(settle(compose(None, list(sets)), store), store)["identity"]

    longer = identity("training.epochs=99", "training.minutes=3", "training.snapshots=[1]", "training.threads=1")
    assert longer == identity()
    assert not set(LENGTH) & set(identity()["training"])
    assert identity("training.seed=1") != identity()
    assert identity("model.name=thesis4") != identity()
