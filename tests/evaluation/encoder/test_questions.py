"""What is asked, what is unknown, and what raw answers stand for."""

from dataclasses import asdict

import numpy as np
import torch

from braingan.evaluation.encoder.questions import Answers, Questions, Scale

ALL = Questions(("FLAIR", "T1w", "T2w"), ("nd", "vm"), Scale(0.5, 0.2), Scale(10.0, 5.0))
NAN = np.nan


def answers(frame, label, depth, area):
    return Answers(np.array(frame), np.array(label), np.array(depth, np.float32), np.array(area, np.float32))


def test_what_is_unknown_of_a_slice_takes_no_part_in_the_loss():
    raw = torch.randn(4, ALL.width, generator=torch.Generator().manual_seed(0), requires_grad=True)
    known = ALL.loss(raw[:2], answers([0, 2], [1, 0], [0.1, 0.9], [0, 300]))
    loss = ALL.loss(raw, answers([0, 2, -1, -1], [1, 0, -1, -1], [0.1, 0.9, NAN, NAN], [0, 300, NAN, NAN]))
    loss.backward()
    torch.testing.assert_close(loss, known)
    assert torch.isfinite(raw.grad).all()
    assert (raw.grad[:2] != 0).all()
    assert (raw.grad[2:] == 0).all()


def test_a_batch_of_which_nothing_is_known_costs_nothing():
    raw = torch.randn(2, ALL.width, requires_grad=True)
    loss = ALL.loss(raw, answers([-1, -1], [-1, -1], [NAN, NAN], [NAN, NAN]))
    loss.backward()
    assert loss == 0
    assert (raw.grad == 0).all()


def test_the_right_raw_answers_cost_nothing_and_are_read_as_what_they_stand_for():
    raw = torch.zeros(2, ALL.width)
    raw[:, ALL.places["frame"]] = torch.tensor([[0.0, 99, 0], [99, 0, 0]])
    raw[:, ALL.places["label"]] = torch.tensor([[99.0, 0], [0, 99]])
    raw[:, ALL.places["depth"]] = torch.tensor([[-1.0], [2.0]])
    raw[:, ALL.places["extent"]] = torch.tensor([[-2.0], [2.0]])
    raw[:, ALL.places["lesion"]] = torch.tensor([[-99.0], [99.0]])
    assert ALL.loss(raw, answers([1, 0], [0, 1], [0.3, 0.9], [0, 400])) < 1e-10
    found = ALL.read(raw)
    assert found["frame"].tolist() == ["T1w", "FLAIR"]
    assert found["label"].tolist() == ["nd", "vm"]
    np.testing.assert_allclose(found["depth"], [0.3, 0.9])
    np.testing.assert_allclose(found["lesion_area_mm2"], [0, 400])
    np.testing.assert_allclose(found["lesion_probability"], [0, 1], atol=1e-6)
    np.testing.assert_allclose(found["frame_probabilities"].sum(axis=1), 1)


def test_a_slice_drawn_larger_has_a_larger_lesion():
    there = answers([0, 1], [0, 1], [0.5, 0.5], [100, 0]).of(np.array([1, 0]), np.array([1.1, 0.5], np.float32))
    np.testing.assert_allclose(there.area, [0, 25])
    assert there.frame.tolist() == [1, 0]


def test_what_does_not_vary_has_no_scale():
    assert Scale.of(np.array([NAN, 0.5, 0.5], np.float32)) is None
    assert Scale.of(np.array([NAN, NAN], np.float32)) is None
    assert Scale.of(np.array([NAN, 1, 3], np.float32)) == Scale(2.0, 1.0)


def test_questions_are_read_back_as_they_were_written():
    fewer = Questions((), ("nd", "vm"), None, Scale(1.0, 2.0))
    for questions in (ALL, fewer):
        assert Questions.from_json(asdict(questions)) == questions
    assert fewer.asked == ("lesion area", "label")
    assert fewer.width == 4
