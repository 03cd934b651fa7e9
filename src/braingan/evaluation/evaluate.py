"""Generated slices beside real ones, into `metrics.json`: every number with its interval, its floor, and its protocol.

The floor is what real training slices score against the same held-out slices at the same count.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from braingan import __version__
from braingan.data.store import Store
from braingan.errors import InputError
from braingan.evaluation.compare import Compared, Comparison, compare, describe, measurable, pair_of, whole
from braingan.evaluation.detection import Confusion, confusion, probabilities
from braingan.evaluation.features import OF_STORE, OFFLINE, WITH_WEIGHTS, Extractor, open_extractor
from braingan.evaluation.groups import recall_by_group
from braingan.evaluation.intervals import HALVES
from braingan.evaluation.material import Material, material_of_folders, material_of_run
from braingan.evaluation.metrics import alone
from braingan.evaluation.settings import EvaluationSettings
from braingan.folders import RunFolder, read_csv, write_csv, write_json
from braingan.settings import apply_sets, parse
from braingan.training.devices import Device
from braingan.training.run import read_config

FORMAT = 2
CURVE_POINTS = 50
SPREAD = (5, 50, 95)
"""Percentiles of realism."""
Found = dict[str, Any]


def evaluate(folder: RunFolder, data: Path | None = None, split: str = "test", sets: Iterable[str] = ()) -> Found:
    """Measure a run's last snapshot and write what was found beside it.

    Args:
        folder: the run's.
        data: the store, if it is no longer where the run was trained.
        split: `test` writes `metrics.json`; `validation`, for making choices, `metrics-validation.json`.
        sets: assignments over the run's evaluation settings, such as `evaluation.seeds=5`.

    Raises:
        InputError: no run, no snapshot, another store than the one trained on, or too few slices.
    """
    recipe = read_config(folder)["recipe"]
    settings = parse_settings(recipe["evaluation"], sets)
    Device.choose("float32", recipe["training"]["threads"])
    material = material_of_run(folder, data, split, settings)
    assert material.generator is not None
    assert material.store is not None
    found = measure(material, settings)
    path = material.generator.snapshot.metrics
    path = path if split == "test" else path.with_name(f"metrics-{split}.json")
    if split == "test":
        found["protocol"]["test_uses"] = _count_use(material.store, folder, material.generator.snapshot.images_seen)
    write_json(path, found)
    return found


def evaluate_folders(real: Path, fake: Path, train: Path | None, out: Path, sets: Iterable[str] = ()) -> Found:
    """Measure a folder of anyone's generated pictures beside real ones, and write what was found.

    Args:
        real: pictures that the generator never saw.
        fake: the generated ones.
        train: those that it was trained on, for the floor and the look for copies.
        out: the JSON file.
        sets: assignments over the default evaluation settings.

    Raises:
        InputError: a folder has no pictures, or too few, or settings that make no sense here.
    """
    settings = parse_settings({}, sets)
    found = measure(material_of_folders(real, fake, train, settings), settings)
    write_json(out, found)
    return found


def parse_settings(of_run: dict[str, Any], sets: Iterable[str]) -> EvaluationSettings:
    """Return a run's evaluation settings with assignments over them.

    Raises:
        InputError: other settings are among them, or a value is not allowed.
    """
    tables = apply_sets({"evaluation": of_run}, sets)
    if extra := sorted(tables.keys() - {"evaluation"}):
        raise InputError(f"evaluate takes settings of [evaluation] only, not of {', '.join(extra)}.")
    return parse(EvaluationSettings, tables["evaluation"])


def measure(material: Material, settings: EvaluationSettings) -> Found:
    """Measure everything that the material allows."""
    main, others, notes = _open_extractors(material, settings)
    k = settings.neighbours
    comparison = compare(material.real, material.generated, material.floor, main, k)
    metrics = comparison.metrics | describe(alone(main, material.side), material.generated, material.floor, main)
    baselines = _baselines(material, main, k)
    for extractor in others:
        further = compare(material.real, material.generated, material.floor, extractor, k).metrics
        metrics |= {_name(name, extractor): entry for name, entry in further.items()}
    return {
        "format": FORMAT,
        "protocol": _protocol(material, settings, main, others, [*material.notes, *notes]),
        "metrics": metrics,
        "baselines": baselines,
        "curve": _curves(comparison),
        "groups": recall_by_group(material.real, [of.recalled for of in comparison.sets], comparison.floor.recalled),
        "realism": _realism(comparison),
        "confusion": _own_discriminator(material),
    }


def _name(metric: str, extractor: Extractor) -> str:
    """Return what `metrics.json` calls a metric in another extractor's features; the thesis's own has its name."""
    if (metric, extractor.name) == ("frechet_distance", "inception-keras"):
        return "thesis_distance"
    return f"{metric}@{extractor.name}"


def _own_discriminator(material: Material) -> Confusion | None:
    """Return what a run's own discriminator takes for what: held-out real slices and fresh generated ones."""
    if material.generator is None:
        return None
    network = material.generator.networks["discriminator"]
    return confusion(*(probabilities(network, of.images) for of in (material.real, material.generated[0])))


def _baselines(material: Material, extractor: Extractor, k: int) -> dict[str, dict[str, float]]:
    """Return the metrics of what costs nothing, in the generated slices' place."""
    metrics = measurable([material.real, material.floor], k)
    return {
        name: whole(pair_of(material.real, baseline, extractor, k), metrics)
        | {
            of: alone_.statistic(alone_.rows(baseline, extractor))
            for of, alone_ in alone(extractor, material.side).items()
        }
        for name, baseline in material.baselines().items()
    }


def _curves(comparison: Comparison) -> dict[str, dict[str, list[float]]]:
    """Return precision and recall along the trade-off: generated (the mean over the seeds), and the floor's."""

    def thinned(all_of: Sequence[Compared]) -> dict[str, list[float]]:
        precision, recall = (np.mean([of.curve[axis] for of in all_of], axis=0) for axis in (0, 1))
        points = np.linspace(0, len(precision) - 1, CURVE_POINTS).round().astype(int)
        return {"precision": precision[points].tolist(), "recall": recall[points].tolist()}

    return {"generated": thinned(comparison.sets), "floor": thinned([comparison.floor])}


def _realism(comparison: Comparison) -> dict[str, dict[str, float]]:
    """Return how realistic the least, the middling and the most realistic slices are, generated and training ones."""

    def percentiles(values: np.ndarray) -> dict[str, float]:
        return {str(share): float(np.percentile(values, share)) for share in SPREAD}

    generated = np.concatenate([of.realism for of in comparison.sets])
    return {"generated": percentiles(generated), "floor": percentiles(comparison.floor.realism)}


def _protocol(
    material: Material, settings: EvaluationSettings, main: Extractor, others: Sequence[Extractor], notes: list[str]
) -> Found:
    return {
        **material.protocol,
        "count": len(material.real),
        "subjects": len(np.unique(material.real.subjects)),
        "training_subjects": len(np.unique(material.floor.subjects)),
        "side": material.side,
        "bits": 8,
        "generation_seeds": len(material.generated),
        "neighbours": settings.neighbours,
        "intervals": f"95 % by subject, from {HALVES} random halves without replacement",
        "extractor": main.description,
        "extractors": {extractor.name: extractor.description for extractor in (main, *others)},
        "notes": notes,
        "braingan": __version__,
    }


def _count_use(store: Store, folder: RunFolder, images_seen: int) -> int:
    """Note that a snapshot was measured on a store's test subjects, and return how many ones were."""
    path = store.folder.derived / "test-uses.csv"
    uses = {(row["run"], row["snapshot"]) for row in read_csv(path)}
    uses.add((folder.root.resolve().name, str(images_seen)))
    with suppress(OSError):  # a store that can't be written to keeps no count
        write_csv(path, ("run", "snapshot"), sorted(uses))
    return len(uses)


def _open_extractors(material: Material, settings: EvaluationSettings) -> tuple[Extractor, list[Extractor], list[str]]:
    """Open the extractors asked for; what this machine or store lacks gives way, which a note says."""

    def opened(name: str) -> Extractor:
        return open_extractor(name, settings.weights, material.store, material.frames)

    notes = []
    try:
        main = opened(settings.extractor)
    except InputError as error:
        if settings.extractor not in WITH_WEIGHTS or settings.weights:
            raise
        main = opened(OFFLINE)
        notes.append(f"{error} Until then {OFFLINE} takes its place, under its own name.")
    others = []
    for name in settings.also:
        if name == main.name or (material.store is None and name in OF_STORE):
            continue
        try:
            others.append(opened(name))
        except InputError as error:
            notes.append(str(error))
    return main, others, notes
