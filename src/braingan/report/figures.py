"""Figures as text to put into a page: PNG for slices, SVG for curves."""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure
from PIL import Image

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#767676"  # told apart by the colour-blind, and by line style in print
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "braingan",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 11,
}
Curve = dict[str, list[float]]
"""`precision` and `recall` along the trade-off between them."""


def png_uri(pixels: UInt8[np.ndarray, "height width"]) -> str:
    """Return a greyscale picture as a data URI."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


def trade_off(generated: Curve, floor: Curve) -> str:
    """Draw precision against recall, of generated and of real training slices, as SVG."""
    with mpl.rc_context():
        mpl.rcParams.update(STYLE)
        figure = Figure(figsize=(4.4, 4.0), layout="constrained")
        axes = figure.subplots()
        for name, curve, colour, line in (
            ("real training slices", floor, GREY, "--"),
            ("generated", generated, BLUE, "-"),
        ):
            axes.plot(curve["recall"], curve["precision"], line, color=colour, label=name, linewidth=2)
            for label, weight, mark in (("F1/8", 1 / 8, "s"), ("F8", 8.0, "^")):
                recall, precision = _best_point(curve, weight)
                axes.plot(recall, precision, mark, color=colour, markersize=8, clip_on=False)
                axes.annotate(
                    label, (recall, precision), (-6, -14), textcoords="offset points", ha="right", color=colour
                )
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside upper left", ncols=2, frameon=False)
        return svg(figure, "precision against recall")


def _best_point(curve: Curve, weight: float) -> tuple[float, float]:
    """Return recall and precision where F is largest, recall weighing `weight` squared times as much."""
    recall, precision = np.array(curve["recall"]), np.array(curve["precision"])
    weighed = weight**2 * precision + recall
    best = int(np.argmax(recall * precision / np.where(weighed > 0, weighed, 1)))
    return float(recall[best]), float(precision[best])


def loss_curves(rows: list[dict[str, str]], chance: float) -> str:
    """Draw both players' epoch losses over images seen, as SVG; `chance` is a discriminator's that guesses."""
    images = [int(row["images"]) / 1000 for row in rows]
    with mpl.rc_context():
        mpl.rcParams.update(STYLE)
        figure = Figure(figsize=(5.6, 3.2), layout="constrained")
        axes = figure.subplots()
        mark = "o" if len(rows) < 30 else ""
        for name, colour, line in (("discriminator", BLUE, "-"), ("generator", ORANGE, "--")):
            losses = [float(row[f"{name}_loss"]) for row in rows]
            axes.plot(images, losses, line, color=colour, label=name, marker=mark, markersize=4)
        axes.axhline(chance, color=GREY, linewidth=0.8, linestyle=":", label="discriminator that guesses")
        axes.set(xlabel="training images seen (thousands)", ylabel="loss (mean over the epoch)")
        axes.set_xlim(left=0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
        return svg(figure, "losses of both players")


def likeness_chart(admitted: Sequence[float], refused: Sequence[float], marks: Mapping[str, float]) -> str:
    """Draw how alike slices are to their nearest training slice, with marked likenesses, as SVG."""
    with mpl.rc_context():
        mpl.rcParams.update(STYLE)
        figure = Figure(figsize=(6.4, 2.8), layout="constrained")
        axes = figure.subplots()
        bins = np.linspace(0, 1, 51).tolist()
        axes.hist(admitted, bins, color=BLUE, label="admitted")
        if refused:
            axes.hist(refused, bins, color=ORANGE, label="refused", hatch="////", edgecolor="white", linewidth=0)
        for (name, where), line in zip(marks.items(), (":", "-", "--"), strict=True):
            axes.axvline(where, color="black", linewidth=1.2, linestyle=line, label=f"{name} {where:.2f}")
        axes.set(xlabel="likeness to the nearest training slice", ylabel="slices", xlim=(0, 1))
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside upper left", ncols=3, frameon=False, fontsize=9)
        return svg(figure, "likeness to the nearest training slice")


def svg(figure: Figure, name: str) -> str:
    """Return a figure as SVG, to put into a page; a screen reader is told its name."""
    text = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Title": name})
    return text.getvalue()[text.getvalue().index("<svg") :]
