"""Draws what is in a store: a contact sheet, grey levels, lesion areas. Each function writes one PNG file.

Grey levels are those of the store, 0..255, and each pixel of a slice is a square of whole pixels of the sheet.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import Float, Int, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from braingan.folders import replacing

CELL = 200
"""A slice's width on the sheet in pixels, as near as whole multiples come."""
LABEL, GAP = 20, 4
LINES = {"train": ("#0072b2", "-"), "validation": ("#767676", ":"), "test": ("#d55e00", "--")}
"""Told apart by the colour-blind, and by line style in print."""
OUTLINES = ((230, 159, 0), (86, 180, 233), (240, 228, 66), (204, 121, 167), (0, 158, 115), (213, 94, 0))
"""One colour a label, over again past the sixth."""
STYLE: dict[Any, Any] = {"font.family": "sans-serif", "font.size": 10}
LEVELS_A_BIN = 4


@dataclass(frozen=True)
class Row:
    """A row of the contact sheet."""

    title: str
    images: UInt8[np.ndarray, "n side side"]
    masks: UInt8[np.ndarray, "n side side"] | None
    """The slices' label maps, where the store has some."""
    names: list[str]
    """What stands below each slice."""


def contact_sheet(path: Path, rows: Sequence[Row]) -> None:
    """Draw rows of labelled slices, the outlines of their label maps over them."""
    side, columns = rows[0].images.shape[1], max(len(row.images) for row in rows)
    scale = max(round(CELL / side), 1)
    width, height = side * scale + GAP, side * scale + LABEL
    drawn = [mask for row in rows if row.masks is not None for mask in row.masks]
    labels = sorted({int(value) for mask in drawn for value in np.unique(mask)} - {0})
    sheet = Image.new("RGB", (columns * width + GAP, len(rows) * (height + LABEL) + (LABEL if labels else 0)))
    draw, font = ImageDraw.Draw(sheet), ImageFont.truetype(findfont("DejaVu Sans"), 14)
    for number, row in enumerate(rows):
        top = number * (height + LABEL)
        draw.text((GAP, top + 2), row.title, "white", font)
        for column, (image, name) in enumerate(zip(row.images, row.names, strict=True)):
            cell = _outlined(image, None if row.masks is None else row.masks[column], scale)
            sheet.paste(Image.fromarray(cell), (GAP + column * width, top + LABEL))
            text = _fitting(name, font, width - GAP)
            draw.text((GAP + column * width, top + LABEL + side * scale + 1), text, (190, 190, 190), font)
    for number, label in enumerate(labels):
        at = (GAP + number * 80, sheet.height - LABEL)
        draw.text(at, f"label {label}", _colour(label), font)
    with replacing(path) as temporary:
        sheet.save(temporary, format="PNG")


def _outlined(
    image: UInt8[np.ndarray, "side side"], mask: UInt8[np.ndarray, "side side"] | None, scale: int
) -> UInt8[np.ndarray, "height width 3"]:
    """Enlarge a slice, and colour the pixels of each label that touch another label or none."""
    block = np.ones((scale, scale), np.uint8)
    grey = np.kron(image, block)
    colours = np.repeat(grey[..., None], 3, axis=2)
    if mask is not None:
        labels = np.kron(mask, block)
        around = np.pad(labels, 1)
        beside = (around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:])
        edge = (labels > 0) & np.any([labels != other for other in beside], axis=0)
        for label in np.unique(labels[edge]):
            colours[edge & (labels == label)] = _colour(int(label))
    return colours


def _colour(label: int) -> tuple[int, int, int]:
    return OUTLINES[(label - 1) % len(OUTLINES)]


def _fitting(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Shorten a text from its start, where names of one collection are alike."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength("…" + text) > width:
        text = text[1:]
    return "…" + text


def histograms(path: Path, counts: Mapping[str, Mapping[str, Int[np.ndarray, " 256"]]]) -> None:
    """Draw, per frame and split, the shares of the grey levels 1..255; level 0, the background, is left out."""
    with mpl.rc_context():
        mpl.rcParams.update(STYLE)
        columns = min(math.ceil(math.sqrt(len(counts))), 3)
        rows = -(-len(counts) // columns)
        figure = Figure(figsize=(1.2 + 3.4 * columns, 0.4 + 2.6 * rows), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False)
        for axes, (frame, splits) in zip(panels.flat, counts.items(), strict=False):
            axes.set_title(frame, parse_math=False)
            for split, found in splits.items():
                tissue = found * (np.arange(256) > 0)
                share = tissue.reshape(-1, LEVELS_A_BIN).sum(axis=1) / max(tissue.sum(), 1)
                colour, line = LINES[split]
                axes.plot(
                    np.arange(0, 256, LEVELS_A_BIN) + LEVELS_A_BIN / 2, share * 100, line, color=colour, label=split
                )
            _plain(axes)
        for axes in panels.flat[len(counts) :]:
            axes.set_visible(False)
        figure.supxlabel("grey level (0, the background, left out)")
        figure.supylabel(f"% of pixels above 0, per {LEVELS_A_BIN} levels")
        panels.flat[0].legend(frameon=False)
        _save(figure, path)


def lesion_areas(path: Path, areas: Mapping[str, Float[np.ndarray, " _"]]) -> None:
    """Draw, per split, how many slices have a lesion of which area (mm²)."""
    with mpl.rc_context():
        mpl.rcParams.update(STYLE)
        figure = Figure(figsize=(5.6, 3.2), layout="constrained")
        axes = figure.subplots()
        highest = max((float(found.max()) for found in areas.values() if len(found)), default=1.0)
        edges = np.linspace(0, highest, 31)
        for split, found in areas.items():
            colour, line = LINES[split]
            counts, _ = np.histogram(found, edges)
            axes.stairs(counts, edges, color=colour, linestyle=line, label=f"{split} ({len(found)} slices)")
        axes.set(xlabel="area of all labels in a slice, mm² (slices with a lesion)", ylabel="slices")
        axes.set_xlim(0, highest)
        axes.legend(frameon=False)
        _plain(axes)
        _save(figure, path)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_ylim(bottom=0)


def _save(figure: Figure, path: Path) -> None:
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120, metadata={"Software": None})
