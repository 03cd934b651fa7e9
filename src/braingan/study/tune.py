"""Tuning: settings by Optuna, judged on validation subjects, which never see the final table.

    [tune]
    metric = "frechet_distance"     what is to be least (or most, for a metric of which more is better)
    trials = 20
    training.learning_rate = [1e-4, 2e-3]     two numbers: a range, drawn on a logarithmic scale
    training.batch_size = { choices = [16, 32, 64] }

Each trial is a run like any other, in the study's folder, of the recipe with the first value of each of the grid's
lists. A training whose health is poor is ended early (pruned). The trials are kept in SQLite, or wherever an Optuna URL
leads, so that several machines can share them.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from filelock import Timeout
from pydantic import Field

from braingan.data.store import Store
from braingan.errors import InputError
from braingan.folders import RunFolder, StudyFolder, read_json, write_bytes, write_json
from braingan.optional import optional
from braingan.recipe import Recipe
from braingan.settings import Settings, parse
from braingan.study.grid import AXES, StudyFile, cells, countable, flat, training_id, with_values
from braingan.study.work import Job, held, protocol_of, snapshot_of, work

LOWER = ("frechet_distance", "frechet_distance_infinite", "kernel_distance", "thesis_distance", "detector_accuracy",
         "copies")  # fmt: skip
HIGHER = ("precision", "recall", "density", "coverage", "precision_other_subject", "recall_other_subject",
          "density_other_subject", "coverage_other_subject", "f1_8", "f8", "vendi", "authenticity")  # fmt: skip
"""Metrics of which less and more is better; those of further extractors have `@` and its name behind."""
TOWARDS = {"brightness": None, "ms_ssim": None, "class_score": None, "inception_score": None,
           "membership_auc": 0.5, "data_copying": 0.0}  # fmt: skip
"""Metrics of which what is near to a number is better; None is what real training slices score."""


class TuneSettings(Settings):
    """How settings are searched for."""

    metric: str = "frechet_distance"
    """What of `metrics.json` is to be best, on validation subjects."""
    trials: Annotated[int, Field(ge=1)] = 20
    """Trainings, those of earlier calls included."""
    storage: str = ""
    """An Optuna URL, such as `postgresql://…`, where several machines tune together; empty: SQLite in the study."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of the search."""
    sampler: Literal["tpe", "random"] = "tpe"
    """Tree-structured Parzen estimators (Bergstra et al., 2011), or at random."""


def space_of(file: StudyFile) -> tuple[TuneSettings, dict[str, Any]]:
    """Return a study file's settings of the search and what it searches: a range or choices by setting.

    Raises:
        InputError: there is no `[tune]`, or it names nothing to search, or what is no range nor choices.
    """
    own = {name: value for name, value in file.tune.items() if name in TuneSettings.model_fields}
    space = flat({name: value for name, value in file.tune.items() if name not in own}, leaves=("choices",))
    if not space:
        raise InputError("[tune] names no setting to search, such as training.learning_rate = [1e-4, 1e-3].")
    if shared := space.keys() & file.grid.keys():
        raise InputError(f"{', '.join(sorted(shared))} can't be both in the grid and in [tune]: leave one out.")
    for name, of in space.items():
        table, _, setting = name.partition(".")
        if table not in AXES or (AXES[table] and setting not in AXES[table]):
            raise InputError(f"tune.{name} can't be searched: name settings of [model] or [training].")
        is_range = isinstance(of, list) and len(of) == 2 and all(isinstance(end, int | float) for end in of)
        if not (is_range and 0 < of[0] < of[1]) and not (isinstance(of, Mapping) and of.get("choices")):
            raise InputError(
                f"tune.{name}: give a range of two positive numbers, [1e-4, 1e-3], or {{ choices = [16, 32] }}."
            )
    settings = parse(TuneSettings, own, "tune")
    if settings.metric.partition("@")[0] not in (known := [*LOWER, *HIGHER, *TOWARDS]):
        raise InputError(f"tune.metric = {settings.metric} is unknown; there are {', '.join(known)}.")
    return settings, space


def trials_left(file: StudyFile, folder: StudyFolder) -> int:
    """Return how many trials a study's search is still to make, as far as its folder shows; 0 without a search."""
    if not file.tune:
        return 0
    ended = len(read_json(folder.trials)["trials"]) if folder.trials.exists() else 0
    return max(space_of(file)[0].trials - ended, 0)


def tune(
    file: StudyFile,
    store: Store,
    folder: StudyFolder,
    say: Callable[[str], None],
    do: Callable[[Job], Any] = work,
    cap: bool = False,
) -> Path:
    """Search, or go on searching, and write the best recipe; return its path.

    Args:
        file: with `[tune]`; of its grid the first cell is what is trained.
        store: what is trained on.
        folder: the study's.
        say: told of each trial.
        do: runs a training.
        cap: whether to train on all slices where more are asked for than there are.

    Raises:
        InputError: a setting is refused, Optuna is not installed, its storage can't be opened, or no trial came to an
            end.
    """
    settings, space = space_of(file)
    optuna = _optuna()
    folder.root.mkdir(parents=True, exist_ok=True)
    sampler = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}[settings.sampler]
    first = file.first
    study = _study(optuna, settings, first, store, folder)
    _forget_cut_short(study, folder, optuna)
    while (left := settings.trials - len(_ended(study))) > 0:
        study.sampler = sampler(seed=settings.seed + len(study.trials))  # none draws what another process has drawn
        trial = study.ask()
        values = {name: _suggested(trial, name, of) for name, of in space.items()}
        (cell,) = cells(replace(first, recipe=with_values(first.recipe, values)), store, cap)
        with held(_place(folder, study, trial.number)):
            trial.set_user_attr("folder", _identity(folder))
            value = _tried(trial, cell.recipe, store, folder, settings.metric, do)
            study.tell(trial, value, optuna.trial.TrialState.PRUNED if value is None else None)
        _keep(folder, study, settings.metric)
        came = "pruned" if value is None else f"{worded(settings.metric)} {value:.4g}"
        say(f"trial {trial.number}: {trial.params}: {came}; {left - 1} left")
    _keep(folder, study, settings.metric)
    if not any(trial.value is not None for trial in study.trials):
        raise InputError(f"No trial of {folder.root} came to an end: see trials.json for the reasons.")
    best = with_values(first.recipe, study.best_params)
    write_bytes(folder.best, optional("tomli_w", "tune", "The best recipe is written as TOML").dumps(best).encode())
    return folder.best


def _study(optuna: Any, settings: TuneSettings, first: StudyFile, store: Store, folder: StudyFolder) -> Any:
    """Open the search, named after all that makes its trials comparable: what is trained, on what, and the metric."""
    same = json.dumps([first.recipe, settings.metric, store.fingerprint], sort_keys=True)
    try:
        return optuna.create_study(
            study_name=f"{first.title} {hashlib.sha256(same.encode()).hexdigest()[:8]}",
            storage=settings.storage or f"sqlite:///{folder.root.resolve() / 'trials.db'}",
            direction="maximize" if settings.metric.partition("@")[0] in HIGHER else "minimize",
            load_if_exists=True,
        )
    except Exception as error:  # Optuna's, SQLAlchemy's, or of a driver that is not there
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError(f"The storage of the trials can't be opened ({reason}): mend tune.storage.") from error


def _tried(
    trial: Any, recipe: Recipe, store: Store, folder: StudyFolder, metric: str, do: Callable[[Job], Any]
) -> float | None:
    """Train what a trial suggests; return what is to be made small or large, None of a training without an end."""
    try:
        count = countable(recipe, store, "validation")
    except InputError as error:
        trial.set_user_attr("reason", str(error))
        return None
    evaluation = recipe.evaluation.model_copy(update={"count": count})
    training = recipe.training.model_copy(update={"trouble": "stop"})
    recipe = recipe.model_copy(update={"training": training, "evaluation": evaluation})
    run, epochs = folder.run(training_id(recipe, store)), recipe.training.epochs
    trial.set_user_attr("run", run.root.name)
    job = Job(
        run.root.resolve(),
        recipe.model_dump(mode="json"),
        store.folder.root.resolve(),
        (epochs,),
        protocol_of(evaluation),
        split="validation",
    )
    begun, outcome = time.monotonic(), do(job)
    trial.set_user_attr("minutes", (time.monotonic() - begun) / 60)
    if outcome.state == "stopped":
        raise KeyboardInterrupt
    if outcome.state != "done":
        trial.set_user_attr("reason", outcome.reason or "another process has this run")
        return None
    snapshot = snapshot_of(run, epochs)
    assert snapshot is not None
    metrics = read_json(snapshot.metrics_on("validation"))["metrics"]
    if metric not in metrics:
        raise InputError(f"tune.metric = {metric}: the evaluation has {', '.join(metrics)}.")
    return objective(metric, metrics[metric])


def worded(metric: str) -> str:
    """Say what the search makes small or large; see `objective`."""
    name = metric.partition("@")[0]
    if name not in TOWARDS:
        return metric
    return f"{metric}, its difference from {'real slices' if TOWARDS[name] is None else TOWARDS[name]}"


def objective(metric: str, entry: Mapping[str, Any]) -> float:
    """Return what the search makes small or large: the metric, or how far it is from where it is good.

    Raises:
        InputError: that is where real training slices are, and they were not measured.
    """
    name, value = metric.partition("@")[0], float(entry["value"])
    if name not in TOWARDS:
        return value
    good = entry.get("floor") if TOWARDS[name] is None else TOWARDS[name]
    if good is None:
        raise InputError(f"tune.metric = {metric}: the evaluation has no value of real slices to come near to.")
    return abs(value - float(good))


def _suggested(trial: Any, name: str, of: Any) -> Any:
    try:
        if isinstance(of, Mapping):
            return trial.suggest_categorical(name, of["choices"])
        if all(isinstance(end, int) for end in of):
            return trial.suggest_int(name, *of, log=True)
        return trial.suggest_float(name, *of, log=True)
    except ValueError as error:
        raise InputError(
            f"tune.{name} is searched otherwise than in the trials that there are ({error}): leave it as it was, or "
            "give the study another title."
        ) from error


def _forget_cut_short(study: Any, folder: StudyFolder, optuna: Any) -> None:
    """Try again what a killed process had begun in this folder; what another one is at is left to it."""
    failed = optuna.trial.TrialState.FAIL
    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        run = trial.user_attrs.get("run")
        if run and trial.user_attrs.get("folder") == _identity(folder):
            with suppress(Timeout), held(_place(folder, study, trial.number)), held(folder.run(run)):
                if study.tell(trial.number, state=failed, skip_if_finished=True).state == failed:
                    study.enqueue_trial(trial.params)


def _place(folder: StudyFolder, study: Any, number: int) -> RunFolder:
    """Return what a process holds that is at a trial."""
    return folder.run(f"trial-{study.study_name[-8:]}-{number}")


def _identity(folder: StudyFolder) -> str:
    """Name a folder among those of machines that share a storage: the same path may be another folder on each."""
    return f"{folder.root.resolve()} {folder.root.stat().st_ino}"


def _ended(study: Any) -> list[Any]:
    return [trial for trial in study.trials if trial.state.name in ("COMPLETE", "PRUNED")]


def _keep(folder: StudyFolder, study: Any, metric: str) -> None:
    """Write the trials for the report."""
    trials = [
        {
            "number": trial.number, "settings": trial.params, "value": trial.value, "state": trial.state.name.lower(),
            "minutes": trial.user_attrs.get("minutes", 0.0), "run": trial.user_attrs.get("run", ""),
            "reason": trial.user_attrs.get("reason", ""),
        }
        for trial in _ended(study)
    ]  # fmt: skip
    write_json(folder.trials, {"metric": worded(metric), "trials": trials})


def _optuna() -> Any:
    optuna = optional("optuna", "tune", "[tune] takes Optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
