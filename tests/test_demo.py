"""The demo goes from nothing to a report, and does nothing twice."""

import html
import json
import socket
from pathlib import Path

import pytest

from braingan import demo as module
from braingan.demo import demo
from braingan.folders import RunFolder


def test_the_demo_ends_in_a_report_that_explains_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "TRAINING", (*module.TRAINING, "evaluation.count=8"))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments: pytest.fail("the demo looked for the network"))
    said = []
    report = demo(tmp_path / "demo", 8, 0.02, "local:2", said.append)
    assert report == tmp_path / "demo" / "run" / "report.html"
    assert [line[:7] for line in said] == ["1 of 4:", "2 of 4:", "3 of 4:", "4 of 4:"]
    page = report.read_text()
    for sentence in (
        html.escape(module.MORE_TIME),
        "Phantom subjects: synthetic",
        "Three networks learn from the same slices",
        "Generated slices are compared with real slices of subjects that the training never saw",
        "Scans were cut into slices, each volume was put on one grey scale",
        "braingan phantom --store --out store --subjects 8 --seed 0 --lesions 0.6 --recipe recipe.toml",
        "McConnell Brain Imaging Centre",
        "Similarity of random pairs",
    ):
        assert sentence in page, sentence
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "demo").rglob("*") if path.is_file()}
    again = []
    assert demo(tmp_path / "demo", 8, 0.02, "local:2", again.append) == report
    assert [line[:7] for line in again] == ["1 of 4:", "2 of 4:", "4 of 4:"]
    changed = {path.name for path, time in made.items() if path.stat().st_mtime_ns != time}
    assert changed == {"report.html"}
    assert len(RunFolder(tmp_path / "demo" / "run").snapshots()) == 1


def test_what_more_time_gives_was_measured():
    found = json.loads((Path(__file__).parents[1] / "benchmarks" / "results" / "demo.json").read_text())
    for run in (found["demo"], found["longer"]):
        assert f"{run['images']:,}" in module.MORE_TIME
        assert f"{run['metrics']['frechet_distance']['value']:.0f}" in module.MORE_TIME
    assert f"{found['demo']['minutes']:g} minutes" in module.MORE_TIME
    assert found["demo"]["minutes"] == module.MINUTES
    assert found["demo"]["seconds"] < 600
    assert abs(found["demo"]["brightness of real"] - 1) < 0.2
    assert found["demo"]["variety of real"] > 0.5
