"""A small study for tests, and made ones of the source study's grid, of which nothing was trained."""

import itertools
import os
import signal
from pathlib import Path

import numpy as np

import taught
from braingan.data.store import Store
from braingan.evaluation.measure import FORMAT
from braingan.folders import RunFolder, StudyFolder, write_bytes, write_csv, write_json
from braingan.study.claims import GENERATORS
from braingan.study.grid import StudyFile
from braingan.study.run import begin, note, plan, run, threads
from braingan.study.table import Row
from braingan.study.work import Job, Outcome, work
from braingan.training.run import write_config

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
    for outcome in found:
        note(planned.folder, outcome)
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


SAMPLES, EPOCHS = (200, 600, 1000), (5, 10)
PROTOCOL = {
    "store": "s", "split": "test", "count": 200, "subjects": 30, "generation_seeds": 1, "neighbours": 5,
    "extractor": "made features", "extractors": {"made": "made features"},
}  # fmt: skip


def flat(name, samples, epoch, random):
    return 1.0 + epoch % 2, 1.0 - epoch % 2


def as_long(name, samples, epoch):
    return samples * epoch / 50


def made_rows(distance, noise=0.5, seeds=3, spread=lambda name: 1.0, losses=flat, seconds=as_long, subjects=0.1):
    """Rows whose distances are a function of layers, slices and epochs, but for noise of training seeds and subjects.

    Most of the latter is shared, half by half; `subjects` is the deviation of what is each row's own.
    """
    random, own = np.random.default_rng(0), np.random.default_rng(1)
    shared = random.normal(size=40) * 3
    found = []
    for name, samples, epochs, seed in itertools.product(GENERATORS, SAMPLES, EPOCHS, range(seeds)):
        value = distance(int(name[6:]), samples, epochs) + random.normal() * noise
        halves = value + shared + own.normal(size=40) * subjects
        of = {"value": value, "low": value - 6, "high": value + 6, "floor": 1.0, "halves": halves.tolist()}
        realism = {"5": 1 - spread(name) / 2, "50": 1.0, "95": 1 + spread(name) / 2 + random.normal() * 0.01}
        rows = []
        for epoch in range(1, epochs + 1):
            discriminator, generator = losses(name, samples, epoch, random)
            rows.append({
                "epoch": str(epoch), "images": str(samples * epoch), "seconds": str(seconds(name, samples, epoch)),
                "discriminator_loss": str(discriminator), "generator_loss": str(generator),
            })  # fmt: skip
        values = {"model.name": name, "training.samples": samples, "training.epochs": epochs, "training.seed": seed}
        metrics = {"protocol": PROTOCOL, "metrics": {"frechet_distance": of}, "realism": {"generated": realism}}
        run = RunFolder(Path("none") / f"{name}-{samples}-{seed}")
        found.append(Row(values, run, epochs, samples, 20 + seed, "", "", rows, None, metrics))
    return found


def made_study(root: Path, store: Store, rows) -> StudyFolder:
    """Write the folders of made rows, as of a finished study; the networks are files without content."""
    folder = StudyFolder(root)
    for row in sorted(rows, key=lambda row: row.epochs):
        run, log = folder.run(row.run.root.name), row.log
        model = {name.partition(".")[2]: value for name, value in row.values.items() if name.startswith("model.")}
        training = {"seed": row.values["training.seed"]}
        recipe = {"data": {"frames": [], "size": store.side}, "model": model, "training": training}
        write_config(run, {"recipe": recipe})
        write_csv(run.log, list(log[0]), [list(one.values()) for one in log])
        write_csv(run.events, ("images", "event"), [(0, f"started on machine {row.values['training.seed']}, torch 9")])
        snapshot = run.snapshot(int(log[-1]["images"]))
        write_bytes(snapshot.weights("generator"), b"")
        write_json(snapshot.metrics, {"format": FORMAT, **row.found})
    cells = [
        {"values": row.values, "run": row.run.root.name, "epochs": row.epochs, "slices": row.slices,
         "subjects": row.subjects, "note": row.note, "failed": row.failed}
        for row in rows
    ]  # fmt: skip
    write_json(folder.plan, {
        "format": 1, "title": "A made study", "store": store.fingerprint,
        "store_folder": str(store.folder.root.resolve()), "versions": {"braingan": "0.9", "Python": "3.99"},
        "protocol": {"count": 200, "generation_seeds": 1, "neighbours": 5, "extractors": ["made"]}, "cells": cells,
    })  # fmt: skip
    write_bytes(folder.file, b'title = "A made study"\n')
    return folder
