"""A file becomes an array in a known orientation, or a named reason why not.

Volumes are turned to RAS: the first axis grows towards the patient's right, the second towards anterior, the
third towards superior. Turning permutes and mirrors axes only; nothing is resampled.
"""

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from jaxtyping import Shaped
from PIL import Image

LARGEST = 1e30
"""Intensities beyond are cut, so that sums over a volume stay finite in float32."""


class UnreadableError(Exception):
    """Why a file, or a frame of it, can't be used; goes to `discarded.csv`."""


@dataclass(frozen=True)
class Volume:
    """Voxels in RAS orientation, in the file's own intensity units."""

    voxels: Shaped[np.ndarray, "x y z frames"]
    spacing: tuple[float, float, float]
    """Distance between voxel centres along x, y, z in mm."""


def read_volume(path: Path) -> Volume:
    """Read a NIfTI-1 or NIfTI-2 file, plain or gzipped, 3-D or 4-D.

    Raises:
        UnreadableError: it can't be read, with the reason.
    """
    content = _read_bytes(path)
    kind = nibabel.Nifti2Image if content[:4] in (b"\x1c\x02\0\0", b"\0\0\x02\x1c") else nibabel.Nifti1Image
    try:
        image = kind.from_bytes(content)
        voxels = np.asanyarray(image.dataobj)
    except Exception as error:  # nibabel raises a dozen kinds; each means that this file is no usable NIfTI
        raise UnreadableError(f"not a readable NIfTI file: {error}") from error
    if voxels.ndim not in (3, 4) or 0 in voxels.shape or voxels.dtype.kind not in "iuf":
        raise UnreadableError(f"expected 3-D or 4-D numbers, found {voxels.dtype} of shape {voxels.shape}")
    spacing = nibabel.affines.voxel_sizes(image.affine)
    if not np.isfinite(image.affine).all() or abs(np.linalg.det(image.affine[:3, :3])) < 1e-12:
        raise UnreadableError("its affine matrix is singular, so orientation and spacing are unknown")
    orientation = nibabel.io_orientation(image.affine)
    if voxels.ndim == 3:
        voxels = voxels[..., None]
    turned = nibabel.apply_orientation(voxels, orientation)
    x, y, z = (float(spacing[int(np.flatnonzero(orientation[:, 0] == axis)[0])]) for axis in range(3))
    return Volume(_finite(turned), (x, y, z))


def read_picture(path: Path) -> Shaped[np.ndarray, "height width"]:
    """Read a picture as one channel; colours become luma, 16-bit pictures keep their range.

    Raises:
        UnreadableError: it can't be read, with the reason.
    """
    try:
        with Image.open(path) as picture:
            pages = getattr(picture, "n_frames", 1)
            if picture.format == "TIFF" and pages > 1:
                raise UnreadableError(f"has {pages} pages; store each slice as a picture of its own")
            if picture.mode.startswith("I") or picture.mode == "F":
                return _finite(np.asarray(picture))
            return np.asarray(picture.convert("L"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnreadableError(f"not a readable picture: {error}") from error


def _read_bytes(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}") from error
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        return gzip.decompress(content)  # to the end, so the checksum there is compared
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableError(f"damaged gzip file: {error}") from error


def _finite(values: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
    """Some tools write NaN or the lowest number outside the brain; NaN and infinities count as 0."""
    if values.dtype.kind != "f":
        return values
    return np.asarray(np.clip(np.nan_to_num(values, posinf=0.0, neginf=0.0), -LARGEST, LARGEST), np.float32)
