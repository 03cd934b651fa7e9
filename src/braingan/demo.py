"""From nothing to a report, offline and in minutes: what `braingan demo` runs.

Each stage is the one that its verb runs; only the settings are chosen for a few minutes on a laptop.
"""

from collections.abc import Callable
from pathlib import Path

from braingan.data.phantom.settings import PhantomSettings
from braingan.data.phantom.write import phantom_store
from braingan.evaluation.evaluate import evaluate
from braingan.evaluation.features import open_extractor
from braingan.folders import RunFolder
from braingan.recipe import compose, train_recipe
from braingan.report.run import write_report

SUBJECTS, MINUTES = 48, 6.5
SLICES = ("data.frames=['T1w']", "data.slices=76:92/155", "data.edge_mm=196")
TRAINING = (
    "training.epochs=1000000", "evaluation.count=160", "evaluation.seeds=1", "evaluation.also=['anatomy', 'random']",
)  # fmt: skip
MORE_TIME = (
    "A demonstration, meant to be short, on few subjects. When it was measured (benchmarks/demo.py), 9,888 training "
    "images in 6.5 minutes on two cores gave a Fréchet distance of 125, and 29,168 images one of 116 (real slices: "
    "21). The same command with a greater --minutes goes on from here."
)


def demo(out: Path, subjects: int, minutes: float, on: str, say: Callable[[str], None]) -> Path | None:
    """Make phantom subjects, train on them, measure and report; the same call again goes on where it stopped.

    Args:
        out: the folder for the store, `store`, and the run, `run`.
        subjects: how many phantom subjects.
        minutes: of training.
        on: where the subjects are made, such as `local:2`.
        say: told what each step does, in a sentence.

    Returns:
        the report's path, or None if the training was stopped on request.

    Raises:
        InputError: a package that it needs is not installed, or the folder holds something else.
    """
    recipe = compose(None, [*SLICES, *TRAINING, f"training.minutes={minutes}"])
    open_extractor(recipe.evaluation.extractor)  # what is not installed is said before minutes of work
    say(f"1 of 4: {subjects} phantom subjects, synthetic brains deformed from a template, are cut into slices.")
    store = phantom_store(out / "store", subjects, PhantomSettings(), recipe.data, on)
    say(f"2 of 4: a generator learns to make such slices, until it has learnt for {minutes:g} minutes in all.")
    run = RunFolder(out / "run")
    if not train_recipe(recipe, store, run, [MORE_TIME]):
        return None
    if not run.snapshots()[-1].metrics.exists():
        say("3 of 4: generated slices are compared with those of subjects that the training never saw.")
        evaluate(run)
    say("4 of 4: the report.")
    return write_report(run)
