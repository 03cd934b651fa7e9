"""A picture file becomes one channel of numbers, or a named reason why not."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Shaped
from PIL import Image

from braingan.data.volumes import UnreadableError, finite, read_array

BYTES_A_PIXEL = 8
"""Room for a pixel of any mode, and the copy that is converted."""


def read_picture(path: Path, limit: int = 2**33) -> Shaped[np.ndarray, "height width"]:
    """Read a picture as one channel; colours become luma, 16-bit pictures keep their range, transparency is black.

    Args:
        path: the file, a picture or a 2-D `.npy` array.
        limit: most bytes that it may take.

    Raises:
        UnreadableError: it can't be read, with the reason.
    """
    if path.name.lower().endswith(".npy"):
        values = read_array(path, limit)
        if values.ndim != 2:
            raise UnreadableError(f"expected a 2-D array, found one of shape {values.shape}")
        return finite(values)
    try:
        if not path.stat().st_size:
            raise UnreadableError("the file is empty")
        with warnings.catch_warnings(action="ignore"), _any_size(), Image.open(path) as picture:
            return _one_channel(picture, limit)
    except UnreadableError:
        raise
    except Exception as error:  # Pillow raises a dozen kinds for files that make no sense
        raise UnreadableError(f"not a readable picture: {_without(str(error), path)}") from error


@contextmanager
def _any_size() -> Iterator[None]:
    """Lift Pillow's own limit to a picture's pixels while one is read: `_one_channel` looks at the caller's first."""
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _one_channel(picture: Image.Image, limit: int) -> Shaped[np.ndarray, "height width"]:
    width, height = picture.size
    if width * height * BYTES_A_PIXEL > limit:
        raise UnreadableError(f"its header claims {width}×{height} pixels, more than data.max_gib allows")
    pages = getattr(picture, "n_frames", 1)
    if picture.format in ("TIFF", "PNG") and pages > 1:
        raise UnreadableError(f"has {pages} pages or moments; store each slice as a picture of its own")
    if picture.mode.startswith("I") or picture.mode == "F":
        return finite(np.asarray(picture))
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        colours = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", colours.size, "black"), colours)
    return np.asarray(picture.convert("L"))


def _without(message: str, path: Path) -> str:
    """An error's words without the path, which is named beside them and may hold a patient's name."""
    return message.replace(repr(str(path)), "it").replace(str(path), "it")
