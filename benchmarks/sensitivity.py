"""Which metric sees what, and at what strength? Known faults, planted into real slices.

    python benchmarks/sensitivity.py STORE OTHER_STORE

A store's training subjects are dealt to two halves. The first half is what an imagined generator learnt from; the
second, whose slices are as good as any generator's could be, is what it "generates", with faults of several kinds and
strengths; test subjects are the real side. A metric *sees* a fault where its value leaves the 95 % interval, by
subject, that the faultless second half has; how far, in half widths of that interval, is what the heat map shows.
OTHER_STORE, of the same side, is "another data set". Writes `benchmarks/results/sensitivity.json` and
`docs/pictures/sensitivity.png`.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from braingan.data.store import Store
from braingan.evaluation.compare import compare, describe, pair_of, whole
from braingan.evaluation.features import Extractor, open_extractor
from braingan.evaluation.material import spread
from braingan.evaluation.metrics import METRICS, alone
from braingan.evaluation.sets import SliceSet

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
        everything = np.arange(len(other))
        self.other = other.images(spread(everything, min(count, len(other))))
        self.extractors: list[Extractor] = [open_extractor(name, store=store) for name in EXTRACTORS]

    def faultless(self) -> dict[str, dict[str, float]]:
        """Return each metric of the faultless set with the half width of its interval."""
        found: dict[str, dict[str, float]] = {}
        for extractor in self.extractors:
            metrics = compare(self.real, [self.clean], self.learnt_from, extractor, 5).metrics
            if extractor is self.extractors[0]:
                metrics |= describe(
                    alone(extractor, self.real.images.shape[1]), [self.clean], self.learnt_from, extractor
                )
            for name, of in metrics.items():
                plain = name if extractor is self.extractors[0] else f"{name}@{extractor.name}"
                found[plain] = {"value": of["value"], "half_width": of["high"] - of["value"]}
        return found

    def measure(self, images: Images) -> dict[str, float]:
        """Return every metric of a set with a fault."""
        made = SliceSet(images, self.clean.subjects)
        found: dict[str, float] = {}
        for extractor in self.extractors:
            values = whole(pair_of(self.real, made, extractor, 5), METRICS)
            if extractor is self.extractors[0]:
                values |= {
                    name: of.statistic(of.rows(made, extractor))
                    for name, of in alone(extractor, images.shape[1]).items()
                }
            suffix = "" if extractor is self.extractors[0] else f"@{extractor.name}"
            found |= {name + suffix: value for name, value in values.items()}
        return found
