"""The source study's claims, each checked against a study's own numbers.

A difference counts only where the interval of the paired difference excludes 0, all intervals of one claim holding at
once (Bonferroni), and where each cell was trained with several seeds: with one seed nothing is testable. Its verdicts:
*supported* and *not supported* by such differences, *within noise* where there is none, *not testable* where the study
lacks what the claim speaks of.
"""

import itertools
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any, Literal

import numpy as np

from braingan.evaluation.differences import Difference, Found, contrast, difference
from braingan.evaluation.intervals import student
from braingan.recipe import Recipe
from braingan.settings import parse
from braingan.study.grid import flat
from braingan.study.losses import LossFacts, loss_facts
from braingan.study.table import SAMPLES, SEED, Row, by_cell

Verdict = Literal["supported", "not supported", "within noise", "not testable"]
METRIC = "frechet_distance"
GENERATORS = ("thesis4", "thesis7", "thesis15")
AXES = ("model.name", SAMPLES, "training.epochs", SEED)
"""Of the source study, and the seeds."""
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


def of_its_grid(rows: Sequence[Row]) -> tuple[list[Row], str]:
    """Return the rows of the source study's grid: of other lists those at the default; and what is to be said of it."""
    ours = [row for row in rows if row.model in GENERATORS]
    names = dict.fromkeys(name for row in ours for name in row.values if name not in AXES)
    others = [name for name in names if len({repr(row.values[name]) for row in ours}) > 1]
    defaults = {name: flat(parse(Recipe, {"model": {"name": name}}).model_dump(mode="json")) for name in GENERATORS}
    kept = [row for row in ours if all(row.values[name] == defaults[row.model][name] for name in others)]
    said = "only the default is compared" if kept else "the default is not among the values"
    return kept, f"of {', '.join(others)} {said}" if others else ""


@dataclass(frozen=True)
class Grid:
    """A study's finished cells by generator, slices and epochs, each of all training seeds."""

    rows: dict[Key, list[Row]]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "Grid":
        """Take the rows of the source study's grid, but for those that were capped: several may be one training."""
        found: dict[Key, list[Row]] = {}
        for cell in by_cell([row for row in of_its_grid(rows)[0] if not row.note]):
            found.setdefault((cell[0].model, cell[0].level, cell[0].epochs), []).extend(cell)
        for of_cell in found.values():
            of_cell.sort(key=lambda row: row.values.get(SEED, 0))
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

    @property
    def columns(self) -> list[list[Key]]:
        """Cells that differ in the generator alone, where all three are measured."""
        alike = [[_moved(key, 0, name) for name in GENERATORS] for key in self.measured if key[0] == GENERATORS[0]]
        return [keys for keys in alike if all(key in self.measured for key in keys)]

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


def check(rows: Sequence[Row]) -> list[Checked]:
    """Check every claim; those that a study's cells do not speak of are not testable."""
    grid, said = Grid.of(rows), of_its_grid(rows)[1]
    untestable: Judged = "not testable", _why_not(grid, said)
    return [
        Checked(claim, *(CHECKS[name](grid) if grid.seeds > 1 else untestable))
        for name, claim in source_study()["claims"].items()
    ]


def _why_not(grid: Grid, said: str) -> str:
    if not grid.rows:
        return said or "no cell has as many slices as the grid asks for"
    if not grid.measured:
        return "no cell is measured yet with all its seeds, and with intervals"
    return "each cell was trained with one seed"


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


def _pairs(grid: Grid, at: int) -> dict[tuple[Key, Key], Difference]:
    """Return how the distances of one of the three generators compare: from the first's, or to the last's."""
    return grid.differences((keys[min(at, n)], keys[max(at, n)]) for keys in grid.columns for n in range(3) if n != at)


ONE_LACKS: Judged = "not testable", "the study lacks one of the three generators"


def _cost(grid: Grid) -> Judged:
    """Seven layers lie really lower than four, and fifteen, which take longer, not really lower than seven."""
    if not grid.columns:
        return ONE_LACKS
    found = grid.differences(pair for keys in grid.columns for pair in itertools.pairwise(keys))
    four, seven, fifteen = (
        float(np.mean([row.seconds / 60 for keys in grid.columns for row in grid.rows[keys[at]]])) for at in range(3)
    )
    from_four, from_seven = ([of for (one, _), of in found.items() if one[0] == name] for name in GENERATORS[:2])
    better, worse = sum(of.high < 0 for of in from_four), sum(of.low > 0 for of in from_four)
    beaten = sum(of.high < 0 for of in from_seven)
    because = (
        f"7 layers lower than 4 in {better} of {len(grid.columns)} columns and higher in {worse}, 15 lower than 7 in "
        f"{beaten}; mean minutes of 4, 7 and 15 layers {four:.1f}, {seven:.1f}, {fifteen:.1f}"
    )
    if worse or beaten or seven >= fifteen:
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


def student_interval(values: Sequence[float], comparisons: int = 1) -> Difference:
    """Return the mean of one number a seed, and its interval as `difference` has it, by Student's distribution."""
    of = np.array(values)
    width = student(1 - 0.025 / comparisons, len(of) - 1) * float(of.std(ddof=1)) / len(of) ** 0.5
    return Difference(float(of.mean()), float(of.mean()) - width, float(of.mean()) + width, len(of))


def _signed(each: Mapping[str, Sequence[float]], what: str, positive: bool = True) -> Judged:
    """Judge that every number is above 0, or below, by one value a seed of each."""
    found = {name: student_interval(values, len(each)) for name, values in each.items()}
    because = what + ",".join(f" {name}{_interval(of)}" for name, of in found.items())
    above, below = sum(of.low > 0 for of in found.values()), sum(of.high < 0 for of in found.values())
    right, wrong = (above, below) if positive else (below, above)
    if wrong:
        return "not supported", because
    return ("supported" if right == len(found) else "within noise"), because


def _unstable4(grid: Grid) -> Judged:
    """The spread of single slices' realism, from the 5th to the 95th percentile over the median, is larger at 4."""

    def spread(found: Found) -> float:
        of = found["realism"]["generated"]
        return float((of["95"] - of["5"]) / max(of["50"], 1e-9))

    if not grid.columns:
        return ONE_LACKS
    of_each = np.array([[[spread(found) for found in grid.measured[key]] for key in keys] for keys in grid.columns])
    each = (of_each[:, 0] - of_each[:, 1:].mean(axis=1)).mean(axis=0)  # of column, generator and seed
    return _signed({"": each.tolist()}, "spread of the slices' realism over its median, 4 layers less the other two:")


def _facts(grid: Grid, keys: Sequence[Key], of: Callable[[LossFacts], float]) -> list[float] | None:
    """Return a number a training seed, the mean over cells; None where a training is too short to show it."""
    of_each = [[loss_facts(row.log) for row in grid.rows[key]] for key in keys]
    found = [[None if facts is None else of(facts) for facts in of_cell] for of_cell in of_each]
    if not found or any(value is None or not np.isfinite(value) for values in found for value in values):
        return None
    return [float(value) for value in np.mean(np.array(found, float), axis=0)]


SHORT: Judged = ("not testable", "the study has no such trainings of at least five epochs")


def _longest(grid: Grid, generators: Sequence[str], samples: Sequence[int]) -> list[Key]:
    return [key for key in grid.measured if key[0] in generators and key[1] in samples and key[2] == grid.levels(2)[-1]]


def _loss4(grid: Grid) -> Judged:
    change = _facts(grid, _longest(grid, ("thesis4",), grid.levels(1)[:1]), lambda of: of.generator_change)
    what = f"change of the generator's loss with {grid.levels(1)[0]:,} slices:"
    return SHORT if change is None else _signed({"": change}, what)


def _opposite(grid: Grid) -> Judged:
    found = {}
    for name in GENERATORS[1:]:
        each = _facts(grid, _longest(grid, (name,), grid.levels(1)), lambda of: of.correlation)
        if each is None:
            return SHORT
        found[f"{name[6:]} layers "] = each
    return _signed(found, "correlation of the two losses:", positive=False)


def _loss_data(grid: Grid) -> Judged:
    """With more slices it is steadier, by the generators that are there with the fewest and with the most."""
    samples = grid.levels(1)
    if len(samples) < 2:
        return "not testable", "the study has one number of samples"
    ends = [_longest(grid, GENERATORS, [count]) for count in (samples[0], samples[-1])]
    shared = {key[0] for key in ends[0]} & {key[0] for key in ends[1]}
    less, more = (_facts(grid, [key for key in of if key[0] in shared], lambda of: of.late_deviation) for of in ends)
    if less is None or more is None:
        return SHORT
    what = f"late deviation of the generator's loss, {samples[-1]:,} slices less {samples[0]:,}:"
    return _signed({"": [b - a for a, b in zip(less, more, strict=True)]}, what, positive=False)


def _time(grid: Grid) -> Judged:
    """The printed times' ratio; the times themselves are of another machine."""
    keys = sorted(_longest(grid, ("thesis15",), grid.levels(1)), key=lambda key: key[1])
    if len(keys) < 2:
        return "not testable", "the study lacks 15 layers with several numbers of samples"
    ends = zip(grid.rows[keys[0]], grid.rows[keys[-1]], strict=True)
    of = student_interval([last.seconds / first.seconds for first, last in ends])
    printed = 240 / 59
    because = (
        f"times are of another machine; their ratio, {keys[-1][1]:,} to {keys[0][1]:,} slices, is {of.value:.2f} "
        f"({of.low:.2f} to {of.high:.2f}), the printed one {printed:.2f}"
    )
    holds = of.low <= printed <= of.high
    return ("not supported" if not holds else "within noise" if of.low <= 1 else "supported"), because


CHECKS: dict[str, Callable[[Grid], Judged]] = {
    "layers": lambda grid: _lower(grid.differences(grid.steps(0))),
    "samples": lambda grid: _lower(grid.differences(grid.steps(1))),
    "epochs": lambda grid: _lower(grid.differences(grid.steps(2))),
    "cost": _cost,
    "four_worst": lambda grid: _lower(_pairs(grid, 0), everywhere=True),
    "fifteen_best": lambda grid: _lower(_pairs(grid, 2), everywhere=True),
    "samples_most": _samples_most,
    "unstable4": _unstable4,
    "loss4": _loss4,
    "opposite": _opposite,
    "loss_data": _loss_data,
    "time": _time,
}
