"""What a folder holds for the page: a study's runs, a folder's runs, or one run; read anew where it has changed.

Nothing is read that lies outside the folder, whatever its files name or link to, but for the store that a run names.
"""

import time
from collections.abc import Iterable, Mapping
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

PATIENCE = 600.0
"""Seconds without a sign of life after which a training is called silent; or three epochs or checkpoints, if longer."""


@dataclass(frozen=True)
class Entry:
    """A run as the overview shows it."""

    run: RunFolder
    name: str
    values: Mapping[str, Any]
    recipe: Mapping[str, Any]
    noted: str
    """Its state when its files were last written."""
    epochs: int
    log: list[dict[str, str]] = field(default_factory=list)
    events: list[dict[str, str]] = field(default_factory=list)
    snapshot: SnapshotFolder | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """By which pages name it: its folder's name."""
        return self.run.root.name

    @property
    def state(self) -> str:
        """In words; a training that was killed says nothing any more, so it is known by its silence.

        Its lock would tell, too, but to try that is to hold it, for which a study passes a run over.
        """
        if self.noted != "training":
            return self.noted
        seconds = [float(row["seconds"]) for row in self.log[-2:]]
        epoch = seconds[-1] - (seconds[0] if len(seconds) > 1 else 0.0) if seconds else 0.0
        checkpoint = float(self.recipe.get("training", {}).get("checkpoint_seconds", 0))
        signs = (self.run.events, self.run.log, self.run.checkpoints, self.run.samples)
        last = max((path.stat().st_mtime for path in signs if path.exists()), default=0.0)
        if time.time() - last <= max(PATIENCE, 3 * epoch, 3 * checkpoint):
            return self.noted
        return f"silent since {time.strftime('%Y-%m-%d %H:%M', time.localtime(last))}"

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
        found = self.own(sorted(self.run.samples.glob("epoch-*.png")))
        return {int(path.stem[6:]): path for path in found if path.stem[6:].isdigit()}

    @property
    def minutes(self) -> float:
        """Of training."""
        return float(self.log[-1]["seconds"]) / 60 if self.log else 0.0

    def own(self, paths: Iterable[Path]) -> list[Path]:
        """Return those of some files that are there and lie in the run's folder: no links out of it."""
        return [path for path in paths if path.is_file() and path.resolve().is_relative_to(self.run.root)]


@dataclass
class Catalogue:
    """The runs below a folder."""

    root: Path
    _known: dict[Path, tuple[tuple[int, ...], Entry]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.root = self.root.resolve()

    @property
    def title(self) -> str:
        """The study's, or the folder's name."""
        plan, _ = self._plan()
        return str(plan.get("title", self.root.name))

    @property
    def fault(self) -> str:
        """Why the study's plan can't be read, if so."""
        return self._plan()[1]

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
        for cell in self._plan()[0].get("cells", ()):
            planned.setdefault(StudyFolder(self.root).run(cell["run"]).root, []).append(cell)
        found = {path.parent for below in ("", "*/", "runs/*/") for path in self.root.glob(f"{below}config.json")}
        outermost = sorted(root for root in found if root.parent not in found)  # what a run exported is none
        roots = dict.fromkeys([*planned, *outermost])
        return {root.name: (root, planned.get(root, [])) for root in roots}

    def _plan(self) -> tuple[Mapping[str, Any], str]:
        """Return the study's plan, if there is one; or why it can't be read, which hides no run."""
        study = StudyFolder(self.root)
        if not study.plan.exists():
            return {}, ""
        if study.plan.is_symlink():
            return {}, f"{study.plan} leads out of the folder: serve the one that has it."
        try:
            plan = read_plan(study)
            strange = [cell["run"] for cell in plan["cells"] if not _is_name(cell["run"])]
        except InputError as error:
            return {}, str(error)
        except (KeyError, TypeError, ValueError) as error:
            return {}, f"{study.plan} is damaged ({type(error).__name__}: {error}): run the study's command again."
        return ({}, f"{study.plan} names {strange[0]!r}, which is no run's folder.") if strange else (plan, "")

    def _entry(self, root: Path, cells: list[Mapping[str, Any]]) -> Entry:
        """Read a run; one that can't be read is shown, too, and hides no other."""
        try:
            return self._readable(root, cells)
        except Exception as error:  # whatever a foreign or damaged file holds
            reason = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
            return Entry(RunFolder(root), root.name, {}, {}, f"unreadable: {reason}", 0)

    def _readable(self, root: Path, cells: list[Mapping[str, Any]]) -> Entry:
        run = RunFolder(root)
        folders = run.samples, root / "snapshots"
        of_snapshots = (path for of in run.snapshots() for path in (of.metrics, of.weights("generator")))
        watched = (run.config, run.log, run.events, *folders, *of_snapshots)
        stamp = tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in watched)
        stamp = (*stamp, hash(str(cells)))
        if root not in self._known or self._known[root][0] != stamp:
            outside = [path for path in watched if path.exists() and not path.resolve().is_relative_to(root)]
            if outside:
                raise InputError(f"{outside[0].relative_to(root)} leads out of the folder: serve the one that has it.")
            entry = _read(run, cells)
            for shown in ("said", "settings", "images", "minutes", "state"):
                getattr(entry, shown)  # while what can't be shown is caught
            self._known[root] = stamp, entry
        return self._known[root][1]


def _is_name(of: Any) -> bool:
    """Whether it can be the name of a run's folder, and of none elsewhere."""
    return isinstance(of, str) and of not in ("", "..") and Path(of).name == of


def _read(run: RunFolder, cells: list[Mapping[str, Any]]) -> Entry:
    recipe, events = read_config(run)["recipe"] if run.config.exists() else {}, read_csv(run.events)
    log, snapshots = read_log(run), run.snapshots()
    snapshot = snapshots[-1] if snapshots else None
    metrics = read_json(snapshot.metrics)["metrics"] if snapshot is not None and snapshot.metrics.exists() else {}
    values = {k: v for k, v in cells[-1]["values"].items() if k != "training.epochs"} if cells else {}
    epochs = max((cell["epochs"] for cell in cells), default=recipe.get("training", {}).get("epochs", 0))
    failed, last = next((cell["failed"] for cell in cells if cell["failed"]), ""), events[-1]["event"] if events else ""
    ended = int(log[-1]["epoch"]) >= epochs or (last == "finished" and not cells) if log else True
    begun = last and last != "finished"  # finished, and not ended: a greater length is asked for
    state = (
        f"failed: {failed}" if failed else ("measured" if metrics else "trained") if snapshot and ended
        else last.partition(";")[0] if last.startswith("failed: ") else "stopped" if last.startswith("stopped")
        else "training" if begun else "waiting"
    )  # fmt: skip
    name = label(values) if values else run.root.name
    return Entry(run, name, values, recipe, state, epochs, log, events, snapshot, metrics)
