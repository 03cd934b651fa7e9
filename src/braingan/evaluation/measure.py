"""Everything that is measured of a set of material: `metrics.json`, part by part."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from braingan import __version__
from braingan.errors import InputError
from braingan.evaluation.anatomy import ROWS, wasserstein
from braingan.evaluation.compare import Compared, Comparison, compare, describe, entry, measurable, pair_of, whole
from braingan.evaluation.detection import Confusion, Detection, confusion, detect, extremes, probabilities
from braingan.evaluation.distances import frechet_distance
from braingan.evaluation.encoder.questions import ANSWERED
from braingan.evaluation.encoder.scores import depth_spacing
from braingan.evaluation.features import OF_STORE, OFFLINE, WITH_WEIGHTS, Extractor, open_extractor
from braingan.evaluation.features.anatomy import Anatomy
from braingan.evaluation.features.encoder import EncoderFeatures
from braingan.evaluation.groups import recall_by_group
from braingan.evaluation.intervals import HALVES, LEAST_SUBJECTS, halves
from braingan.evaluation.masks import fit
from braingan.evaluation.material import Material
from braingan.evaluation.memorisation import authentic, data_copying, membership, nearest
from braingan.evaluation.metrics import Kind, alone
from braingan.evaluation.sets import SliceSet
from braingan.evaluation.settings import EvaluationSettings
from braingan.progress import progress

FORMAT = 2
CURVE_POINTS = 50
SPREAD = (5, 50, 95)
"""Percentiles of realism."""
SHOWN = 8
"""Slices and pairs that are named one by one."""
Found = dict[str, Any]
Values = dict[str, dict[str, float]]
"""Of each baseline, each metric's value."""


def measure(material: Material, settings: EvaluationSettings) -> Found:
    """Measure everything that the material allows."""
    main, others, notes = _open_extractors(material, settings)
    k = settings.neighbours
    baselines = material.baselines()
    comparison = compare(material.real, material.generated, material.floor, main, k)
    metrics = comparison.metrics | describe(alone(main, material.side), material.generated, material.floor, main)
    metrics["frechet_distance_to_training"] = _to_training(material, main, metrics["frechet_distance"])
    values: Values = {name: _compared(material, of, main, k) for name, of in baselines.items()}
    found: Found = {"format": FORMAT, "protocol": {}, "metrics": metrics, "baselines": values}
    found |= _memorisation(material, baselines, main, metrics, values)
    if settings.detector:
        found |= _detection(material, baselines, main, metrics, values)
    for extractor in others:
        further = compare(material.real, material.generated, material.floor, extractor, k).metrics
        metrics |= {_name(name, extractor): of for name, of in further.items()}
        if isinstance(extractor, EncoderFeatures):
            found["encoder"] = _encoder(material, extractor)
    return found | {
        "protocol": _protocol(material, settings, main, others, [*material.notes, *notes]),
        "curve": _curves(comparison),
        "groups": recall_by_group(material.real, [of.recalled for of in comparison.sets], comparison.floor.recalled),
        "realism": _realism(comparison),
        "anatomy": _anatomy(material),
        **_masks(material),
        "confusion": _own_discriminator(material),
    }


def _to_training(material: Material, main: Extractor, beside: Found) -> Found:
    """Return how far generated slices lie from training slices, as many: far nearer than to held-out ones, overfit."""
    training = material.floor.features(main)
    each = [frechet_distance(training, of.features(main)) for of in material.generated]
    return entry(each, None, _subjects(material.floor), beside["floor"], "distance") | _by(material.floor, main)


def _open_extractors(material: Material, settings: EvaluationSettings) -> tuple[Extractor, list[Extractor], list[str]]:
    """Open the extractors asked for; what this machine or store lacks gives way, which a note says."""

    def opened(name: str) -> Extractor:
        return open_extractor(name, settings.weights, material.store, material.frames, settings.encoder)

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


def _name(metric: str, extractor: Extractor) -> str:
    """Return what `metrics.json` calls a metric in another extractor's features; the thesis's own has its name."""
    if (metric, extractor.name) == ("frechet_distance", "inception-keras"):
        return "thesis_distance"
    return f"{metric}@{extractor.name}"


def _compared(material: Material, baseline: SliceSet, extractor: Extractor, k: int) -> dict[str, float]:
    """Return the metrics of what costs nothing, in the generated slices' place."""
    found = whole(pair_of(material.real, baseline, extractor, k), measurable([material.real, material.floor], k))
    described = alone(extractor, material.side)
    return found | {name: of.statistic(of.rows(baseline, extractor)) for name, of in described.items()}


def _memorisation(
    material: Material, baselines: dict[str, SliceSet], main: Extractor, metrics: Found, values: Values
) -> Found:
    """Measure how near the generated slices are to the training slices; adds to the metrics and the baselines'
    values."""
    if material.training is None:
        return {}
    real, training, subjects = material.real, material.training.features(main), material.training.subjects
    held_out = real.features(main)

    def memorised(slices: SliceSet) -> dict[str, tuple[float, float | None]]:
        features = slices.features(main)
        original = authentic(features, training, subjects)
        members, others = (nearest(of.features(main), features)[0] for of in (material.floor, real))
        auc = membership(members, others, material.floor.subjects, real.subjects)
        share, statistic = float(original.mean()), data_copying(features, held_out, training)
        found: dict[str, tuple[float, float | None]] = {
            "authenticity": (share, float(np.sqrt(share * (1 - share) / len(original)))),
            "membership_auc": auc,
        }
        return found if statistic is None else found | {"data_copying": (statistic, None)}

    of_sets = [memorised(slices) for slices in material.generated]
    floors = {"authenticity": float(authentic(held_out, training, subjects).mean())}
    for name in [name for name in of_sets[0] if all(name in of for of in of_sets)]:
        each, deviations = zip(*(of[name] for of in of_sets), strict=True)
        known = [deviation for deviation in deviations if deviation is not None]
        deviation = float(np.mean(known)) if known else None
        kind: Kind = "number" if name == "data_copying" else "share"
        metrics[name] = entry(each, deviation, _subjects(real), floors.get(name), kind) | _by(real, main)
    for baseline, slices in baselines.items():
        values[baseline] |= {name: value for name, (value, _) in memorised(slices).items()}
    return _copies(material, baselines, metrics, values)


def _copies(material: Material, baselines: dict[str, SliceSet], metrics: Found, values: Values) -> Found:
    """Look every slice up among the training slices, as the gate does."""
    gate = material.gate()
    if gate is None:
        return {}
    with progress("look for copies", len(material.generated) + 1 + len(baselines), "sets") as advance:
        found = []
        for slices in material.generated:
            found.append(gate.nearest(slices.images))
            advance(1)
        each = [float(gate.refuses(of).mean()) for of in found]
        of_real = gate.refuses(gate.nearest(material.real.images))
        advance(1)
        for name, slices in baselines.items():
            values[name]["copies"] = float(gate.refuses(gate.nearest(slices.images)).mean())
            advance(1)
    share = float(np.mean(each))
    deviation = float(np.sqrt(share * (1 - share) / (len(each) * len(material.real))))
    metrics["copies"] = entry(each, deviation, len(material.real), float(of_real.mean()), "share")
    metrics["copies"] |= {"count": len(material.real)}
    closest = sorted(
        (
            {"seed": seed, "number": number, "training": int(of.slices[number]), "likeness": float(of.likeness[number]),
             "turn": str(of.turns[number])}
            for seed, of in enumerate(found)
            for number in np.argsort(-of.likeness)[:SHOWN].tolist()
        ),
        key=lambda pair: -pair["likeness"],
    )  # fmt: skip
    return {"memorisation": {"threshold": gate.rests_on.threshold, "refused": share, "closest": closest[:SHOWN]}}


def _detection(
    material: Material, baselines: dict[str, SliceSet], main: Extractor, metrics: Found, values: Values
) -> Found:
    """Train a classifier against each set of generated slices, and against real training slices as the control."""

    def seen(slices: SliceSet) -> list[Float[np.ndarray, "n _"]]:
        return [slices.features(main), slices.features(Anatomy())]

    real, subjects = seen(material.real), material.real.subjects
    if min(len(np.unique(of.subjects)) for of in (material.real, material.floor)) < LEAST_SUBJECTS:
        return {}

    def against(slices: SliceSet) -> Detection:
        return detect(real, seen(slices), subjects, slices.subjects)

    with progress("detector", len(material.generated) + len(baselines), "sets") as advance:
        found = []
        for slices in material.generated:
            found.append(against(slices))
            advance(1)
        for name, slices in baselines.items():
            values[name]["detector_accuracy"] = against(slices).accuracy
            advance(1)
    control = values["copies"]["detector_accuracy"]  # real training slices
    deviation = float(np.mean([of.deviation for of in found]))
    accuracy = entry([of.accuracy for of in found], deviation, _subjects(material.real), control, "share")
    metrics["detector_accuracy"] = accuracy | _by(material.real, main)
    judged = np.concatenate([of.generated for of in found])
    most, least = extremes(judged, SHOWN)
    count = len(found[0].generated)

    def named(numbers: list[int]) -> list[Found]:
        return [{"seed": n // count, "number": n % count, "probability": float(judged[n])} for n in numbers]

    table = confusion(np.concatenate([of.real for of in found]), judged)
    return {
        "detection": {"accuracy": accuracy, "confusion": table, "most_real": named(most), "least_real": named(least)}
    }


def _anatomy(material: Material) -> list[Found]:
    """Return the Wasserstein distance of each measured quantity, beside its floor."""
    real, floor = material.real.features(Anatomy()), material.floor.features(Anatomy())
    sets = [slices.features(Anatomy()) for slices in material.generated]
    rows = []
    for number, row in enumerate(ROWS):
        each = [wasserstein(real[:, number], of[:, number]) for of in sets]
        pairs = zip(halves(material.real.subjects, "real"), halves(np.arange(len(sets[0])), "anatomy"), strict=True)
        scattered = [
            np.mean([wasserstein(real[a, number], of[b, number]) for of in sets]) for a, b in pairs if len(a) and len(b)
        ]
        known = float(np.std(scattered, ddof=1)) if _subjects(material.real) >= LEAST_SUBJECTS else None
        of_floor = wasserstein(real[:, number], floor[:, number])
        means = {
            "real": float(real[:, number].mean()),
            "generated": float(np.mean([of[:, number].mean() for of in sets])),
        }
        found = entry(each, known, _subjects(material.real), of_floor, "distance")
        rows.append({"name": row.name, "unit": row.unit, "tells": row.tells, **means, **found})
    return rows


def _masks(material: Material) -> Found:
    """Return how the lesion masks fit, where the run makes some."""
    if material.store is None or material.real.masks is None or material.generated[0].masks is None:
        return {}
    pixel_mm = material.store.columns["pixel_mm"]
    known = pixel_mm[np.isfinite(pixel_mm)]
    return {"masks": fit(material.real, material.generated, float(np.median(known)) ** 2)} if len(known) else {}


def _encoder(material: Material, extractor: EncoderFeatures) -> Found:
    """Return what the store's encoder takes the slices for, real and generated, and how well it does on real ones."""
    generated = np.concatenate([slices.images for slices in material.generated])
    sides = (("real", material.real.images), ("generated", generated))
    found = {
        "scores": extractor.encoder.scores,
        **{side: _summary(extractor.encoder.predict(images)) for side, images in sides},
    }
    if material.store is not None and all(slices.columns for slices in material.generated):
        told = {name: np.concatenate([of.columns[name] for of in material.generated]) for name in ANSWERED}
        spacing = depth_spacing(material.store, np.arange(len(material.store)))
        known = spacing[np.isfinite(spacing)]
        found["obeyed"] = extractor.encoder.obeyed(generated, told, float(np.median(known)) if len(known) else np.nan)
    return found


def _summary(predicted: dict[str, np.ndarray]) -> Found:
    found: Found = {}
    for name in ("frame", "label"):
        if name in predicted:
            values, counts = np.unique(predicted[name], return_counts=True)
            found[name] = {str(v): float(c / counts.sum()) for v, c in zip(values, counts, strict=True)}
    if "depth" in predicted:
        found["depth"] = {str(share): float(np.percentile(predicted["depth"], share)) for share in SPREAD}
    if "lesion_probability" in predicted:
        some = predicted["lesion_probability"] >= 0.5
        area = float(predicted["lesion_area_mm2"][some].mean()) if some.any() else 0.0
        found["lesion"] = {"share": float(some.mean()), "mean_area_mm2": area}
    return found


def _own_discriminator(material: Material) -> Confusion | None:
    """Return what a run's own discriminator takes for what: held-out real slices and fresh generated ones."""
    if material.generator is None or "discriminator" not in material.generator.networks:
        return None
    network = material.generator.networks["discriminator"]
    return confusion(*(probabilities(network, of.images) for of in (material.real, material.generated[0])))


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
        "detector": settings.detector,
        "intervals": f"95 % by subject, from {HALVES} random halves without replacement",
        "extractor": main.description,
        "extractors": {extractor.name: extractor.description for extractor in (main, *others)},
        "notes": notes,
        "braingan": __version__,
    }


def _subjects(slices: SliceSet) -> int:
    return len(np.unique(slices.subjects))


def _by(slices: SliceSet, extractor: Extractor) -> Found:
    return {"count": len(slices), "extractor": extractor.name}
