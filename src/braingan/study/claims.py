"""The source study's claims, each checked against a study's own numbers.

A difference counts only where the interval of the paired difference excludes 0, all intervals of one claim holding at
once (Bonferroni), and where each cell was trained with several seeds: with one seed nothing is testable. Its verdicts:
*supported* and *not supported* by such differences, *within noise* where there is none, *not testable* where the study
lacks what the claim speaks of.
"""

import itertools
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any, Literal

import numpy as np

from braingan.evaluation.differences import Difference, Found, contrast, difference
from braingan.evaluation.intervals import student
from braingan.study.losses import LossFacts, loss_facts
from braingan.study.table import Row

Verdict = Literal["supported", "not supported", "within noise", "not testable"]
METRIC = "frechet_distance"
GENERATORS = ("thesis4", "thesis7", "thesis15")
Key = tuple[str, int, int]
"""Generator, slices and epochs of a cell."""


@dataclass(frozen=True)
class Checked:
    """A claim and what became of it."""

    claim: str
    verdict: Verdict
    because: str


def source_study() -> dict[str, Any]:
    """Return the source study's facts."""
    return tomllib.loads(files("braingan").joinpath("thesis.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Grid:
    """A study's finished cells by generator, slices and epochs, each of all training seeds."""

    rows: dict[Key, list[Row]]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "Grid":
        """Take the rows of the source study's generators; other axes than its own and the seed make it no such grid."""
        found: dict[Key, list[Row]] = {}
        for row in rows:
            others = row.values.keys() - {"model.name", "training.samples", "training.epochs", "training.seed"}
            if row.model in GENERATORS and not others and not row.note:
                found.setdefault((row.model, row.slices, row.epochs), []).append(row)
        for of_cell in found.values():
            of_cell.sort(key=lambda row: row.values.get("training.seed", 0))
        return cls(found)

    @cached_property
    def measured(self) -> dict[Key, list[Found]]:
        """The metrics of the cells of which every training is measured, with intervals."""
        seeds = max(map(len, self.rows.values()), default=0)
        return {
            key: [row.found for row in rows if row.found is not None]
            for key, rows in self.rows.items()
            if len(rows) == seeds and all("halves" in row.metrics.get(METRIC, {}) for row in rows)
        }

    @property
    def seeds(self) -> int:
        """Trainings of each cell."""
        return max(map(len, self.measured.values()), default=0)

    def levels(self, axis: int) -> list[Any]:
        """Return the values along an axis: generators by their layers, numbers by size."""
        found = {key[axis] for key in self.measured}
        return [name for name in GENERATORS if name in found] if axis == 0 else sorted(found)

    def steps(self, axis: int) -> Iterator[tuple[Key, Key]]:
        """Yield pairs of cells that are neighbours along an axis and alike in the others."""
        for less, more in itertools.pairwise(self.levels(axis)):
            for key in self.measured:
                if key[axis] == less and (other := _moved(key, axis, more)) in self.measured:
                    yield key, other

    def differences(self, pairs: Iterable[tuple[Key, Key]]) -> dict[tuple[Key, Key], Difference]:
        """Return by how much each second cell's distance is larger than the first's."""
        wanted = list(pairs)
        return {
            (one, other): difference(self.measured[other], self.measured[one], METRIC, len(wanted))
            for one, other in wanted
        }

    def facts(self, key: Key) -> list[LossFacts | None]:
        """Return what the loss curves of a cell's trainings show."""
        return [loss_facts(row.log) for row in self.rows[key]]


def check(rows: Sequence[Row]) -> list[Checked]:
    """Check every claim; those that a study's cells do not speak of are not testable."""
    grid, claims = Grid.of(rows), source_study()["claims"]
    found = []
    for name, claim in claims.items():
        if grid.seeds > 1:
            verdict, because = CHECKS[name](grid)
        else:
            verdict = "not testable"
            reasons = (
                "no cell is measured yet with all its seeds, and with intervals",
                "each cell was trained with one seed",
            )
            because = reasons[grid.seeds]
        found.append(Checked(claim, verdict, because))
    return found


Judged = tuple[Verdict, str]
"""A verdict and the numbers that it rests on."""


def _moved(key: Key, axis: int, value: Any) -> Key:
    changed: list[Any] = list(key)
    changed[axis] = value
    return changed[0], changed[1], changed[2]


def _said(key: Key) -> str:
    return f"{key[0]}, {key[1]:,} slices, {key[2]} epochs"


def _interval(of: Difference) -> str:
    return f"{of.value:+.3g} ({of.low:+.3g} to {of.high:+.3g})"


def _lower(found: dict[tuple[Key, Key], Difference], everywhere: bool = False) -> Judged:
    """Judge that distances fall from each first cell to its second: somewhere and nowhere rise, or everywhere."""
    if not found:
        return "not testable", "the study has no such cells"
    lower = sum(of.high < 0 for of in found.values())
    higher = sum(of.low > 0 for of in found.values())
    (one, other), most = max(found.items(), key=lambda pair: abs(pair[1].value))
    because = (
        f"of {len(found)} comparisons {lower} lower, {higher} higher, {len(found) - lower - higher} within noise; the "
        f"largest, from {_said(one)} to {_said(other)}: {_interval(most)}"
    )
    if higher:
        return "not supported", because
    return ("supported" if lower == len(found) or (lower and not everywhere) else "within noise"), because


def _against(name: str) -> Callable[[Grid], Iterator[tuple[Key, Key]]]:
    """Return what pairs each other generator's cells with one generator's."""

    def pairs(grid: Grid) -> Iterator[tuple[Key, Key]]:
        for key in grid.measured:
            for other in GENERATORS:
                if key[0] == name and other != name and _moved(key, 0, other) in grid.measured:
                    yield key, _moved(key, 0, other)

    return pairs


def _four_worst(grid: Grid) -> Judged:
    return _lower(grid.differences(_against("thesis4")(grid)), everywhere=True)


def _fifteen_best(grid: Grid) -> Judged:
    turned = ((other, one) for one, other in _against("thesis15")(grid))
    return _lower(grid.differences(turned), everywhere=True)


def _cost(grid: Grid) -> Judged:
    """Seven layers lie really lower than four, and fifteen, which take longer, not really lower than seven."""
    from_four = grid.differences((a, b) for a, b in _against("thesis4")(grid) if b[0] == "thesis7")
    to_fifteen = grid.differences((a, b) for a, b in _against("thesis7")(grid) if b[0] == "thesis15")
    if not from_four or not to_fifteen:
        return "not testable", "the study lacks one of the three generators"
    minutes = {
        name: float(np.mean([row.seconds / 60 for key, rows in grid.rows.items() if key[0] == name for row in rows]))
        for name in GENERATORS
    }
    better = sum(of.high < 0 for of in from_four.values())
    worse = sum(of.low > 0 for of in from_four.values())
    beaten = sum(of.high < 0 for of in to_fifteen.values())
    because = (
        f"7 layers lower than 4 in {better} of {len(from_four)} columns and higher in {worse}, 15 lower than 7 in "
        f"{beaten}; mean minutes " + ", ".join(f"{name} {of:.1f}" for name, of in minutes.items())
    )
    if worse or beaten or minutes["thesis7"] >= minutes["thesis15"]:
        return "not supported", because
    return ("supported" if better else "within noise"), because


def _samples_most(grid: Grid) -> Judged:
    """The fall from the smallest level to the largest, mean over the other axes, is larger for samples than others."""
    corners = {axis: grid.levels(axis) for axis in range(3)}
    full = list(itertools.product(*corners.values()))
    if any(len(levels) < 2 for levels in corners.values()) or any(key not in grid.measured for key in full):
        return "not testable", "the study has no full grid of layers, samples and epochs"

    def fall(axis: int) -> np.ndarray:
        ends = {corners[axis][0]: 1, corners[axis][-1]: -1}
        weights = np.array([ends.get(key[axis], 0) for key in full], float)
        return np.asarray(weights / (weights > 0).sum())

    models = [grid.measured[key] for key in full]
    alone = {name: contrast(models, fall(axis), METRIC) for axis, name in enumerate(("layers", "samples", "epochs"))}
    beyond = [contrast(models, fall(1) - fall(axis), METRIC, 2) for axis in (0, 2)]
    because = "fall of the distance from the least to the most: " + ", ".join(
        f"{name} {_interval(of)}" for name, of in alone.items()
    )
    if any(of.high < 0 for of in beyond):
        return "not supported", because
    return ("supported" if all(of.low > 0 for of in beyond) else "within noise"), because


def over_seeds(values: Sequence[float]) -> Difference:
    """Return the mean of one number a training seed and its 95 % interval, by Student's distribution."""
    of = np.array(values)
    width = student(0.975, len(of) - 1) * float(of.std(ddof=1)) / len(of) ** 0.5
    return Difference(float(of.mean()), float(of.mean()) - width, float(of.mean()) + width, len(of))


def _signed(values: Sequence[float], what: str, positive: bool = True) -> Judged:
    """Judge that a number is above 0, or below, by one value a seed."""
    of = over_seeds(values)
    because = f"{what} {_interval(of)}"
    if not of.real:
        return "within noise", because
    return ("supported" if (of.low > 0) == positive else "not supported"), because


def _unstable4(grid: Grid) -> Judged:
    """The spread of single slices' realism, from the 5th to the 95th percentile over the median, is larger at 4."""

    def spread(found: Found) -> float:
        of = found["realism"]["generated"]
        return float((of["95"] - of["5"]) / max(of["50"], 1e-9))

    columns = [key for key in grid.measured if key[0] == "thesis4"]
    others = [[_moved(key, 0, name) for name in GENERATORS[1:]] for key in columns]
    if not columns or any(key not in grid.measured for keys in others for key in keys):
        return "not testable", "the study lacks one of the three generators"
    each = [
        float(np.mean([
            spread(grid.measured[key][seed]) - np.mean([spread(grid.measured[other][seed]) for other in keys])
            for key, keys in zip(columns, others, strict=True)
        ]))
        for seed in range(grid.seeds)
    ]  # fmt: skip
    return _signed(each, "spread of the slices' realism over its median, 4 layers less the other two:")


def _facts(grid: Grid, keys: Sequence[Key], of: Callable[[LossFacts], float]) -> list[float] | None:
    """Return a number a training seed, the mean over cells; None where a training is too short to show it."""
    found = [[None if facts is None else of(facts) for facts in grid.facts(key)] for key in keys]
    if not found or any(value is None or not np.isfinite(value) for values in found for value in values):
        return None
    return [float(value) for value in np.mean(np.array(found, float), axis=0)]


SHORT: Judged = ("not testable", "the study has no such trainings of at least five epochs")


def _longest(grid: Grid, generators: Sequence[str], samples: Sequence[int]) -> list[Key]:
    return [key for key in grid.measured if key[0] in generators and key[1] in samples and key[2] == grid.levels(2)[-1]]


def _loss4(grid: Grid) -> Judged:
    change = _facts(grid, _longest(grid, ("thesis4",), grid.levels(1)[:1]), lambda of: of.generator_change)
    if change is None:
        return SHORT
    return _signed(change, f"change of the generator's loss with {grid.levels(1)[0]:,} slices:")


def _opposite(grid: Grid) -> Judged:
    found = _facts(grid, _longest(grid, GENERATORS[1:], grid.levels(1)), lambda of: of.correlation)
    return SHORT if found is None else _signed(found, "correlation of the two losses:", positive=False)


def _loss_data(grid: Grid) -> Judged:
    samples = grid.levels(1)
    if len(samples) < 2:
        return "not testable", "the study has one number of samples"
    few, many = (
        _facts(grid, _longest(grid, GENERATORS, [count]), lambda of: of.late_deviation)
        for count in (samples[0], samples[-1])
    )
    if few is None or many is None:
        return SHORT
    what = f"late deviation of the generator's loss, {samples[-1]:,} slices less {samples[0]:,}:"
    return _signed([b - a for a, b in zip(few, many, strict=True)], what, positive=False)


def _time(grid: Grid) -> Judged:
    """The printed times' ratio; the times themselves are of another machine."""
    keys = sorted(_longest(grid, ("thesis15",), grid.levels(1)), key=lambda key: key[1])
    if len(keys) < 2:
        return "not testable", "the study lacks 15 layers with several numbers of samples"
    first, last = (np.array([row.seconds for row in grid.rows[key]]) for key in (keys[0], keys[-1]))
    of = over_seeds((last / first).tolist())
    printed = 240 / 59
    because = (
        f"times are of another machine; their ratio, {keys[-1][1]:,} to {keys[0][1]:,} slices, is {of.value:.2f} "
        f"({of.low:.2f} to {of.high:.2f}), the printed one {printed:.2f}"
    )
    return ("supported" if of.low <= printed <= of.high else "not supported"), because


CHECKS: dict[str, Callable[[Grid], Judged]] = {
    "layers": lambda grid: _lower(grid.differences(grid.steps(0))),
    "samples": lambda grid: _lower(grid.differences(grid.steps(1))),
    "epochs": lambda grid: _lower(grid.differences(grid.steps(2))),
    "cost": _cost,
    "four_worst": _four_worst,
    "fifteen_best": _fifteen_best,
    "samples_most": _samples_most,
    "unstable4": _unstable4,
    "loss4": _loss4,
    "opposite": _opposite,
    "loss_data": _loss_data,
    "time": _time,
}
