"""What a folder holds for the page: a study's runs, a folder's runs, or one run; read anew where it has changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from braingan.errors import InputError
from braingan.folders import RunFolder, SnapshotFolder, StudyFolder, read_json
from braingan.report.study_figures import label
from braingan.study.table import read_plan
from braingan.training.run import read_config, read_log

RUNNING_SECONDS = 300
"""A log that was written to since then is of a running training."""


@dataclass(frozen=True)
class Entry:
    """A run as the overview shows it."""

    run: RunFolder
    name: str
    values: Mapping[str, Any]
    recipe: Mapping[str, Any]
    state: str
    epochs: int
    log: list[dict[str, str]]
    snapshot: SnapshotFolder | None
    metrics: Mapping[str, Any]

    @property
    def id(self) -> str:
        """By which pages name it: its folder's name."""
        return self.run.root.name

    @property
    def images(self) -> int:
        """Training images seen."""
        return int(self.log[-1]["images"]) if self.log else 0

    @property
    def minutes(self) -> float:
        """Of training."""
        return float(self.log[-1]["seconds"]) / 60 if self.log else 0.0


@dataclass
class Catalogue:
    """The runs below a folder."""

    root: Path
    _known: dict[Path, tuple[tuple[int, ...], Entry]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The study's, or the folder's name."""
        plan = StudyFolder(self.root).plan
        return str(read_json(plan)["title"]) if plan.exists() else self.root.resolve().name

    def entries(self) -> dict[str, Entry]:
        """Return all runs by id, planned ones that have not begun included."""
        planned: dict[Path, list[Mapping[str, Any]]] = {}
        study = StudyFolder(self.root)
        if study.plan.exists():
            for cell in read_plan(study)["cells"]:
                planned.setdefault(study.run(cell["run"]).root, []).append(cell)
        configs = [
            *self.root.glob("config.json"),
            *self.root.glob("*/config.json"),
            *self.root.glob("runs/*/config.json"),
        ]
        roots = dict.fromkeys([*planned, *sorted(path.parent for path in configs)])
        return {root.name: self._entry(root, planned.get(root, [])) for root in roots}

    def open(self, name: str) -> Entry:
        """Return a run by its id.

        Raises:
            InputError: there is none.
        """
        found = self.entries().get(name)
        if found is None:
            raise InputError(f"There is no run {name}.")
        return found

    def _entry(self, root: Path, cells: list[Mapping[str, Any]]) -> Entry:
        run = RunFolder(root)
        watched = (run.config, run.log, root / "snapshots", *(of.metrics for of in run.snapshots()))
        stamp = tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in watched)
        stamp = (*stamp, hash(str(cells)))
        if root not in self._known or self._known[root][0] != stamp:
            self._known[root] = stamp, _read(run, cells)
        return self._known[root][1]


def _read(run: RunFolder, cells: list[Mapping[str, Any]]) -> Entry:
    recipe = read_config(run)["recipe"] if run.config.exists() else {}
    log, snapshots = read_log(run), run.snapshots()
    snapshot = snapshots[-1] if snapshots else None
    metrics = read_json(snapshot.metrics)["metrics"] if snapshot is not None and snapshot.metrics.exists() else {}
    values = {k: v for k, v in cells[-1]["values"].items() if k != "training.epochs"} if cells else {}
    epochs = max((cell["epochs"] for cell in cells), default=recipe.get("training", {}).get("epochs", 0))
    failed = next((cell["failed"] for cell in cells if cell["failed"]), "")
    state = (
        "measured" if metrics else f"failed: {failed}" if failed else "trained" if snapshot and _ended(log, epochs)
        else "training" if log else "waiting"
    )  # fmt: skip
    return Entry(run, label(values) if values else run.root.name, values, recipe, state, epochs, log, snapshot, metrics)


def _ended(log: list[dict[str, str]], epochs: int) -> bool:
    return not log or int(log[-1]["epoch"]) >= epochs
