"""Train several settings for equal wall-clock time, or as many epochs as they say, and put their numbers side by side.

    python benchmarks/trials.py TRIAL STORE OUT      TRIAL is one of TRIALS below

Each run is trained, evaluated and reported in `OUT/<name>`; the same command again goes on where it stopped. The
table is printed and written to `benchmarks/results/<trial>.json` with the device's name. The store of the results
in the repository is that of 170 subjects with 24 adjacent axial T1 slices each, prepared with the default settings.
"""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from braingan.data.store import Store
from braingan.folders import RunFolder, read_csv, read_json, write_json

RESULTS = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True)
class Trial:
    """Runs of equal length, or of the epochs that each says, judged on one split."""

    minutes: float
    """0: each run says its epochs."""
    split: str
    runs: dict[str, list[str]]
    at_once: int = 1
    """Runs side by side, where their length is in epochs and they have a core each."""


BRIEFLY = ["evaluation.also=[]", "evaluation.seeds=1", "evaluation.detector=false"]


CELLS = [(batch, rate, 10_000) for batch in (64, 16) for rate in ("2e-4", "8e-4")]
CELLS += [(16, "3.2e-3", 10_000), (64, "2e-4", 0)]
BEYOND = [(16, "8e-4", 0), (16, "8e-4", 40_000), (8, "4e-4", 10_000), (8, "8e-4", 10_000)]
"""Around the best of `CELLS`."""


def rates(cells):
    """The best of the thesis's for equal time (`quarter_hour`), by batch size, rate and averaging; a core each."""
    return {
        f"batch {batch}, rate {rate}, averaged over {averaging} images": [
            "model.name=thesis4", f"training.batch_size={batch}", f"training.learning_rate={rate}",
            f"training.averaging_images={averaging}", "training.epochs=5", "training.threads=1", *BRIEFLY,
        ]
        for batch, rate, averaging in cells
    }  # fmt: skip


THESIS7 = "model.name=thesis7"
TRIALS = {
    "adam": Trial(
        4,
        "validation",
        {
            "rate 1e-4, betas 0.9": [THESIS7, "training.learning_rate=1e-4", "training.betas=[0.9,0.999]"],
            "rate 2e-4, betas 0.5": [THESIS7, "training.learning_rate=2e-4", "training.betas=[0.5,0.999]"],
        },
    ),
    "rates": Trial(0, "validation", rates(CELLS), 2),
    "beyond": Trial(0, "validation", rates(BEYOND), 2),
    "quarter_hour": Trial(15, "test", {name: [f"model.name={name}"] for name in ("thesis4", "thesis7", "thesis15")}),
}


def braingan(*arguments):
    call = [sys.executable, "-c", "from braingan.cli import main; main()", *map(str, arguments)]
    subprocess.run(call, check=True, stdout=sys.stderr)


def measure(trial, sets, store, folder):
    """Train, evaluate and report one run, unless that is done; return its row."""
    length = [f"training.minutes={trial.minutes}", "training.epochs=100000"] if trial.minutes else []
    braingan("train", "--data", store, "--out", folder, *(part for name in sets + length for part in ("--set", name)))
    run = RunFolder(folder)
    snapshot = run.snapshots()[-1]
    found = snapshot.metrics if trial.split == "test" else snapshot.root / f"metrics-{trial.split}.json"
    if not found.exists():
        braingan("evaluate", folder, "--split", trial.split)
    braingan("report", folder)
    last, metrics = read_csv(run.log)[-1], read_json(found)
    return {
        "settings": sets,
        "images": snapshot.images_seen,
        "images_per_second": round(int(last["images"]) / float(last["seconds"]), 1),
        "device": read_csv(run.events)[0]["event"].partition(" on ")[2],
        "protocol": metrics["protocol"],
        "metrics": {name: {"value": m["value"], "floor": m.get("floor")} for name, m in metrics["metrics"].items()},
        "confusion": metrics["confusion"],
    }


def main(name, store, out):
    trial = TRIALS[name]
    with ThreadPoolExecutor(trial.at_once) as side_by_side:
        found = [side_by_side.submit(measure, trial, sets, store, Path(out) / run) for run, sets in trial.runs.items()]
    rows = dict(zip(trial.runs, (row.result() for row in found), strict=True))
    opened = Store.open(Path(store))
    result = {
        "trial": name,
        "minutes": trial.minutes,
        "store": {key: opened.description[key] for key in ("source", "count", "subjects", "fingerprint")},
        "runs": rows,
    }
    write_json(RESULTS / f"{name}.json", result)
    for run, row in rows.items():
        values = {key: round(metric["value"], 4) for key, metric in row["metrics"].items()}
        print(f"{run}: {row['images']} images, {row['images_per_second']} images/s, {json.dumps(values)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
