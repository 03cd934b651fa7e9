"""Does the gate refuse copies and admit real patients?

    python benchmarks/copies.py STORE...

Copies of several kinds are made of every store's training slices and shown to its gate, whose threshold is set by
validation subjects; then the slices of its test subjects, real people whom the generator never saw. Writes
`benchmarks/results/copies.json`: the share of each kind that is refused, the share of test slices that is, with its 95
% interval by subject, and the seconds that 2,048 slices take.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from braingan.data.store import Store
from braingan.evaluation.compare import entry
from braingan.evaluation.gate import Gate, moved, spread
from braingan.evaluation.intervals import halves
from braingan.training.devices import Device

RESULTS = Path(__file__).parent / "results" / "copies.json"
COPIES = 500
PROMISED = 0.99
Kind = Callable[[UInt8[np.ndarray, "n side side"], UInt8[np.ndarray, "n side side"], np.random.Generator], np.ndarray]


def zoomed(images: np.ndarray, factor: float, degrees: float) -> np.ndarray:
    """Zoom and turn slices about their middle, bilinearly."""
    side = images.shape[1]
    centre, angle = (side - 1) / 2, np.deg2rad(degrees)
    row, column = np.mgrid[:side, :side] - centre
    down = centre + (np.cos(angle) * row + np.sin(angle) * column) / factor
    across = centre + (np.cos(angle) * column - np.sin(angle) * row) / factor
    i, j = (np.clip(np.floor(at).astype(int), 0, side - 2) for at in (down, across))
    a, b = np.clip(down - i, 0, 1), np.clip(across - j, 0, 1)
    top = images[:, i, j] * (1 - b) + images[:, i, j + 1] * b
    return top * (1 - a) + (images[:, i + 1, j] * (1 - b) + images[:, i + 1, j + 1] * b) * a


KINDS: dict[str, Kind] = {
    "exact": lambda s, o, r: s,
    "moved by up to 3 pixels": lambda s, o, r: moved(s, r.uniform(-3, 3, (len(s), 2))),
    "mirrored": lambda s, o, r: s[:, :, ::-1],
    "10 % brighter": lambda s, o, r: s * 1.1,
    "10 % darker": lambda s, o, r: s * 0.9,
    "noise of 5 grey levels": lambda s, o, r: s + r.normal(0, 5, s.shape),
    "blended 80 to 20": lambda s, o, r: 0.8 * s + 0.2 * o,
    "moved, mirrored and blended 80 to 20": lambda s, o, r: (
        0.8 * moved(s, r.uniform(-3, 3, (len(s), 2)))[:, :, ::-1] + 0.2 * o
    ),
}
NOT_PROMISED: dict[str, Kind] = {
    "blended 65 to 35": lambda s, o, r: 0.65 * s + 0.35 * o,
    "turned by 2 degrees": lambda s, o, r: zoomed(s, 1, 2),
    "turned by 5 degrees": lambda s, o, r: zoomed(s, 1, 5),
    "zoomed by 5 %": lambda s, o, r: zoomed(s, 1.05, 0),
    "zoomed by 10 %": lambda s, o, r: zoomed(s, 1.1, 0),
}


def measure(store: Store) -> dict:
    """Plant copies of each kind, and look at test subjects."""
    begun = time.perf_counter()
    gate = Gate.of_store(store)
    built = time.perf_counter() - begun
    random = np.random.default_rng(0)
    numbers = store.select("train")
    sources = store.images(spread(numbers, COPIES))
    others = store.images(random.permutation(numbers)[: len(sources)])
    refused = {}
    for name, kind in (KINDS | NOT_PROMISED).items():
        copies = np.clip(np.rint(kind(sources, others, random)), 0, 255).astype(np.uint8)
        refused[name] = float(gate.refuses(gate.nearest(copies)).mean())
    test = store.select("test")
    begun = time.perf_counter()
    of_real = gate.refuses(gate.nearest(store.images(test))).astype(float)
    seconds = time.perf_counter() - begun
    return {
        "store": store.description["source"]["name"],
        "built_seconds": built,
        "seconds_for_2048": seconds / len(test) * 2048,
        "copies": len(sources),
        "refused": refused,
        "promised": list(KINDS),
        "test_slices_refused": share(of_real, store.columns["subject"][test]),
        "gate": asdict(gate.rests_on),
    }


def share(refused: Float[np.ndarray, " n"], subjects: np.ndarray) -> dict:
    """Return the share that is refused, with its interval by subject."""
    deviation = float(np.std([refused[rows].mean() for rows in halves(subjects, "refused")], ddof=1))
    count = len(np.unique(subjects))
    return entry([float(refused.mean())], deviation, count, None, "share") | {"slices": len(refused), "subjects": count}


def main() -> None:
    """Measure each store and say where a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("stores", type=Path, nargs="+")
    device = Device.choose()
    found = [measure(Store.open(path)) for path in parser.parse_args().stores]
    RESULTS.write_text(json.dumps({"device": device.describe(), "stores": found}, indent=1) + "\n")
    for of in found:
        print(f"{of['store']}: built in {of['built_seconds']:.1f} s, 2,048 slices in {of['seconds_for_2048']:.1f} s")
        for name, refused in of["refused"].items():
            kept = "" if name not in KINDS else "kept" if refused >= PROMISED else "NOT KEPT"
            print(f"  {name:40} {refused:7.1%} refused {kept}")
        real = of["test_slices_refused"]
        print(f"  {real['slices']} slices of {real['subjects']} test subjects: {real['value']:.1%} refused, "
              f"{real['low']:.1%} to {real['high']:.1%}")  # fmt: skip


if __name__ == "__main__":
    main()
