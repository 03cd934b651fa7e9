"""The report of a study, from its folder, its runs' and its store: one page, and its table and figures as files."""

import base64
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from jaxtyping import UInt8

from braingan import __version__
from braingan.data.inspect import inspect_store
from braingan.data.store import Store
from braingan.errors import InputError
from braingan.folders import SnapshotFolder, StudyFolder, read_json, write_bytes
from braingan.report.figures import png_uri, svg
from braingan.report.pictures import pairs, taken
from braingan.report.run import growth, networks_of, real_slices
from braingan.report.study_figures import figures_of, label, save, series_of
from braingan.report.wording import GROUPS, Words, interval_of, number, value_of, words_of
from braingan.sampling.generator import TrainedGenerator
from braingan.study.claims import GENERATORS, check, source_study
from braingan.study.losses import loss_facts
from braingan.study.reading import Readings, scores
from braingan.study.table import SEED, Row, by_cell, minutes_of, over_seeds, read_plan, read_rows, write_table
from braingan.training.run import mosaic

SHOWN, COLUMNS = 32, 8
REM_AN_INCH = 7.0
"""At which a figure's letters are as large as the page's small ones."""
SINGLED_OUT = 4
"""Slices that are shown one by one, of each kind."""
RESULTS = ("frechet_distance", "precision_other_subject", "recall_other_subject", "detector_accuracy", "copies")
"""The columns of the main table; the files have all."""


def write_study_report(folder: StudyFolder, data: Path | None = None) -> Path:
    """Write a study's report, whatever of it is finished; return its path.

    Args:
        folder: the study's.
        data: the store, if it is no longer where the study was run.

    Raises:
        InputError: the folder is no study, or its store is gone or has changed.
    """
    plan, rows = read_plan(folder), read_rows(folder)
    store = Store.open(data or Path(plan["store_folder"]))
    if store.fingerprint != plan["store"]:
        raise InputError(f"{store.folder.root} is no longer the store that {folder.root} was trained on.")
    write_table(folder)
    inspected = folder.root / "data" / "inspect.json"
    if not inspected.exists() or read_json(inspected)["store"]["fingerprint"] != store.fingerprint:
        inspect_store(store, inspected.parent)
    figures = figures_of(rows)
    save(figures, folder.figures)
    first = [row for row in rows if row.values.get(SEED) == rows[0].values.get(SEED)]
    shown = [row for row in first if row.snapshot is not None]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("braingan.report", "."), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("study.html.j2").render(
        version=__version__,
        title=plan["title"],
        rows=rows,
        trainings=len({row.run.root for row in rows}),
        seeds=len({row.values.get(SEED) for row in rows}),
        notes=sorted({row.note for row in rows if row.note}),
        failed={row.run.root.name: row.failed for row in rows if row.failed},
        store=store.description,
        inspection=read_json(inspected),
        pictures={name: _uri(path) for name in ("contact_sheet", "histograms")
                  if (path := inspected.parent / f"{name}.png").exists()},
        models=_models(shown),
        flow=_flow(shown, store),
        figures={name: svg(figure, name.replace("_", " ")) for name, figure in figures.items()},
        widths={name: round(REM_AN_INCH * figure.get_figwidth(), 1) for name, figure in figures.items()},
        trials=_trials(folder),
        trained=[_trained(row) for row in rows],
        results=_results(rows),
        thesis=_beside_the_thesis(rows),
        claims=check(rows) if any(row.model in GENERATORS for row in rows) else [],
        real=png_uri(mosaic(real_slices(store, {"recipe": shown[0].recipe}, SHOWN), COLUMNS)) if shown else "",
        opening=_opening(shown),
        runs=[_looked_at(row, store) for row in shown],
        extra=_extra(first),
        readings=_readings(folder),
        file=folder.file.read_text(encoding="utf-8"),
        device=sorted({row.device for row in rows if row.device}),
    )  # fmt: skip
    write_bytes(folder.report, page.encode())
    return folder.report


def _uri(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def _slices(row: Row, snapshot: SnapshotFolder) -> UInt8[np.ndarray, "n side side"]:
    return TrainedGenerator.open(row.run, snapshot.images_seen).sample(SHOWN)


def _models(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return each model's networks, layer by layer, once."""
    of_each = {row.model: row for row in reversed(rows)}
    return [
        {"name": name, "networks": networks_of(TrainedGenerator.open(of_each[name].run))}
        for name in dict.fromkeys(row.model for row in rows)
    ]


def _flow(rows: Sequence[Row], store: Store) -> dict[str, Any] | None:
    """Return a real and a generated slice for the picture of how the networks play."""
    if not rows:
        return None
    row = rows[-1]
    real = real_slices(store, {"recipe": row.recipe}, 1)[0]
    generator = TrainedGenerator.open(row.run)
    return {
        "model": row.model, "real": png_uri(real), "generated": png_uri(generator.sample(1)[0]),
        "latent": generator.latent_size,
    }  # fmt: skip


def _trials(folder: StudyFolder) -> list[dict[str, Any]]:
    """Return the trials of the tuning, if there were any."""
    return list(read_json(folder.trials)["trials"]) if folder.trials.exists() else []


def _trained(row: Row) -> dict[str, Any]:
    """Say how a row's training went."""
    facts, last = loss_facts(row.log), row.log[-1] if row.log else {}
    said = {} if facts is None else {
        "correlation": number(facts.correlation), "discriminator_change": number(facts.discriminator_change),
        "generator_change": number(facts.generator_change), "late_deviation": number(facts.late_deviation),
    }  # fmt: skip
    return {
        "name": label(row.values), "state": row.state, "images": row.images, "minutes": row.seconds / 60,
        "rate": row.images / row.seconds if row.seconds else 0.0,
        "memory": float(last.get("memory_mib") or math.nan), "facts": said,
        "troubles": [of["event"] for of in row.troubles],
    }  # fmt: skip


def _results(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the main table: its columns' words, and each cell's values over the training seeds."""
    shown = [name for name in RESULTS if any(name in row.metrics for row in rows)]
    first = next((row.metrics for row in rows if row.metrics), {})
    words = {name: _words(name, first[name]) for name in shown}
    table = []
    for cell in by_cell(rows):
        values = []
        for name in shown:
            entry, share = over_seeds(cell, name), words[name].share
            values.append({"value": value_of(entry, share), "interval": interval_of(entry, share)} if entry else None)
        measured, states = sum(bool(row.metrics) for row in cell), dict.fromkeys(row.state for row in cell)
        table.append({
            "name": series_of(cell[0]), "subjects": cell[0].subjects, "cells": values,
            "minutes": minutes_of(cell), "state": ", ".join(states),
            "notes": " ".join(dict.fromkeys(row.note for row in cell)),
            "short": f"{measured} of {len(cell)} seeds" if 0 < measured < len(cell) else "",
        })  # fmt: skip
    floors = [number(first[name].get("floor", math.nan), 0.0, words[name].share) for name in shown]
    protocol = next((row.found["protocol"] for row in rows if row.found), None)
    return {"columns": list(words.values()), "rows": table, "floors": floors, "protocol": protocol}


def _words(name: str, entry: Mapping[str, Any]) -> Words:
    return words_of(name, entry) if name in {key for of in GROUPS.values() for key in of} else Words(name, "", "")


def _beside_the_thesis(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the source study's table 5 beside ours, cell by cell; a smaller grid's levels stand for its by rank."""
    ours = [row for row in rows if row.model in GENERATORS]
    samples, epochs = sorted({row.slices for row in ours}), sorted({row.epochs for row in ours})
    study = source_study()["results"]
    theirs = {(of["generator"], row["samples"], row["epochs"]): row for of in study for row in of["rows"]}
    their_samples, their_epochs = (sorted({key[axis] for key in theirs}) for axis in (1, 2))
    if len(samples) != len(their_samples) or len(epochs) != len(their_epochs):
        return []
    found = []
    for name, many, length in theirs:
        wanted = samples[their_samples.index(many)], epochs[their_epochs.index(length)]
        cells = [row for row in ours if (row.model, row.slices, row.epochs) == (name, *wanted) and row.metrics]
        printed = theirs[name, many, length]
        distances = [row.metrics["frechet_distance"]["value"] for row in cells]
        found.append({
            "generator": name, "samples": wanted[0], "epochs": wanted[1], "printed_samples": many,
            "printed_epochs": length, "fid": printed["fid"], "printed_minutes": printed["minutes"],
            "minutes": float(np.mean([row.seconds for row in cells])) / 60 if cells else None,
            "distance": number(float(np.mean(distances))) if cells else "",
        })  # fmt: skip
    return found


def _opening(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Return the pictures that the source study shows (its figures 7 to 10), as far as this study has them."""
    ours = [row for row in rows if row.model in GENERATORS]
    if not ours:
        return []
    samples = sorted({row.slices for row in ours})
    longest = max(row.epochs for row in ours)
    found = []
    for number_, (name, many, epochs) in enumerate(source_study()["evaluation"]["figures7_to_10"], 7):
        slices = samples[0] if many == 10_000 else samples[-1]
        of = next((row for row in ours if (row.model, row.slices, row.epochs) == (name, slices, longest)), None)
        reached = None if of is None else _nearest(of, epochs / 100 * longest)
        if of is None or reached is None:
            continue
        epoch, snapshot = reached
        found.append({
            "name": f"{name}, {slices:,} slices, {epoch} epochs",
            "of": f"Figure {number_} of the source study shows {name}, {many:,} slices, {epochs} epochs.",
            "png": png_uri(mosaic(_slices(of, snapshot), COLUMNS)),
        })  # fmt: skip
    return found


def _epochs_of(row: Row) -> dict[int, SnapshotFolder]:
    """Return a run's snapshots by the epoch at whose end they were taken."""
    ends = {int(one["images"]): int(one["epoch"]) for one in row.log}
    return {ends[of.images_seen]: of for of in row.run.snapshots() if of.images_seen in ends}


def _nearest(row: Row, epoch: float) -> tuple[int, SnapshotFolder] | None:
    there = _epochs_of(row)
    best = min(there, key=lambda one: abs(one - epoch), default=None)
    return None if best is None else (best, there[best])


def _looked_at(row: Row, store: Store) -> dict[str, Any]:
    """Return a row's pictures: slices, growth, the most and least real, the nearest training slices, the confusion."""
    assert row.snapshot is not None
    generator = TrainedGenerator.open(row.run, row.snapshot.images_seen)
    found = row.found or {}
    detection, memorisation = found.get("detection", {}), found.get("memorisation")
    near = memorisation | {"closest": memorisation.get("closest", [])[:SINGLED_OUT]} if memorisation else None
    return {
        "name": series_of(row),
        "png": png_uri(mosaic(generator.sample(SHOWN), COLUMNS)),
        "growth": growth(row.run, store.side, row.images),
        "most_real": taken(detection.get("most_real", [])[:SINGLED_OUT], generator),
        "least_real": taken(detection.get("least_real", [])[:SINGLED_OUT], generator),
        "pairs": pairs(near, generator, store) if near else [],
        "confusion": detection.get("confusion"),
        "own": found.get("confusion"),
    }


def _readings(folder: StudyFolder) -> list[dict[str, Any]]:
    """Return what readers made of each series of the blind reading test that anyone has answered."""
    readings = Readings(folder.readings)
    found = []
    for series in readings.series():
        of = scores(series.truth, readings.answers(series))
        if of["answers"]:
            fooled = [one | {"png": png_uri(series.slice(one["number"]))} for one in of["fooled"]]
            found.append({"title": series.description["title"], **of, "fooled": fooled})
    return found


def _extra(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Return slices of the snapshots that are no cells', such as those of which the source study's text speaks."""
    found = []
    longest = {row.run.root: row for row in sorted(rows, key=lambda row: row.epochs)}
    for row in longest.values():
        cells = {of.epochs for of in rows if of.run.root == row.run.root}
        for epoch, snapshot in sorted(_epochs_of(row).items()):
            if epoch not in cells:
                name = f"{series_of(row, (SEED, 'training.epochs'))}, {epoch} epochs"
                found.append({"name": name, "png": png_uri(mosaic(_slices(row, snapshot)[:COLUMNS], COLUMNS))})
    return found
