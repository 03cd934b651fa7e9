"""Arms, intervals, and that a network learns what its slices teach."""

import numpy as np
import pytest

from braingan.data.store import Store
from braingan.errors import InputError
from braingan.evaluation.utility import utility
from braingan.evaluation.utility.compare import _answers, _arms, few_subjects, trained
from braingan.evaluation.utility.task import Task
from braingan.sampling.generator import TrainedGenerator


@pytest.mark.parametrize("which", ["masked", "told"])
def test_every_arm_has_a_score_and_its_gain_over_real_slices(which, request):
    run = request.getfixturevalue(which)
    found = utility(TrainedGenerator.open(run), Store.open(run.root.parent / "store"), 0.2, 2, 3)
    assert found["arms"].keys() == {"real", "synthetic", "both"}
    for arm, of in found["arms"].items():
        assert 0 <= of["low"] <= of["high"] <= 1
        if arm != "real":
            assert of["gain"] == pytest.approx(of["value"] - found["arms"]["real"]["value"])
    assert found["few_subjects"] < found["generator_saw_subjects"]


def test_a_network_learns_lesions_from_real_slices(masked):
    generator, store = TrainedGenerator.open(masked), Store.open(masked.root.parent / "store")
    task, test = Task.of(generator), store.select("test")
    subject = np.unique(store.columns["subject"][test], return_inverse=True)[1].reshape(-1)
    wanted, scores = task.real(store, test), []
    for steps in (2, 80):
        network = trained(task, [task.real(store, store.select("train"))], steps, 0)
        score = task.score(_answers(task, network, wanted), wanted.targets, subject)
        scores.append(score(np.ones(subject.max() + 1)))
    assert scores[1] > 0.7 > scores[0]


def test_few_subjects_are_a_share_of_each_label_and_other_ones_for_each_seed(told):
    generator, store = TrainedGenerator.open(told), Store.open(told.root.parent / "store")
    training = store.select("train")
    drawn = [few_subjects(store, training, Task.of(generator), 0.2, seed) for seed in range(4)]
    for indices in drawn:
        assert set(store.columns["label"][indices]) == {"a", "b"}
        subjects = np.unique(store.columns["subject"][indices])
        assert 2 <= len(subjects) <= 0.3 * len(np.unique(store.columns["subject"][training]))
        assert np.isin(store.columns["subject"][training], subjects).sum() == len(indices)
    assert len({tuple(indices) for indices in drawn}) > 1


def test_an_interval_of_a_gain_is_paired():
    """Subjects differ much, but every one gains 0.1."""
    level = np.linspace(0.1, 0.8, 30)

    def mean_of(values):
        return lambda weights: float(weights @ values / weights.sum())

    found = _arms(
        {"real": [mean_of(level)] * 3, "synthetic": [mean_of(level + 0.1)] * 3, "both": [mean_of(level)] * 3}, 30
    )
    assert found["synthetic"]["gain_low"] == pytest.approx(0.1)
    assert found["synthetic"]["gain_high"] == pytest.approx(0.1)
    assert found["real"]["low"] == pytest.approx(level.mean() - 1.96 * level.std() / 30**0.5, abs=0.02)
    assert (found["both"]["gain_low"], found["both"]["gain_high"]) == (0, 0)


def test_too_few_test_subjects_are_refused(masked, tmp_path):
    import taught

    generator = TrainedGenerator.open(masked)
    small = taught.taught_store(tmp_path, subjects=4, unmapped=0)
    with pytest.raises(InputError, match="at least 4 with lesions"):
        utility(generator, small)
