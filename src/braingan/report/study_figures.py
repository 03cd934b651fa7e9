"""A study's figures: loss curves, distances over epochs and along every axis, against cost, and how long it all took.

Series differ in colour, line and mark, so that print and the colour-blind can tell them apart. The same rows are drawn
as the same bytes.
"""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from braingan.folders import replacing, write_bytes
from braingan.report.figures import BLUE, GREY, ORANGE, STYLE, svg
from braingan.report.wording import DISTANCE_NAME
from braingan.study.table import EPOCHS, SAMPLES, SEED, Row, over_seeds

METRIC = "frechet_distance"
LOOKS = tuple(
    zip(
        ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000"),
        ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1))),
        "os^Dv<>",
        strict=True,
    )
)
"""Colour (Okabe and Ito's), line and mark of a series; the next seven have hollow marks."""
COLUMNS, LEAST_WIDTH = 3, 5.2
PNG_DPI, MOST_PIXELS = 160, 60_000
"""As fine as a PNG is, and as long as it may be on a side."""


def figures_of(rows: Sequence[Row], tuning: float = 0.0, between: Sequence[Row] = ()) -> dict[str, Figure]:
    """Return every figure that the rows allow, by name.

    Args:
        rows: of a study.
        tuning: minutes that it took.
        between: snapshots that are no cell's, as rows.
    """
    drawn = {
        "losses": losses(rows),
        "over_epochs": over_epochs([*rows, *between]),
        "along_axes": along_axes(rows),
        "cost": cost(rows),
        "times": times(rows, tuning, between),
    }
    return {name: figure for name, figure in drawn.items() if figure is not None}


def save(figures: Mapping[str, Figure], folder: Path) -> dict[str, str]:
    """Write each figure as SVG and as PNG; return the SVGs, to put into a page."""
    drawn = {}
    for name, figure in figures.items():
        drawn[name] = svg(figure, name.replace("_", " "))
        write_bytes(folder / f"{name}.svg", f'<?xml version="1.0" encoding="utf-8"?>\n{drawn[name]}'.encode())
        figure.set_layout_engine("none")  # it is laid out now, which takes as long as drawing it
        with mpl.rc_context(STYLE), replacing(folder / f"{name}.png") as path:
            dpi = min(PNG_DPI, MOST_PIXELS / max(figure.get_size_inches()))
            figure.savefig(path, format="png", metadata={"Software": None}, dpi=dpi)
    return drawn


def series_of(row: Row, without: Sequence[str] = (SEED,)) -> str:
    """Name a row by its values along the axes, but for some."""
    return label({name: value for name, value in row.values.items() if name not in without}, row.capped)


def label(values: Mapping[str, Any], capped: int = 0) -> str:
    """Write values along axes, and to how many slices a cell was capped that asks for more than there are."""
    slices = f"{{}} slices, capped at {capped:,}" if capped else "{} slices"
    words = {"model.name": "{}", SAMPLES: slices, EPOCHS: "{} epoch" if values.get(EPOCHS) == 1 else "{} epochs"}
    said = [
        words.get(name, f"{name.rpartition('.')[2].replace('_', ' ')} {{}}").format(
            f"{value:,}" if name == SAMPLES and isinstance(value, int) else value
        )
        for name, value in values.items()
    ]
    return ", ".join(said) or "all"


def grouped(rows: Sequence[Row], without: Sequence[str] = (SEED,)) -> dict[str, list[Row]]:
    """Return rows by their name, in order."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(series_of(row, without), []).append(row)
    return found


def _figure(panels: int, width: float = 3.4, height: float = 2.5) -> tuple[Figure, list[Axes]]:
    columns = min(panels, COLUMNS)
    lines = -(-panels // columns)
    figure = Figure(figsize=(max(width * columns, LEAST_WIDTH), height * lines), layout="constrained")
    axes = [figure.add_subplot(lines, columns, number + 1) for number in range(panels)]
    for of in axes:
        of.spines[["top", "right"]].set_visible(False)
    return figure, axes


def losses(rows: Sequence[Row]) -> Figure | None:
    """Draw both players' losses of each training, the seeds over each other, events of health marked."""
    longest = grouped([row for row in rows if row.log], (SEED, EPOCHS))
    if not longest:
        return None
    with mpl.rc_context(STYLE):
        figure, axes = _figure(len(longest), 3.4, 2.2)
        for panel, (name, of) in zip(axes, longest.items(), strict=True):
            ends = {row.run.root: row for row in sorted(of, key=lambda row: row.images)}
            for row in ends.values():
                epochs = [int(one["epoch"]) for one in row.log]
                for player, colour, line in (("discriminator", BLUE, "-"), ("generator", ORANGE, "--")):
                    panel.plot(
                        epochs, [float(one[f"{player}_loss"]) for one in row.log], line, color=colour, linewidth=1
                    )
                for trouble in row.troubles:
                    panel.axvline(int(trouble["images"]) / row.slices, color=GREY, linewidth=0.8, linestyle=":")
            panel.set_title(name, fontsize=9)
            panel.set(xlabel="epoch", ylabel="loss", xlim=(0, None), ylim=(min(panel.get_ylim()[0], 0), None))
            panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        handles = [mpl.lines.Line2D([], [], color=BLUE), mpl.lines.Line2D([], [], color=ORANGE, linestyle="--")]
        figure.legend(handles, ["discriminator", "generator"], loc="outside upper left", ncols=2, frameon=False)
        return figure


def _mean_and_ends(rows: Sequence[Row], metric: str = METRIC) -> tuple[float, float, float]:
    """Return the mean over seeds and the ends of its interval (`over_seeds`)."""
    entry = over_seeds(rows, metric)
    value = float(entry["value"])
    return value, float(entry.get("low", value)), float(entry.get("high", value))


def over_epochs(rows: Sequence[Row]) -> Figure | None:
    """Draw the distance to test subjects and to the training slices over epochs; they part with overfitting."""
    measured = [row for row in rows if METRIC in row.metrics]
    panels = grouped(measured, (SEED, EPOCHS))
    panels = {name: of for name, of in panels.items() if len({row.epochs for row in of}) > 1}
    if not panels:
        return None
    with mpl.rc_context(STYLE):
        figure, axes = _figure(len(panels), 3.4, 2.2)
        for panel, (name, of) in zip(axes, panels.items(), strict=True):
            epochs = sorted({row.epochs for row in of})
            for metric, (colour, line, mark), said in (
                (METRIC, LOOKS[0], "to test subjects"),
                ("frechet_distance_to_training", LOOKS[1], "to training slices"),
            ):
                if not all(metric in row.metrics for row in of):  # of an earlier version
                    continue
                values = [
                    np.mean([row.metrics[metric]["value"] for row in of if row.epochs == epoch]) for epoch in epochs
                ]
                panel.plot(epochs, values, color=colour, linestyle=line, marker=mark, markersize=4, label=said)
            panel.set_title(name, fontsize=9)
            panel.set(xlabel="epoch", ylabel="distance")
            panel.xaxis.set_major_locator(MaxNLocator(integer=True))
            panel.set_ylim(0, 1.08 * panel.dataLim.ymax)
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=2, frameon=False)
        return figure


def along_axes(rows: Sequence[Row]) -> Figure | None:
    """Draw the distance along each of the grid's lists, a line for each choice of the others, with intervals."""
    measured = [row for row in rows if METRIC in row.metrics]
    axes_of = [
        name
        for name in dict.fromkeys(name for row in measured for name in row.values)
        if name != SEED and len({str(row.values[name]) for row in measured}) > 1
    ]
    if not axes_of:
        return None
    with mpl.rc_context(STYLE):
        most = max(len(grouped(measured, (SEED, axis))) for axis in axes_of)
        figure, axes = _figure(len(axes_of), 4.2, 3.0 + 0.07 * most)
        for panel, axis in zip(axes, axes_of, strict=True):
            values = list({str(row.values[axis]): row.values[axis] for row in measured}.values())  # some are lists
            if all(isinstance(value, int | float) for value in values):
                values.sort()
            lines = grouped(measured, (SEED, axis))
            for number, (name, of) in enumerate(lines.items()):
                colour, line, mark = LOOKS[number % len(LOOKS)]
                found = [[row for row in of if row.values[axis] == value] for value in values]
                places = [place for place, one in enumerate(found) if one]
                middle, low, high = np.array([_mean_and_ends(found[place]) for place in places]).T
                shift = 0.02 * (number - len(lines) / 2)
                panel.errorbar(
                    np.array(places) + shift, middle, [middle - low, high - middle], color=colour, linestyle=line,
                    marker=mark, markersize=4, linewidth=1, elinewidth=0.7, label=name,
                    fillstyle="full" if number < len(LOOKS) else "none",
                )  # fmt: skip
            capped = {str(row.values[axis]): row.capped for row in measured if row.capped and axis == SAMPLES}
            ticks = [f"{text}\ncapped at {capped[text]}" if text in capped else text for text in map(str, values)]
            panel.set_xticks(range(len(values)), ticks)
            panel.set(xlabel=axis.rpartition(".")[2] if axis != "model.name" else "model", ylabel=DISTANCE_NAME)
            panel.set_ylim(bottom=0)
            panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), frameon=False, fontsize=6, ncols=2)
        return figure


def cost(rows: Sequence[Row]) -> Figure | None:
    """Draw the distance against training time; nothing below the grey line is both nearer and faster.

    The larger a mark, the more slices; a thin line joins the lengths of one training.
    """
    measured = grouped([row for row in rows if METRIC in row.metrics])
    if not measured:
        return None
    points = [(float(np.mean([row.seconds for row in of])) / 60, *_mean_and_ends(of)) for of in measured.values()]
    first = [of[0] for of in measured.values()]
    looks = dict(zip(dict.fromkeys(row.model for row in first), itertools.cycle(LOOKS), strict=False))
    levels = sorted({row.level for row in first})
    with mpl.rc_context(STYLE):
        figure, (axes,) = _figure(1, 6.4, 4.0)
        for row, (minutes, middle, low, high) in zip(first, points, strict=True):
            colour, _, mark = looks[row.model]
            size = 4 + 5 * levels.index(row.level) / max(len(levels) - 1, 1)
            axes.errorbar(
                minutes, middle, [[middle - low], [high - middle]], color=colour, marker=mark, markersize=size
            )
        place = {series_of(row): of[:2] for row, of in zip(first, points, strict=True)}
        for of in grouped(first, (SEED, EPOCHS)).values():
            way = sorted(place[series_of(row)] for row in of)
            axes.plot(*zip(*way, strict=True), color=looks[of[0].model][0], linewidth=0.8, alpha=0.6)
        front = pareto([of[:2] for of in points])
        axes.step(*zip(*front, strict=True), where="post", color=GREY, linewidth=1, zorder=0)
        handles = [mpl.lines.Line2D([], [], color=c, marker=m, linestyle="") for c, _, m in looks.values()]
        axes.set(xlabel="minutes of training", ylabel=DISTANCE_NAME, xscale="log", ylim=(0, None))
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        figure.legend(handles, looks, loc="outside upper left", ncols=4, frameon=False)
        return figure


def pareto(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points than which none is better in one coordinate and no worse in the other, by the first."""
    found: list[tuple[float, float]] = []
    for point in sorted(set(points)):
        if not found or point[1] < found[-1][1]:
            found.append(point)
    return found


def times(rows: Sequence[Row], tuning: float = 0.0, between: Sequence[Row] = ()) -> Figure | None:
    """Draw how long the stages took, one after another: the tuning, and each training with its evaluations."""
    took = {of.snapshot: of for of in (*rows, *between) if of.found}.values()
    trained = {row.run.root: row for row in sorted(rows, key=lambda row: row.images) if row.log}
    runs = [trained[root] for root in dict.fromkeys(row.run.root for row in rows if row.log)]
    stages = [("tuning, with its evaluations", [(tuning, ORANGE)])] if tuning else []
    for row in runs:
        measured = sum(of.found.get("seconds", 0.0) for of in took if of.found and of.run.root == row.run.root)
        parts = [(row.seconds / 60, BLUE), *([(measured / 60, GREY)] if measured else [])]
        stages.append((series_of(row, (EPOCHS,)), parts))
    if not stages:
        return None
    with mpl.rc_context(STYLE):
        figure, (axes,) = _figure(1, 8.0, 0.6 + 0.22 * len(stages))
        start = 0.0
        for place, (_, parts) in enumerate(stages):
            for minutes, colour in parts:
                axes.barh(place, minutes, left=start, color=colour, height=0.7)
                start += minutes
            said = " + ".join(f"{minutes:.1f}" for minutes, _ in parts)
            axes.text(start, place, f" {said}", va="center", fontsize=7)
        axes.set_yticks(range(len(stages)), [name for name, _ in stages], fontsize=7)
        axes.invert_yaxis()
        axes.set(xlabel="minutes, one after another", xlim=(0, 1.12 * start))
        return figure
