"""A study's table: a row per cell, from its plan and its runs' folders, whatever is finished."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from braingan.errors import InputError
from braingan.evaluation.intervals import student
from braingan.evaluation.metrics import METRICS
from braingan.folders import RunFolder, SnapshotFolder, StudyFolder, read_csv, read_json, write_bytes, write_csv
from braingan.study.work import BETWEEN, alike, snapshot_of
from braingan.training.run import read_config, read_log

SHOWN = ("frechet_distance", "kernel_distance", "precision_other_subject", "recall_other_subject", "detector_accuracy",
         "copies")  # fmt: skip
"""What the LaTeX table has; the CSV has all."""
SHARES = {name for name, of in METRICS.items() if of.kind == "share"} | {
    "copies", "detector_accuracy", "authenticity", "membership_auc",
}  # fmt: skip
SEED, SAMPLES, EPOCHS = "training.seed", "training.samples", "training.epochs"


@dataclass(frozen=True)
class Row:
    """A cell, and what came of it."""

    values: dict[str, Any]
    run: RunFolder
    epochs: int
    slices: int
    subjects: int
    note: str
    """Where less was done than the grid asks for."""
    failed: str
    """Why it is not measured."""
    log: list[dict[str, str]]
    """Up to the cell's end."""
    snapshot: SnapshotFolder | None = None
    """None until it is reached."""
    found: Mapping[str, Any] | None = None
    """`metrics.json`, None until it is measured as the study asks for now."""

    @property
    def level(self) -> int:
        """How many slices the grid asks for."""
        return int(self.values.get(SAMPLES) or self.slices)

    @property
    def capped(self) -> int:
        """To how many slices it was, where the grid asks for more than the store has; else 0."""
        return self.slices if self.note else 0

    @property
    def state(self) -> str:
        """In a word."""
        if self.found is not None:
            return "done"
        return "failed" if self.failed else "trained" if self.snapshot else "training" if self.log else "waiting"

    @property
    def images(self) -> int:
        """Training images seen so far."""
        return int(self.log[-1]["images"]) if self.log else 0

    @property
    def seconds(self) -> float:
        """Of training so far, by the clock."""
        return float(self.log[-1]["seconds"]) if self.log else 0.0

    @property
    def metrics(self) -> Mapping[str, Any]:
        """The metrics, none before they are measured."""
        return {} if self.found is None else self.found["metrics"]

    @property
    def device(self) -> str:
        """What it was trained on."""
        began = ("started", "continued")
        events = [row["event"] for row in read_csv(self.run.events) if row["event"].startswith(began)]
        return events[-1].partition(" on ")[2] if events else ""

    @property
    def model(self) -> str:
        """The model's name."""
        return str(self.values.get("model.name") or self.recipe.get("model", {}).get("name", ""))

    @property
    def troubles(self) -> list[dict[str, str]]:
        """When, in training images, and how the training's health was poor, up to the row's end."""
        usual = ("started", "continued", "finished", "stopped", "failed")
        events = [of for of in read_csv(self.run.events) if int(of["images"]) <= self.images]
        return [of for of in events if not of["event"].startswith(usual)]

    @property
    def recipe(self) -> dict[str, Any]:
        """The run's resolved recipe; empty before it has begun."""
        return read_config(self.run)["recipe"] if self.run.config.exists() else {}


def read_plan(folder: StudyFolder) -> dict[str, Any]:
    """Read what a study is.

    Raises:
        InputError: the folder is no study.
    """
    if not folder.plan.exists():
        raise InputError(f"{folder.root} is no study: it has no {folder.plan.name}. Make one by `braingan study`.")
    return read_json(folder.plan)


def read_rows(folder: StudyFolder) -> list[Row]:
    """Return a study's rows, in the order of its grid.

    Raises:
        InputError: the folder is no study.
    """
    plan = read_plan(folder)
    return [_row(folder, cell, plan.get("protocol")) for cell in plan["cells"]]


def _row(folder: StudyFolder, cell: Mapping[str, Any], protocol: Mapping[str, Any] | None) -> Row:
    run, epochs = folder.run(cell["run"]), cell["epochs"]
    snapshot = snapshot_of(run, epochs)
    found = _measured(snapshot, protocol)
    return Row(
        **{key: cell[key] for key in ("values", "slices", "subjects", "note")},
        failed="" if found else cell["failed"],
        run=run,
        epochs=epochs,
        log=read_log(run, snapshot.images_seen if snapshot else None),
        snapshot=snapshot,
        found=found,
    )


def _measured(snapshot: SnapshotFolder | None, protocol: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return a snapshot's metrics, if they were measured, and by this protocol."""
    found = read_json(snapshot.metrics) if snapshot is not None and snapshot.metrics.exists() else None
    return found if found is None or protocol is None or alike(found, protocol) else None


def on_the_way(rows: Sequence[Row], protocol: Mapping[str, Any] | None) -> list[Row]:
    """Return the snapshots that are no cell's, as rows, run by run and by epoch; the detector may be missing."""
    longest = {row.run.root: row for row in sorted(rows, key=lambda row: row.epochs)}
    cells = {row.snapshot for row in rows}
    found = []
    for row in longest.values():
        ends = {int(one["images"]): place for place, one in enumerate(row.log, 1)}
        for snapshot in row.run.snapshots():
            if snapshot not in cells and snapshot.images_seen in ends:
                log = row.log[: ends[snapshot.images_seen]]
                epoch = int(log[-1]["epoch"])
                values = row.values | {EPOCHS: epoch}
                measured = _measured(snapshot, {**protocol, **BETWEEN} if protocol else None)
                found.append(replace(row, values=values, epochs=epoch, log=log, snapshot=snapshot, found=measured))
    return found


def by_cell(rows: Sequence[Row]) -> list[list[Row]]:
    """Return the rows that differ in nothing but the training seed together, in order."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(repr({name: value for name, value in row.values.items() if name != SEED}), []).append(row)
    return list(found.values())


def over_seeds(rows: Sequence[Row], metric: str) -> dict[str, Any]:
    """Return a cell's value of a metric as its mean over training seeds, with a 95 % interval.

    Of one seed it is what was measured, about other subjects alone; of none there is nothing. Of K seeds it is also
    about other seeds, m ± √(w² + (t_K-1 · s / √K)²): w is the mean over the seeds of how far their intervals by subject
    reach, s the deviation of their values. Shares stay between 0 and 1.
    """
    entries = [row.metrics[metric] for row in rows if metric in row.metrics]
    if len(entries) < 2:
        return dict(entries[0]) if entries else {}
    values = np.array([entry["value"] for entry in entries])
    mean = float(values.mean())
    of_seeds = student(0.975, len(values) - 1) * float(values.std(ddof=1)) / len(values) ** 0.5
    below, above = (
        float(np.mean([abs(entry.get(end, entry["value"]) - entry["value"]) for entry in entries]))
        for end in ("low", "high")
    )
    least, most = (0.0, 1.0) if metric in SHARES else (-math.inf, math.inf)
    low, high = mean - math.hypot(below, of_seeds), mean + math.hypot(above, of_seeds)
    return {"value": mean, "low": max(low, least), "high": min(high, most)}


def span(values: Iterable[int | float], write: Callable[[int | float], str] = "{:,}".format) -> str:
    """Write numbers from the least to the greatest, one where all are written alike."""
    ends = sorted(values)
    return " to ".join(dict.fromkeys(map(write, ends[:1] + ends[-1:])))


def minutes_of(rows: Sequence[Row]) -> float:
    """Return how long a cell's trainings took, the mean over those training seeds that reached its end; NaN of none."""
    minutes = [row.seconds / 60 for row in rows if row.snapshot is not None]
    return sum(minutes) / len(minutes) if minutes else math.nan


def write_table(folder: StudyFolder) -> None:
    """Write `table.csv`, with every metric of every row, its interval and floor, and `table.tex`."""
    rows = read_rows(folder)
    axes = list(dict.fromkeys(name for row in rows for name in row.values))
    metrics = list(dict.fromkeys(name for row in rows for name in row.metrics))
    parts = ("value", "low", "high", "floor")
    header = [*axes, "state", "slices", "subjects", "images", "seconds", "device", "run", "note", "failed"]
    write_csv(
        folder.table,
        [*header, *(metric if part == "value" else f"{metric} {part}" for metric in metrics for part in parts)],
        [
            [
                *(row.values.get(axis, "") for axis in axes), row.state, row.slices, row.subjects, row.images,
                f"{row.seconds:.1f}", row.device, row.run.root.name, row.note, row.failed,
                *(row.metrics.get(metric, {}).get(part, "") for metric in metrics for part in parts),
            ]
            for row in rows
        ],
    )  # fmt: skip
    write_bytes(folder.latex, _latex(rows, axes).encode())


def _latex(rows: list[Row], axes: list[str]) -> str:
    """Return the table for a paper (booktabs), a line per cell: its value and interval (`over_seeds`)."""
    shown = [name for name in SHOWN if any(name in row.metrics for row in rows)]
    axes = [axis for axis in axes if axis != SEED]
    header = [*(axis.rpartition(".")[2] if axis != "model.name" else "model" for axis in axes), "subjects", "minutes"]
    lines = [" & ".join(_escaped(text) for text in [*header, *(name.replace("_", " ") for name in shown)]) + r" \\"]
    for cell in by_cell(rows):
        took = minutes_of(cell)
        minutes = "--" if math.isnan(took) else f"{took:.1f}"
        subjects = span(row.subjects for row in cell)
        cells = [*(_value(cell[0], axis) for axis in axes), subjects, minutes]
        numbers = [_number(over_seeds(cell, name)) for name in shown]
        lines.append(" & ".join([*map(_escaped, cells), *numbers]) + r" \\")
    head = rf"\begin{{tabular}}{{{'l' * len(axes)}{'r' * (2 + len(shown))}}}" + "\n\\toprule\n"
    return head + lines[0] + "\n\\midrule\n" + "\n".join(lines[1:]) + "\n\\bottomrule\n\\end{tabular}\n"


def _value(row: Row, axis: str) -> str:
    capped = f", capped at {row.capped}" if row.capped and axis == SAMPLES else ""
    return f"{row.values.get(axis, '')}{capped}"


def _number(entry: Mapping[str, float]) -> str:
    if not entry:
        return "--"
    if "low" not in entry:
        return f"${entry['value']:.3g}$"
    return f"${entry['value']:.3g}$ (${entry['low']:.3g}$ to ${entry['high']:.3g}$)"


def _escaped(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "&%$#_{}" else letter for letter in text)
