"""How well a store's own encoder tells frame, depth, lesion area and label of test subjects, and how long it trains.

    python benchmarks/encoder.py STORE... [--effort quick] [--seed 0] [--threads N]

Trains an encoder on the training subjects of each store, and scores it on its test subjects (validation subjects, where
there are none), with 95 % intervals by subject. Nothing is written into the stores. The figures are printed and written
to `benchmarks/results/encoder.json`.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from braingan.data.store import Store
from braingan.evaluation.encoder import EFFORTS, train_encoder
from braingan.folders import write_json
from braingan.training.devices import Device

RESULTS = Path(__file__).resolve().parent / "results" / "encoder.json"
TIMED = 1024


def measured(store, effort, seed):
    start, worked = time.perf_counter(), time.process_time()
    encoder = train_encoder(store, effort=effort, seed=seed)
    seconds, worked = time.perf_counter() - start, time.process_time() - worked
    split = "test" if len(store.select("test")) else "validation"
    indices = store.select(split)
    some = store.images(indices[:TIMED])
    start = time.perf_counter()
    encoder.features(some)
    return {
        "slices": encoder.record["training_slices"], "subjects": encoder.record["training_subjects"],
        "tells": encoder.questions.asked, "training seconds": seconds, "processor seconds": worked,
        "side": effort.side, "images": effort.images,
        "images per second": effort.images / seconds, "features per second": len(some) / (
            time.perf_counter() - start
        ),
        "split": split, "scored subjects": len(np.unique(store.columns["subject"][indices])),
        "scores": encoder.score(store, indices), "validation scores": encoder.scores,
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stores", type=Path, nargs="+")
    parser.add_argument("--effort", choices=EFFORTS, default="quick")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    chosen = parser.parse_args()
    device = Device.choose("auto", chosen.threads).describe()
    found = {}
    for path in chosen.stores:
        store = Store.open(path)
        found[path.resolve().name] = {
            "source": store.description["source"]["name"],
            **measured(store, EFFORTS[chosen.effort], chosen.seed),
        }
        write_json(RESULTS, {"device": device, "seed": chosen.seed, "stores": found})
        for name, score in found[path.resolve().name]["scores"].items():
            interval = f" ({score['low']:.3f} to {score['high']:.3f})" if "low" in score else ""
            print(f"{path.name}: {name} {score['value']:.4f}{interval}, {score['count']} slices")
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
