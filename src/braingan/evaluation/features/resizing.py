"""Slices resized by Pillow in floating point, so that nothing is rounded."""

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image


def by_pillow(
    images: UInt8[np.ndarray, "n side side"], side: int, filter: Image.Resampling
) -> Float32[np.ndarray, "n size size"]:
    """Return slices of `side` pixels; the bicubic filter overshoots 0..255 at edges."""
    pictures = (Image.fromarray(image.astype(np.float32)) for image in images)
    return np.stack([np.asarray(picture.resize((side, side), filter)) for picture in pictures])
