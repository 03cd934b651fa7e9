"""Does the gate refuse copies and admit real patients?

    python benchmarks/copies.py STORE... [--run RUN]

Copies of several kinds are made of every store's training slices and shown to its gate, whose threshold is set by
validation subjects; then the slices of its test subjects, real people whom the generator never saw. With a run, copies
are also blended with what it generates, in the store that it was trained on. Writes `benchmarks/results/copies.json`:
the share of each kind that is refused, the share of test slices that is, with its 95 % interval by subject, the seconds
that 2,048 slices take, and what the threshold would do to real slices were there fewer validation subjects, with its
margin and without.
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
from braingan.evaluation.gate import MARGIN, VALIDATION, Gate, moved, spread
from braingan.evaluation.intervals import halves
from braingan.folders import RunFolder
from braingan.sampling.generator import TrainedGenerator
from braingan.training.devices import Device

RESULTS = Path(__file__).parent / "results" / "copies.json"
COPIES = 500
FEWER, DRAWS = (1, 2, 4, 8), 500
"""Validation subjects that there might have been, and how often these are drawn."""
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


BLENDED = "blended 80 to 20"
KINDS: dict[str, Kind] = {
    "exact": lambda s, o, r: s,
    "moved by up to 3 pixels": lambda s, o, r: moved(s, r.uniform(-3, 3, (len(s), 2))),
    "mirrored": lambda s, o, r: s[:, :, ::-1],
    "10 % brighter": lambda s, o, r: s * 1.1,
    "10 % darker": lambda s, o, r: s * 0.9,
    "noise of 5 grey levels": lambda s, o, r: s + r.normal(0, 5, s.shape),
    BLENDED: lambda s, o, r: 0.8 * s + 0.2 * o,
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


def measure(store: Store, generator: TrainedGenerator | None) -> dict:
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
        refused[name] = share_refused(gate, kind(sources, others, random))
    if generator and generator.config["identity"]["store"] == store.fingerprint:
        generated = generator.sample(len(sources))
        refused[f"{BLENDED}, with a generated slice"] = share_refused(gate, KINDS[BLENDED](sources, generated, random))
        refused["generated, as they are"] = share_refused(gate, generated)
    test = store.select("test")
    begun = time.perf_counter()
    found = gate.nearest(store.images(test))
    seconds = time.perf_counter() - begun
    return {
        "store": store.description["source"]["name"],
        "frames": sorted(set(store.columns["frame"].tolist())),
        "built_seconds": built,
        "seconds_for_2048": seconds / len(test) * 2048,
        "copies": len(sources),
        "refused": refused,
        "promised": list(KINDS),
        "test_slices_refused": share(gate.refuses(found).astype(float), store.columns["subject"][test]),
        "largest_test_likeness": float(found.likeness.max()),
        "fewer_validation_subjects": with_fewer(gate, store, test, found.likeness),
        "gate": asdict(gate.rests_on),
    }


def share_refused(gate: Gate, copies: np.ndarray) -> float:
    """Return the share of slices that a gate refuses."""
    return float(gate.refuses(gate.nearest(np.clip(np.rint(copies), 0, 255).astype(np.uint8))).mean())


def with_fewer(gate: Gate, store: Store, test: np.ndarray, of_test: np.ndarray) -> dict:
    """Return the share of other real subjects' slices refused where the threshold rests on a few subjects, drawn anew.

    The mean over the draws, and the share that one draw in twenty exceeds.
    """
    held_out = spread(store.select("validation"), VALIDATION)
    likeness = np.concatenate([gate.nearest(store.images(held_out)).likeness, of_test])
    names, subject = np.unique(store.columns["subject"][np.concatenate([held_out, test])], return_inverse=True)
    random, reach = np.random.default_rng(0), gate.rests_on.planted_reach
    found = {}
    for count in (count for count in FEWER if count < len(names) / 2):
        refused: dict[str, list[float]] = {"without_margin": [], "with_margin": []}
        for _ in range(DRAWS):
            chosen = np.isin(subject, random.permutation(len(names))[:count])
            nearest = likeness[chosen].max()
            for name, margin in zip(refused, (0, MARGIN), strict=True):
                refused[name].append(float((likeness[~chosen] > nearest + margin * (reach - nearest)).mean()))
        found[str(count)] = {
            name: {"mean": float(np.mean(each)), "one_in_twenty": float(np.quantile(each, 0.95))}
            for name, each in refused.items()
        }
    return found


def share(refused: Float[np.ndarray, " n"], subjects: np.ndarray) -> dict:
    """Return the share that is refused, with its interval by subject."""
    deviation = float(np.std([refused[rows].mean() for rows in halves(subjects, "refused")], ddof=1))
    count = len(np.unique(subjects))
    return entry([float(refused.mean())], deviation, count, None, "share") | {"slices": len(refused), "subjects": count}


def main() -> None:
    """Measure each store and say where a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("stores", type=Path, nargs="+")
    parser.add_argument("--run", type=Path)
    arguments, device = parser.parse_args(), Device.choose("float32", 0)
    generator = TrainedGenerator.open(RunFolder(arguments.run)) if arguments.run else None
    found = [measure(Store.open(path), generator) for path in arguments.stores]
    RESULTS.write_text(json.dumps({"device": device.describe(), "stores": found}, indent=1) + "\n")
    for of in found:
        print(f"{of['store']}: built in {of['built_seconds']:.1f} s, 2,048 slices in {of['seconds_for_2048']:.1f} s")
        for name, refused in of["refused"].items():
            kept = "" if name not in KINDS else "kept" if refused >= PROMISED else "NOT KEPT"
            print(f"  {name:40} {refused:7.1%} refused {kept}")
        real = of["test_slices_refused"]
        print(f"  {real['slices']} slices of {real['subjects']} test subjects: {real['value']:.1%} refused, "
              f"{real['low']:.1%} to {real['high']:.1%}")  # fmt: skip
        for count, shares in of["fewer_validation_subjects"].items():
            print(f"  were there {count} validation subjects: " + ", ".join(
                f"{name.replace('_', ' ')} {s['mean']:.2%} (one in twenty {s['one_in_twenty']:.1%})"
                for name, s in shares.items()
            ))  # fmt: skip


if __name__ == "__main__":
    main()
