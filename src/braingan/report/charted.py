"""The tables of an evaluation whose rows have a small chart each: realism, kinds of slice, anatomy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from braingan.report.strips import Scale, Strip
from braingan.report.wording import beside_real, interval_of, number, value_of

Found = Mapping[str, Any]


@dataclass(frozen=True)
class Charted:
    """A table whose rows have a strip each, and the ticks of their common scale."""

    rows: list[dict[str, Any]]
    ticks: list[tuple[float, str]]


def realism(percentiles: Found) -> Charted:
    """Chart how deep slices lie among real ones: the least, the middling and the most realistic."""
    scale = Scale(0.0, max(1.2, *(of["95"] for of in percentiles.values())))
    rows = [
        {
            "name": name,
            "percentiles": [number(percentiles[key][share]) for share in ("5", "50", "95")],
            "strip": scale.strip(
                percentiles[key]["50"],
                percentiles[key]["5"],
                percentiles[key]["95"],
                1.0,
                f"{name}: 5 to 95 of 100 slices",
            ),
        }
        for name, key in (("Generated", "generated"), ("Real training slices", "floor"))
        if key in percentiles
    ]
    return Charted(rows, scale.ticks((0.0, 0.5, 1.0)))


def kinds(groups: Sequence[Found]) -> Charted:
    """Chart how far the recall of each kind of real slice lies from that of all others."""
    scale = Scale.around_zero(
        [row[key] for row in groups for key in ("difference", "floor_difference", "low", "high") if key in row]
    )
    nothing = not any(row["recall"] > 0 for row in groups)
    rows = []
    for row in groups:
        verdict = "too few subjects" if "missing" not in row else "missing" if row["missing"] else "not shown missing"
        entry = {"value": row["difference"]} | {end: row[end] for end in ("low", "high") if end in row}
        rows.append(
            {
                "by": row["by"].capitalize(),
                "group": row["group"],
                "count": row["count"],
                "subjects": row["subjects"],
                "recall": number(row["recall"], share=True),
                "floor": number(row["floor"], share=True),
                "difference": number(
                    100 * row["difference"], 100 * (row["high"] - row["low"]) / 2 if "low" in row else 0.0
                ),
                "interval": interval_of({key: 100 * value for key, value in entry.items()}),
                "missing": bool(row.get("missing")),
                "verdict": "nothing is recalled" if nothing else verdict,
                "strip": _strip_of_kind(scale, row),
            }
        )
    return Charted(rows, scale.ticks((scale.least, 0.0, scale.most)))


def _strip_of_kind(scale: Scale, row: Found) -> Strip:
    says = f"{row['by']} {row['group']}: recall beside that of all other slices"
    return scale.strip(row["difference"], row.get("low"), row.get("high"), row["floor_difference"], says)


def anatomy(quantities: Sequence[Found]) -> Charted:
    """Chart each distance in multiples of its floor, as units differ."""
    ratios = [row.get("high", row["value"]) / row["floor"] for row in quantities if row.get("floor", 0) > 0]
    scale = Scale.of_ratios([2.0, *ratios])
    rows = []
    for row in quantities:
        floor = row.get("floor", 0)
        low, high = (row[end] / floor if floor > 0 and end in row else None for end in ("low", "high"))
        says = f"{row['name']}: distance in multiples of real training slices'"
        rows.append(
            {
                "name": row["name"],
                "unit": row["unit"],
                "real": number(row["real"]),
                "generated": number(row["generated"]),
                "value": value_of(row),
                "interval": interval_of(row),
                "floor": number(floor) if "floor" in row else "",
                "beside": beside_real({**row, "ratio": row["value"] / floor} if floor > 0 else row),
                "strip": scale.strip(row["value"] / floor, low, high, 1.0, says) if floor > 0 else None,
            }
        )
    ticks = [1.0] + [tick for tick in (10.0, 100.0) if tick < scale.most] + [scale.most]
    return Charted(rows, scale.ticks(ticks, "×"))
