"""What is in a store: counts, grey levels, lesions, a contact sheet, what was left out, and leaks between splits.

Written as `inspect.json` and pictures. What a store cannot have, such as lesions without label maps, says "not
applicable".
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from braingan.data.drawing import Row, contact_sheet, histograms, lesion_areas
from braingan.data.leaks import LEAST_SIDE, MAGNITUDES, PHASES, find_leaks, pairs_compared
from braingan.data.store import SPLITS, Store
from braingan.errors import InputError
from braingan.folders import is_empty, read_csv, write_json
from braingan.randomness import draws

UNNAMED = "unnamed"
SHEET_COLUMNS, SHEET_FRAMES = 8, 6
PIXELS_AT_ONCE = 2**24


def inspect_store(store: Store, out: Path) -> dict[str, Any]:
    """Look into a store, write what was found to `out` as `inspect.json` and pictures, and return the former.

    Raises:
        InputError: `out` holds something else.
    """
    description = out / "inspect.json"
    if out.exists() and not description.exists() and not is_empty(out):
        raise InputError(f"{out} is not empty and holds no inspection: choose another --out.")
    levels, areas = grey_levels(store), areas_of_lesions(store)
    found = {
        "store": {key: store.description[key] for key in ("fingerprint", "side", "count", "subjects", "masks")},
        "source": store.description["source"],
        "notes": store.description["notes"],
        "counts": counts(store.columns),
        "left_out": dict(left_out(row["reason"] for row in read_csv(store.folder.discarded)).most_common()),
        "grey_levels": {frame: {split: _levels(n) for split, n in splits.items()} for frame, splits in levels.items()},
        "lesions": _lesions(store, areas),
        "volumes_with_skull": store.description.get("skull", "not applicable: prepared by an earlier version"),
        "leaks": leaks_between_splits(store),
    }
    write_json(description, found)
    contact_sheet(out / "contact_sheet.png", _sheet(store))
    histograms(out / "histograms.png", levels)
    if areas:
        lesion_areas(out / "lesions.png", {split: known[known > 0] for split, known in areas.items()})
    else:
        (out / "lesions.png").unlink(missing_ok=True)  # of an earlier store in this place
    return found


def counts(columns: Mapping[str, Shaped[np.ndarray, " n"]]) -> dict[str, Any]:
    """Count slices and subjects of each split, also by frame and by label, and the slices a subject has."""
    each = np.unique(columns["subject"], return_counts=True)[1]
    return {
        "all": _by_split(columns, np.ones(len(columns["subject"]), bool)),
        "frames": {str(name) or UNNAMED: _by_split(columns, columns["frame"] == name)
                   for name in np.unique(columns["frame"])},
        "labels": {str(name) or UNNAMED: _by_split(columns, columns["label"] == name)
                   for name in np.unique(columns["label"])} if (columns["label"] != "").any() else {},
        "slices_a_subject": _spread(each),
    }  # fmt: skip


def _by_split(columns: Mapping[str, Shaped[np.ndarray, " n"]], wanted: np.ndarray) -> dict[str, dict[str, int]]:
    found = {}
    for split in SPLITS:
        chosen = wanted & (columns["split"] == split)
        found[split] = {"slices": int(chosen.sum()), "subjects": len(np.unique(columns["subject"][chosen]))}
    return found


def _spread(values: Shaped[np.ndarray, " n"]) -> dict[str, float]:
    return {"lowest": float(values.min()), "median": float(np.median(values)), "highest": float(values.max())}


def left_out(reasons: Iterable[str]) -> Counter[str]:
    """Count reasons by kind: what a reason says of one file alone, such as a number, is taken out.

    Digits within a word, as in `3-D` or `complex64`, and within a setting, as in `60:100/155`, stay.
    """

    def kind(reason: str) -> str:
        if reason.startswith("the same slice as"):
            return "the same slice as another"
        return re.sub(r"(?<![\w|:/-])\d+([.,]\d+)*(?![\w:/-])", "…", reason.partition(": ")[0])

    return Counter(kind(reason) for reason in reasons)


def grey_levels(store: Store) -> dict[str, dict[str, Int[np.ndarray, " 256"]]]:
    """Count the pixels of each grey level 0..255, by frame and split."""
    columns, found = store.columns, {}
    each = max(PIXELS_AT_ONCE // store.side**2, 1)
    for frame in np.unique(columns["frame"]):
        splits = {}
        for split in SPLITS:
            chosen = np.flatnonzero((columns["frame"] == frame) & (columns["split"] == split))
            parts = (chosen[start : start + each] for start in range(0, len(chosen), each))
            levels = [np.bincount(store.images(part).ravel(), minlength=256) for part in parts]
            if levels:
                splits[split] = np.sum(levels, axis=0)
        found[str(frame) or UNNAMED] = splits
    return found


def _levels(pixels: Int[np.ndarray, " 256"]) -> dict[str, float]:
    """Summarise grey levels of tissue: all but level 0."""
    tissue = pixels * (np.arange(256) > 0)
    share = np.cumsum(tissue) / max(tissue.sum(), 1)
    low, median, high = (int(np.searchsorted(share, part)) for part in (0.05, 0.5, 0.95))
    mean = float((tissue * np.arange(256)).sum() / max(tissue.sum(), 1))
    background = float(pixels[0] / pixels.sum())
    return {"mean": mean, "percentile_5": low, "median": median, "percentile_95": high, "background": background}


def areas_of_lesions(store: Store) -> dict[str, Float[np.ndarray, " _"]]:
    """Return, per split, the lesion areas (mm²) of all slices that have a label map, 0 where no lesion is.

    A slice that is there in several frames counts once. Empty where no slice has a label map.
    """
    columns = store.columns
    mapped = np.flatnonzero(np.isfinite(columns["lesion_area_mm2"]))
    places = zip(columns["volume"][mapped].tolist(), columns["position"][mapped].tolist(), strict=True)
    once = np.array(sorted(dict(zip(places, mapped.tolist(), strict=True)).values()), int)
    if not len(once):
        return {}
    return {split: columns["lesion_area_mm2"][once[columns["split"][once] == split]].astype(float) for split in SPLITS}


def _lesions(store: Store, areas: Mapping[str, Float[np.ndarray, " _"]]) -> dict[str, Any] | str:
    if not areas:
        return "not applicable: the store has no label maps"
    return {
        split: {"slices_with_label_map": len(known), "slices_with_lesion": int((known > 0).sum())}
        | ({"area_mm2": _spread(known[known > 0])} if (known > 0).any() else {})
        for split, known in areas.items()
    }


def leaks_between_splits(store: Store) -> dict[str, Any] | str:
    """Audit a store for the same slice, or nearly the same, in two splits; see `braingan.data.leaks`."""
    if store.side < LEAST_SIDE:
        return f"not applicable: slices under {LEAST_SIDE} pixels have too little texture to tell copies by"
    pairs = pairs_compared(store)
    if not pairs:
        return "not applicable: all slices of a frame are in one split"
    leaks, columns = find_leaks(store), store.columns

    def named(number: int) -> dict[str, Any]:
        place = {name: str(columns[name][number]) for name in ("subject", "frame", "split")}
        return {"slice": number, **place, "position": int(columns["position"][number])}

    return {
        "pairs_compared": pairs,
        "thresholds": {"magnitudes": MAGNITUDES, "phases": PHASES},
        "slices": len({number for leak in leaks for number in (leak.first, leak.second)}),
        "found": [
            {"first": named(leak.first), "second": named(leak.second), "turn": leak.turn,
             "magnitudes": round(leak.magnitudes, 4), "phases": round(leak.phases, 4)}
            for leak in leaks
        ],
    }  # fmt: skip


def _sheet(store: Store) -> list[Row]:
    """Choose the slices of the contact sheet: a row a frame and split, two where there are few frames."""
    columns = store.columns
    frames, sizes = np.unique(columns["frame"], return_counts=True)
    shown = frames[np.sort(np.argsort(-sizes, kind="stable")[:SHEET_FRAMES])]
    rows = []
    for frame in shown:
        for split in SPLITS:
            there = np.flatnonzero((columns["frame"] == frame) & (columns["split"] == split))
            chosen = spread_of(columns, there, SHEET_COLUMNS * (2 if len(shown) < 3 else 1))
            for start in range(0, len(chosen), SHEET_COLUMNS):
                part = chosen[start : start + SHEET_COLUMNS]
                places = zip(columns["subject"][part].tolist(), columns["position"][part].tolist(), strict=True)
                names = [subject if place == -1 else f"{subject} z {place}" for subject, place in places]
                masks = store.masks(part) if store.description["masks"] else None
                rows.append(Row(f"{str(frame) or UNNAMED}, {split}", store.images(part), masks, names))
    return rows


def spread_of(
    columns: Mapping[str, Shaped[np.ndarray, " n"]], there: Int[np.ndarray, " m"], count: int
) -> Int[np.ndarray, " _"]:
    """Choose up to `count` slices, a subject each as far as there are, from low to high along the axis.

    The choice is seeded by the subjects alone: the same in every frame of the same slices.
    """
    subjects = np.unique(columns["subject"][there])
    if not len(there):
        return there
    dealt = islice(cycle(draws(0, "contact sheet").permutation(subjects)), count)
    chosen: dict[int, None] = {}
    for number, subject in enumerate(dealt):
        own = there[columns["subject"][there] == subject]
        own = own[np.argsort(columns["position"][own], kind="stable")]
        chosen[int(own[int((number + 0.5) / count * len(own))])] = None
    return np.array(list(chosen), int)
