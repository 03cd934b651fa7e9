"""What an evaluation takes: 2,048 slices on each side, 3 sets of them, 4,000 training slices.

    python benchmarks/evaluate.py STORE

Takes slices of a store with at least 6,048 as real, training and (with a little noise) generated ones, and measures
them twice: with nothing cached, then with the real slices' features there. Writes `benchmarks/results/evaluate.json`:
seconds per part, images/s of the features, and the most memory that the process held.
"""

import argparse
import json
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import braingan.evaluation.measure as module
from braingan.data.store import Store
from braingan.evaluation.features.efficientnet import EfficientNetLite2
from braingan.evaluation.material import Material, spread
from braingan.evaluation.sets import SliceSet
from braingan.evaluation.settings import EvaluationSettings
from braingan.training.devices import Device

RESULTS = Path(__file__).parent / "results" / "evaluate.json"
COUNT, TRAINING, SETS = 2048, 4000, 3
PARTS = {"compare": "metrics", "_compared": "metrics of baselines", "_memorisation": "memorisation and gate",
         "_detection": "detector", "_anatomy": "anatomy", "describe": "variety"}  # fmt: skip


def material(store: Store, cache: Path) -> Material:
    """Deal a store's subjects to the three sides; generated slices are training slices with noise, of other rows."""
    _, numbers = np.unique(store.columns["subject"], return_inverse=True)
    real = np.flatnonzero(numbers % 3 == 0)
    training = np.flatnonzero(numbers % 3 != 0)
    held_out = SliceSet(store.images(spread(real, COUNT)), store.columns["subject"][spread(real, COUNT)], cache=cache)
    rows = spread(training, TRAINING)
    learnt = SliceSet(store.images(rows), store.columns["subject"][rows], cache=cache)
    random = np.random.default_rng(0)
    made = []
    for seed in range(SETS):
        slices = learnt.images[seed::SETS][np.arange(COUNT) % (TRAINING // SETS)]
        noisy = np.clip(slices + random.normal(0, 6, slices.shape), 0, 255).astype(np.uint8)
        made.append(SliceSet.generated(noisy))
    return Material(held_out, learnt.take(spread(np.arange(TRAINING), COUNT)), made, learnt, {})


def timed(seconds: Counter[str], name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Add up the seconds of a function's calls, less those in which features were computed."""

    def call(*arguments: Any, **options: Any) -> Any:
        begun, features = time.perf_counter(), seconds["features"]
        result = function(*arguments, **options)
        seconds[name] += time.perf_counter() - begun - (0 if name == "features" else seconds["features"] - features)
        return result

    return call


def run(store: Store, cache: Path) -> dict[str, float]:
    """Measure once and return the seconds of every part."""
    seconds: Counter[str] = Counter()
    kept = {name: getattr(module, name) for name in PARTS}
    features = EfficientNetLite2.features
    for name, part in PARTS.items():
        setattr(module, name, timed(seconds, part, kept[name]))
    EfficientNetLite2.features = timed(seconds, "features", features)  # type: ignore[method-assign]
    begun = time.perf_counter()
    try:
        module.measure(material(store, cache), EvaluationSettings(also=("anatomy", "random")))
    finally:
        for name, part in kept.items():
            setattr(module, name, part)
        EfficientNetLite2.features = features  # type: ignore[method-assign]
    whole = time.perf_counter() - begun
    return {**seconds, "the rest": whole - sum(seconds.values()), "all": whole}


def main() -> None:
    """Measure without and with cached features of the real slices."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("store", type=Path)
    store = Store.open(parser.parse_args().store)
    device = Device.choose("float32")
    with tempfile.TemporaryDirectory() as cache:
        found = {"nothing cached": run(store, Path(cache)), "real features cached": run(store, Path(cache))}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    result = {
        "device": device.describe(),
        "side": store.side,
        "slices": COUNT,
        "sets": SETS,
        "training": TRAINING,
        "seconds": found,
        "gib": memory,
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    for name, seconds in found.items():
        print(name, ", ".join(f"{part} {value:.0f} s" for part, value in seconds.items()))
    print(f"{memory:.2f} GiB")


if __name__ == "__main__":
    main()
