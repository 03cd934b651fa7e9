"""Takes out the slow change of brightness across a volume that a coil leaves: its bias field.

N4 (Tustison et al., N4ITK: improved N3 bias correction, IEEE TMI 2010), as SimpleITK has it: the smooth field is found
on a coarse grid and divides the voxels at full resolution.
"""

import numpy as np
from jaxtyping import Float32, Shaped

from braingan.data.volumes import UnreadableError

GRID_MM = 4.0
"""Voxels of the coarse grid; the field is far smoother."""
ITERATIONS = (50, 50, 30)


def correct_bias(
    voxels: Shaped[np.ndarray, "x y z"], spacing: tuple[float, float, float]
) -> Float32[np.ndarray, "x y z"]:
    """Return a volume divided by its bias field; tissue keeps its mean, and what is not above 0 stays as it is.

    Raises:
        UnreadableError: no field can be found in it.
    """
    import SimpleITK as sitk

    values = np.asarray(voxels, np.float32)
    if values.min() < 0:
        raise UnreadableError("its bias field cannot be found: intensities below 0 are no measured signal")
    image = sitk.GetImageFromArray(np.ascontiguousarray(values.transpose(2, 1, 0)))
    image.SetSpacing(spacing)
    shrink = [max(round(GRID_MM / step), 1) for step in spacing]
    mask = sitk.OtsuThreshold(image, 0, 1, 200)
    method = sitk.N4BiasFieldCorrectionImageFilter()
    method.SetNumberOfThreads(1)
    method.SetMaximumNumberOfIterations(ITERATIONS)
    try:
        method.Execute(sitk.Shrink(image, shrink), sitk.Shrink(mask, shrink))
        field = np.exp(sitk.GetArrayFromImage(method.GetLogBiasFieldAsImage(image)).transpose(2, 1, 0))
    except RuntimeError as error:
        raise UnreadableError("its bias field cannot be found: too few voxels of tissue") from error
    tissue = sitk.GetArrayViewFromImage(mask).transpose(2, 1, 0) > 0
    corrected = np.where(values > 0, values / field, values)
    return np.asarray(corrected * (values[tissue].mean() / corrected[tissue].mean()), np.float32)
