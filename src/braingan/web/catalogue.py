"""What a folder holds for the page: a study's runs, a folder's runs, or one run; read anew where it has changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from braingan.errors import InputError
from braingan.folders import RunFolder, SnapshotFolder, StudyFolder, read_csv, read_json
from braingan.report.study_figures import label
from braingan.report.wording import interval_of, number, value_of, words_of
from braingan.study.table import read_plan
from braingan.training.run import read_config, read_log


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

    @cached_property
    def said(self) -> dict[str, dict[str, str]]:
        """The metrics of the first extractor in words: value, interval and floor."""
        found = {}
        for name, entry in self.metrics.items():
            if "@" not in name:
                share = words_of(name, entry).share
                floor = number(entry["floor"], 0.0, share) if "floor" in entry else ""
                found[name] = {"value": value_of(entry, share), "interval": interval_of(entry, share), "floor": floor}
        return found

    @cached_property
    def settings(self) -> dict[str, str]:
        """All settings, each by its full name; those of the plan before it has begun."""
        flat = {f"{part}.{name}": value for part, of in self.recipe.items() for name, value in of.items()}
        return {name: str(value) for name, value in (flat or self.values).items()}

    @cached_property
    def grids(self) -> dict[int, Path]:
        """The grids that training kept, by epoch."""
        found = sorted(self.run.samples.glob("epoch-*.png"))
        return {int(path.stem[6:]): path for path in found if path.stem[6:].isdigit()}

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
        return {name: self._entry(root, cells) for name, (root, cells) in self._listed().items()}

    def open(self, name: str) -> Entry:
        """Return a run by its id.

        Raises:
            InputError: there is none.
        """
        listed = self._listed()
        if name not in listed:
            raise InputError(f"There is no run {name}.")
        return self._entry(*listed[name])

    def _listed(self) -> dict[str, tuple[Path, list[Mapping[str, Any]]]]:
        """Return each run's folder and its cells of the plan, by id."""
        planned: dict[Path, list[Mapping[str, Any]]] = {}
        study = StudyFolder(self.root)
        if study.plan.exists():
            for cell in read_plan(study)["cells"]:
                planned.setdefault(study.run(cell["run"]).root, []).append(cell)
        found = {path.parent for below in ("", "*/", "runs/*/") for path in self.root.glob(f"{below}config.json")}
        outermost = sorted(root for root in found if root.parent not in found)  # what a run exported is none
        roots = dict.fromkeys([*planned, *outermost])
        return {root.name: (root, planned.get(root, [])) for root in roots}

    def _entry(self, root: Path, cells: list[Mapping[str, Any]]) -> Entry:
        """Read a run; one that can't be read is shown, too, and hides no other."""
        try:
            return self._readable(root, cells)
        except Exception as error:  # whatever a foreign or damaged file holds
            reason = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
            return Entry(RunFolder(root), root.name, {}, {}, f"unreadable: {reason}", 0, [], None, {})

    def _readable(self, root: Path, cells: list[Mapping[str, Any]]) -> Entry:
        run = RunFolder(root)
        folders = run.samples, root / "snapshots"
        watched = (run.config, run.log, run.events, *folders, *(of.metrics for of in run.snapshots()))
        stamp = tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in watched)
        stamp = (*stamp, hash(str(cells)))
        if root not in self._known or self._known[root][0] != stamp:
            entry = _read(run, cells)
            for shown in ("said", "settings", "images", "minutes"):
                getattr(entry, shown)  # while what can't be shown is caught
            self._known[root] = stamp, entry
        return self._known[root][1]


def _read(run: RunFolder, cells: list[Mapping[str, Any]]) -> Entry:
    recipe, events = read_config(run)["recipe"] if run.config.exists() else {}, read_csv(run.events)
    log, snapshots = read_log(run), run.snapshots()
    snapshot = snapshots[-1] if snapshots else None
    metrics = read_json(snapshot.metrics)["metrics"] if snapshot is not None and snapshot.metrics.exists() else {}
    values = {k: v for k, v in cells[-1]["values"].items() if k != "training.epochs"} if cells else {}
    epochs = max((cell["epochs"] for cell in cells), default=recipe.get("training", {}).get("epochs", 0))
    failed, last = next((cell["failed"] for cell in cells if cell["failed"]), ""), events[-1]["event"] if events else ""
    ended = int(log[-1]["epoch"]) >= epochs or (last == "finished" and not cells) if log else True
    working = log and last != "finished"
    state = (
        f"failed: {failed}" if failed else ("measured" if metrics else "trained") if snapshot and ended
        else "stopped" if last.startswith("stopped") else "training" if working else "waiting"
    )  # fmt: skip
    return Entry(run, label(values) if values else run.root.name, values, recipe, state, epochs, log, snapshot, metrics)
