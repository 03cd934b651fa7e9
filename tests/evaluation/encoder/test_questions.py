"""What is asked, what is unknown, and what raw answers stand for."""

from dataclasses import asdict

import numpy as np
import pytest
import torch

from braingan.evaluation.encoder.questions import CELLS_WEIGHT, Answers, Questions, Scale

ALL = Questions(("FLAIR", "T1w", "T2w"), ("nd", "vm"), Scale(0.5, 0.2), Scale(10.0, 5.0), 1600.0)
NAN = np.nan


def answers(frame, label, depth, area):
    return Answers(np.array(frame), np.array(label), np.array(depth, np.float32), np.array(area, np.float32))


def test_what_is_unknown_of_a_slice_takes_no_part_in_the_loss():
    generator = torch.Generator().manual_seed(0)
    raw = torch.rand(4, ALL.width, generator=generator, requires_grad=True)
    lesion_map = torch.randn(4, 5, 5, generator=generator, requires_grad=True)
    masks = (torch.rand(4, 1, 20, 20, generator=generator) < 0.5).float()
    known = ALL.loss(raw[:2], lesion_map[:2], answers([0, 2], [1, 0], [0.1, 0.9], [0, 300]), masks[:2])
    of_all = answers([0, 2, -1, -1], [1, 0, -1, -1], [0.1, 0.9, NAN, NAN], [0, 300, NAN, NAN])
    loss = ALL.loss(raw, lesion_map, of_all, masks)
    loss.backward()
    torch.testing.assert_close(loss, known)
    for gradient in (raw.grad, lesion_map.grad):
        assert torch.isfinite(gradient).all()
        assert (gradient[:2] != 0).all()
        assert (gradient[2:] == 0).all()


def test_a_batch_of_which_nothing_is_known_costs_nothing():
    raw = torch.rand(2, ALL.width, requires_grad=True)
    of_nothing = answers([-1, -1], [-1, -1], [NAN, NAN], [NAN, NAN])
    loss = ALL.loss(raw, torch.zeros(2, 5, 5), of_nothing, torch.zeros(2, 1, 20, 20))
    loss.backward()
    assert loss == 0
    assert (raw.grad == 0).all()


def test_the_right_raw_answers_cost_nothing_and_are_read_as_what_they_stand_for():
    raw = torch.zeros(2, ALL.width)
    raw[:, ALL.places["frame"]] = torch.tensor([[0.0, 99, 0], [99, 0, 0]])
    raw[:, ALL.places["label"]] = torch.tensor([[99.0, 0], [0, 99]])
    raw[:, ALL.places["depth"]] = torch.tensor([[-1.0], [2.0]])
    raw[:, ALL.places["share"]] = torch.tensor([[0.0], [0.25]])
    raw[:, ALL.places["lesion"]] = torch.tensor([[-99.0], [99.0]])
    masks = torch.zeros(2, 1, 20, 20)
    masks[1, 0, 4:12, :12] = masks[1, 0, 16, 16:] = 1  # six whole cells of 4 × 4 pixels and a quarter of another
    lesion_map = torch.full((2, 5, 5), -99.0)
    lesion_map[1, 1:3, :3] = 99
    lesion_map[1, 4, 4] = np.log(0.25 / 0.75)
    least = (
        CELLS_WEIGHT * (-0.25 * np.log(0.25) - 0.75 * np.log(0.75)) / 25 / 2
    )  # what one cell of a quarter always costs
    assert ALL.loss(raw, lesion_map, answers([1, 0], [0, 1], [0.3, 0.9], [0, 400]), masks) == pytest.approx(least)
    found = ALL.read(raw)
    assert found["frame"].tolist() == ["T1w", "FLAIR"]
    assert found["label"].tolist() == ["nd", "vm"]
    np.testing.assert_allclose(found["depth"], [0.3, 0.9])
    np.testing.assert_allclose(found["lesion_area_mm2"], [0, 400])
    np.testing.assert_allclose(found["lesion_probability"], [0, 1], atol=1e-6)
    np.testing.assert_allclose(found["frame_probabilities"].sum(axis=1), 1)


def test_what_does_not_vary_has_no_scale():
    assert Scale.of(np.array([NAN, 0.5, 0.5], np.float32)) is None
    assert Scale.of(np.array([NAN, NAN], np.float32)) is None
    assert Scale.of(np.array([NAN, 1, 3], np.float32)) == Scale(2.0, 1.0)


def test_questions_are_read_back_as_they_were_written():
    fewer = Questions((), ("nd", "vm"), None, Scale(1.0, 2.0), 12.5)
    for questions in (ALL, fewer):
        assert Questions.from_json(asdict(questions)) == questions
    assert fewer.asked == ("lesion area", "label")
    assert fewer.width == 4
