"""What is seen in the report of a study: the slices of its rows, their networks, and the source study's figures."""

import json
from collections.abc import Sequence
from typing import Any

from braingan.data.store import Store
from braingan.errors import InputError
from braingan.report.figures import png_uri
from braingan.report.pictures import pairs, taken
from braingan.report.run import growth, networks_of, real_slices
from braingan.report.study_figures import label, series_of
from braingan.sampling.generator import TrainedGenerator
from braingan.study.claims import of_its_grid, source_study
from braingan.study.table import Row
from braingan.training.run import mosaic

SHOWN, COLUMNS = 16, 8
SINGLED_OUT = 4
"""Slices that are shown one by one, of each kind, and of a snapshot on the way."""


def seen(cell: Sequence[Row]) -> Row | None:
    """Return the first training of a cell of which there are slices to see."""
    return next((row for row in cell if readable(row)), None)


def readable(row: Row) -> bool:
    """Whether a row's snapshot is there, and whole: a damaged file costs its pictures, not the page."""
    try:
        _opened(row)
    except InputError:
        return False
    return True


def _opened(row: Row) -> TrainedGenerator:
    """Open a row's own snapshot.

    Raises:
        InputError: it is not there, or damaged.
    """
    if row.snapshot is None:
        raise InputError(f"{row.run.root} has no snapshot of epoch {row.epochs}.")
    return TrainedGenerator.open(row.run, row.snapshot.images_seen)


def _sheet(row: Row, count: int = SHOWN, columns: int = COLUMNS) -> str:
    """Return a row's first slices of seed 0 in one picture."""
    return png_uri(mosaic(_opened(row).sample(count), columns))


def models_of(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return each distinct set of networks, layer by layer, named by the settings in which the grid has several."""
    of_each: dict[str, Row] = {}
    for row in rows:
        of_each.setdefault(json.dumps(row.recipe["model"], sort_keys=True), row)
    found = []
    for row in of_each.values():
        settings = {name: value for name, value in row.values.items() if name.startswith("model.")}
        name = label({"model.name": row.model} | settings)
        found.append({"name": name, "networks": networks_of(_opened(row))})
    return found


def reals_of(rows: Sequence[Row], store: Store) -> dict[str, str]:
    """Return real training slices to lie beside those of the rows, once for each choice of frames."""
    of_each = {frames_of(row): row for row in rows}
    return {
        name: png_uri(mosaic(real_slices(store, {"recipe": row.recipe}, SHOWN), COLUMNS))
        for name, row in of_each.items()
    }


def frames_of(row: Row) -> str:
    """Return the frames that a row saw, as one name."""
    return ", ".join(row.recipe["data"]["frames"])


def flow_of(rows: Sequence[Row], store: Store) -> dict[str, Any] | None:
    """Return a real and a generated slice for the picture of how the networks play."""
    if not rows:
        return None
    row = rows[-1]
    real = real_slices(store, {"recipe": row.recipe}, 1)[0]
    generator = _opened(row)
    return {
        "model": row.model, "real": png_uri(real), "generated": png_uri(generator.sample(1)[0]),
        "latent": generator.latent_size,
    }  # fmt: skip


def opening(rows: Sequence[Row], way: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the pictures that the source study shows (its figures 7 to 10), as far as this study has them.

    Those that are a row's own are named by its place, and not taken twice; the others are of snapshots on the way.
    """
    ours, _ = of_its_grid(rows)
    if not ours:
        return []
    samples = sorted({row.level for row in ours})
    longest = max(row.epochs for row in ours)
    found: list[dict[str, Any]] = []
    for number_, (name, many, epochs) in enumerate(source_study()["evaluation"]["figures7_to_10"], 7):
        level = samples[0] if many == 10_000 else samples[-1]
        there = [row for row in ours if (row.model, row.level) == (name, level)]
        runs = {row.run.root for row in there if row.epochs == longest}
        near = [*there, *(row for row in way if row.run.root in runs)]
        if not runs:
            continue
        of = min(near, key=lambda row: abs(row.epochs - epochs / 100 * longest))
        place = next((at for at, row in enumerate(rows) if row is of), None)
        found.append({
            "name": f"{name}, {of.slices:,} slices{', capped' if of.note else ''}, {of.epochs} epochs",
            "of": f"Figure {number_} of the source study shows {name}, {many:,} slices, {epochs} epochs.",
            "run": place, "png": _sheet(of) if place is None else "",
        })  # fmt: skip
    return found


def looked_at(row: Row, store: Store, grown: bool) -> dict[str, Any]:
    """Return a row's pictures: slices, the most and least real, the nearest training slices, the confusion.

    With `grown`, which a training's last row is, also how they came to be, epoch by epoch.
    """
    generator = _opened(row)
    found = row.found or {}
    detection, memorisation = found.get("detection", {}), found.get("memorisation")
    near = memorisation | {"closest": memorisation.get("closest", [])[:SINGLED_OUT]} if memorisation else None
    return {
        "name": series_of(row),
        "png": png_uri(mosaic(generator.sample(SHOWN), COLUMNS)),
        "growth": growth(row.run, store.side, row.images) if grown else [],
        "most_real": taken(detection.get("most_real", [])[:SINGLED_OUT], generator),
        "least_real": taken(detection.get("least_real", [])[:SINGLED_OUT], generator),
        "pairs": pairs(near, generator, store) if near else [],
        "confusion": detection.get("confusion"),
        "own": found.get("confusion"),
    }


def extra(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Return slices of the snapshots that are no cells', such as those of which the source study's text speaks."""
    return [{"name": series_of(row, ()), "png": _sheet(row, SINGLED_OUT, SINGLED_OUT)} for row in rows]
