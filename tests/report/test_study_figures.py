"""A study's figures: what is drawn of lists, seeds and capped cells."""

from dataclasses import replace
from pathlib import Path

import pytest

from braingan.folders import RunFolder, SnapshotFolder
from braingan.report.study_figures import along_axes, cost, figures_of, label, losses, over_epochs, series_of
from braingan.study.table import Row, over_seeds


def row(seed, value, note="", **values):
    """A row whose interval by subject is far wider than what seeds differ by."""
    values = {**{name.replace("__", "."): of for name, of in values.items()}, "training.seed": seed}
    found = {"metrics": {"frechet_distance": {"value": value, "low": 0.0, "high": 50.0}}}
    log = [{"epoch": "1", "images": "8", "seconds": "60", "discriminator_loss": "1", "generator_loss": "1"}]
    return Row(values, RunFolder(Path("nowhere")), 1, 10, 2, note, "", log, SnapshotFolder(Path("nowhere")), found)


def bars(axes, number=0):
    """Ends of the error bars of a line."""
    return [segment[:, 1].tolist() for segment in axes.containers[number][2][0].get_segments()]


def test_values_of_an_axis_may_be_lists():
    rows = [row(0, 4.0, model__widths=[8, 8]), row(0, 5.0, model__widths=[16, 16])]
    axes = along_axes(rows).axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["[8, 8]", "[16, 16]"]
    assert figures_of(rows).keys() >= {"along_axes", "cost", "losses", "times"}


def test_bars_are_the_intervals_over_seeds_and_of_one_seed_by_subject():
    rows = [row(seed, value, training__epochs=5) for seed, value in enumerate((4.0, 6.0, 8.0))]
    rows.append(row(0, 7.0, training__epochs=10))
    found = over_seeds(rows[:3], "frechet_distance")
    assert found["low"] < 0 < 25 < found["high"]
    assert bars(along_axes(rows).axes[0]) == [pytest.approx([found["low"], found["high"]]), [0.0, 50.0]]
    assert bars(cost(rows).axes[0]) == [pytest.approx([found["low"], found["high"]])]


def test_the_larger_a_mark_of_cost_the_more_slices_and_lengths_are_joined():
    rows = [row(0, 9.0 - n, training__samples=5 * n, training__epochs=e) for n in (1, 2, 3) for e in (5, 10)]
    rows = [replace(of, log=[of.log[0] | {"seconds": str(of.values["training.epochs"])}]) for of in rows]
    axes = cost(rows).axes[0]
    marks = [of.lines[0].get_markersize() for of in axes.containers]
    assert marks == [4, 4, 6.5, 6.5, 9, 9]
    joined = [line.get_xdata().tolist() for line in axes.lines if line.get_marker() == "None"]
    assert joined[:3] == [pytest.approx([5 / 60, 10 / 60])] * 3


def test_all_trainings_have_a_panel_and_snapshots_on_the_way_a_point():
    rows = [row(0, 5.0, model__widths=n, training__epochs=10) for n in range(60)]
    assert len(losses(rows).axes) == 60
    assert over_epochs([replace(of, epochs=10) for of in rows]) is None
    (axes,) = over_epochs([replace(rows[0], epochs=10), replace(rows[0], epochs=5)]).axes
    assert axes.lines[0].get_xdata().tolist() == [5, 10]


def test_capped_cells_say_so_in_names_and_under_axes():
    rows = [row(0, 4.0, training__samples=5), row(0, 5.0, "fewer", training__samples=5000)]
    assert [series_of(of) for of in rows] == ["5 slices", "5,000 slices, capped at 10"]
    axes = along_axes(rows).axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["5", "5000\ncapped at 10"]
    assert label({"training.epochs": 5}, 10) == "5 epochs"
    assert label({"training.samples": "5000"}) == "5000 slices"  # as the page over a folder of runs has it
