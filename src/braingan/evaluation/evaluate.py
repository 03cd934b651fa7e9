"""Generated slices beside real ones, into `metrics.json`: every number with its interval, its floor, and its protocol.

The floor is what real training slices score against the same held-out slices at the same count.
"""

import hashlib
import json
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from braingan.data.store import Store
from braingan.errors import InputError
from braingan.evaluation.material import material_of_folders, material_of_run
from braingan.evaluation.measure import Found, measure
from braingan.evaluation.settings import EvaluationSettings
from braingan.folders import RunFolder, write_json
from braingan.settings import apply_sets, parse
from braingan.training.devices import Device
from braingan.training.run import read_config


def evaluate(
    folder: RunFolder,
    data: Path | None = None,
    split: str = "test",
    sets: Iterable[str] = (),
    snapshot: int | None = None,
) -> Found:
    """Measure a run's snapshot and write what was found beside it.

    Args:
        folder: the run's.
        data: the store, if it is no longer where the run was trained.
        split: `test` writes `metrics.json`; `validation`, for making choices, `metrics-validation.json`.
        sets: assignments over the run's evaluation settings, such as `evaluation.seeds=5`.
        snapshot: training images that it had seen; the last one's by default.

    Raises:
        InputError: no run, no snapshot, another store than the one trained on, or too few slices.
    """
    begun, recipe = time.monotonic(), read_config(folder)["recipe"]
    settings = parse_settings(recipe["evaluation"], sets)
    Device.choose("float32", recipe["training"]["threads"])
    material = material_of_run(folder, data, split, settings, snapshot)
    assert material.generator is not None
    assert material.store is not None
    found = measure(material, settings) | {"seconds": round(time.monotonic() - begun, 1)}
    if split == "test":
        found["protocol"]["test_uses"] = _count_use(material.store, folder, material.generator.snapshot.images_seen)
    write_json(material.generator.snapshot.metrics_on(split), found)
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
    Device.choose("float32")
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


def _count_use(store: Store, folder: RunFolder, images_seen: int) -> int:
    """Note that a snapshot was measured on a store's test subjects, and return how many ones were."""
    of = json.dumps([read_config(folder)["identity"], folder.root.resolve().name, images_seen])
    use = store.folder.derived / "test-uses" / hashlib.sha256(of.encode()).hexdigest()[:16]
    with suppress(OSError):  # a store that can't be written to keeps no count
        use.parent.mkdir(parents=True, exist_ok=True)
        use.touch()  # a file each: several processes may measure
    return len({use, *use.parent.glob("*")})
