"""What loss curves show."""

import numpy as np
import pytest

from braingan.study.losses import loss_facts


def rows(discriminator, generator):
    return [
        {"discriminator_loss": str(d), "generator_loss": str(g)} for d, g in zip(discriminator, generator, strict=True)
    ]


def test_losses_that_mirror_each_other_correlate_by_minus_one():
    facts = loss_facts(rows([1, 2, 1, 2, 1, 2], [5, 4, 5, 4, 5, 4]))
    assert facts.correlation == pytest.approx(-1)


def test_a_change_is_that_of_the_line():
    facts = loss_facts(rows(np.linspace(1, 0.1, 10), np.linspace(1, 9, 10)))
    assert facts.discriminator_change == pytest.approx(-0.9)
    assert facts.generator_change == pytest.approx(8)
    assert facts.late_deviation == pytest.approx(0, abs=1e-9)


def test_only_the_second_half_is_late():
    early, late = [0, 9, 0, 9, 0, 9], [4.0, 4.5, 4.0, 4.5, 4.0, 4.5]
    assert loss_facts(rows(range(12), early + late)).late_deviation == pytest.approx(0.25, rel=0.1)


def test_few_epochs_and_constant_losses_show_nothing():
    assert loss_facts(rows([1, 2, 3, 4], [1, 2, 3, 4])) is None
    assert np.isnan(loss_facts(rows([1] * 6, range(6))).correlation)
