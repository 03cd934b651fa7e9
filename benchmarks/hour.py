"""The newer model and the thesis's best for equal time: one hour, and three training seeds at 20 minutes.

    python benchmarks/hour.py STORE OUT [--minutes 60] [--early 20] [--seeds 0 1 2] [--name hour]
            [--set evaluation.also=[]]

Seed 0 is trained to the early end, evaluated, trained on to the late one and evaluated again; other seeds to the early
end. Each evaluation is on all test subjects with three generation seeds. Stopped anywhere, the same command goes
on. What `benchmarks/results/NAME.json` holds already at the same settings is not measured again, on whatever machine it
was measured: both models' rows of one seed and length should be of one machine, and each row says of which.
"""

import argparse
from pathlib import Path

from braingan.data.store import Store
from braingan.folders import RunFolder, read_json, write_json
from trials import RESULTS, Trial, measure

MODELS = {
    "latentflow": ["model.name=latentflow"],
    "thesis": ["model.name=thesis4", "training.batch_size=16", "training.learning_rate=8e-4"],
}
"""The first at its defaults; the second at what was best, and steady, in `trials.py quarter_hour` and `rates`."""

COLUMNS = (
    "frechet_distance", "kernel_distance", "precision_other_subject", "recall_other_subject", "detector_accuracy",
    "authenticity", "membership_auc", "data_copying", "copies",
)  # fmt: skip


def plan(early, late, seeds):
    """Return seed and minutes of all rows."""
    return [(seed, minutes) for seed in seeds for minutes in ((early, late) if seed == 0 else (early,))]


def settings(name, seed, sets=()):
    """Return what a training is given."""
    return [*MODELS[name], f"training.seed={seed}", *sets]


def row(name, seed, minutes, store, out, sets=()):
    """Train one model to some minutes and measure it."""
    run = RunFolder(out / f"{name}-{seed}")
    if run.config.exists() and read_json(run.config)["recipe"]["training"]["minutes"] > minutes:
        raise SystemExit(f"{run.root} was trained for longer than {minutes:g} minutes: give another OUT.")
    found = measure(Trial(minutes, "test", {}), settings(name, seed, sets), store, run.root)
    return {"model": name, "seed": seed, "minutes": minutes, **found}


def told(one):
    """Say a row in a line."""
    values = " ".join(f"{name} {one['metrics'][name]['value']:.3g}" for name in COLUMNS)
    return f"{one['model']} seed {one['seed']}, {one['minutes']:g} min, {one['images']} images: {values}"


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--early", type=float, default=20)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--name", default="hour")
    parser.add_argument("--set", dest="sets", action="append", default=[], help="over both models' settings")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    opened, results = Store.open(given.store), RESULTS / f"{given.name}.json"
    store = {key: opened.description[key] for key in ("source", "count", "subjects", "fingerprint")}
    kept = read_json(results) if results.exists() else {"store": store, "rows": []}
    if kept["store"] != store:
        parser.error(f"{results} is of another store: give another --name, or remove it.")
    own = [one for one in kept["rows"] if one["settings"] == settings(one["model"], one["seed"], given.sets)]
    others = [one for one in kept["rows"] if one not in own]
    rows = {(one["model"], one["seed"], one["minutes"]): one for one in own}
    for seed, minutes in plan(given.early, given.minutes, given.seeds):
        for name in MODELS:
            if (name, seed, minutes) not in rows:
                rows[name, seed, minutes] = row(name, seed, minutes, given.store, given.out, given.sets)
                write_json(results, {"store": store, "rows": [*others, *rows.values()]})
            print(told(rows[name, seed, minutes]), flush=True)


if __name__ == "__main__":
    main()
