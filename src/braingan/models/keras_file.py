"""Networks that Keras saved, without Keras: `.keras` archives, and HDF5 files of whole models (`.h5`).

A file says which layers there are, in JSON, and holds their arrays. In an archive (Keras 2.12 on) a layer's arrays lie
by number in a group named after its kind and how many of that kind came before; in an HDF5 file by name in one named
after the layer.
"""

import json
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from braingan.errors import InputError
from braingan.models.keras import (
    BatchNormalization,
    Conv2D,
    Conv2DTranspose,
    Dense,
    Flatten,
    LeakyReLU,
    Reshape,
    from_keras,
)
from braingan.optional import optional

GROUPS = {
    "Dense": ("dense", ("kernel", "bias")),
    "Conv2D": ("conv2d", ("kernel", "bias")),
    "Conv2DTranspose": ("conv2d_transpose", ("kernel", "bias")),
    "BatchNormalization": ("batch_normalization", ("gamma", "beta", "moving_mean", "moving_variance")),
}
"""What an archive's groups are called, and their arrays in order."""
PASSED_OVER = ("InputLayer", "Dropout")
"""That change nothing where no training goes on."""
Arrays = dict[str, Tensor]


def read_network(path: Path) -> nn.Sequential:
    """Return a network as its file has it, in evaluation mode; one that ends in a sigmoid gives logits instead.

    Raises:
        InputError: it is no such file, is damaged, or has layers other than the source study's kinds; h5py is missing.
    """
    try:
        config, arrays_of = _read_archive(path) if zipfile.is_zipfile(path) else _read_hdf5(path)
        layers = list(_layers(path, config, arrays_of))
    except (OSError, KeyError, ValueError, IndexError, TypeError, RuntimeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is no model that Keras saved, or is damaged ({error}).") from error
    return nn.Sequential(*layers).eval()


def _read_archive(path: Path) -> tuple[Any, Callable[[str, str, int], Arrays]]:
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
        content = archive.read("model.weights.h5")
    h5py = optional("h5py", "keras", f"{path} is a file of Keras")
    groups: dict[str, dict[int, Tensor]] = {}

    def visit(name: str, item: Any) -> None:
        *above, layer, vars_, number = ["", "", *name.split("/")]
        if isinstance(item, h5py.Dataset) and vars_ == "vars" and "optimizer" not in above:
            groups.setdefault(layer, {})[int(number)] = _tensor(item)

    with h5py.File(BytesIO(content), "r") as file:
        file.visititems(visit)

    def arrays_of(kind: str, name: str, before: int) -> Arrays:
        if kind not in GROUPS:
            return {}
        group, names = GROUPS[kind]
        found = groups.get(f"{group}_{before}" if before else group, {})
        return {names[number]: array for number, array in found.items()}

    return config, arrays_of


def _read_hdf5(path: Path) -> tuple[Any, Callable[[str, str, int], Arrays]]:
    h5py = optional("h5py", "keras", f"{path} is a file of Keras")
    groups: dict[str, Arrays] = {}
    with h5py.File(path, "r") as file:
        if "model_config" not in file.attrs:
            raise InputError(f"{path} holds weights without their network: save the whole model, by model.save().")
        config = json.loads(file.attrs["model_config"])
        for layer, group in file["model_weights"].items():
            for name in group.attrs.get("weight_names", []):
                name = name.decode() if isinstance(name, bytes) else str(name)
                groups.setdefault(layer, {})[name.rpartition("/")[2].removesuffix(":0")] = _tensor(group[name])
    return config, lambda kind, name, before: groups.get(name, {})


def _tensor(item: Any) -> Tensor:
    return torch.from_numpy(np.asarray(item, np.float32))


def _layers(path: Path, config: Any, arrays_of: Callable[[str, str, int], Arrays]) -> Iterator[nn.Module]:
    before: Counter[str] = Counter()
    for layer in config["config"]["layers"]:
        kind, settings = layer["class_name"], layer["config"]
        arrays = arrays_of(kind, settings["name"], before[kind])
        before[kind] += 1
        if kind in PASSED_OVER:
            continue
        if kind == "Activation":
            yield from _activation(path, settings["activation"])
            continue
        if kind not in KINDS:
            raise InputError(f"{path} has a layer of kind {kind}; those of the source study's networks are read.")
        made = KINDS[kind](settings, arrays)
        if arrays:
            made.load_state_dict(from_keras(made, arrays))
        yield made
        yield from _activation(path, settings.get("activation", "linear"))


def _activation(path: Path, name: Any) -> Iterator[nn.Module]:
    if name == "tanh":
        yield nn.Tanh()
    elif name not in ("linear", "sigmoid", None):
        raise InputError(f"{path} has the activation {name}; LeakyReLU, tanh and sigmoid are read.")


def _convolution(settings: Mapping[str, Any], arrays: Arrays) -> Conv2D:
    kernel, stride = _square(settings)
    return Conv2D(arrays["kernel"].shape[2], settings["filters"], kernel, stride)


def _transposed(settings: Mapping[str, Any], arrays: Arrays) -> Conv2DTranspose:
    kernel, stride = _square(settings)
    if kernel != Conv2DTranspose.KERNEL:
        raise ValueError(f"a transposed convolution of {kernel}×{kernel}, not 5×5")
    return Conv2DTranspose(arrays["kernel"].shape[3], settings["filters"], stride)


def _square(settings: Mapping[str, Any]) -> tuple[int, int]:
    """Return kernel and stride of a convolution that pads as the source study's do."""
    (high, wide), (down, across) = settings["kernel_size"], settings["strides"]
    if high != wide or down != across or settings["padding"] != "same" or not settings["use_bias"]:
        raise ValueError(f"layer {settings['name']} is no square convolution with padding same and a bias")
    return high, down


def _leaky(settings: Mapping[str, Any], arrays: Arrays) -> LeakyReLU:
    slope = settings.get("negative_slope", settings.get("alpha"))
    single = float(slope["value"] if isinstance(slope, dict) else slope)
    return LeakyReLU(round(single, 6))  # Keras 2 writes 0.01 as the nearest number of single precision


KINDS: dict[str, Callable[[Mapping[str, Any], Arrays], nn.Module]] = {
    "Dense": lambda settings, arrays: Dense(arrays["kernel"].shape[0], settings["units"], settings["use_bias"]),
    "Conv2D": _convolution,
    "Conv2DTranspose": _transposed,
    "BatchNormalization": lambda settings, arrays: BatchNormalization(
        len(arrays["beta"]), settings["momentum"], settings["epsilon"]
    ),
    "LeakyReLU": _leaky,
    "Reshape": lambda settings, arrays: Reshape(*settings["target_shape"]),
    "Flatten": lambda settings, arrays: Flatten(),
}
