"""A study's rows over training seeds."""

import math
from dataclasses import replace
from pathlib import Path

from braingan.folders import RunFolder, SnapshotFolder
from braingan.study.table import Row, by_cell, minutes_of, over_seeds


def row(seed, value=None, **values):
    values = {"model.name": "thesis4", "training.seed": seed, **values}
    found = None if value is None else {"metrics": {"frechet_distance": {"value": value, "low": 1.0, "high": 9.0}}}
    return Row(values, RunFolder(Path("nowhere")), 1, 10, 2, "", "", [], None, found)


def test_rows_that_differ_in_the_seed_alone_are_one_cell():
    rows = [row(seed, **{"training.epochs": epochs}) for seed in (0, 1) for epochs in (5, 10)]
    assert by_cell(rows) == [[rows[0], rows[2]], [rows[1], rows[3]]]


def test_a_cell_s_value_is_the_mean_over_its_measured_seeds():
    cell = [row(0, 4.0), row(1), row(2, 8.0), row(3, 3.0)]
    assert over_seeds(cell, "frechet_distance") == {"value": 5.0, "low": 3.0, "high": 8.0}
    assert over_seeds(cell[:2], "frechet_distance") == {"value": 4.0, "low": 1.0, "high": 9.0}
    assert over_seeds(cell[1:2], "frechet_distance") == {}
    assert over_seeds(cell, "kernel_distance") == {}


def test_a_cell_s_minutes_are_of_the_trainings_that_came_to_its_end():
    begun = replace(row(0), log=[{"images": "8", "seconds": "30"}])
    ended = replace(row(1), log=[{"images": "16", "seconds": "120"}], snapshot=SnapshotFolder(Path("nowhere")))
    assert minutes_of([begun, ended, row(2)]) == 2
    assert math.isnan(minutes_of([begun, row(2)]))
