"""A study's rows over training seeds."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import studies
import taught
from braingan.folders import RunFolder, SnapshotFolder, read_csv, read_json, write_bytes, write_csv, write_json
from braingan.study.table import Row, by_cell, minutes_of, on_the_way, over_seeds, read_rows, span, write_table


def row(seed, value=None, **values):
    values = {"model.name": "thesis4", "training.seed": seed, **values}
    found = None if value is None else {"metrics": {"frechet_distance": {"value": value, "low": 1.0, "high": 9.0}}}
    return Row(values, RunFolder(Path("nowhere")), 1, 10, 2, "", "", [], None, found)


def test_rows_that_differ_in_the_seed_alone_are_one_cell():
    rows = [row(seed, **{"training.epochs": epochs}) for seed in (0, 1) for epochs in (5, 10)]
    assert by_cell(rows) == [[rows[0], rows[2]], [rows[1], rows[3]]]


def test_a_cell_s_value_is_the_mean_over_its_measured_seeds_with_an_interval_about_seeds_and_subjects():
    cell = [row(0, 4.0), row(1), row(2, 8.0), row(3, 3.0)]  # by subject from 1 to 9
    found, of_seeds = over_seeds(cell, "frechet_distance"), 4.3027 * 7**0.5 / 3**0.5  # Student's, 2 degrees of freedom
    assert found["value"] == 5
    assert found["low"] == pytest.approx(5 - (((3 + 7 + 2) / 3) ** 2 + of_seeds**2) ** 0.5, rel=1e-3)
    assert found["high"] == pytest.approx(5 + (((5 + 1 + 6) / 3) ** 2 + of_seeds**2) ** 0.5, rel=1e-3)
    assert over_seeds(cell[:2], "frechet_distance") == {"value": 4.0, "low": 1.0, "high": 9.0}
    assert over_seeds(cell[1:2], "frechet_distance") == {}
    assert over_seeds(cell, "kernel_distance") == {}


def test_shares_that_all_seeds_agree_on_keep_their_interval_by_subject_and_stay_shares():
    none = {"metrics": {"copies": {"value": 0.0, "low": 0.0, "high": 0.1}}}
    found = over_seeds([replace(row(seed), found=none) for seed in range(3)], "copies")
    assert found == {"value": 0.0, "low": 0.0, "high": pytest.approx(0.1)}
    apart = [{"metrics": {"copies": {"value": value}}} for value in (0.0, 1.0)]
    found = over_seeds([replace(row(seed), found=of) for seed, of in enumerate(apart)], "copies")
    assert found == {"value": 0.5, "low": 0.0, "high": 1.0}


def test_an_interval_over_seeds_holds_the_mean_of_endlessly_many_in_at_least_95_of_100_studies():
    random, held = np.random.default_rng(0), 0
    for _ in range(400):
        subjects = random.normal()  # shared by the seeds, as they are measured beside the same subjects
        values = 10 + subjects + random.normal(size=3)
        entries = [{"value": of, "low": of - 1.96, "high": of + 1.96} for of in values]
        rows = [replace(row(seed), found={"metrics": {"m": of}}) for seed, of in enumerate(entries)]
        found = over_seeds(rows, "m")
        held += found["low"] <= 10 <= found["high"]
    assert held >= 0.95 * 400


def test_snapshots_that_are_no_cells_are_rows_on_the_way(tmp_path):
    store = taught.taught_store(tmp_path / "store", subjects=8)
    folder = studies.made_study(tmp_path / "study", store, studies.made_rows(lambda *of: sum(of), seeds=1)[:2])
    rows, protocol = read_rows(folder), read_json(folder.plan)["protocol"]
    assert on_the_way(rows, protocol) == []
    last = rows[-1]
    snapshot = last.run.snapshot(int(last.log[6]["images"]))
    write_bytes(snapshot.weights("generator"), b"")
    (row,) = on_the_way(rows, protocol)
    assert (row.epochs, row.values["training.epochs"], row.images, row.found) == (7, 7, last.slices * 7, None)
    write_json(snapshot.metrics, read_json(last.snapshot.metrics))
    assert on_the_way(rows, protocol)[0].metrics == last.metrics
    assert on_the_way(rows, protocol | {"count": 3})[0].found is None


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


def test_what_failed_and_went_on_is_no_trouble_of_health(tmp_path):
    events = [
        "started on a CPU",
        "failed: no room on the disk",
        "continued at image 8 on a CPU",
        "the discriminator won",
    ]
    write_csv(RunFolder(tmp_path).events, ("images", "event"), [(8, event) for event in events])
    (trouble,) = replace(row(0), run=RunFolder(tmp_path), log=[{"images": "8", "seconds": "1"}]).troubles
    assert trouble["event"] == "the discriminator won"
