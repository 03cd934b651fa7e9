"""Whether some kind of real slice is missing among the generated: by label, depth, lesion and frame.

A generated slice has no label, so groups are of real slices: the recall of a group is the share of its slices that lie
in a generated slice's ball. A group is *missing* where its recall falls behind that of all other slices by more than
chance: the interval of the difference, by subject and wide enough for all groups at once (Bonferroni), is below 0, and
below that of real training slices in the generated ones' place.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from braingan.evaluation.intervals import LEAST_SUBJECTS, half_width, halves
from braingan.evaluation.sets import SliceSet

THIRDS = ("lowest third", "middle third", "highest third")


def groups_of(slices: SliceSet) -> Iterator[tuple[str, str, Bool[np.ndarray, " n"]]]:
    """Yield each group that a set falls into: by which column, which value, and the slices of it."""
    for name in ("frame", "label"):
        for value in _several(slices.columns.get(name, np.array([]))):
            yield name, str(value), slices.columns[name] == value
    depth = slices.columns.get("depth", np.array([np.nan]))
    if np.isfinite(depth).all():
        low, high = np.quantile(depth, [1 / 3, 2 / 3])
        for third, within in zip(THIRDS, (depth <= low, (depth > low) & (depth <= high), depth > high), strict=True):
            yield "depth", third, within
    lesion = slices.columns.get("lesion_area_mm2", np.array([np.nan]))
    if np.isfinite(lesion).any() and (lesion > 0).any() and (lesion == 0).any():
        yield "lesion", "none", lesion == 0
        yield "lesion", "some", lesion > 0


def _several(column: np.ndarray) -> list[Any]:
    values = [value for value in np.unique(column) if value != ""]
    return values if len(values) > 1 else []


def recall_by_group(
    real: SliceSet, recalled: Sequence[Bool[np.ndarray, " n"]], floor: Bool[np.ndarray, " n"]
) -> list[dict[str, Any]]:
    """Return the recall of each group of real slices, and how far it lies from that of all others.

    Args:
        real: the real slices.
        recalled: for each set of generated slices, which real ones lie in a ball of theirs.
        floor: which real ones lie in a ball of real training slices.
    """
    groups = [group for group in groups_of(real) if 0 < group[2].sum() < len(real)]
    found_in, found_in_floor = np.mean(recalled, axis=0), floor.astype(float)
    rows = []
    for by, value, within in groups:
        subjects = len(np.unique(real.subjects[within]))
        row: dict[str, Any] = {
            "by": by, "group": value, "count": int(within.sum()), "subjects": subjects,
            "recall": float(found_in[within].mean()), "floor": float(found_in_floor[within].mean()),
            "difference": _difference(found_in, within), "floor_difference": _difference(found_in_floor, within),
        }  # fmt: skip
        scattered = [
            _difference(found_in[half], within[half])
            for half in halves(real.subjects, "groups")
            if within[half].any() and not within[half].all()
        ]
        if subjects >= LEAST_SUBJECTS and len(scattered) > 1:
            width = half_width(float(np.std(scattered, ddof=1)), subjects, len(groups))
            row |= {"low": row["difference"] - width, "high": row["difference"] + width}
            row["missing"] = bool(row["high"] < min(0, row["floor_difference"]))
        rows.append(row)
    return rows


def _difference(found: Float[np.ndarray, " n"], within: Bool[np.ndarray, " n"]) -> float:
    return float(found[within].mean() - found[~within].mean())
