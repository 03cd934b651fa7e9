"""A study's rows over training seeds."""

import math
from dataclasses import replace
from pathlib import Path

import studies
import taught
from braingan.folders import RunFolder, SnapshotFolder, read_csv, read_json, write_csv, write_json
from braingan.study.table import Row, by_cell, minutes_of, over_seeds, read_rows, span, write_table


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


def test_numbers_are_written_from_the_least_to_the_greatest():
    assert span([1200, 30, 400]) == "30 to 1,200"
    assert span([7, 7]) == "7"
    assert span([0.12, 0.14], "{:.1f}".format) == "0.1"
    assert span([]) == ""


def test_a_run_s_device_is_where_it_was_trained_last(tmp_path):
    run = RunFolder(tmp_path)
    events = ["started on a CPU", "stopped on request", "continued at image 8 on a GPU", "stopped on request"]
    write_csv(run.events, ("images", "event"), [(8, event) for event in events])
    assert replace(row(0), run=run).device == "a GPU"


def test_the_tables_say_what_was_capped_on_what_each_ran_and_of_how_many_subjects(tmp_path):
    store = taught.taught_store(tmp_path / "store", subjects=8)
    rows = [
        replace(row, note="fewer", slices=900) if row.slices == 1000 else row for row in studies.made_rows(lambda *_: 9)
    ]
    folder = studies.made_study(tmp_path / "study", store, rows)
    write_table(folder)
    written = read_csv(folder.table)
    assert len(written) == 54
    assert {row["device"] for row in written} == {f"machine {seed}, torch 9" for seed in range(3)}
    lines = [line for line in folder.latex.read_text().splitlines() if line.startswith("thesis")]
    assert len(lines) == 18
    assert all(" & 20 to 22 & " in line for line in lines)
    assert [line.split(" & ")[1] for line in lines[:6]] == ["200"] * 2 + ["600"] * 2 + ["1000, capped at 900"] * 2


def test_what_was_measured_by_another_protocol_is_not_measured(tmp_path):
    store = taught.taught_store(tmp_path / "store", subjects=8)
    folder = studies.made_study(tmp_path / "study", store, studies.made_rows(lambda *_: 9, seeds=1))
    assert {row.state for row in read_rows(folder)} == {"done"}
    planned = read_json(folder.plan)
    for name, other in {"count": 100, "generation_seeds": 2, "neighbours": 3, "extractors": ["made", "more"]}.items():
        write_json(folder.plan, planned | {"protocol": planned["protocol"] | {name: other}})
        assert {row.state for row in read_rows(folder)} == {"trained"}, name
    first = read_rows(folder)[0].snapshot.metrics
    write_json(folder.plan, planned)
    write_json(first, read_json(first) | {"format": 1})
    assert [row.state for row in read_rows(folder)].count("trained") == 1
