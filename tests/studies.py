"""A small study for tests."""

import os
import signal
from pathlib import Path

import taught
from braingan.data.store import Store
from braingan.folders import StudyFolder
from braingan.study.grid import StudyFile
from braingan.study.run import begin, plan, run, threads, write_plan
from braingan.study.work import Job, Outcome, work

FILE = """title = "A small study"
[model]
name = "latentflow"
flow_widths = [8, 8]
widths = [8, 8, 8]
[training]
batch_size = 8
threads = 1
[evaluation]
extractor = "random"
also = []
seeds = 1
[grid]
model.components = [2]
training.epochs = [1, 3]
training.seed = [0, 1]
"""


def small_study(folder: Path, file: str = FILE) -> tuple[Path, Store, StudyFolder]:
    """Write a study file and make a store; nothing is trained."""
    (folder / "study.toml").write_text(file)
    return folder / "study.toml", taught.taught_store(folder / "store", subjects=32), StudyFolder(folder / "study")


def do(file: Path, store: Store, folder: StudyFolder):
    """Run a study in this process."""
    planned = plan(StudyFile.read(file), store, folder)
    begin(file, planned)
    found = [work(job) for job in planned.jobs(threads("local:1"))]
    write_plan(planned, found)
    return found


def dies_once(job: Job) -> Outcome:
    mark = job.run.with_name(f"{job.id}.tried")
    if job.epochs == (1,) and not mark.exists():
        mark.write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return Outcome(job.id, "done")


def always_dies(job: Job) -> Outcome:
    if job.epochs == (1,):
        os.kill(os.getpid(), signal.SIGKILL)
    return Outcome(job.id, "done")


def run_study(file, store, folder):
    run(plan(StudyFile.read(file), store, folder), "local:1", lambda found, of: None)
