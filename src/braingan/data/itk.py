"""Arrays to and from SimpleITK, on one core, so that the same bytes come out on every run.

World coordinates are mm from a volume's middle, RAS. SimpleITK calls its axes L, P, S; nothing here depends on that.
"""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Shaped


def itk() -> ModuleType:
    """Return SimpleITK, set to one thread: workers run in parallel, and sums keep their order."""
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    return SimpleITK


def to_image(
    sitk: ModuleType,
    voxels: Shaped[np.ndarray, "x y z"],
    spacing: Sequence[float],
    middle: Float[np.ndarray, "3"] | None = None,
) -> Any:
    """Return an image of a volume.

    Args:
        sitk: SimpleITK.
        voxels: x, y, z.
        spacing: of the voxels, mm.
        middle: the voxel (which may lie between voxels) that is the origin of the mm; without, the volume's middle.
    """
    image = sitk.GetImageFromArray(np.ascontiguousarray(voxels.T))
    image.SetSpacing([float(step) for step in spacing])
    middle = (np.array(voxels.shape) - 1) / 2 if middle is None else middle
    image.SetOrigin((-middle * np.array(spacing)).tolist())
    return image


def grid(sitk: ModuleType, shape: Sequence[int], step: float) -> Any:
    """Return an empty image with voxels of `step` mm around the origin, to resample onto."""
    image = sitk.Image([int(count) for count in shape], sitk.sitkUInt8)
    image.SetSpacing([step] * 3)
    image.SetOrigin([-(count - 1) / 2 * step for count in shape])
    return image


def from_image(sitk: ModuleType, image: Any) -> Shaped[np.ndarray, "x y z"]:
    """Return the voxels of an image."""
    return np.asarray(sitk.GetArrayFromImage(image)).T


def to_float(voxels: Shaped[np.ndarray, "x y z"], background: float) -> Float32[np.ndarray, "x y z"]:
    """Return voxels as float32 with their background at exactly 0, so that interpolation keeps it."""
    return voxels.astype(np.float32) - np.float32(background)
