"""The report of a study, from its folder, its runs' and its store: one page, and its table and figures as files."""

import base64
import json
import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jinja2

from braingan import __version__
from braingan.data.inspect import inspect_store
from braingan.data.store import Store
from braingan.errors import InputError
from braingan.folders import StudyFolder, read_json, write_bytes
from braingan.report.figures import png_uri
from braingan.report.study_figures import figures_of, save, series_of
from braingan.report.study_pictures import (
    COLUMNS,
    SHOWN,
    extra,
    flow_of,
    frames_of,
    looked_at,
    models_of,
    opening,
    readable,
    reals_of,
    seen,
)
from braingan.report.wording import GROUPS, VIEWS, Words, interval_of, number, value_of, words_of
from braingan.study.claims import GENERATORS, check, of_its_grid, source_study
from braingan.study.losses import loss_facts
from braingan.study.reading import Readings
from braingan.study.reading_scores import scores
from braingan.study.table import (
    EPOCHS,
    SEED,
    Row,
    by_cell,
    minutes_of,
    on_the_way,
    over_seeds,
    read_plan,
    read_rows,
    span,
    write_table,
)

REM_AN_INCH = 7.0
"""At which a figure's letters are as large as the page's small ones."""
RESULTS = ("frechet_distance", "precision_other_subject", "recall_other_subject", "detector_accuracy", "copies")
"""The columns of the main table; the files have all."""
BESIDE = ("precision_other_subject", "recall_other_subject", "detector_accuracy")
"""What else of ours stands beside the source study's table."""
ITS_DATA = {"kind": "decathlon", "name": "BRATS"}
"""How a store says that it is of the source study's collection."""


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
    trials = _trials(folder)
    between = on_the_way(rows, plan.get("protocol"))
    figures = figures_of(rows, sum((trial["minutes"] for trial in trials["rows"]), 0.0), between)
    drawn = save(figures, folder.figures)
    shown = [row for row in (seen(cell) for cell in by_cell(rows)) if row is not None]
    roots = {row.run.root for row in shown}
    way = [row for row in between if row.run.root in roots and readable(row)]
    lengths = {row.run.root: row.epochs for row in sorted(shown, key=lambda row: row.epochs)}
    runs = [looked_at(row, store, grown=row.epochs == lengths[row.run.root]) for row in shown]
    reals = reals_of(shown, store)
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
        orientation=VIEWS[store.description["settings"]["axis"]][0],
        **_inspected(folder, store),
        models=models_of(shown),
        flow=flow_of(shown, store),
        figures=drawn,
        widths={name: round(REM_AN_INCH * figure.get_figwidth(), 1) for name, figure in figures.items()},
        trials=trials,
        trained=[_trained(row) for row in rows],
        devices=list(dict.fromkeys(row.device for row in rows if row.device)),
        steps=list(dict.fromkeys(_steps(row) for row in rows if row.recipe)),
        results=_results(rows),
        thesis=_beside_the_thesis(rows, store),
        claims=check(rows) if any(row.model in GENERATORS for row in rows) else [],
        reals=list(reals.values()),
        sheet=(COLUMNS * store.side, SHOWN // COLUMNS * store.side),
        opening=opening(shown, way),
        runs=[run | {"real": list(reals).index(frames_of(row))} for run, row in zip(runs, shown, strict=True)],
        extra=extra(way),
        readings=_readings(folder, rows),
        file=folder.file.read_text(encoding="utf-8"),
        best=folder.best.read_text(encoding="utf-8") if folder.best.exists() else "",
        prepared="\n".join(f"{name} = {json.dumps(of)}" for name, of in store.description["settings"].items()),
        training_seeds=sorted({row.recipe["training"]["seed"] for row in rows if row.recipe}),
        versions=plan.get("versions", {}),
    )  # fmt: skip
    write_bytes(folder.report, page.encode())
    return folder.report


def _inspected(folder: StudyFolder, store: Store) -> dict[str, Any]:
    """Return what `braingan inspect` says of the store, and its pictures; looked at once."""
    path = folder.root / "data" / "inspect.json"
    if not path.exists() or read_json(path)["store"]["fingerprint"] != store.fingerprint:
        inspect_store(store, path.parent)
    drawn = {name: path.with_name(f"{name}.png") for name in ("contact_sheet", "histograms")}
    pictures = {name: _uri(of) for name, of in drawn.items() if of.exists()}
    return {"inspection": read_json(path), "pictures": pictures}


def _uri(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def _trials(folder: StudyFolder) -> dict[str, Any]:
    """Return the trials of the tuning, if there were any, and the settings that any of them was given."""
    kept = read_json(folder.trials) if folder.trials.exists() else {"trials": []}
    names = dict.fromkeys(name for trial in kept["trials"] for name in trial["settings"])
    return {"metric": kept.get("metric", "value"), "names": list(names), "rows": kept["trials"]}


def _trained(row: Row) -> dict[str, Any]:
    """Say how a row's training went."""
    facts, last = loss_facts(row.log), row.log[-1] if row.log else {}
    said = {} if facts is None else {
        "correlation": number(facts.correlation), "discriminator_change": number(facts.discriminator_change),
        "generator_change": number(facts.generator_change), "late_deviation": number(facts.late_deviation),
    }  # fmt: skip
    return {
        "name": series_of(row, ()), "steps": _steps(row), "state": row.state, "images": row.images,
        "minutes": row.seconds / 60, "subjects": row.subjects, "device": row.device,
        "rate": row.images / row.seconds if row.seconds else 0.0,
        "memory": float(last.get("memory_mib") or math.nan), "facts": said,
        "troubles": [of["event"] for of in row.troubles],
    }  # fmt: skip


def _steps(row: Row) -> tuple[str, str]:
    """Return a training's learning rate and batch size; empty before it has begun."""
    training = row.recipe.get("training", {})
    rate, batch = training.get("learning_rate"), training.get("batch_size")
    return "" if rate is None else f"{rate:g}", "" if batch is None else f"{batch}"


def _results(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the main table: its columns' words, and each cell's values over the training seeds."""
    shown = [name for name in RESULTS if any(name in row.metrics for row in rows)]
    entries = {name: [row.metrics[name] for row in rows if name in row.metrics] for name in shown}
    words = {name: _words(name, of[0]) for name, of in entries.items()}
    table = []
    for cell in by_cell(rows):
        values = []
        for name in shown:
            entry, share = over_seeds(cell, name), words[name].share
            values.append({"value": value_of(entry, share), "interval": interval_of(entry, share)} if entry else None)
        measured, states = sum(bool(row.metrics) for row in cell), dict.fromkeys(row.state for row in cell)
        table.append({
            "name": series_of(cell[0]), "subjects": span(row.subjects for row in cell), "cells": values,
            "minutes": minutes_of(cell), "state": ", ".join(states),
            "notes": " ".join(dict.fromkeys(row.note for row in cell)),
            "short": f"{measured} of {len(cell)} seeds" if 0 < measured < len(cell) else "",
        })  # fmt: skip
    floors = [
        span([one["floor"] for one in of if "floor" in one], partial(number, share=words[name].share))
        for name, of in entries.items()
    ]
    protocol = next((row.found["protocol"] for row in rows if row.found), None)
    return {"columns": list(words.values()), "rows": table, "floors": floors, "protocol": protocol}


def _words(name: str, entry: Mapping[str, Any]) -> Words:
    return words_of(name, entry) if name in {key for of in GROUPS.values() for key in of} else Words(name, "", "")


def _beside_the_thesis(rows: Sequence[Row], store: Store) -> dict[str, Any]:
    """Return the source study's table 5 beside ours, cell by cell; a smaller grid's levels stand for its by rank."""
    ours, said = of_its_grid(rows)
    theirs = {(of["generator"], row["samples"], row["epochs"]): row for of in source_study()["results"]
              for row in of["rows"]}  # fmt: skip
    samples, epochs = sorted({row.level for row in ours}), sorted({row.epochs for row in ours})
    their_samples, their_epochs = (sorted({key[axis] for key in theirs}) for axis in (1, 2))
    if (len(samples), len(epochs)) != (len(their_samples), len(their_epochs)):
        said = said if not ours else f"there are {len(samples)} numbers of slices and {len(epochs)} lengths here"
        return {"rows": [], "said": said}
    found: list[dict[str, Any]] = []
    measured: list[Mapping[str, Any]] = []
    for name, many, length in theirs:
        wanted = name, samples[their_samples.index(many)], epochs[their_epochs.index(length)]
        cell = [row for row in ours if (row.model, row.level, row.epochs) == wanted]
        measured += [row.metrics for row in cell if row.metrics]
        printed = theirs[name, many, length]
        distance, its = (over_seeds(cell, metric) for metric in ("frechet_distance", "thesis_distance"))
        more = [(over_seeds(cell, metric), words_of(metric, {}).share) for metric in BESIDE]
        found.append({
            "generator": name, "samples": cell[0].slices if cell else wanted[1], "epochs": wanted[2],
            "printed_samples": many, "more": [number(of["value"], share=share) if of else "" for of, share in more],
            "printed_epochs": length, "fid": printed["fid"], "printed_minutes": printed["minutes"],
            "minutes": minutes_of(cell), "subjects": span(row.subjects for row in cell),
            "capped": any(row.note for row in cell),
            "distance": number(distance["value"]) if distance else "", "its": number(its["value"]) if its else "",
        })  # fmt: skip
    return {
        "rows": found,
        "said": said,
        "its": any(row["its"] for row in found),
        "beside": [words_of(metric, {}).name for metric in BESIDE],
        "differs": _differs(measured, store),
    }


def _differs(measured: Sequence[Mapping[str, Any]], store: Store) -> list[str]:
    """Say in what our distances differ from the source study's, which makes them incomparable."""
    its = ["thesis_distance" in of or of["frechet_distance"].get("extractor") == "inception-keras" for of in measured]
    features = [] if its and all(its) else ["its FID is in the features of Keras's Inception"]
    same = ITS_DATA.items() <= store.description["source"].items()
    return features + ([] if same else ["it is of other data, the Medical Segmentation Decathlon's brain tumours"])


def _readings(folder: StudyFolder, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return what readers made of each series of the blind reading test that is ended: before, it would be its key."""
    readings = Readings(folder.readings)
    names = {row.run.root.name: series_of(row, (EPOCHS,)) for row in rows}
    names = {name: label for name, label in names.items() if list(names.values()).count(label) == 1}
    found = []
    for series in readings.series():
        try:
            of = scores(readings.key_to(series), readings.answers(series))
        except InputError:
            continue
        if of["right"]["answers"]:
            fooled = [
                one
                | {"png": png_uri(series.slice(one["number"])), "made_by": names.get(one["made_by"], one["made_by"])}
                for one in of["fooled"]
            ]
            runs = {names.get(name, name): share for name, share in of["runs"].items()}
            found.append({"title": series.description["title"], **of, "fooled": fooled, "runs": runs})
    return found
