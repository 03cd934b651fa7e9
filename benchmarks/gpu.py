"""How fast the thesis's trainings are on a GPU; `gpu.sh` calls it step by step.

    python benchmarks/gpu.py matrix OUT                      the rate of a bf16 matrix product
    python benchmarks/gpu.py probe OUT MODEL                 images/s by batch size, plain and compiled
    python benchmarks/gpu.py train OUT MODEL SAMPLES STORE   a training of the thesis's greatest length
    python benchmarks/gpu.py table OUT                       all cells beside the thesis's minutes

Each step leaves a JSON in OUT and is not done again; a training that was cut off goes on where it was. A training takes
the batch size and the form that the probe found fastest. Where a store has fewer slices than a cell's samples, all of
them are taken, for as many epochs as make the cell's number of images. Both numbers of epochs come from one training:
the shorter is a row of its log. The seconds are the log's: training, grids, snapshots and checkpoints, but no start-up.
On a CUDA device the table goes to `benchmarks/results/gpu.json`.
"""

import argparse
import gc
import json
import statistics
import time
import tomllib
from pathlib import Path

import torch

from braingan.data.store import Store
from braingan.folders import RunFolder, read_csv, read_json, write_json
from braingan.models import MODELS
from braingan.models.architecture import Real
from braingan.models.latents import latent_batch
from braingan.recipe import compose, train_recipe
from braingan.training.devices import Device
from braingan.training.objectives import objective
from braingan.training.settings import TrainingSettings
from braingan.training.state import initial_state
from braingan.training.step import Step

ROOT = Path(__file__).resolve().parents[1]
THESIS = tomllib.loads((ROOT / "src" / "braingan" / "thesis.toml").read_text())
SIDE = 112
OPERATIONS = {"thesis4": 1.2e9, "thesis7": 8.9e9, "thesis15": 12.7e9}
"""Of the convolutions, an image, both players; as `benchmarks/train.py` counts them."""


def wait():
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def timed(step, times):
    """Seconds of each of several calls, the device's work included."""
    found = []
    for _ in range(times):
        wait()
        begun = time.perf_counter()
        step()
        wait()
        found.append(time.perf_counter() - begun)
    return found


def matrix(side):
    one, other = (torch.randn(side, side, dtype=torch.bfloat16, device=device().device) for _ in range(2))
    return {"device": device().describe(), "flops": 2 * side**3 / min(timed(lambda: one @ other, 20))}


def device():
    return Device.choose("bf16" if torch.cuda.is_available() else "auto")


def rate(name, batch, compiled, steps):
    """Images a second over steps that nothing waits for, as in a training; None if the batch does not fit."""
    settings = TrainingSettings(batch_size=batch, compile=compiled)
    try:
        model, real = MODELS[name](), Real.alone(torch.rand(batch, 1, SIDE, SIDE) * 2 - 1)
        state = initial_state(model, settings, real, batch, device())
        step = Step(state, objective(model, settings.objective), settings, device())
        real = Real(*(known.to(device().device) for known in real))

        def several(count):
            for number in range(count):
                z = latent_batch(0, "training latents", number, batch, model.latent_size(SIDE)).to(
                    device().device, non_blocking=True
                )
                state.epoch.add(step(real, z))
                state.averaged.update(state.networks["generator"], batch, batch)

        several(10)
        return batch * steps / statistics.median(timed(lambda: several(steps), 3))
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200]
    finally:
        torch._dynamo.reset()
        state = step = None
        gc.collect()
        torch.cuda.empty_cache()


def probe(name, batches, steps, forms):
    rates = {
        f"{batch}{' compiled' if form == 'compiled' else ''}": rate(name, batch, form == "compiled", steps)
        for form in forms for batch in batches
    }  # fmt: skip
    fastest = max((form for form, found in rates.items() if not isinstance(found, str)), key=rates.__getitem__)
    batch, _, compiled = fastest.partition(" ")
    return {"images_per_second": rates, "batch_size": int(batch), "compile": bool(compiled)}


def train(out, name, samples, store, epochs):
    """Train for the greatest number of epochs; return the seconds at each."""
    found = read_json(out / f"probe-{name}.json")
    slices = min(samples, len(Store.open(store).select("train")))
    images = [samples * number for number in epochs]
    run = RunFolder(out / f"{name}-{samples}")
    sets = [
        f"model.name={name}", f"training.samples={slices}", f"training.epochs={-(-images[-1] // slices)}",
        f"training.snapshots={[-(-count // slices) for count in images[:-1]]}",
        f"training.batch_size={found['batch_size']}", f"training.compile={str(found['compile']).lower()}",
        "training.checkpoint_seconds=60",
    ]  # fmt: skip
    if not train_recipe(compose(None, sets), Store.open(store), run):
        raise SystemExit("stopped; the same command goes on")
    rows = read_csv(run.log)
    seconds = [next(float(row["seconds"]) for row in rows if int(row["images"]) >= count) for count in images]
    return {"slices": slices, "seconds": dict(zip(map(str, epochs), seconds, strict=True))}


def table(out):
    """Each cell's seconds and how many times faster than the thesis it is."""
    peak, cells = read_json(out / "matrix.json"), {}
    for result in THESIS["results"]:
        name = result["generator"]
        for row in result["rows"]:
            trained = out / f"train-{name}-{row['samples']}.json"
            if trained.exists():
                seconds = read_json(trained)["seconds"][str(row["epochs"])]
                cells[f"{name}, {row['samples']} samples, {row['epochs']} epochs"] = {
                    "seconds": seconds, "thesis_minutes": row["minutes"], "factor": row["minutes"] * 60 / seconds,
                }  # fmt: skip
    probes = {name: read_json(out / f"probe-{name}.json") for name in MODELS if (out / f"probe-{name}.json").exists()}
    for name, found in probes.items():
        best = max(value for value in found["images_per_second"].values() if not isinstance(value, str))
        found["share_of_matrix_rate"] = best * OPERATIONS[name] / peak["flops"]
    trainings = [read_json(path)["seconds"] for path in out.glob("train-*.json")]
    minutes = sum(max(seconds.values()) for seconds in trainings) / 60
    return {**peak, "probes": probes, "trainings": len(trainings), "minutes_of_all": minutes, "cells": cells}


def show(result):
    print(f"{result['device']}; bf16 matrix product {result['flops'] / 1e12:.0f} TFLOP/s")
    for name, found in result["probes"].items():
        form = f"batch {found['batch_size']}{', compiled' if found['compile'] else ''}"
        print(f"{name}: fastest with {form}, {found['share_of_matrix_rate']:.0%} of the matrix rate")
    for cell, row in result["cells"].items():
        print(f"{cell}: {row['seconds']:.0f} s, {row['factor']:.0f} × the thesis's {row['thesis_minutes']} minutes")
    print(f"{result['trainings']} trainings: {result['minutes_of_all']:.1f} minutes")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("matrix", "probe", "train", "table"))
    parser.add_argument("out", type=Path)
    parser.add_argument("model", nargs="?", choices=MODELS)
    parser.add_argument("samples", nargs="?", type=int)
    parser.add_argument("store", nargs="?", type=Path)
    parser.add_argument("--batches", type=int, nargs="+", default=[128, 256, 512, 1024])
    parser.add_argument("--steps", type=int, default=50)
    forms = ("plain", "compiled") if torch.cuda.is_available() else ("plain",)
    parser.add_argument("--forms", nargs="+", choices=("plain", "compiled"), default=forms)
    parser.add_argument("--epochs", type=int, nargs="+", default=[50, 100])
    parser.add_argument("--side", type=int, default=8192, help="of the matrices")
    chosen = parser.parse_args(arguments)
    done = chosen.out / ("-".join(str(part) for part in (chosen.what, chosen.model, chosen.samples) if part) + ".json")
    if chosen.what == "table":
        result = table(chosen.out)
        write_json(ROOT / "benchmarks" / "results" / "gpu.json" if torch.cuda.is_available() else done, result)
        show(result)
    elif not done.exists():
        steps = {
            "matrix": lambda: matrix(chosen.side),
            "probe": lambda: probe(chosen.model, chosen.batches, chosen.steps, chosen.forms),
            "train": lambda: train(chosen.out, chosen.model, chosen.samples, chosen.store, chosen.epochs),
        }
        result = steps[chosen.what]()
        write_json(done, result)
        print(json.dumps(result))


if __name__ == "__main__":
    main()
