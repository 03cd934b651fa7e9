"""Whether the watch over trainings stays quiet where nothing is wrong, and speaks where something is.

    python benchmarks/health.py STORE OUT [--minutes 8]

On a real store, for as many minutes each: `thesis7` and `thesis15` as they are, with batches of 16; `thesis4`, whose
discriminator wins for a while, as the thesis saw (its figure 6); and two planted ends of the game: `thesis7` with a
generator whose learning rate is 0, and with one that ignores its latent. The same command again goes on where it
stopped. What was written down is printed; `benchmarks/results/health.json` has it.
"""

import argparse
from pathlib import Path

import torch

from braingan.data.store import Store
from braingan.folders import RunFolder, read_csv, write_json
from braingan.recipe import compose, train_recipe
from braingan.training import loop

RESULTS = Path(__file__).resolve().parent / "results" / "health.json"


def as_it_is(state):
    """Leave the networks as they are."""


def that_never_learns(state):
    state.optimizers["generator"].param_groups[0]["lr"] = 0.0


def that_ignores_its_latent(state):
    dense = state.networks["generator"][0]
    with torch.no_grad():
        dense.weight.zero_()
    dense.weight.register_hook(torch.zeros_like)


RUNS = {
    "thesis7": ("thesis7", as_it_is),
    "thesis15": ("thesis15", as_it_is),
    "thesis4": ("thesis4", as_it_is),
    "thesis7, planted: a generator that never learns": ("thesis7", that_never_learns),
    "thesis7, planted: a generator that ignores its latent": ("thesis7", that_ignores_its_latent),
}


def watched(name, spoil, store, folder, minutes):
    """Train, and return what the watch wrote down."""
    initial_state = loop.initial_state

    def tampered(*arguments):
        state = initial_state(*arguments)
        spoil(state)
        return state

    sets = [
        f"model.name={name}", "training.batch_size=16", "training.epochs=100000", f"training.minutes={minutes}"
    ]  # fmt: skip
    loop.initial_state = tampered
    try:
        train_recipe(compose(None, sets), store, RunFolder(folder))
    finally:
        loop.initial_state = initial_state
    events, rows = read_csv(RunFolder(folder).events), read_csv(RunFolder(folder).log)
    usual = ("started", "continued", "finished", "stopped")
    return {
        "device": events[0]["event"].partition(" on ")[2],
        "images": int(rows[-1]["images"]),
        "trouble": [event for event in events if not event["event"].startswith(usual)],
        "epochs": [
            {key: float(row[key]) for key in ("images", "discriminator_loss", "generator_loss", "diversity")}
            for row in rows
        ],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=8)
    chosen = parser.parse_args()
    store = Store.open(chosen.store)
    found = {
        run: watched(name, spoil, store, chosen.out / str(number), chosen.minutes)
        for number, (run, (name, spoil)) in enumerate(RUNS.items())
    }
    of = {key: store.description[key] for key in ("count", "subjects", "fingerprint")}
    write_json(RESULTS, {"minutes": chosen.minutes, "store": of, "runs": found})
    for run, row in found.items():
        said = "; ".join(f"image {event['images']}: {event['event']}" for event in row["trouble"])
        print(f"{run}: {row['images']} images; {said or 'quiet'}")


if __name__ == "__main__":
    main()
