"""Whether a generator does as it is told, on phantoms: frames, depths, lesion areas and masks; and what that costs.

    python benchmarks/conditions.py OUT [--subjects 200] [--minutes 20] [--slices 60:100/155] [--name conditions]

Makes a store of phantoms of four frames, proves its encoder on held-out slices, trains `latentflow` told all, with and
without masks, and told nothing for equal time, evaluates all on all test subjects, and says by paired intervals
what being told and masks cost. Stopped anywhere, the same command goes on. Phantom results, written to
`benchmarks/results/NAME.json`.
"""

import argparse
from pathlib import Path

from braingan.data.store import Store
from braingan.evaluation.differences import difference
from braingan.evaluation.encoder import open_encoder
from braingan.folders import RunFolder, read_csv, read_json, write_json
from trials import RESULTS, braingan

MODELS = {"told": [], "told, with masks": ["model.masks=true"], "untold": ["model.conditions=[]"]}
KEPT = (
    "frechet_distance", "kernel_distance", "precision_other_subject", "recall_other_subject", "detector_accuracy",
    "copies",
)  # fmt: skip


COMPARED = (("told", "untold"), ("told, with masks", "told"))


def folder_of(name, out):
    """Return where a model is trained."""
    return RunFolder(out / name.replace(", ", "-").replace(" ", "-"))


def measured(name, sets, store, out, minutes):
    """Train and evaluate one model, unless that is done."""
    run = folder_of(name, out)
    length = [f"training.minutes={minutes}", "training.epochs=100000", "evaluation.also=['encoder']"]
    braingan("train", "--data", store, "--out", run.root, *(part for one in sets + length for part in ("--set", one)))
    snapshot = run.snapshots()[-1]
    if not snapshot.metrics.exists():
        braingan("evaluate", run.root)
    braingan("report", run.root)
    found = read_json(snapshot.metrics)
    return {
        "images": snapshot.images_seen,
        "device": read_csv(run.events)[0]["event"].partition(" on ")[2],
        "metrics": {key: found["metrics"][key] for key in KEPT if key in found["metrics"]},
        "obeyed": found["encoder"].get("obeyed", {}),
        "masks": found.get("masks", {}),
    }


def paired(one, other, out):
    """Return the differences of two models' metrics, with intervals."""
    ones, others = ([read_json(folder_of(name, out).snapshots()[-1].metrics)] for name in (one, other))
    found = {metric: difference(ones, others, metric) for metric in KEPT if "halves" in ones[0]["metrics"][metric]}
    return {metric: {"value": of.value, "low": of.low, "high": of.high} for metric, of in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--subjects", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--slices", default="60:100/155")
    parser.add_argument("--name", default="conditions")
    given = parser.parse_args()
    path = given.out / "store"
    subjects = ("--subjects", given.subjects, "--store", "--set", f"data.slices={given.slices}")
    braingan("phantom", *subjects, "--out", path)
    store = Store.open(path)
    encoder = open_encoder(store, (), 0)
    results = {
        "phantoms": True, "subjects": given.subjects, "slices": len(store), "minutes": given.minutes,
        "encoder_on_test_subjects": encoder.score(store, store.select("test")),
        "models": {name: measured(name, sets, path, given.out, given.minutes) for name, sets in MODELS.items()},
    }  # fmt: skip
    results["differences"] = {f"{one} - {other}": paired(one, other, given.out) for one, other in COMPARED}
    write_json(RESULTS / f"{given.name}.json", results)
    for name, of in results["models"].items():
        for metric, value in {**of["metrics"], **of["obeyed"]}.items():
            print(f"{name}: {metric} {value['value']:.4g} ({value.get('low', float('nan')):.4g} to "
                  f"{value.get('high', float('nan')):.4g})")  # fmt: skip
        print(of["masks"])
    print(results["encoder_on_test_subjects"])
    for name, of in results["differences"].items():
        for metric, value in of.items():
            print(f"{name}: {metric} {value['value']:.4g} ({value['low']:.4g} to {value['high']:.4g})")


if __name__ == "__main__":
    main()
