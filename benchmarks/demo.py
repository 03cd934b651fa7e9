"""How long `braingan demo` takes, step by step, what comes out, and what three times the training gives.

    python benchmarks/demo.py OUT      OUT: a folder that is not there yet

Phantom results. The figures are printed and written to `benchmarks/results/demo.json`.
"""

import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

from braingan.data.store import Store
from braingan.demo import MINUTES, SUBJECTS
from braingan.folders import RunFolder, read_csv, read_json, write_json

LONGER = 3
RESULTS = Path(__file__).resolve().parent / "results" / "demo.json"


def demo(out, minutes):
    """Run the demo as a user does; return the seconds of each step and of all."""
    call = [sys.executable, "-c", "from braingan.cli import main; main()", "demo", "--out", out, "--minutes", minutes]
    start, marks = time.perf_counter(), {}
    with subprocess.Popen([*map(str, call)], stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if " of 4: " in line:
                marks[line.partition(" of 4")[0]] = time.perf_counter()
    assert process.returncode == 0
    end = time.perf_counter()
    times = [marks[step] for step in "1234"] + [end]
    lengths = (later - earlier for earlier, later in pairwise(times))
    steps = zip(("subjects", "training", "evaluation", "report"), lengths, strict=True)
    return {"seconds": end - start, "steps": dict(steps)}


def measured(out):
    run = RunFolder(out / "run")
    snapshot = run.snapshots()[-1]
    metrics = read_json(snapshot.metrics)["metrics"]
    brightness = metrics["brightness"]["value"] / metrics["brightness"]["floor"]
    variety = (1 - metrics["ms_ssim"]["value"]) / (1 - metrics["ms_ssim"]["floor"])
    assert abs(brightness - 1) < 0.2, f"brightness is {brightness:.2f} of real slices'"
    assert variety > 0.5, f"variety is {variety:.2f} of real slices'"
    return {
        "images": snapshot.images_seen,
        "metrics": {name: {"value": found["value"], "floor": found.get("floor")} for name, found in metrics.items()},
        "brightness of real": brightness,
        "variety of real": variety,
    }


def main(folder):
    out = Path(folder)
    if out.exists():
        sys.exit(f"{out} is there already: name a new folder, or the times would be wrong.")
    short = demo(out, MINUTES)
    assert short["seconds"] < 600, "the demo took more than ten minutes"
    first = {"minutes": MINUTES, **short, **measured(out)}
    demo(out, LONGER * MINUTES)
    longer = {"minutes": LONGER * MINUTES, **measured(out)}
    store = Store.open(out / "store")
    write_json(RESULTS, {
        "device": read_csv(RunFolder(out / "run").events)[0]["event"].partition(" on ")[2],
        "subjects": SUBJECTS, "slices": len(store), "fingerprint": store.fingerprint, "demo": first, "longer": longer,
    })  # fmt: skip
    print(RESULTS.read_text())


if __name__ == "__main__":
    main(*sys.argv[1:])
