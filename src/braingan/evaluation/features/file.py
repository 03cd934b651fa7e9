"""Any network from slices to features that comes as one file: TorchScript or ONNX.

The file says nothing of what its inputs should be, so a TOML file beside it does, named like it with `.toml` behind:

    # resnet.onnx.toml: a grey level g of a slice becomes (g - mean) / scale
    size = 224
    channels = 3
    mean = 127.5
    scale = 127.5

TorchScript is code as well as weights: loading and running it runs torch's operators and no Python, but some operators
read and write files, so take one only from those whom you trust. ONNX is a graph of operators, run by onnxruntime.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal, final

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from PIL import Image
from pydantic import Field

from braingan.errors import InputError
from braingan.evaluation.features.batches import in_batches
from braingan.evaluation.features.extractor import Extractor
from braingan.evaluation.features.resizing import by_pillow
from braingan.optional import optional
from braingan.settings import Settings, parse, read_toml

BATCH = 16

Run = Callable[[Float32[np.ndarray, "n c size size"]], np.ndarray]


class Input(Settings):
    """What a network is given."""

    size: int = Field(ge=1, le=4096)
    """Side that slices are resized to, in pixels."""
    channels: Literal[1, 3]
    """All equal."""
    mean: float
    """Grey level (0 to 255) that becomes 0."""
    scale: float = Field(gt=0)
    """Grey levels that become 1."""
    filter: Literal["nearest", "bilinear", "bicubic"] = "bicubic"
    """Pillow's, by which slices are resized, in floating point."""


@final
class FileNetwork(Extractor):
    """What a network makes of a slice: one row, or maps, which are averaged over the places."""

    def __init__(self, path: Path) -> None:
        """Load the network.

        Args:
            path: a file `.onnx`, or of TorchScript whatever its name; what its input is stands in `path` + `.toml`.

        Raises:
            InputError: one of the two is absent or unusable, they contradict each other, or onnxruntime is not
                installed.
        """
        self._path, beside = path, path.with_name(f"{path.name}.toml")
        if not path.is_file():
            raise InputError(f"{path} is not there: file:PATH names a TorchScript or ONNX file.")
        if not beside.is_file():
            raise InputError(
                f"{beside} is not there, which says what the network is given: write `size = 224`, `channels = 3`, "
                "`mean = 127.5` and `scale = 127.5` into it, a line each, with your network's numbers."
            )
        try:
            self._input = parse(Input, read_toml(beside))
        except InputError as error:
            raise InputError(f"{beside}: {error}") from error
        self._run, self._batch = _open_onnx(path, self._input) if path.suffix == ".onnx" else _open_script(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        given = self._input.model_dump_json()
        self.name = f"file-{path.name}"
        self.fingerprint = f"{self.name} {digest} {given}"
        self.description = f"the network {path.name}, SHA-256 {digest[:12]}…; its input {given}"

    def features(self, images: UInt8[np.ndarray, "n side side"]) -> Float32[np.ndarray, "n d"]:
        """Return a row per slice.

        Raises:
            InputError: the network cannot be run on its input, or what it returns are no features.
        """
        return in_batches(images, self._batch, self._of_batch)

    def _of_batch(self, images: UInt8[np.ndarray, "n side side"]) -> Float[torch.Tensor, "n d"]:
        given = self._input
        resized = by_pillow(images, given.size, Image.Resampling[given.filter.upper()])
        scaled = ((resized - given.mean) / given.scale).astype(np.float32)
        try:
            output = self._run(np.repeat(scaled[:, None], given.channels, axis=1))
        except Exception as error:  # of whatever class the two libraries raise
            said = str(error).strip().splitlines()
            raise InputError(f"{self._path} fails on its input, {given!r}: {said[-1] if said else error!r}.") from error
        rows = output.mean(axis=(2, 3)) if output.ndim == 4 else output
        if rows.ndim != 2 or len(rows) != len(images):
            raise InputError(
                f"{self._path} returns an array of shape {list(output.shape)} for {len(images)} slices, where a row of "
                "features, or maps, were expected for each."
            )
        if not np.isfinite(rows).all():
            raise InputError(f"{self._path} returns numbers that are not finite; check `mean` and `scale`.")
        return torch.from_numpy(rows.astype(np.float32))


def _open_script(path: Path) -> tuple[Run, int]:
    try:
        script = torch.jit.load(path, map_location="cpu").eval()  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{path} is no TorchScript file, or is damaged; an ONNX file's name ends in .onnx.") from error

    def run(pictures: Float32[np.ndarray, "n c size size"]) -> np.ndarray:
        output = script(torch.from_numpy(pictures))
        if not isinstance(output, torch.Tensor):
            raise TypeError(f"it returns a {type(output).__name__}, where one tensor was expected")
        return output.numpy()

    return run, BATCH


def _open_onnx(path: Path, given: Input) -> tuple[Run, int]:
    """Return how to run it, and how many slices at a time: as many as it was exported for, where that is fixed."""
    runtime = optional("onnxruntime", "onnx", f"{path} is an ONNX file")
    try:
        session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's classes derive from it alone
        raise InputError(f"{path} is no ONNX file that onnxruntime can run, or is damaged.") from error
    inputs = session.get_inputs()
    expected = inputs[0].shape if len(inputs) == 1 else []
    offered = (given.channels, given.size, given.size)
    if len(expected) != 4 or any(isinstance(e, int) and e != o for e, o in zip(expected[1:], offered, strict=True)):
        raise InputError(
            f"{path} expects {' and '.join(str(one.shape) for one in inputs)}, and {path.name}.toml says [n, "
            f"{', '.join(map(str, offered))}]."
        )

    def run(pictures: Float32[np.ndarray, "n c size size"]) -> np.ndarray:
        output: np.ndarray = session.run(None, {inputs[0].name: pictures})[0]
        return output

    return run, expected[0] if isinstance(expected[0], int) else BATCH
