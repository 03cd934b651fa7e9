"""A run's numbers: generated slices against real test slices, beside real training against real test slices.

The second is the floor: what a distance is between two sets of real slices of different subjects at the same
count. For precision and recall it is a bound from above.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from braingan import __version__
from braingan.data.store import Store
from braingan.errors import InputError
from braingan.evaluation.coverage import covered_share
from braingan.evaluation.detection import confusion, probabilities
from braingan.evaluation.distances import frechet_distance, kernel_distance
from braingan.evaluation.diversity import WINDOW, mean_pair_similarity
from braingan.evaluation.features import Extractor, open_extractor
from braingan.evaluation.sets import SliceSet
from braingan.evaluation.settings import EvaluationSettings
from braingan.folders import RunFolder, write_json
from braingan.sampling.generator import TrainedGenerator
from braingan.settings import apply_sets, parse
from braingan.training.devices import Device
from braingan.training.run import read_config

FORMAT = 1


@dataclass(frozen=True)
class Metric:
    """A number that compares generated with real slices, by features and subjects, or describes them alone."""

    compute: Callable[[SliceSet, SliceSet, Extractor, int], float]
    """Of real slices, generated slices, the extractor, and the k of neighbour radii."""
    distance: bool
    """Whether 0 is best, so that a ratio to the floor means something."""
    features: bool = True
    """Whether it is measured in the extractor's features."""


METRICS: dict[str, Metric] = {
    "frechet_distance": Metric(lambda r, g, e, k: frechet_distance(r.features(e), g.features(e)), True),
    "kernel_distance": Metric(lambda r, g, e, k: kernel_distance(r.features(e), g.features(e)), True),
    "precision": Metric(lambda r, g, e, k: covered_share(g.features(e), r.features(e), k), False),
    "recall": Metric(lambda r, g, e, k: covered_share(r.features(e), g.features(e), k), False),
    "precision_other_subject": Metric(
        lambda r, g, e, k: covered_share(g.features(e), r.features(e), k, r.subjects), False
    ),
    "recall_other_subject": Metric(
        lambda r, g, e, k: covered_share(r.features(e), g.features(e), k, g.subjects), False
    ),
    "ms_ssim": Metric(lambda r, g, e, k: mean_pair_similarity(g.images), False, False),
    "brightness": Metric(lambda r, g, e, k: float(g.images.mean()), False, False),
}


def evaluate(
    folder: RunFolder, data: Path | None = None, split: str = "test", sets: Iterable[str] = ()
) -> dict[str, Any]:
    """Measure a run's last snapshot and write what was found beside it.

    Args:
        folder: the run's.
        data: the store, if it is no longer where the run was trained.
        sets: assignments over the run's evaluation settings, such as `evaluation.seeds=5`.
        split: `test` writes `metrics.json`; `validation`, for making choices, `metrics-validation.json`.

    Raises:
        InputError: no run, no snapshot, another store than the one trained on, or too few slices.
    """
    generator = TrainedGenerator.open(folder)
    store = open_store_of(folder, data)
    config = generator.config
    settings = _settings(config["recipe"]["evaluation"], sets)
    frames = tuple(config["recipe"]["data"]["frames"])
    samples, seed = (config["recipe"]["training"][name] for name in ("samples", "seed"))
    held_out, trained_on = store.select(split, frames), store.select("train", frames, samples, seed)
    count = _count(settings, len(held_out), len(trained_on), split, store)
    real = SliceSet.of_store(store, _spread(held_out, count))
    training = SliceSet.of_store(store, _spread(trained_on, count))
    Device.choose("float32", config["recipe"]["training"]["threads"])
    extractor = open_extractor(settings.extractor)
    generated = [SliceSet.generated(generator.sample(count, seed)) for seed in range(settings.seeds)]
    by_discriminator = [
        probabilities(generator.networks["discriminator"], images) for images in (real.images, generated[0].images)
    ]
    enough_others = all(_enough_others(slices, settings.neighbours) for slices in (real, training))
    found = {
        "format": FORMAT,
        "protocol": {
            "split": split,
            "count": count,
            "subjects": len(np.unique(real.subjects)),
            "training_subjects": len(np.unique(training.subjects)),
            "generation_seeds": settings.seeds,
            "neighbours": settings.neighbours,
            "extractor": extractor.description,
            "store": store.fingerprint,
            "snapshot": generator.snapshot.images_seen,
            "braingan": __version__,
        },
        "metrics": {
            name: _measure(metric, real, training, generated, extractor, settings)
            for name, metric in METRICS.items()
            if (enough_others or not name.endswith("other_subject")) and (store.side >= WINDOW or name != "ms_ssim")
        },
        "confusion": confusion(*by_discriminator),
    }
    path = generator.snapshot.metrics
    write_json(path if split == "test" else path.with_name(f"metrics-{split}.json"), found)
    return found


def open_store_of(folder: RunFolder, data: Path | None = None) -> Store:
    """Open the store that a run was trained on.

    Raises:
        InputError: it is gone, or it has changed.
    """
    config = read_config(folder)
    store = Store.open(data or Path(config["store"]))
    if store.fingerprint != config["identity"]["store"]:
        raise InputError(f"{store.folder.root} is not the store that {folder.root} was trained on: name it by --data.")
    return store


def _settings(of_run: dict[str, Any], sets: Iterable[str]) -> EvaluationSettings:
    tables = apply_sets({"evaluation": of_run}, sets)
    if extra := sorted(tables.keys() - {"evaluation"}):
        raise InputError(f"evaluate takes settings of [evaluation] only, not of {', '.join(extra)}.")
    return parse(EvaluationSettings, tables["evaluation"])


def _count(settings: EvaluationSettings, held_out: int, trained_on: int, split: str, store: Store) -> int:
    count, least = min(held_out, trained_on, settings.count), settings.neighbours + 1
    if count < least:
        raise InputError(
            f"{count} slices can be compared, at least {least} are needed: {store.folder.root} has {held_out} {split} "
            f"and {trained_on} training slices, evaluation.count is {settings.count}. Prepare with more subjects, "
            "other shares (data.split) or another data.split_seed."
        )
    return count


def _enough_others(slices: SliceSet, neighbours: int) -> bool:
    """Whether each slice has so many neighbours of other subjects."""
    return len(slices) - int(np.unique(slices.subjects, return_counts=True)[1].max()) >= neighbours


def _spread(indices: Int[np.ndarray, " n"], count: int) -> Int[np.ndarray, " {count}"]:
    """Take `count` of the slices, evenly spread, so that all subjects stand for themselves."""
    return np.asarray(indices[np.linspace(0, len(indices) - 1, count).round().astype(int)])


def _measure(
    metric: Metric,
    real: SliceSet,
    training: SliceSet,
    sets: list[SliceSet],
    extractor: Extractor,
    settings: EvaluationSettings,
) -> dict[str, Any]:
    values = [metric.compute(real, generated, extractor, settings.neighbours) for generated in sets]
    value, floor = float(np.mean(values)), metric.compute(real, training, extractor, settings.neighbours)
    ratio = {"ratio": value / floor} if metric.distance and floor > 0 else {}
    by = {"extractor": extractor.name} if metric.features else {}
    return {"value": value, "floor": floor, **ratio, "values": values, "count": len(real), **by}
