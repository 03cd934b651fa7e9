"""Tuning: settings by Optuna, judged on validation subjects, which never see the final table.

    [tune]
    metric = "frechet_distance"     what is to be least (or most, for a metric of which more is better)
    trials = 20
    training.learning_rate = [1e-4, 2e-3]     two numbers: a range, drawn on a logarithmic scale
    training.batch_size = { choices = [16, 32, 64] }

Each trial is a run like any other, in the study's folder. A training whose health is poor is ended early (pruned). The
trials are kept in SQLite, or wherever an Optuna URL leads, so that several machines can share them.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from filelock import Timeout
from pydantic import Field

from braingan.data.store import Store
from braingan.errors import InputError
from braingan.folders import StudyFolder, read_json, write_bytes, write_json
from braingan.optional import optional
from braingan.recipe import Recipe, settle
from braingan.settings import Settings, parse
from braingan.study.grid import AXES, StudyFile, flat, training_id, with_values
from braingan.study.work import Job, held, snapshot_of, work

HIGHER = ("precision", "recall", "density", "coverage", "authenticity", "vendi", "f1_8", "f8")
"""Metrics, or beginnings of their names, of which more is better."""


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
    for name, of in space.items():
        table, _, setting = name.partition(".")
        if table not in AXES or (AXES[table] and setting not in AXES[table]):
            raise InputError(f"tune.{name} can't be searched: name settings of [model] or [training].")
        is_range = isinstance(of, list) and len(of) == 2 and all(isinstance(end, int | float) for end in of)
        if not (is_range and 0 < of[0] < of[1]) and not (isinstance(of, Mapping) and of.get("choices")):
            raise InputError(
                f"tune.{name}: give a range of two positive numbers, [1e-4, 1e-3], or {{ choices = [16, 32] }}."
            )
    return parse(TuneSettings, own, "tune"), space


def tune(
    file: StudyFile, store: Store, folder: StudyFolder, say: Callable[[str], None], do: Callable[[Job], Any] = work
) -> Path:
    """Search, or go on searching, and write the best recipe; return its path.

    Args:
        file: with `[tune]`; its grid is not used.
        store: what is trained on.
        folder: the study's.
        say: told of each trial.
        do: runs a training.

    Raises:
        InputError: a setting is refused, Optuna is not installed, or no trial came to an end.
    """
    settings, space = space_of(file)
    optuna = _optuna()
    folder.root.mkdir(parents=True, exist_ok=True)
    sampler = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}[settings.sampler]
    study = optuna.create_study(
        study_name=file.title,
        storage=settings.storage or f"sqlite:///{folder.root.resolve() / 'trials.db'}",
        direction="maximize" if settings.metric.startswith(HIGHER) else "minimize",
        load_if_exists=True,
    )

    _forget_cut_short(study, folder, optuna)
    while (left := settings.trials - len(_ended(study))) > 0:
        study.sampler = sampler(seed=settings.seed + len(study.trials))  # none draws what another process has drawn
        trial = study.ask()
        value = _tried(trial, space, file, store, folder, settings.metric, do)
        study.tell(trial, value, optuna.trial.TrialState.PRUNED if value is None else None)
        _keep(folder, study)
        came = "pruned" if value is None else f"{settings.metric} {value:.4g}"
        say(f"trial {trial.number}: {trial.params}: {came}; {left - 1} left")
    _keep(folder, study)
    if not any(trial.value is not None for trial in study.trials):
        raise InputError(f"No trial of {folder.root} came to an end: see trials.json for the reasons.")
    best = with_values(file.recipe, study.best_params)
    path = folder.root / "best.toml"
    write_bytes(path, optional("tomli_w", "tune", "The best recipe is written as TOML").dumps(best).encode())
    return path


def _tried(
    trial: Any,
    space: Mapping[str, Any],
    file: StudyFile,
    store: Store,
    folder: StudyFolder,
    metric: str,
    do: Callable[[Job], Any],
) -> float | None:
    """Train with what a trial suggests; return the metric, None of a training that came to no end."""
    values = {name: _suggested(trial, name, of) for name, of in space.items()}
    recipe = settle(parse(Recipe, with_values(file.recipe, values)), store)
    recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update={"trouble": "stop"})})
    run, epochs = folder.run(training_id(recipe, store)), recipe.training.epochs
    trial.set_user_attr("run", run.root.name)
    job = Job(
        run.root.resolve(), recipe.model_dump(mode="json"), store.folder.root.resolve(), (epochs,), split="validation"
    )
    begun, outcome = time.monotonic(), do(job)
    trial.set_user_attr("minutes", (time.monotonic() - begun) / 60)
    if outcome.state == "stopped":
        raise KeyboardInterrupt
    if outcome.state != "done":
        trial.set_user_attr("reason", outcome.reason or "another process has this run")
        return None
    metrics = read_json(snapshot_of(run, epochs).metrics_on("validation"))["metrics"]
    if metric not in metrics:
        raise InputError(f"tune.metric = {metric}: the evaluation has {', '.join(metrics)}.")
    return float(metrics[metric]["value"])


def _suggested(trial: Any, name: str, of: Any) -> Any:
    if isinstance(of, Mapping):
        return trial.suggest_categorical(name, of["choices"])
    if all(isinstance(end, int) for end in of):
        return trial.suggest_int(name, *of, log=True)
    return trial.suggest_float(name, *of, log=True)


def _forget_cut_short(study: Any, folder: StudyFolder, optuna: Any) -> None:
    """Try again what a killed process had begun, from its checkpoint; what another one trains now is left to it."""
    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        if run := trial.user_attrs.get("run"):
            with suppress(Timeout), held(folder.run(run)):
                study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
                study.enqueue_trial(trial.params)


def _ended(study: Any) -> list[Any]:
    return [trial for trial in study.trials if trial.state.name in ("COMPLETE", "PRUNED")]


def _keep(folder: StudyFolder, study: Any) -> None:
    """Write the trials for the report."""
    trials = [
        {
            "number": trial.number, "settings": trial.params, "value": trial.value, "state": trial.state.name.lower(),
            "minutes": trial.user_attrs.get("minutes", 0.0), "run": trial.user_attrs.get("run", ""),
            "reason": trial.user_attrs.get("reason", ""),
        }
        for trial in _ended(study)
    ]  # fmt: skip
    write_json(folder.trials, {"trials": trials})


def _optuna() -> Any:
    optuna = optional("optuna", "tune", "[tune] takes Optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
