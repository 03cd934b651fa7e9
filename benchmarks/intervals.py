"""How often do 95 % intervals by subject hold the truth? Simulated features, where it is known.

    python benchmarks/intervals.py

Real slices are a subject's part plus the slice's own, both Gaussian; generated slices are independent Gaussians. A
metric's truth is its mean over many such collections at the same count; that of the Fréchet distance at infinitely many
slices is the closed form. Writes `benchmarks/results/intervals.json`.
"""

import json
import platform
from pathlib import Path

import numpy as np

from braingan.evaluation.compare import INFINITE, on_halves, whole
from braingan.evaluation.distances import at_infinity
from braingan.evaluation.intervals import half_width
from braingan.evaluation.metrics import METRICS
from braingan.evaluation.pair import Pair

RESULTS = Path(__file__).parent / "results" / "intervals.json"
CASES = (
    {"subjects": 34, "each": 8, "features": 32, "shift": 0.0},
    {"subjects": 34, "each": 8, "features": 32, "shift": 0.5},
    {"subjects": 34, "each": 8, "features": 400, "shift": 0.5},
    {"subjects": 10, "each": 24, "features": 32, "shift": 0.3},
)
BETWEEN = 0.6
"""Share of the variance that is between subjects."""
COLLECTIONS, WITH_INTERVAL = 200, 100


def collection(random: np.random.Generator, case: dict) -> Pair:
    """Draw subjects' slices and generated ones."""
    subjects, each, d, shift = (case[name] for name in ("subjects", "each", "features", "shift"))
    scale, n = np.exp(-4 * np.arange(d) / d), subjects * each
    of_subject = random.normal(size=(subjects, d)) * np.sqrt(BETWEEN)
    real = (np.repeat(of_subject, each, axis=0) + random.normal(size=(n, d)) * np.sqrt(1 - BETWEEN)) * scale
    made = random.normal(size=(n, d)) * scale * (1 + shift / 3) + mean(d, shift) * scale
    return Pair.of(real, made, np.repeat(np.arange(subjects), each), np.arange(n), 5)


def mean(d: int, shift: float) -> np.ndarray:
    """Where the generated slices' middle lies, in standard deviations."""
    return 0.5 * shift * (np.arange(d) < 5)


def measure(case: dict) -> dict:
    """Return truth, deviation and coverage of each metric."""
    random = np.random.default_rng(0)
    d, shift = case["features"], case["shift"]
    values, widths = [], []
    for number in range(COLLECTIONS):
        pair = collection(random, case)
        found = whole(pair, METRICS)
        if number < WITH_INTERVAL:
            scattered = on_halves(pair, METRICS, "simulation")
            found[INFINITE] = at_infinity(found["frechet_distance"], scattered["frechet_distance"].mean())
            of_each = {name: half_width(float(of.std(ddof=1)), case["subjects"]) for name, of in scattered.items()}
            widths.append(of_each | {INFINITE: of_each["frechet_distance"]})
        values.append(found)
    scale = np.exp(-4 * np.arange(d) / d)
    truths = {name: float(np.mean([of[name] for of in values])) for name in METRICS}
    truths[INFINITE] = float((((mean(d, shift) * scale) ** 2) + (scale * shift / 3) ** 2).sum())
    return {name: checked(name, truth, values, widths) for name, truth in truths.items()}


def checked(name: str, truth: float, values: list[dict], widths: list[dict]) -> dict[str, float]:
    """Return a metric's truth, its deviation over collections, and how often its interval held the truth."""
    held = [abs(of[name] - truth) <= width[name] + 1e-12 for of, width in zip(values, widths, strict=False)]
    deviation = float(np.std([of[name] for of in values if name in of]))
    return {"truth": truth, "deviation": deviation, "coverage": float(np.mean(held))}


def main() -> None:
    """Simulate every case and write what was found."""
    found = [{**case, "metrics": measure(case)} for case in CASES]
    RESULTS.write_text(
        json.dumps({"machine": platform.processor() or platform.machine(), "intervals": WITH_INTERVAL,
                    "collections": COLLECTIONS, "cases": found}, indent=1) + "\n"
    )  # fmt: skip
    for case in found:
        print({name: value for name, value in case.items() if name != "metrics"})
        for name, of in case["metrics"].items():
            print(
                f"  {name:28} truth {of['truth']:9.4f}  deviation {of['deviation']:8.4f}  coverage {of['coverage']:.2f}"
            )


if __name__ == "__main__":
    main()
