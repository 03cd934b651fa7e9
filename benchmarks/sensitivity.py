"""Which metric sees what, and at what strength? Known faults, planted into real slices.

    python benchmarks/sensitivity.py STORE OTHER_STORE

A store's training subjects are dealt to two halves. The first half is what an imagined generator learnt from; the
second, whose slices are as good as any generator's could be, is what it "generates", with faults of several kinds and
strengths; test subjects are the real side. A metric *sees* a fault where its value leaves the 95 % interval, by
subject, that the faultless second half has; how far, in half widths of that interval, is what the heat map shows.
OTHER_STORE, of the same side, is "another data set". Writes `benchmarks/results/sensitivity.json` and
`docs/pictures/sensitivity.png`.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from braingan.data.store import Store
from braingan.evaluation.anatomy import measure as measure_anatomy
from braingan.evaluation.compare import compare, describe, pair_of, whole
from braingan.evaluation.detection import detect
from braingan.evaluation.features import Extractor, open_extractor
from braingan.evaluation.gate import Gate
from braingan.evaluation.intervals import half_width
from braingan.evaluation.material import Loose, spread
from braingan.evaluation.memorisation import authentic, membership, nearest
from braingan.evaluation.metrics import METRICS, alone
from braingan.evaluation.nearest import TrainingSlices
from braingan.evaluation.sets import SliceSet
from braingan.training.devices import Device

RESULTS = Path(__file__).parent / "results" / "sensitivity.json"
PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "sensitivity.png"
EXTRACTORS = ("efficientnet-lite2", "encoder", "anatomy", "random")
Images = np.ndarray
Fault = Callable[[Images, float, np.random.Generator], Images]


def grey(values: np.ndarray) -> Images:
    """Round to grey levels."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def blur(images: Images, deviation: float, random: np.random.Generator) -> Images:
    """Blur by so many pixels."""
    frequency = np.fft.fftfreq(images.shape[1])
    response = np.exp(-2 * (np.pi * frequency * deviation) ** 2)
    return grey(np.fft.ifft2(np.fft.fft2(images) * response[:, None] * response).real)


def noise(images: Images, deviation: float, random: np.random.Generator) -> Images:
    """Add Rician noise: the magnitude of a complex signal, as MRI has it."""
    real, imaginary = random.normal(0, deviation, (2, *images.shape))
    return grey(np.hypot(images + real, imaginary))


def ghosting(images: Images, share: float, random: np.random.Generator) -> Images:
    """Add a faint copy, half a field of view away, as motion between readouts does."""
    return grey(images * (1 - share) + share * np.roll(images.astype(float), images.shape[1] // 2, axis=1))


def contrast(images: Images, share: float, random: np.random.Generator) -> Images:
    """Stretch grey levels of tissue around their mean."""
    tissue = images > 10
    mean = images[tissue].mean()
    return np.where(tissue, grey(mean + (1 + share) * (images - mean)), images)


def repeated(images: Images, share: float, random: np.random.Generator) -> Images:
    """Replace a share of the slices by repeats of one in twenty of them."""
    count = round(share * len(images))
    found = images.copy()
    found[random.permutation(len(images))[:count]] = images[random.integers(0, len(images), len(images) // 20)][
        random.integers(0, len(images) // 20, count)
    ]
    return found


def squeezed(images: Images, share: float, random: np.random.Generator) -> Images:
    """Make every second brain narrower by a share."""
    side = images.shape[1]
    centre = (side - 1) / 2
    source = centre + (np.arange(side) - centre) / (1 - share)
    low = np.clip(np.floor(source).astype(int), 0, side - 2)
    weight = np.clip(source - low, 0, 1)
    narrow = images[:, :, low] * (1 - weight) + images[:, :, low + 1] * weight
    narrow[:, :, (source < 0) | (source > side - 1)] = 0
    found = images.copy()
    found[::2] = grey(narrow[::2])
    return found


def exchanged(others: Images) -> Fault:
    """Return a fault that puts other slices in the place of a share."""

    def fault(images: Images, share: float, random: np.random.Generator) -> Images:
        count = round(share * len(images))
        found = images.copy()
        found[random.permutation(len(images))[:count]] = others[random.permutation(len(others))[:count]]
        return found

    return fault


def faults(learnt_from: Images, other: Images) -> dict[str, tuple[Fault, tuple[float, ...], str]]:
    """Return each kind of fault with its strengths and their unit."""
    return {
        "blur": (blur, (0.4, 0.7, 1.0), "pixels"),
        "noise": (noise, (2, 5, 10), "grey levels"),
        "ghosting": (ghosting, (0.03, 0.06, 0.12), "share"),
        "contrast": (contrast, (0.05, 0.1, 0.2), "share"),
        "repeated": (repeated, (0.1, 0.3, 0.9), "share of slices"),
        "training copies": (exchanged(learnt_from), (0.1, 0.5, 1.0), "share of slices"),
        "other data": (exchanged(other), (0.05, 0.2, 1.0), "share of slices"),
        "half squeezed": (squeezed, (0.03, 0.05, 0.1), "by"),
    }


class Study:
    """The sets that stay the same, and what the faultless set scores."""

    def __init__(self, store: Store, other: Store, count: int) -> None:
        train, test = store.select("train"), store.select("test")
        names, numbers = np.unique(store.columns["subject"][train], return_inverse=True)
        first = np.isin(numbers, np.random.default_rng(0).permutation(len(names))[: len(names) // 2])
        count = min(count, len(test), first.sum(), (~first).sum())
        self.real = SliceSet.of_store(store, spread(test, count))
        self.learnt_from = SliceSet.of_store(store, spread(train[first], count))
        self.clean = SliceSet.of_store(store, spread(train[~first], count))
        self.other = other.images(spread(np.arange(len(other)), min(count, len(other))))
        self.extractors: list[Extractor] = [open_extractor(name, store=store) for name in EXTRACTORS]
        validation = SliceSet.of_store(store, store.select("validation"))
        both = (self.learnt_from, validation)
        loose = Loose(
            np.concatenate([of.images for of in both]), {"subject": np.concatenate([of.subjects for of in both])}
        )
        numbers = np.arange(len(loose.every))
        self.gate = Gate.of_slices(TrainingSlices(loose, numbers[:count]), numbers[count:])

    def faultless(self) -> dict[str, dict[str, float]]:
        """Return each metric of the faultless set with the half width of its interval."""
        found: dict[str, dict[str, float]] = {}
        for extractor in self.extractors:
            metrics = compare(self.real, [self.clean], self.learnt_from, extractor, 5).metrics
            if extractor is self.extractors[0]:
                side = self.real.images.shape[1]
                metrics |= describe(alone(extractor, side), [self.clean], self.learnt_from, extractor)
            for name, of in metrics.items():
                if "infinite" not in name:
                    plain = name if extractor is self.extractors[0] else f"{name}@{extractor.name}"
                    found[plain] = {"value": of["value"], "half_width": of["high"] - of["value"]}
        values, widths = self.apart(self.clean)
        return found | {name: {"value": values[name], "half_width": widths[name]} for name in values}

    def measure(self, images: Images) -> dict[str, float]:
        """Return every metric of a set with a fault."""
        made = SliceSet(images, self.clean.subjects)
        found: dict[str, float] = {}
        for extractor in self.extractors:
            values = whole(pair_of(self.real, made, extractor, 5), METRICS)
            if extractor is self.extractors[0]:
                described = alone(extractor, images.shape[1])
                values |= {name: of.statistic(of.rows(made, extractor)) for name, of in described.items()}
            suffix = "" if extractor is self.extractors[0] else f"@{extractor.name}"
            found |= {name + suffix: value for name, value in values.items()}
        return found | self.apart(made)[0]

    def apart(self, made: SliceSet) -> tuple[dict[str, float], dict[str, float]]:
        """Return the measures of memorisation and detection, and half widths of their intervals."""
        main, subjects = self.extractors[0], len(np.unique(self.real.subjects))
        features, training, real = (of.features(main) for of in (made, self.learnt_from, self.real))
        members, others = (nearest(of, features)[0] for of in (training, real))
        auc, deviation = membership(members, others, self.learnt_from.subjects, self.real.subjects)
        original = float(authentic(features, training, self.learnt_from.subjects).mean())
        copies = float(self.gate.refuses(self.gate.nearest(made.images)).mean())
        told = detect(
            [real, measure_anatomy(self.real.images)],
            [features, measure_anatomy(made.images)],
            self.real.subjects,
            made.subjects,
        )

        def by_subject(share: float) -> float:
            return half_width(float(np.sqrt(max(share * (1 - share), 0.01) / subjects)), subjects)

        values = {
            "membership_auc": auc,
            "authenticity": original,
            "copies": copies,
            "detector_accuracy": told.accuracy,
        }
        widths = {
            "membership_auc": half_width(deviation, subjects),
            "authenticity": by_subject(original),
            "copies": by_subject(copies),
            "detector_accuracy": told.width,
        }
        return values, widths


def heat_map(rows: dict[str, dict[str, float]], columns: list[str]) -> Figure:
    """Draw how far each metric (row) leaves its interval at each fault (column)."""
    values = np.array([[abs(rows[row][column]) for column in columns] for row in rows])
    figure = Figure(figsize=(11, 0.21 * len(rows) + 2.2), layout="constrained")
    axes = figure.subplots()
    shown = axes.imshow(np.log10(np.clip(values, 0.1, 100)), cmap="cividis", aspect="auto", vmin=-1, vmax=2)
    axes.set_xticks(range(len(columns)), columns, rotation=60, ha="right", fontsize=7)
    axes.set_yticks(range(len(rows)), list(rows), fontsize=7)
    for row, column in zip(*np.nonzero(values > 1), strict=True):
        axes.text(
            column,
            row,
            "×",
            ha="center",
            va="center",
            fontsize=6,
            color="black" if values[row, column] > 10 else "white",
        )
    bar = figure.colorbar(shown, ticks=[-1, 0, 1, 2], pad=0.01, aspect=40)
    bar.ax.set_yticklabels(["0.1", "1", "10", "100"], fontsize=7)
    bar.set_label("half widths of its 95 % interval away from faultless slices (×: outside)", fontsize=7)
    return figure


def main() -> None:
    """Plant every fault at every strength."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("other", type=Path)
    parser.add_argument("--count", type=int, default=816)
    arguments = parser.parse_args()
    device = Device.choose("float32")
    study = Study(Store.open(arguments.store), Store.open(arguments.other), arguments.count)
    base = study.faultless()
    found: dict[str, dict[str, float]] = {}
    for kind, (fault, strengths, unit) in faults(study.learnt_from.images, study.other).items():
        for strength in strengths:
            name = f"{kind} {strength:g} {unit}"
            found[name] = study.measure(fault(study.clean.images, strength, np.random.default_rng(1)))
            print(name, flush=True)
    far = {
        metric: {name: (values[metric] - of["value"]) / max(of["half_width"], 1e-9) for name, values in found.items()}
        for metric, of in base.items()
    }
    RESULTS.write_text(
        json.dumps(
            {
                "device": device.describe(),
                "store": Store.open(arguments.store).description["source"]["name"],
                "other": Store.open(arguments.other).description["source"]["name"],
                "count": len(study.real),
                "faultless": base,
                "values": found,
                "half_widths_away": far,
            },
            indent=1,
        )
        + "\n"
    )
    heat_map(far, list(found)).savefig(PICTURE, dpi=110)
    for metric, of in far.items():
        seen = [name for name, away in of.items() if abs(away) > 1]
        print(f"{metric:36} {', '.join(seen) or 'sees nothing'}")


if __name__ == "__main__":
    main()
