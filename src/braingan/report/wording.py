"""What the metrics are called for a reader who is no statistician, what each says, and how its numbers are written.

The order of `GROUPS` is the order of the table.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Entry = Mapping[str, Any]
"""A metric as `metrics.json` has it: `value`, and where there are some `low`, `high`, `floor`, `ratio`, `extractor`."""


@dataclass(frozen=True)
class Words:
    """A metric in plain words."""

    name: str
    says: str
    good: str
    """Which way is good."""
    share: bool = False
    """Whether it is written in per cent."""


DISTANCE_NAME = "Fréchet distance"
DISTANCE = "lower is better, as low as real slices is perfect"
LIKE_REAL = "near real slices is good"
OTHER = "the same, with near measured between different subjects, as neighbouring slices of one scan are nearly one"

GROUPS: dict[str, dict[str, Words]] = {
    "Distance": {
        "frechet_distance": Words(DISTANCE_NAME, "how far generated slices lie from real ones as a whole", DISTANCE),
        "frechet_distance_infinite": Words(
            "Fréchet distance, extrapolated", "the same, for endlessly many slices", DISTANCE
        ),
        "frechet_distance_to_training": Words(
            "Fréchet distance to training slices",
            "the same, from slices that were learnt from",
            "far below the first means overfit",
        ),
        "kernel_distance": Words("Kernel distance", "the same, without taking either for a Gaussian", DISTANCE),
        "thesis_distance": Words(
            "Distance of the source study", "Fréchet distance in Keras's Inception, pictures not smoothed", DISTANCE
        ),
    },
    "Fidelity and variety": {
        "precision": Words("Precision", "share of generated slices like some real one", LIKE_REAL, True),
        "recall": Words("Recall", "share of real slices like some generated one", LIKE_REAL, True),
        "density": Words("Density", "how crowded generated slices are where real ones are", LIKE_REAL),
        "coverage": Words("Coverage", "share of real slices with a generated one nearby", LIKE_REAL, True),
        "precision_other_subject": Words("Precision across subjects", OTHER, LIKE_REAL, True),
        "recall_other_subject": Words("Recall across subjects", OTHER, LIKE_REAL, True),
        "density_other_subject": Words("Density across subjects", OTHER, LIKE_REAL),
        "coverage_other_subject": Words("Coverage across subjects", OTHER, LIKE_REAL, True),
        "f1_8": Words("F1/8, for fidelity", "best point of the curve below where precision counts most", LIKE_REAL),
        "f8": Words("F8, for variety", "best point of the curve below where recall counts most", LIKE_REAL),
    },
    "Variety alone": {
        "vendi": Words("Vendi score", "to how many different slices the set amounts", "far lower repeats itself"),
        "ms_ssim": Words(
            "Similarity of random pairs (MS-SSIM)", "1 for the same picture twice", "far higher repeats itself"
        ),
        "class_score": Words("Class score", "how many kinds of picture an everyday network sees", LIKE_REAL),
        "inception_score": Words("Inception Score", "how many kinds of picture Inception sees", LIKE_REAL),
        "brightness": Words("Mean brightness", "mean grey level, 0 to 255", LIKE_REAL),
    },
    "Copying": {
        "copies": Words("Copies", "share nearer to a training slice than the gate allows", "0 is best", True),
        "authenticity": Words(
            "Authenticity", "share no nearer to a training slice than that is to other ones", "higher is better", True
        ),
        "membership_auc": Words(
            "Membership", "how well generated slices betray who was trained on", "0.5 is best: not at all"
        ),
        "data_copying": Words(
            "Data copying (C_T)", "farther from training slices than held-out ones", "near 0 is good; far below: copies"
        ),
    },
    "Telling apart": {
        "detector_accuracy": Words(
            "Accuracy of a classifier",
            "how often it tells real from generated",
            "50% is guessing: lower is better",
            True,
        ),
    },
}
VIEWS = {
    "axial": ("nose up, the patient's right on the left side", "0 inferior to 1 superior"),
    "coronal": ("crown up, the patient's right on the left side", "0 posterior to 1 anterior"),
    "sagittal": ("crown up, the nose on the left side", "0 left to 1 right"),
}
"""How slices along an axis are shown, and what their depth means."""
WORDS = {metric: words for of_group in GROUPS.values() for metric, words in of_group.items()}
OBEYED = {
    "frame_accuracy": ("slices whose frame is right", True),
    "depth_error_slices": ("mean error of the depth, slices", False),
    "lesion_area_correlation": ("correlation of the lesion area", False),
    "lesion_auc": ("slices with a lesion told from those without (area under the curve)", False),
    "label_auc": ("labels told apart (area under the curve)", False),
}
"""Scores of the store's encoder: what each is, and whether it is a share."""
BASELINES = {"gaussian": "Gaussian", "copies": "Training copies", "blurred": "Blurred real"}


def words_of(metric: str, entry: Entry) -> Words:
    """Return a metric's words; an unknown one goes by its own name, and FID is what Inception measures alone."""
    if metric == "frechet_distance" and entry.get("extractor") == "inception":
        known = WORDS[metric]
        return Words("Fréchet inception distance (FID)", known.says, known.good)
    if metric == "frechet_distance" and entry.get("extractor") == "inception-keras":
        return WORDS["thesis_distance"]
    return WORDS.get(metric, Words(metric, "", ""))


def number(value: float, half_width: float = 0.0, share: bool = False) -> str:
    """Write a number, to two digits of half its interval's width, or else to three digits.

    Args:
        value: of the number.
        half_width: of its interval, if it has one.
        share: whether it is written in per cent.
    """
    if not math.isfinite(value):
        return "none"
    value, half_width = (100 * value, 100 * half_width) if share else (value, half_width)
    digit, digits = (half_width, 2) if half_width > 0 else (abs(value), 3)
    decimals = digits - 1 - math.floor(math.log10(digit)) if digit > 1e-12 else 0
    text = f"{value:.{decimals - 1}e}" if decimals > 8 else f"{value:,.{max(decimals, 0)}f}"
    return text.replace("-", "−") + ("%" if share else "")


def value_of(entry: Entry, share: bool = False) -> str:
    """Write a metric's value."""
    return number(entry["value"], _half_width(entry), share)


def interval_of(entry: Entry, share: bool = False) -> str:
    """Write a metric's interval; nothing where there is none."""
    if "low" not in entry:
        return ""
    low, high = (number(entry[end], _half_width(entry), share) for end in ("low", "high"))
    return f"{low} to {high}"


def _half_width(entry: Entry) -> float:
    return float(entry["high"] - entry["low"]) / 2 if "low" in entry else 0.0


def side_of_floor(entry: Entry) -> int:
    """Return on which side of real training slices' value the whole interval lies: 1 above, -1 below, 0 neither."""
    if "low" not in entry or "floor" not in entry:
        return 0
    return int(entry["low"] > entry["floor"]) - int(entry["high"] < entry["floor"])


def beside_real(entry: Entry) -> str:
    """Say how a metric lies beside the same of real training slices."""
    said = [f"{times(entry['ratio'])} as far"] if "ratio" in entry else []
    if "low" in entry and "floor" in entry:
        above, below = ("beyond doubt", "nearer than real") if "ratio" in entry else ("higher", "lower")
        said.append({1: above, -1: below, 0: "not told apart"}[side_of_floor(entry)])
    return ", ".join(said)


def times(ratio: float) -> str:
    """Write a ratio."""
    return f"{ratio:,.0f} times" if ratio >= 100 else f"{ratio:.1f} times"
