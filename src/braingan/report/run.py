"""The report of one run, from its folder and its store."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from braingan import __version__
from braingan.data.store import SPLITS, Store
from braingan.evaluation.material import open_store_of
from braingan.folders import RunFolder, read_csv, read_json, write_bytes
from braingan.models.architecture import LayerRow, count_parameters, layer_table
from braingan.randomness import draws
from braingan.report.evaluation import evaluation_of, unreadable
from braingan.report.figures import loss_curves, png_uri
from braingan.report.wording import VIEWS
from braingan.sampling.generator import TrainedGenerator
from braingan.training.batches import trained_on
from braingan.training.run import mosaic, read_log

SHOWN = 64
GROWTH_STEPS, GROWTH_SLICES = 6, 6


def write_report(folder: RunFolder, data: Path | None = None) -> Path:
    """Write the report of a run's last snapshot and return its path.

    Raises:
        InputError: no run, no snapshot, or its store is gone or has changed.
    """
    generator = TrainedGenerator.open(folder)
    store = open_store_of(folder, data)
    generated, masks = generator.with_masks(0, range(SHOWN))
    metrics = read_json(generator.snapshot.metrics) if generator.snapshot.metrics.exists() else None
    refused = unreadable(metrics) if metrics else ""
    if metrics and not refused and metrics["protocol"]["store"] != store.fingerprint:
        refused = "Measured beside another store: evaluate the run beside this one, or name that one by --data."
    rows = read_log(folder, generator.snapshot.images_seen)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("braingan.report", "."), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("run.html.j2").render(
        version=__version__,
        name=folder.root.resolve().name,
        model=generator.model.name,
        story=generator.model.story,
        recipe=generator.config["recipe"],
        images_seen=generator.snapshot.images_seen,
        rate=int(rows[-1]["images"]) / max(float(rows[-1]["seconds"]), 0.1) if rows else None,
        events=read_csv(folder.events),
        real=png_uri(mosaic(real_slices(store, generator.config, SHOWN), 8)),
        generated=png_uri(mosaic(generated, 8)),
        masks=None if masks is None else png_uri(mosaic(masks * np.uint8(255), 8)),
        utility=read_json(generator.snapshot.utility) if generator.snapshot.utility.exists() else None,
        growth=growth(folder, store.side, generator.snapshot.images_seen),
        curves=loss_curves(rows, 2 * math.log(2)) if rows else None,
        unreadable=refused,
        evaluation=evaluation_of(metrics, generator, store) if metrics and not refused else None,
        notes=generator.config.get("notes", []),
        store=store.description,
        orientation=VIEWS[store.description["settings"]["axis"]][0],
        splits=_splits(store),
        networks=networks_of(generator),
        toml=_toml(generator.config["recipe"]),
        fingerprint=store.fingerprint,
    )
    write_bytes(folder.report, page.encode())
    return folder.report


def real_slices(store: Store, config: Mapping[str, Any], count: int) -> UInt8[np.ndarray, "n side side"]:
    """Return some of the slices that a run learnt from, drawn at random, always the same."""
    chosen = draws(0, "real slices in the report").permutation(trained_on(store, config["recipe"]))[:count]
    return store.images(np.sort(chosen))


def growth(folder: RunFolder, side: int, images_seen: int) -> list[dict[str, str]]:
    """Return rows of the same latents after several epochs, from the grids that training kept."""
    logged = {int(row["epoch"]) for row in read_log(folder, images_seen)}
    grids = [path for path in sorted(folder.samples.glob("epoch-*.png")) if int(path.stem[6:]) in logged]
    steps = sorted(set(np.geomspace(1, len(grids), GROWTH_STEPS).round().astype(int))) if grids else []
    rows = []
    for step in steps:
        with Image.open(grids[step - 1]) as grid:
            pixels = np.asarray(grid)[:side, : GROWTH_SLICES * side]
        rows.append({"epoch": str(int(grids[step - 1].stem[6:])), "png": png_uri(pixels)})
    return rows


def _splits(store: Store) -> list[dict[str, int | str]]:
    split, subject = store.columns["split"], store.columns["subject"]
    return [
        {"name": name, "slices": int((split == name).sum()), "subjects": len(np.unique(subject[split == name]))}
        for name in SPLITS
    ]


def networks_of(generator: TrainedGenerator) -> list[dict[str, Any]]:
    """Return a run's networks with their parameters, and layer by layer where they are such."""
    side = generator.config["recipe"]["data"]["size"]
    latent = torch.zeros(1, generator.latent_size)
    inputs = {"generator": latent, "discriminator": torch.zeros(1, 1, side, side)}
    found = []
    for name, network in generator.networks.items():
        total, trainable = count_parameters(network)
        rows: list[LayerRow] = layer_table(network, inputs[name]) if isinstance(network, torch.nn.Sequential) else []
        found.append({"name": name, "rows": rows, "total": total, "trainable": trainable})
    return found


def _toml(recipe: Mapping[str, Mapping[str, Any]]) -> str:
    """Write the resolved recipe as TOML; its values are numbers, switches, strings and lists of these."""

    tables = (
        f"[{table}]\n" + "\n".join(f"{name} = {json.dumps(of, ensure_ascii=False)}" for name, of in settings.items())
        for table, settings in recipe.items()
    )
    return "\n\n".join(tables)
