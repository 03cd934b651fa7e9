"""What is known of slices as numbers, by which a generator is told what to make.

A slice's conditions are a row in the order of `CONDITIONS`: the numbers of its frame and of its label among the names
that a `Vocabulary` has, its depth (0 to 1 along the store's axis: from inferior, posterior or left) and its lesion area
in mm². NaN is unknown; an area of 0 is known: no lesion.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float, Float32, Int, Shaped

from braingan.data.store import Store
from braingan.errors import InputError

Condition = Literal["frame", "label", "depth", "lesion"]
CONDITIONS: tuple[Condition, ...] = get_args(Condition)
NAMES = 2
"""So many of them, the first, are names; the others are numbers."""
COLUMNS = {"frame": "frame", "label": "label", "depth": "depth", "lesion": "lesion_area_mm2"}
"""Where a store has them."""
Row = Float32[np.ndarray, " conditions"]
Rows = Float32[np.ndarray, "n conditions"]
SLACK = 1e-3
"""So much outside an extent, as a share of its larger end, is rounding; but nothing below 0 is."""
DEPTHS = 20
"""Parts of the depth's extent, of each of which the most lesion area is known."""
LESION_SHARE = 0.01
"""Of slices, below which lesions are too rare to learn their masks."""
UNTOLD: Row = np.full(len(CONDITIONS), np.nan, np.float32)


@dataclass(frozen=True)
class Vocabulary:
    """What may be told of a slice: what was known of the slices that a training saw."""

    frames: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    depth: tuple[float, float] | None = None
    """Least and most; None where none is known."""
    lesion: tuple[float, float] | None = None
    """Least and most area in mm²."""
    masks: bool = False
    """Whether slices come with their lesion masks: where all have one, and not too few a lesion."""
    lesion_at: tuple[float, ...] = ()
    """Most area in each part of the depth's extent; nothing where depths or areas are unknown."""

    @classmethod
    def of(
        cls, store: Store, indices: Int[np.ndarray, " n"], told: Iterable[Condition], masks: bool = False
    ) -> "Vocabulary":
        """Find what may be told of a store's slices, of the conditions named, and whether all have masks, if wanted."""
        known = {name: store.columns[COLUMNS[name]][indices] for name in told}
        empty = np.full(len(indices), np.nan)
        depth, lesion = known.get("depth", empty), known.get("lesion", empty)
        return cls(
            names(known.get("frame", np.zeros(0, str))),
            names(known.get("label", np.zeros(0, str))),
            _extent(depth),
            _extent(lesion),
            masks and not why_no_masks(store.columns["lesion_area_mm2"][indices]),
            _most_at(depth, lesion),
        )

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Vocabulary":
        """Read back `dataclasses.asdict`; nothing may be told where nothing is there."""
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in found.items()
        }
        return cls(**values)

    def rows(self, store: Store, indices: Int[np.ndarray, " n"]) -> Rows:
        """Return the conditions of a store's slices; what this has no word for is unknown."""
        rows = np.tile(UNTOLD, (len(indices), 1))
        if self.frames:
            rows[:, 0] = numbers(store.columns["frame"][indices], self.frames)
        if self.labels:
            rows[:, 1] = numbers(store.columns["label"][indices], self.labels)
        if self.depth:
            rows[:, 2] = store.columns["depth"][indices]
        if self.lesion:
            rows[:, 3] = store.columns["lesion_area_mm2"][indices]
        return rows

    def row(
        self,
        frame: str | None = None,
        label: str | None = None,
        depth: float | None = None,
        lesion: float | None = None,
    ) -> Row:
        """Return what is wished for as a row; what is None is left open.

        Raises:
            InputError: it was not trained, with what was; a lesion also where there is none as large at that depth.
        """
        at = _within("depth", depth, self.depth, "")
        wished = (
            _number("frame", frame, self.frames),
            _number("label", label, self.labels),
            at,
            _within("lesion", lesion, self.lesions(at), " mm²" if at is None else " mm² at this depth"),
        )
        return np.asarray([np.nan if value is None else value for value in wished], np.float32)

    def lesions(self, depth: float | None) -> tuple[float, float] | None:
        """Return the least and most lesion area, at a depth where one is given; None where no areas are known."""
        if depth is None or self.depth is None or self.lesion is None or not self.lesion_at:
            return self.lesion
        return self.lesion[0], self.lesion_at[int(_part(np.asarray([depth]), self.depth)[0])]

    def shrunk(self, rows: Rows) -> Rows:
        """Return rows whose lesions are at most as large as there were any at their depth."""
        found = rows.copy()
        if self.depth and self.lesion_at:
            deep = np.isfinite(rows[:, 2])
            most = np.asarray(self.lesion_at, np.float32)[_part(rows[deep, 2].astype(np.float64), self.depth)]
            found[deep, 3] = np.where(rows[deep, 3] > most, most, rows[deep, 3])  # the unknown stays so
        return found

    def columns(self, rows: Rows) -> dict[str, Shaped[np.ndarray, " n"]]:
        """Return rows as a store's columns."""
        return {
            "frame": _named(rows[:, 0], self.frames),
            "label": _named(rows[:, 1], self.labels),
            "depth": rows[:, 2],
            "lesion_area_mm2": rows[:, 3],
        }

    def words(self, row: Row) -> dict[str, str]:
        """Return a row by name, as a person writes it; empty is unknown."""
        found = {name: column[0] for name, column in self.columns(row[None]).items()}
        for name, digits in (("depth", 4), ("lesion_area_mm2", 1)):
            found[name] = "" if np.isnan(found[name]) else f"{found[name]:.{digits}f}"
        return {name: str(value) for name, value in found.items()}


NO_WORDS = Vocabulary()
"""Nothing may be told."""


def names(column: Shaped[np.ndarray, " n"]) -> tuple[str, ...]:
    """Return the names that occur, in order, each once whatever its case."""
    return tuple({name.lower(): name for name in sorted(np.unique(column).tolist()) if name}.values())


def numbers(column: Shaped[np.ndarray, " n"], known: tuple[str, ...]) -> Float32[np.ndarray, " n"]:
    """Return which of the names each is, whatever its case; NaN for none of them."""
    number_of = {name.lower(): number for number, name in enumerate(known)}
    return np.asarray([number_of.get(name.lower(), np.nan) for name in column.tolist()], np.float32)


def why_no_masks(areas: Float32[np.ndarray, " n"]) -> str:
    """Return why slices with these lesion areas teach no masks; nothing where they do."""
    if unmapped := int(np.isnan(areas).sum()):
        return f"{unmapped:,} of its {len(areas):,} training slices have no label map, which is not no lesion"
    ill = int((areas > 0).sum())
    few = ill < LESION_SHARE * len(areas)
    return f"only {ill:,} of its {len(areas):,} training slices have a lesion" if few else ""


def _named(column: Float32[np.ndarray, " n"], known: tuple[str, ...]) -> Shaped[np.ndarray, " n"]:
    return np.asarray(["" if np.isnan(number) else known[int(number)] for number in column.tolist()], dtype=str)


def _extent(column: Shaped[np.ndarray, " n"]) -> tuple[float, float] | None:
    known = column[np.isfinite(column)]
    return (float(known.min()), float(known.max())) if len(known) else None


def _most_at(depth: Shaped[np.ndarray, " n"], lesion: Shaped[np.ndarray, " n"]) -> tuple[float, ...]:
    """Return the most lesion area in each part of the depth's extent and those beside it, in whole mm² upwards.

    Where no area is known there, it is the most of all, so that no wish is refused for it.
    """
    extent, known = _extent(depth), np.isfinite(depth) & np.isfinite(lesion)
    if extent is None or not known.any():
        return ()
    areas, parts = lesion[known], _part(depth[known], extent)
    near = [areas[np.abs(parts - part) <= 1] for part in range(DEPTHS)]
    return tuple(float(np.ceil((there if len(there) else areas).max())) for there in near)


def _part(depth: Float[np.ndarray, " n"], extent: tuple[float, float]) -> Int[np.ndarray, " n"]:
    low, high = extent
    return np.asarray(np.minimum((DEPTHS * (depth - low) / (high - low or 1)).astype(int), DEPTHS - 1))


def _number(condition: str, name: str | None, known: tuple[str, ...]) -> int | None:
    if name is None:
        return None
    for number, there in enumerate(known):
        if there.lower() == name.lower():
            return number
    why = f"this run knows {', '.join(known)}." if known else _nothing(condition)
    raise InputError(f"--{condition} {name}: {why}")


def _within(condition: str, value: float | None, known: tuple[float, float] | None, unit: str) -> float | None:
    if value is None:
        return None
    if known is None:
        raise InputError(f"--{condition} {value:g}: {_nothing(condition)}")
    low, high = known
    slack = SLACK * high
    if not max(low - slack, min(low, 0)) <= value <= high + slack:
        raise InputError(f"--{condition} {value:g}: this run was trained on {low:.4g} to {high:.4g}{unit}.")
    return min(max(value, low), high)


def _nothing(condition: str) -> str:
    return (
        f"this run was not told its slices' {condition}, by its model or since the store does not know it: leave the "
        f"option out, or train one whose model.conditions name it, on a store that does."
    )
