"""The run's folder: what it is, so that a training never goes on as another, and its logs."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors.torch import save
from torch import nn

from braingan.errors import InputError
from braingan.folders import RunFolder, is_empty, read_csv, read_json, replacing, write_bytes, write_csv, write_json
from braingan.models import MODELS, parse_model
from braingan.settings import parse
from braingan.training.settings import TrainingSettings, identity

FORMAT = 1
LOG_COLUMNS = ("epoch", "images", "discriminator_loss", "generator_loss", "real_probability", "fake_probability",
               "discriminator_gradient", "generator_gradient", "diversity", "seconds", "images_per_second",
               "memory_mib")  # fmt: skip


def check_run(folder: RunFolder, config: dict[str, Any]) -> None:
    """Make sure that a folder is new, or belongs to the same training; nothing is written.

    Args:
        folder: the run's.
        config: its record; `config["identity"]` must be what an earlier one was.

    Raises:
        InputError: the folder belongs to another training (what differs is named), or is no run's.
    """
    if folder.config.exists():
        if differing := _differences(_identity(read_config(folder)), config["identity"]):
            raise InputError(
                f"{folder.root} is the run of another training ({'; '.join(differing)}): choose another --out."
            )
    elif folder.root.exists() and not is_empty(folder.root):
        raise InputError(f"{folder.root} is not empty and no run: choose another --out.")


def write_config(folder: RunFolder, config: dict[str, Any]) -> None:
    """Write a run's record."""
    write_json(folder.config, {"format": FORMAT, **config})


def read_config(folder: RunFolder) -> dict[str, Any]:
    """Read a run's record.

    Raises:
        InputError: there is none, or a newer braingan wrote it.
    """
    if not folder.config.exists():
        raise InputError(f"{folder.root} is no run: it has no config.json. Make one by `braingan train`.")
    config = read_json(folder.config)
    if config.get("format") != FORMAT:
        raise InputError(f"{folder.config} has format {config.get('format')}, this braingan reads {FORMAT}.")
    return config


def _identity(config: dict[str, Any]) -> dict[str, Any]:
    """Return what a run is; settings that came since then had their defaults, others count no longer."""
    earlier: dict[str, Any] = config["identity"]
    model = earlier.get("model", {})
    if model.get("name") in MODELS:
        earlier = earlier | {"model": parse_model(model).model_dump(mode="json")}
    return earlier | {"training": identity(parse(TrainingSettings, earlier["training"]))}


def _differences(earlier: dict[str, Any], now: dict[str, Any], above: str = "") -> list[str]:
    found = []
    for key in sorted(earlier.keys() | now.keys()):
        old, new = earlier.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found += _differences(old, new, f"{above}{key}.")
        elif old != new:
            found.append(f"{above}{key}: {old} there, {new} now")
    return found


def add_event(folder: RunFolder, images_seen: int, event: str) -> None:
    """Add a line to what happened besides training."""
    rows = [(row["images"], row["event"]) for row in read_csv(folder.events)]
    write_csv(folder.events, ("images", "event"), [*rows, (images_seen, event)])


def read_log(folder: RunFolder, images_seen: int | None = None) -> list[dict[str, str]]:
    """Read the rows of a run's log, up to so many images seen."""
    rows = read_csv(folder.log)
    return [row for row in rows if images_seen is None or int(row["images"]) <= images_seen]


def write_log(folder: RunFolder, rows: list[dict[str, str]]) -> None:
    """Write all rows of a run's log; an architecture's own columns come last."""
    columns = list(dict.fromkeys([*LOG_COLUMNS, *(name for row in rows for name in row)]))
    write_csv(folder.log, columns, [[row.get(name, "") for name in columns] for row in rows])


def write_weights(path: Path, network: nn.Module) -> None:
    """Write a network's weights, which say that what they make is synthetic."""
    weights = {key: value.contiguous() for key, value in network.state_dict().items()}
    content = save(weights, {"synthetic": "makes synthetic brain MRI, not for clinical use"})
    write_bytes(path, content)  # save_file's fault on a full disk is no OSError


def mosaic(images: UInt8[np.ndarray, "n side side"], columns: int) -> UInt8[np.ndarray, "height width"]:
    """Lay slices out in rows, in order."""
    count, side, _ = images.shape
    rows = -(-count // columns)
    sheet = np.zeros((rows * columns, side, side), np.uint8)
    sheet[:count] = images
    return sheet.reshape(rows, columns, side, side).swapaxes(1, 2).reshape(rows * side, columns * side)


def write_synthetic_png(path: Path, pixels: UInt8[np.ndarray, "height width"], note: str) -> None:
    """Write generated slices as a PNG that says of itself that they are synthetic."""
    info = PngInfo()
    info.add_text("Description", f"synthetic brain MRI, made by braingan: {note}")
    with replacing(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG", pnginfo=info)
