"""What is known of slices as numbers, by which a generator is told what to make.

A slice's conditions are a row in the order of `CONDITIONS`: the numbers of its frame and of its label among the names
that a `Vocabulary` has, its depth (0 inferior to 1 superior) and its lesion area in mm². NaN is unknown; an area of 0
is known: no lesion.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float32, Int, Shaped

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
"""So much outside an extent, as a share of its larger end, is rounding."""
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

    @classmethod
    def of(
        cls, store: Store, indices: Int[np.ndarray, " n"], told: Iterable[Condition], masks: bool = False
    ) -> "Vocabulary":
        """Find what may be told of a store's slices, of the conditions named, and whether all have masks, if wanted."""
        known = {name: store.columns[COLUMNS[name]][indices] for name in told}
        empty = np.zeros(0)
        return cls(
            names(known.get("frame", empty.astype(str))),
            names(known.get("label", empty.astype(str))),
            _extent(known.get("depth", empty)),
            _extent(known.get("lesion", empty)),
            masks and _masks_teach(store.columns["lesion_area_mm2"][indices]),
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
            InputError: it was not trained, with what was.
        """
        wished = (
            _number("frame", frame, self.frames),
            _number("label", label, self.labels),
            _within("depth", depth, self.depth, ""),
            _within("lesion", lesion, self.lesion, " mm²"),
        )
        return np.asarray([np.nan if value is None else value for value in wished], np.float32)

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


def _masks_teach(areas: Float32[np.ndarray, " n"]) -> bool:
    return len(areas) > 0 and bool(np.isfinite(areas).all()) and float((areas > 0).mean()) >= LESION_SHARE


def _named(column: Float32[np.ndarray, " n"], known: tuple[str, ...]) -> Shaped[np.ndarray, " n"]:
    return np.asarray(["" if np.isnan(number) else known[int(number)] for number in column.tolist()], dtype=str)


def _extent(column: Shaped[np.ndarray, " n"]) -> tuple[float, float] | None:
    known = column[np.isfinite(column)]
    return (float(known.min()), float(known.max())) if len(known) else None


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
    if not low - SLACK * high <= value <= high + SLACK * high:
        raise InputError(f"--{condition} {value:g}: this run was trained on {low:.4g} to {high:.4g}{unit}.")
    return min(max(value, low), high)


def _nothing(condition: str) -> str:
    return (
        f"this run was not told its slices' {condition}, by its model or since the store does not know it: leave the "
        f"option out, or train one whose model.conditions name it, on a store that does."
    )
