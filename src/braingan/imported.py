"""The source study's trained networks, from Keras's files, as runs to be sampled and evaluated beside ours."""

from dataclasses import asdict
from pathlib import Path

from torch import nn

from braingan.data.conditions import NO_WORDS
from braingan.data.store import Store
from braingan.errors import InputError
from braingan.folders import RunFolder
from braingan.models.keras import BatchNormalization, LeakyReLU
from braingan.models.keras_file import read_network
from braingan.models.thesis import GENERATORS, discriminator
from braingan.recipe import compose, run_record, settle
from braingan.training.run import read_config, write_config, write_weights

NOTE = (
    "Imported from a file of Keras. What it was trained on is not known here: the floor, copying and membership are "
    "measured against the training slices of the store that it is measured beside."
)


def import_keras(path: Path, folder: RunFolder, store: Store | None = None) -> str:
    """Make a run of a generator, or add its discriminator to one; return which network it was.

    Args:
        path: the file, `.keras` or `.h5`.
        folder: the run's: a new one for a generator, one with an imported generator for a discriminator.
        store: whose slices it is to be measured beside; without one, that is said when it is measured.

    Raises:
        InputError: it is none of the four networks, or the folder does not fit.
    """
    network = read_network(path)
    name = recognised(path, network)
    if name == "discriminator":
        if not folder.config.exists() or "imported" not in read_config(folder):
            raise InputError(f"{path} is the discriminator: import its generator into {folder.root} first.")
        write_weights(folder.snapshot(0).weights("discriminator"), network)
        return name
    there = [of.name for of in folder.root.iterdir()] if folder.root.exists() else []
    if folder.config.exists() or set(there) - {"snapshots"}:  # which an import leaves behind that was cut short
        raise InputError(f"{folder.root} is not empty: choose another --out.")
    slopes = {layer.negative_slope for layer in network if isinstance(layer, LeakyReLU)}
    recipe = compose(None, [f"model.name={name}", f"model.leaky_slope={slopes.pop()}"])
    if store is not None:
        recipe = settle(recipe, store)
    recipe.model.build(recipe.data.size)  # says which side it makes
    record = run_record(recipe, store) | {"notes": [NOTE], "imported": path.name, "vocabulary": asdict(NO_WORDS)}
    record["identity"]["imported"] = path.name
    write_weights(folder.snapshot(0).weights("generator"), network)
    write_config(folder, record)
    return name


def recognised(path: Path, network: nn.Sequential) -> str:
    """Return which of the four networks it is.

    Raises:
        InputError: none, with how it differs from the one that it is most like.
    """
    there = _described(network)
    differs: dict[str, list[str]] = {}
    for name, make in {**GENERATORS, "discriminator": discriminator}.items():
        slopes = {layer.negative_slope for layer in network if isinstance(layer, LeakyReLU)}
        wanted = _described(make(slopes.pop() if len(slopes) == 1 and name != "discriminator" else 0.01))
        if there == wanted:
            return name
        differs[name] = [
            f"layer {number + 1} is {one or 'not there'}, not {other or 'there'}"
            for number, (one, other) in enumerate(_pairs(there, wanted)) if one != other
        ]  # fmt: skip
    nearest = min(differs, key=lambda name: len(differs[name]))
    raise InputError(f"{path} is none of the source study's networks; most like {nearest}, but {differs[nearest][0]}.")


def _pairs(ours: list[str], theirs: list[str]) -> list[tuple[str, str]]:
    longest = max(len(ours), len(theirs))
    first, second = (of + [""] * (longest - len(of)) for of in (ours, theirs))
    return list(zip(first, second, strict=True))


def _described(network: nn.Sequential) -> list[str]:
    """Describe each layer by all that makes it what it is, but for its weights."""
    found = []
    for layer in network:
        said = [f"{name} {tuple(tensor.shape)}" for name, tensor in layer.state_dict().items()]
        for setting in ("stride", "negative_slope", "shape"):
            said += [f"{setting} {getattr(layer, setting)}"] if hasattr(layer, setting) else []
        said += [f"epsilon {layer.epsilon:g}"] if isinstance(layer, BatchNormalization) else []
        found.append(f"{type(layer).__name__}({', '.join(said)})")
    return found
