"""A study's figures: what is drawn of lists, seeds and capped cells."""

from pathlib import Path

import numpy as np

from braingan.folders import RunFolder, SnapshotFolder
from braingan.report.study_figures import along_axes, cost, figures_of, label, series_of
from braingan.study.table import Row


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


def test_bars_go_from_the_least_to_the_greatest_seed_and_of_one_seed_by_subject():
    rows = [row(seed, value, training__epochs=5) for seed, value in enumerate((4.0, 6.0, 8.0))]
    rows.append(row(0, 7.0, training__epochs=10))
    assert bars(along_axes(rows).axes[0]) == [[4.0, 8.0], [0.0, 50.0]]
    assert bars(cost(rows).axes[0]) == [[4.0, 8.0]]


def test_the_mean_of_equal_seeds_is_drawn_whatever_its_rounding():
    rows = [row(seed, 0.1, training__epochs=epochs) for seed in range(3) for epochs in (5, 10)]
    np.testing.assert_allclose(bars(along_axes(rows).axes[0]), 0.1)


def test_capped_cells_say_so_in_names_and_under_axes():
    rows = [row(0, 4.0, training__samples=5), row(0, 5.0, "fewer", training__samples=5000)]
    assert [series_of(of) for of in rows] == ["5 slices", "5,000 slices, capped at 10"]
    axes = along_axes(rows).axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["5", "5000\ncapped at 10"]
    assert label({"training.epochs": 5}, 10) == "5 epochs"
    assert label({"training.samples": "5000"}) == "5000 slices"  # as the page over a folder of runs has it
