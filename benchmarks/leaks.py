"""How surely the leak audit finds copies planted in a store, and what it flags where none are.

    python benchmarks/leaks.py SOURCE OUT      SOURCE: any folder that `braingan prepare` reads

SOURCE is prepared with the default settings. Then copies of its slices are planted under new subjects of other splits,
`PLANTED` of each kind, and the audit looks at the store without and with them. The figures are printed and written to
`benchmarks/results/leaks.json`; `OUT/flagged.png` shows the pairs flagged in the store without plants, to be judged by
eye.
"""

import io
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from braingan.data.assemble import make_store
from braingan.data.identity import split_of
from braingan.data.leaks import (
    MAGNITUDES,
    PHASES,
    TURNS,
    Band,
    find_leaks,
    magnitude_vectors,
    pairs_compared,
    phase_likeness,
)
from braingan.data.parts import Part, part_path, write_part
from braingan.data.prepare import prepare
from braingan.data.settings import DataSettings
from braingan.data.store import COLUMNS
from braingan.executor import default_place
from braingan.folders import StoreFolder, write_json
from braingan.training.devices import Device

RESULTS = Path(__file__).resolve().parent / "results" / "leaks.json"
PLANTED = 300
SHOWN = 32
NEAREST = 0.25
"""Real pairs of different subjects below this likeness of magnitudes are not looked at."""


def shifted(image, rng):
    """By 2 pixels in one of eight directions; what leaves the picture is lost."""
    down, across = [(2, 0), (-2, 0), (0, 2), (0, -2), (2, 2), (2, -2), (-2, 2), (-2, -2)][rng.integers(8)]
    return resampled(image, down, across)


def shifted_by_a_fraction(image, rng):
    """By up to 2.5 pixels either way."""
    return resampled(image, *rng.uniform(-2.5, 2.5, 2))


def resampled(image, down, across):
    picture = Image.fromarray(image)
    moved = picture.transform(
        picture.size, Image.Transform.AFFINE, (1, 0, -across, 0, 1, -down), Image.Resampling.BICUBIC
    )
    return np.asarray(moved)


def encoded(image, rng):
    """As a JPEG of quality 75."""
    content = io.BytesIO()
    Image.fromarray(image).save(content, "JPEG", quality=75)
    with Image.open(content) as picture:
        return np.asarray(picture)


def mirrored(image, rng):
    return image[:, ::-1]


def brighter(image, rng):
    """Contrast times 0.8 to 1.25, tissue up to 15 grey levels brighter or darker, cut at black and white."""
    return np.clip(np.rint(image * rng.uniform(0.8, 1.25) + (image > 0) * rng.uniform(-15, 15)), 0, 255).astype(
        np.uint8
    )


def all_at_once(image, rng):
    return encoded(shifted(mirrored(brighter(image, rng), rng), rng), rng)


KINDS = {
    "shifted by 2 pixels": shifted,
    "shifted by a fraction": shifted_by_a_fraction,
    "JPEG of quality 75": encoded,
    "mirrored": mirrored,
    "brightness and contrast": brighter,
    "all at once": all_at_once,
}


def planted_store(store, out, settings):
    """Return the store with copies, and per kind the slices copied and the subjects under which the copies stand."""
    rng, columns = np.random.default_rng(0), store.columns
    originals, copies = Part(list(store.images(np.arange(len(store))))), Part()
    originals.files = [f"slice {number}" for number in range(len(store))]
    originals.rows = [{name: columns[name][number].item() for name in COLUMNS} for number in range(len(store))]
    plants = {}
    for kind, change in KINDS.items():
        chosen = rng.choice(len(store), min(PLANTED, len(store)), replace=False)
        names = [elsewhere(f"{kind} {number}", columns["split"][number], settings) for number in chosen]
        for number, name in zip(chosen, names, strict=True):
            copies.images.append(change(originals.images[number], rng))
            copies.files.append(name)
            copies.rows.append(
                originals.rows[number] | {"subject": name, "volume": name, "split": split_of(name, settings)}
            )
        plants[kind] = (chosen, names)
    folder = StoreFolder(out)
    jobs = {
        name: partial(write_part, part, part_path(folder, name))
        for name, part in (("a originals", originals), ("b copies", copies))
    }
    source = {"source": {"name": "planted", "kind": "leaks"}, "listing": store.fingerprint}
    return make_store(folder, source, jobs, settings, "local:1", [], [], 0), plants


def elsewhere(name, split, settings):
    """Return the name, numbered so that it is dealt into another split."""
    return next(f"{name} {n}" for n in range(10_000) if split_of(f"{name} {n}", settings) != split)


def likeness(one, other):
    """Likeness of pairs by magnitudes and by phases, in the better turn."""
    band = Band.of(one.shape[1])
    turned = [other[:, ::down, ::across] for down, across in TURNS.values()]
    first = magnitude_vectors(one, band)
    magnitudes = np.max([(first * magnitude_vectors(images, band)).sum(axis=1) for images in turned], axis=0)
    return magnitudes, np.max([phase_likeness(one, images, band) for images in turned], axis=0)


def of_kind(store, planted, leaks, chosen, names):
    """Count the copies of one kind found, and how alike the least alike are."""
    number_of = {name: number for number, name in enumerate(planted.columns["subject"].tolist())}
    there = [(number, number_of[name]) for number, name in zip(chosen, names, strict=True) if name in number_of]
    pairs = {frozenset((leak.first, leak.second)) for leak in leaks}
    found = sum(frozenset(map(int, pair)) in pairs for pair in there)
    one, other = (np.array(numbers) for numbers in zip(*there, strict=True))
    magnitudes, phases = likeness(store.images(one), planted.images(other))
    return {
        "planted": len(there), "found": found, "share": found / len(there),
        "least alike, magnitudes": float(magnitudes.min()), "least alike, phases": float(phases.min()),
    }  # fmt: skip


def unplanted(store, leaks):
    """Say what is flagged where nothing was planted, and how alike the most alike of the others are."""
    flagged = {(leak.first, leak.second) for leak in leaks}
    others = [leak for leak in find_leaks(store, NEAREST, -1.0) if (leak.first, leak.second) not in flagged]
    slices = {number for pair in flagged for number in pair}
    pairs = pairs_compared(store)
    return {
        "slices": len(store), "subjects": store.description["subjects"], "side": store.side, "pairs": pairs,
        "pairs flagged": len(leaks), "share of pairs": len(leaks) / max(pairs, 1),
        "slices flagged": len(slices), "share of slices": len(slices) / len(store),
        "most alike not flagged, magnitudes": max((leak.magnitudes for leak in others), default=None),
        "most alike not flagged, phases": max((leak.phases for leak in others), default=None),
    }  # fmt: skip


def show(store, leaks, path):
    """Flagged pairs side by side, four a row."""
    pairs = [np.concatenate(list(store.images(np.array([leak.first, leak.second]))), axis=1) for leak in leaks[:SHOWN]]
    pairs += [np.zeros_like(pairs[0])] * (-len(pairs) % 4)
    Image.fromarray(np.concatenate([np.concatenate(pairs[n : n + 4], axis=1) for n in range(0, len(pairs), 4)])).save(
        path
    )


def main(source, out):
    out, settings = Path(out), DataSettings()
    store = prepare(Path(source), out / "store", settings, default_place())
    planted, plants = planted_store(store, out / "planted", settings)
    start = time.perf_counter()
    leaks = find_leaks(store)
    seconds = time.perf_counter() - start
    if leaks:
        show(store, leaks, out / "flagged.png")
    in_planted = find_leaks(planted)
    write_json(RESULTS, {
        "device": Device.choose("float32", 0).describe(), "source": Path(source).resolve().name,
        "thresholds": {"magnitudes": MAGNITUDES, "phases": PHASES}, "seconds": seconds,
        "unplanted": unplanted(store, leaks),
        "kinds": {kind: of_kind(store, planted, in_planted, *plant) for kind, plant in plants.items()},
    })  # fmt: skip
    print(RESULTS.read_text())


if __name__ == "__main__":
    main(*sys.argv[1:])
