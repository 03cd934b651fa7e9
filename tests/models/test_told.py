"""What is told, and what is drawn where nothing is."""

import pytest
import torch

from braingan.models.told import DEPTH, FRAME, LABEL, LESION, OPEN, ROWS, Told, left_open

NAN = torch.nan


def fitted():
    """Frame 0 lies low and healthy, frame 1 high and, in its upper half, with lesions of 100 to 900 mm²."""
    torch.manual_seed(0)
    low, high = torch.rand(600) * 0.4, 0.5 + torch.rand(600) * 0.4
    area = torch.where(high > 0.7, 100 + 4000 * (high - 0.7), 0)
    frame, none = torch.tensor([0.0, 1.0]).repeat_interleave(600), torch.full((1200,), NAN)
    told = Told(2, 0, 16)
    rows = torch.stack([frame, none, torch.cat([low, high]), torch.cat([torch.zeros(600), area])], 1)
    told.fit(rows[torch.randperm(1200)])
    return told


def drawn(told, *wish):
    torch.manual_seed(1)
    return told.draw(torch.tensor([wish]).expand(4000, -1), torch.randn(4000))


def test_without_a_wish_rows_are_drawn_as_they_are_there():
    told = fitted()
    rows = drawn(told, NAN, NAN, NAN, NAN)
    assert rows[:, LABEL].isnan().all()
    assert rows[:, FRAME].mean() == pytest.approx(0.5, abs=0.03)
    at = torch.linspace(0.05, 0.95, 10)
    torch.testing.assert_close(rows[:, DEPTH].quantile(at), told.rows[:, DEPTH].quantile(at), atol=0.03, rtol=0)
    torch.testing.assert_close(rows[:, LESION] > 0, (rows[:, DEPTH] > 0.7))


def test_the_last_number_decides_which_row():
    told = fitted()
    normal = torch.linspace(-3, 3, 50)
    rows = told.draw(torch.full((50, 4), NAN), normal)
    assert torch.equal(rows[:25, FRAME], torch.zeros(25))
    assert torch.equal(rows[25:, FRAME], torch.ones(25))
    assert (rows[:25, DEPTH].diff() >= 0).all()


def test_depth_by_depth_one_number_draws_a_lesion_as_large_among_its_kind():
    torch.manual_seed(0)
    depth = torch.rand(4000)
    largest = 900 * (1 - (2 * depth - 1).square())  # of lesions, in the middle; half of the rows have none
    area = largest * (2 * torch.rand(4000) - 1).clamp(min=0)
    told = Told(0, 0, 16)
    told.fit(torch.stack([torch.full((4000,), NAN)] * 2 + [depth, area], 1))
    wishes = torch.full((50, 4), NAN)
    wishes[:, DEPTH] = torch.linspace(0.1, 0.9, 50)
    for share, least, most in ((0.3, 0.0, 0.0), (0.75, 0.35, 0.65), (0.95, 0.75, 1.0)):
        areas = told.draw(wishes, torch.full((50,), float(torch.special.ndtri(torch.tensor(share)))))[:, LESION]
        of_largest = areas / (900 * (1 - (2 * wishes[:, DEPTH] - 1).square()))
        assert (of_largest >= least - 0.1).all()
        assert (of_largest <= most + 0.1).all()


def test_what_is_wished_for_is_kept_and_the_rest_drawn_to_go_with_it():
    told = fitted()
    rows = drawn(told, 1.0, NAN, NAN, NAN)
    assert (rows[:, FRAME] == 1).all()
    assert rows[:, DEPTH].min() >= 0.5
    rows = drawn(told, NAN, NAN, NAN, 500.0)
    assert (rows[:, LESION] == 500).all()
    assert (rows[:, FRAME] == 1).all()
    assert rows[:, DEPTH].mean() == pytest.approx(0.8, abs=0.02)
    rows = drawn(told, NAN, NAN, NAN, 0.0)
    assert rows[:, DEPTH].max() <= 0.71


def test_what_no_row_is_near_to_leaves_the_rest_unknown():
    rows = drawn(fitted(), NAN, NAN, 0.1, 500.0)
    assert (rows[:, DEPTH] == 0.1).all()
    assert rows[:, FRAME].isnan().all()


def test_where_nothing_is_known_nothing_is_told():
    told = Told(0, 0, 16)
    told.fit(torch.full((10, 4), NAN))
    rows = told.draw(torch.full((3, 4), NAN), torch.randn(3))
    assert rows.isnan().all()
    assert not told(rows).any()


def test_each_known_condition_changes_the_vector_and_no_unknown_one_does():
    told = fitted()
    nothing = told(torch.full((1, 4), NAN))
    for condition, (one, other) in {FRAME: (0, 1), DEPTH: (0.2, 0.8), LESION: (0.0, 400.0)}.items():
        row = torch.full((2, 4), NAN)
        row[:, condition] = torch.tensor([one, other])
        first, second = told(row)
        assert (first - second).abs().max() > 1e-3
        assert (first - nothing).abs().max() > 1e-3
    assert not nothing.any()


def test_fewer_rows_than_are_kept_are_repeated_evenly():
    told = Told(0, 0, 16)
    rows = torch.full((3, 4), NAN)
    rows[:, DEPTH] = torch.tensor([0.5, 0.1, 0.9])
    told.fit(rows)
    counts = told.rows[:, DEPTH].unique(return_counts=True)
    assert counts[0].tolist() == pytest.approx([0.1, 0.5, 0.9])
    assert counts[1].max() - counts[1].min() <= 1
    assert counts[1].sum() == ROWS


def test_conditions_are_left_open_each_by_itself():
    torch.manual_seed(0)
    rows = left_open(torch.zeros(20_000, 4), torch.randn(20_000, 4))
    open_ = rows.isnan().float()
    torch.testing.assert_close(open_.mean(0), torch.full((4,), OPEN), atol=0.01, rtol=0)
    assert open_.prod(1).mean() < 0.001
