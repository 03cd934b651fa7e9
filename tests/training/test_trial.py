"""Ten steps tell what a training will take, and leave nothing behind."""

import pytest

import made
from braingan.errors import InputError
from braingan.training.settings import TrainingSettings
from braingan.training.trial import try_steps
from runs import Tiny


def test_time_is_that_of_all_images_at_the_rate_seen(tmp_path):
    store = made.picture_store(tmp_path, size=16)
    settings = TrainingSettings(batch_size=8, threads=1, samples=16, epochs=10)
    trial = try_steps(store, (), Tiny(), settings)
    assert trial.images == 160
    assert trial.seconds == pytest.approx(160 / trial.images_per_second)
    assert 2**26 < trial.memory < 2**36
    short = settings.model_copy(update={"minutes": 1e-6})
    assert try_steps(store, (), Tiny(), short).seconds == pytest.approx(6e-5)
    assert try_steps(store, (), Tiny(), short).images < 160


def test_what_training_refuses_is_refused(tmp_path):
    store = made.picture_store(tmp_path, size=16)
    with pytest.raises(InputError, match="FLAIR not in the store"):
        try_steps(store, ("FLAIR",), Tiny(), TrainingSettings())
