"""Arms, intervals, and that a network learns what its slices teach."""

import numpy as np
import pytest

from braingan.data.store import Store
from braingan.errors import InputError
from braingan.evaluation.utility import utility
from braingan.evaluation.utility.compare import _answers, _arms, few_subjects, trained
from braingan.evaluation.utility.task import Task
from braingan.sampling.generator import TrainedGenerator


@pytest.mark.parametrize(("which", "wrong"), [("masked", 0.0), ("told", 0.5)])
def test_each_arm_learns_from_its_own_slices_and_is_scored_on_test_subjects(which, wrong, request, monkeypatch):
    """Here nothing is learnt; what saw both kinds of slices answers rightly."""
    run = request.getfixturevalue(which)
    generator, store = TrainedGenerator.open(run), Store.open(run.root.parent / "store")
    task, test, seen = Task.of(generator), store.select("test"), []

    def training(path, task, sources, steps, seed):
        path.parent.mkdir(exist_ok=True)
        seen.append((seed, sources()))
        return sources()

    def answering(task, sources, wanted):
        np.testing.assert_array_equal(wanted.images, store.images(test))
        right = len(sources) == 2
        return (wanted.targets > 0) & right if task.name == "segmentation" else np.eye(2)[wanted.targets] * right

    monkeypatch.setattr("braingan.evaluation.utility.compare._kept", training)
    monkeypatch.setattr("braingan.evaluation.utility.compare._answers", answering)
    found = utility(generator, store, 0.2, 2, 3)
    assert found["arms"]["both"] == {
        "value": 1, "low": 1, "high": 1, "gain": 1 - wrong, "gain_low": 1 - wrong, "gain_high": 1 - wrong,
    }  # fmt: skip
    assert found["arms"]["real"] == {"value": wrong, "low": wrong, "high": wrong}
    assert found["arms"]["synthetic"]["gain"] == 0
    assert [seed for seed, _ in seen] == [0, 0, 0, 1, 1, 1]
    few = [few_subjects(store, task.known(store, store.select("train")), task, 0.2, seed) for seed in (0, 1)]
    for seed in (0, 1):
        (_, real), (_, synthetic), (_, both) = seen[3 * seed : 3 * seed + 3]
        np.testing.assert_array_equal(real[0].images, store.images(few[seed]))
        np.testing.assert_array_equal(synthetic[0].images, generator.sample(found["generated"], seed))
        assert both == [real[0], synthetic[0]]
    assert found["generated"] == min(3 * 16, len(store.select("train")))
    assert found["few_subjects"] == len(np.unique(store.columns["subject"][few[0]])) < found["generator_saw_subjects"]


def test_what_stopped_goes_on_where_it_was(masked, monkeypatch):
    generator, store = TrainedGenerator.open(masked), Store.open(masked.root.parent / "store")
    whole, trainings = utility(generator, store, 0.2, 2, 3, 16), []

    def stopping(task, sources, steps, seed):
        trainings.append(seed)
        if len(trainings) == 5:
            raise KeyboardInterrupt
        return trained(task, sources, steps, seed)

    monkeypatch.setattr("braingan.evaluation.utility.compare.trained", stopping)
    with pytest.raises(KeyboardInterrupt):
        utility(generator, store, 0.2, 2, 3, 16)
    assert utility(generator, store, 0.2, 2, 3, 16) == whole
    assert trainings == [0, 0, 0, 1, 1, 1, 1]
    assert whole["generated"] == 16
    assert not list(generator.snapshot.root.glob("utility-*"))


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


def test_few_subjects_have_lesions_where_lesions_are_learnt(masked):
    generator, store = TrainedGenerator.open(masked), Store.open(masked.root.parent / "store")
    training = store.select("train")
    subjects = store.columns["subject"][training]
    ill = np.unique(subjects)[0]
    store.columns["lesion_area_mm2"] = np.where(store.columns["subject"] == ill, np.float32(25), np.float32(0))
    for seed in range(5):
        chosen = np.unique(store.columns["subject"][few_subjects(store, training, Task.of(generator), 0.1, seed)])
        assert ill in chosen
        assert 2 <= len(chosen) < len(np.unique(subjects)) / 4


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
