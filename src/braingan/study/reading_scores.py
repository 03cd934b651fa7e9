"""What the answers to a blind reading test amount to: shares with their 95 % intervals, and who was taken for what.

Answers of several readers to one slice are not independent, nor are those of one reader: an interval that is to hold
for other readers and other slices takes both for random.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from math import sqrt
from operator import attrgetter
from typing import Any

import numpy as np
from jaxtyping import Bool

from braingan.evaluation.intervals import student
from braingan.study.reading import REAL, Answer

Z = 1.959964


def wilson(right: int, of: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson, Probable Inference, 1927)."""
    if of == 0:
        return 0.0, 1.0
    share, scale = right / of, 1 + Z**2 / of
    middle, width = (share + Z**2 / (2 * of)) / scale, Z * sqrt(share * (1 - share) / of + Z**2 / (4 * of**2)) / scale
    return middle - width, middle + width


def half_width(right: Bool[np.ndarray, "readers slices"]) -> float:
    """Return half the 95 % interval's width of the share that is right, for other readers and other slices, too.

    Of two readers or more, and two slices or more, else nan. In the layout of two crossed random factors (Scheffé, The
    Analysis of Variance, 1959, chapter 7) the mean's variance is (MS_reader + MS_slice - MS_residual) / (readers ·
    slices), with Satterthwaite's degrees of freedom.
    """
    of = right.astype(np.float64)
    readers, slices = of.shape
    if min(readers, slices) < 2:
        return float("nan")
    by_reader, by_slice = of.mean(1), of.mean(0)
    residual = of - by_reader[:, None] - by_slice + of.mean()
    freedom = np.array([readers - 1, slices - 1, (readers - 1) * (slices - 1)])
    squares = slices * np.square(by_reader - of.mean()).sum(), readers * np.square(by_slice - of.mean()).sum()
    means = np.array([*squares, np.square(residual).sum()]) / freedom
    variance = means @ (1, 1, -1)
    if variance <= 0:
        return 0.0
    effective = int(variance**2 / (means**2 / freedom).sum())
    return student(0.975, max(effective, 1)) * sqrt(variance / of.size)


def scores(truth: Sequence[str], answers: Sequence[Answer]) -> dict[str, Any]:
    """Return what answers to a series amount to.

    Returns:
        The share that was right, the `confusion` matrix, by reader the share that was right and by run that taken for
        real (each a `share`), who `finished`, and the slices that `fooled` most.
    """
    done = Counter(answer.reader for answer in answers)
    finished = sorted(reader for reader, count in done.items() if count == len(truth))
    table = {name: {"real": 0, "generated": 0} for name in (REAL, "generated")}
    for answer in answers:
        row = REAL if truth[answer.number] == REAL else "generated"
        table[row]["real" if answer.real else "generated"] += 1
    return {
        "right": share(answers, partial(_is_right, truth), finished), "readers": _by_reader(truth, answers),
        "runs": _by_run(truth, answers, finished), "finished": finished, "confusion": table,
        "fooled": _fooled(truth, answers),
    }  # fmt: skip


def share(answers: Sequence[Answer], counts: Callable[[Answer], bool], finished: Sequence[str]) -> dict[str, Any]:
    """Return which share of `answers` counts, as `value`, with its 95 % interval from `low` to `high`.

    One reader's is Wilson's. Of several, only those who `finished` are taken, and it is the wider one that their
    differences and the slices' call for; where fewer than two did there is none (nan), as answers to one slice are not
    independent.
    """
    several = len({answer.reader for answer in answers}) > 1
    taken = [of for of in answers if not several or len(finished) < 2 or of.reader in finished]
    taken.sort(key=lambda of: (of.reader, of.number))
    hits = np.array([counts(of) for of in taken], bool)
    low, high = wilson(int(hits.sum()), len(hits))
    if several:
        width = half_width(hits.reshape(len(finished), -1)) if len(finished) > 1 else float("nan")
        low, high = np.minimum(low, hits.mean() - width), np.maximum(high, hits.mean() + width)
    low, high = np.clip((low, high), 0, 1).tolist()
    return {"answers": len(hits), "value": _mean(hits), "low": low, "high": high}


def _is_right(truth: Sequence[str], answer: Answer) -> bool:
    return answer.real == (truth[answer.number] == REAL)


def _by_reader(truth: Sequence[str], answers: Sequence[Answer]) -> dict[str, dict[str, Any]]:
    found = {}
    for reader in sorted({answer.reader for answer in answers}):
        own = [answer for answer in answers if answer.reader == reader]
        found[reader] = share(own, partial(_is_right, truth), [reader]) | {
            "confidence_right": _mean([answer.confidence for answer in own if _is_right(truth, answer)]),
            "confidence_wrong": _mean([answer.confidence for answer in own if not _is_right(truth, answer)]),
            "seconds": _mean([answer.seconds for answer in own]),
        }
    return found


def _by_run(truth: Sequence[str], answers: Sequence[Answer], finished: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return how often each run's slices, and real ones, were taken for real."""
    found = {}
    for name in dict.fromkeys([REAL, *truth]):
        own = [answer for answer in answers if truth[answer.number] == name]
        found[name] = share(own, attrgetter("real"), finished)
    return found


def _fooled(truth: Sequence[str], answers: Sequence[Answer], most: int = 8) -> list[dict[str, Any]]:
    """Return the slices that most answers were wrong about, the most confident first."""
    found: list[dict[str, Any]] = []
    for number, name in enumerate(truth):
        own = [answer for answer in answers if answer.number == number]
        wrong = [answer for answer in own if answer.real != (name == REAL)]
        if wrong:
            found.append({"number": number, "made_by": name, "wrong": len(wrong), "of": len(own),
                          "taken_for": "generated" if name == REAL else REAL,
                          "confidence": _mean([answer.confidence for answer in wrong])})  # fmt: skip
    return sorted(found, key=lambda of: (-of["wrong"] / of["of"], -of["confidence"], of["number"]))[:most]


def _mean(values: Sequence[float | int] | Bool[np.ndarray, " n"]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
