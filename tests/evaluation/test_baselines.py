"""What a generator has to beat."""

import numpy as np

from braingan.evaluation.baselines import blurred, gaussian

RNG = np.random.default_rng(0)


def test_the_gaussian_has_the_mean_and_the_components_of_the_training_slices():
    patterns = np.stack([np.sin(np.arange(256) / 9), np.cos(np.arange(256) / 5)])
    slices = (128 + RNG.normal(size=(300, 2)) * [30, 10] @ patterns).reshape(300, 16, 16)
    training = np.clip(slices, 0, 255).astype(np.uint8)
    made = gaussian(training, 400).reshape(400, -1).astype(float)
    real = training.reshape(300, -1).astype(float)
    assert np.abs(made.mean(axis=0) - real.mean(axis=0)).max() < 6
    assert np.corrcoef(np.cov(made.T).ravel(), np.cov(real.T).ravel())[0, 1] > 0.98
    assert (gaussian(training, 3) == gaussian(training, 3)).all()


def test_blurring_keeps_the_mean_and_takes_the_detail():
    slices = RNG.integers(0, 256, (3, 48, 48)).astype(np.uint8)
    found = blurred(slices)
    assert found.std() < 0.6 * slices.std()
    assert np.abs(found.mean(axis=(1, 2)) - slices.mean(axis=(1, 2))).max() < 1
    point = np.zeros((1, 112, 112), np.uint8)
    point[0, 40, 70] = 255
    row, column = np.unravel_index(blurred(point).argmax(), (112, 112))
    assert (row, column) == (40, 70)
