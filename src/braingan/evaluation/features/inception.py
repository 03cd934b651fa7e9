"""The Inception network of 2015, by which the Fréchet inception distance (FID) and the Inception Score are defined.

Heusel et al., GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium, 2017, took the last
pooled features of the TensorFlow graph `inception-2015-12-05`, whose weights pytorch-fid ported. Slices are brought to
299×299 as clean-fid does (Parmar et al., On Aliased Resizing and Surprising Subtleties in GAN Evaluation, 2022; its
release 0.1.35, `resize.py` and `inception_torchscript.py`): by Pillow's bicubic filter in floating point, clipped to
0..255, not rounded; then a grey level g becomes (g - 128) / 128. The three channels are equal.
"""

import hashlib
import os
import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, UInt8
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file

from braingan.data.download import download
from braingan.errors import InputError
from braingan.evaluation.features.batches import in_batches
from braingan.evaluation.features.extractor import Classifier
from braingan.evaluation.features.inception_v3 import SIDE, WIDTH, build
from braingan.evaluation.features.resizing import by_pillow

FILE = "pt_inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{FILE}"
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
CLASSES = 1008
BATCH = 8

Layers = Callable[[Float[torch.Tensor, "n 3 299 299"]], torch.Tensor]


def cache_folder() -> Path:
    """Return where weights are kept: `braingan` in XDG_CACHE_HOME, else in `~/.cache`."""
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (chosen if chosen.is_absolute() else Path.home() / ".cache") / "braingan"


def fetch_weights(say: Callable[[str], None], url: str = URL) -> Path:
    """Download the weights into the cache, or verify those that are there; return their path.

    Raises:
        InputError: they cannot be had, or have other bytes than they should.
    """
    path = cache_folder() / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    download(url, path, SHA256, 1, say)
    return path


def resized(images: UInt8[np.ndarray, "n side side"]) -> Float32[np.ndarray, "n 299 299"]:
    """Return slices of 299×299 pixels as clean-fid resizes them, grey levels in 0..255, not rounded."""
    return by_pillow(images, SIDE, Image.Resampling.BICUBIC).clip(0, 255)


@final
class Inception(Classifier):
    """The 2048 features before the classifier, which FID is measured in."""

    name = "inception"

    def __init__(self, weights: Path | None = None) -> None:
        """Load the network.

        Args:
            weights: pytorch-fid's or torch-fidelity's state dict, the same as safetensors, or StyleGAN's TorchScript
                file (which is code: see `file`); None for those in the cache.

        Raises:
            InputError: there are no weights, or what is there is not this network's.
        """
        path = weights or cache_folder() / FILE
        if not path.is_file():
            raise InputError(
                f"The extractor inception needs weights, and {path} is not there: `braingan fetch inception` downloads "
                "them, --weights PATH names a file that you have, and the extractor efficientnet-lite2 works offline."
            )
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self._layers, self._classifier = _open_script(path) if _is_script(path) else _open_state(path)
        self.fingerprint = f"{self.name} {digest} bicubic clipped"
        other = "" if digest == SHA256 else f" (not pytorch-fid's file, {SHA256[:12]}…)"
        self.description = (
            f"Inception of 2015 (FID's), 2048 features after pooling; weights SHA-256 {digest[:12]}…{other}; slices of "
            f"8 bits resized to {SIDE}×{SIDE} bicubically (Pillow, as clean-fid), clipped to 0..255, not rounded"
        )

    def features(self, images: UInt8[np.ndarray, "n side side"]) -> Float32[np.ndarray, "n 2048"]:
        """Return a row per slice."""
        return in_batches(images, BATCH, self._of_batch)

    def probabilities(self, features: Float32[np.ndarray, "n 2048"]) -> Float64[np.ndarray, "n 1008"]:
        """Return the class probabilities that the Inception Score is computed from.

        Without the classifier's bias, as in Salimans et al., Improved Techniques for Training GANs, 2016 (their code
        multiplies the features by the matrix of the graph's last layer, and no more), and so in torch-fidelity
        (`logits_unbiased`) and StyleGAN (`no_output_bias`).
        """
        logits = torch.from_numpy(features).double() @ self._classifier.T
        return logits.softmax(dim=1).numpy()

    def _of_batch(self, images: UInt8[np.ndarray, "n side side"]) -> Float[torch.Tensor, "n 2048"]:
        scaled = (torch.from_numpy(resized(images))[:, None] - 128) / 128
        pictures = scaled.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
        return self._layers(pictures).reshape(len(images), WIDTH)


def _is_script(path: Path) -> bool:
    """Whether a file is TorchScript: a zip archive that holds code."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name for name in archive.namelist())


def _open_script(path: Path) -> tuple[Layers, Float64[torch.Tensor, "1008 2048"]]:
    """Return what StyleGAN's file names `layers`, and the classifier's matrix, which it names `output`."""
    try:
        script = torch.jit.load(path, map_location="cpu").eval()  # type: ignore[no-untyped-call]
        return script.layers, _classifier(script.output.state_dict(), "weight", path)
    except (RuntimeError, AttributeError) as error:
        raise InputError(
            f"{path} is a TorchScript file, but not StyleGAN's inception-2015-12-05.pt: that has `layers` and `output`."
        ) from error


def _open_state(path: Path) -> tuple[Layers, Float64[torch.Tensor, "1008 2048"]]:
    try:
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, ValueError, EOFError, KeyError, OSError) as error:
        raise InputError(f"{path} holds no weights: it is damaged, or of another kind of file.") from error
    if not isinstance(state, Mapping) or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
        raise InputError(f"{path} holds no weights, but something else: a state dict of tensors was expected.")
    return build("max", state, path), _classifier(state, "fc.weight", path)


def _classifier(state: Mapping[str, torch.Tensor], name: str, path: Path) -> Float64[torch.Tensor, "1008 2048"]:
    if name not in state or state[name].shape != (CLASSES, WIDTH):
        raise InputError(
            f"{path} is not FID's Inception of 2015: that has a classifier of {CLASSES} classes, {name}, and what "
            "torchvision offers is another network."
        )
    return state[name].double()
