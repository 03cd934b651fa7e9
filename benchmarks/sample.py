"""How many slices a second each architecture makes, by side, on this machine's CPU.

    python benchmarks/sample.py

Initial weights: the time does not depend on what was learnt. Slices are made as `braingan sample` makes them, latents
and rounding to grey levels included, all architectures in turn and that several times; medians are printed and written
to `benchmarks/results/sample.json`. The goals at 112×112 on two cores: 50 a second, or 10 where several steps are made.
"""

import json
import statistics
import time
from pathlib import Path

import torch

from braingan.errors import InputError
from braingan.folders import RunFolder, SnapshotFolder, write_json
from braingan.models import MODELS, parse_model
from braingan.models.architecture import channels_last
from braingan.sampling.generator import TrainedGenerator
from braingan.training.devices import Device

RESULTS = Path(__file__).resolve().parent / "results" / "sample.json"
SIDES, COUNT, ROUNDS = (112, 128, 256), 64, 5


def generator(name, side):
    """An untrained generator as `braingan sample` opens it; None where its side is not free."""
    model = parse_model({"name": name})
    try:
        networks = model.build(side)
    except InputError:
        return None
    channels_last(networks)
    nowhere = Path()
    config = {"recipe": {"data": {"size": side}}}
    return TrainedGenerator(RunFolder(nowhere), config, SnapshotFolder(nowhere), model, networks.eval())


def main():
    device = Device.choose("float32")
    torch.manual_seed(0)
    made = {(name, side): generator(name, side) for side in SIDES for name in MODELS}
    seconds = {key: [] for key, one in made.items() if one}
    for one in map(made.get, seconds):
        one.sample(16)
    for seed in range(ROUNDS):
        for key, found in seconds.items():
            begun = time.perf_counter()
            made[key].sample(COUNT, seed)
            found.append(time.perf_counter() - begun)
    rows = {f"{name} {side}×{side}": round(COUNT / statistics.median(s), 1) for (name, side), s in seconds.items()}
    write_json(RESULTS, {"device": device.describe(), "slices_per_second": rows})
    print(json.dumps(rows, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
