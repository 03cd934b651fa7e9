"""Planted ends of the game are found, a game that goes on is not disturbed."""

import math

import pytest
import torch

import made
from braingan.errors import InputError
from braingan.folders import RunFolder, read_csv
from braingan.training import loop
from braingan.training import record as record_module
from braingan.training.health import PATIENCE, Health, diversity, norm
from braingan.training.loop import train
from braingan.training.run import read_log
from braingan.training.settings import TrainingSettings, identity
from runs import Tiny, newest_checkpoint

GAME = {"discriminator_loss": 1.2, "generator_loss": 0.9, "diversity": 0.8, "fake_probability": 0.3}
WON = GAME | {"discriminator_loss": 0.01, "generator_loss": 7.0}
MINIMAX = GAME | {"discriminator_loss": 0.01, "generator_loss": -0.01, "fake_probability": 1e-3}
ONE = GAME | {"diversity": 0.02}


def judged(*windows, batch_size=16):
    health = Health(batch_size)
    return [health.judge(dict(window)) for window in windows]


def test_a_game_is_no_trouble_and_bad_windows_must_last():
    assert judged(*[GAME] * 20) == [""] * 20
    assert judged(*[WON] * (PATIENCE - 1), GAME, *[WON] * (PATIENCE - 1)) == [""] * (2 * PATIENCE - 1)


@pytest.mark.parametrize(
    ("window", "words"),
    [
        (WON, "discriminator has won: its loss is 0.01"),
        (MINIMAX, "discriminator has won: its loss is 0.01"),
        (ONE, "one picture"),
    ],
)
def test_what_lasts_is_said_once(window, words):
    found = judged(*[window] * (2 * PATIENCE))
    assert words in found[PATIENCE - 1]
    assert found[PATIENCE:] == [""] * PATIENCE


def test_a_number_that_is_none_is_said_at_once():
    assert judged(GAME | {"generator_gradient": math.nan}) == ["no longer finite: generator gradient"]


def test_batches_too_small_to_differ_are_not_judged_by_it():
    assert judged(*[ONE] * 20, batch_size=4) == [""] * 20


def test_diversity_is_blind_to_noise_and_to_brightness():
    torch.manual_seed(0)
    shapes = torch.nn.functional.interpolate(torch.randn(32, 1, 4, 4), 32)
    one_picture = shapes[:1].expand(32, -1, -1, -1)
    assert diversity(shapes + 1, shapes).item() == pytest.approx(1)
    assert diversity(shapes / 2, shapes).item() == pytest.approx(0.5)
    assert diversity(one_picture + 0.2 * torch.randn(32, 1, 32, 32), shapes) < 0.1
    assert diversity(one_picture, one_picture) == 0


def test_norm_is_that_of_all_numbers_together():
    assert norm([torch.tensor([3.0]), torch.tensor([[4.0, 12.0]])]).item() == pytest.approx(13)
    assert not norm([torch.tensor([3.0]), torch.tensor([math.inf])]).isfinite()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return made.picture_store(tmp_path_factory.mktemp("health"), size=16)


def go(folder, store, **settings):
    chosen = TrainingSettings(batch_size=8, threads=1, precision="float32", **settings)
    config = {"identity": {"training": identity(chosen)}}
    return train(RunFolder(folder), store, (), Tiny(), chosen, config)


def events(folder):
    return [row["event"] for row in read_csv(RunFolder(folder).events)]


@pytest.fixture
def _short_windows(monkeypatch):
    monkeypatch.setattr(record_module, "WINDOW", 10)
    monkeypatch.setattr(record_module, "KEEP_EVERY", 1)
    monkeypatch.setattr(record_module, "GRID", 8)


def spoiled(monkeypatch, spoil):
    """Let every training begin with networks that were tampered with."""
    initial_state = loop.initial_state

    def tampered(*arguments):
        state = initial_state(*arguments)
        spoil(state)
        return state

    monkeypatch.setattr(loop, "initial_state", tampered)


def generator_that_never_learns(state):
    state.optimizers["generator"].param_groups[0]["lr"] = 0.0
    state.optimizers["discriminator"].param_groups[0]["lr"] = 0.02


def generator_that_ignores_its_latent(state):
    with torch.no_grad():
        state.networks["generator"][0].weight.zero_()


PLANTED = [
    (generator_that_never_learns, "the discriminator has won"),
    (generator_that_ignores_its_latent, "one picture"),
]


@pytest.mark.parametrize(("spoil", "words"), PLANTED)
@pytest.mark.usefixtures("_short_windows")
def test_a_planted_collapse_is_written_down_and_by_default_goes_on(store, tmp_path, monkeypatch, spoil, words):
    spoiled(monkeypatch, spoil)
    assert go(tmp_path / "run", store, epochs=100)
    found = [event for event in events(tmp_path / "run") if words in event]
    assert len(found) == 1
    assert read_log(RunFolder(tmp_path / "run"))[-1]["epoch"] == "100"


@pytest.mark.usefixtures("_short_windows")
def test_it_stops_the_training_if_asked_which_the_same_command_overrules(store, tmp_path, monkeypatch):
    spoiled(monkeypatch, generator_that_ignores_its_latent)
    with pytest.raises(
        InputError, match=rf"stopped at image {PATIENCE * 10 * 8}, its state saved: the generator paints one picture"
    ):
        go(tmp_path / "run", store, epochs=100, trouble="stop")
    assert events(tmp_path / "run")[-1] == "stopped for trouble"
    assert go(tmp_path / "run", store, epochs=100, trouble="stop")
    assert events(tmp_path / "run")[-1] == "finished"


@pytest.mark.usefixtures("_short_windows")
def test_rolling_back_halves_the_rate_and_takes_the_log_back(store, tmp_path):
    """A rate of 1e30 diverges in a step, again and again, until five halvings have not helped."""
    with pytest.raises(InputError, match="no longer finite"):
        go(tmp_path / "run", store, epochs=60, trouble="roll_back", learning_rate=1e30)
    rates = [event.partition("learning rate ")[2] for event in events(tmp_path / "run") if "rolled back" in event]
    assert rates == ["5e+29", "2.5e+29", "1.25e+29", "6.25e+28", "3.13e+28"]
    saved = newest_checkpoint(RunFolder(tmp_path / "run"))
    assert saved["rolled_back"] == 5
    assert saved["step"] == 0
    assert {group["lr"] for o in saved["optimizers"].values() for group in o["param_groups"]} == {1e30 / 32}
    assert read_log(RunFolder(tmp_path / "run")) == []


def test_a_healthy_training_is_left_in_peace(store, tmp_path, monkeypatch):
    monkeypatch.setattr(record_module, "GRID", 8)
    assert go(tmp_path / "run", store, epochs=200, trouble="stop", learning_rate=2e-3)
    assert [event.split()[0] for event in events(tmp_path / "run")] == ["started", "finished"]
