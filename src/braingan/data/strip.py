"""Takes the skull off: where the brain lies in a scan of a head.

Smith, Fast robust automated brain extraction, Human Brain Mapping 2002, as brainextractor has it: a sphere swells until
it meets the brain's surface. It needs neither training nor weights. Whole heads in T1 with voxels of up to 2 mm come
out well from the skull base upwards; below it some muscle stays. Volumes of few thick slices come out wrong, and are
left out when the brain's size says so.
"""

import contextlib
import io
import warnings
from importlib.util import find_spec

import nibabel
import numpy as np
from jaxtyping import Bool, Shaped

from braingan.data.volumes import UnreadableError
from braingan.errors import InputError

LITRES = (0.6, 2.4)
"""Volumes that are believed to be a brain's, with the muscle that stays."""


def check_strip_installed() -> None:
    """Check that what skull stripping needs is there.

    Raises:
        InputError: brainextractor is not installed.
    """
    if find_spec("brainextractor") is None:
        raise InputError("Skull stripping needs brainextractor: pip install 'braingan[strip]'.")


def brain_mask(voxels: Shaped[np.ndarray, "x y z"], spacing: tuple[float, float, float]) -> Bool[np.ndarray, "x y z"]:
    """Return which voxels are brain.

    Raises:
        UnreadableError: no brain was found.
    """
    from brainextractor import BrainExtractor

    image = nibabel.Nifti1Image(np.asarray(voxels, np.float32), np.diag([*spacing, 1.0]))
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(action="ignore"):
            extractor = BrainExtractor(img=image)
            extractor.run()
            mask = np.asarray(extractor.compute_mask()) > 0
    except Exception as error:  # what it raises on volumes that it does not fit is not said
        raise UnreadableError("its skull could not be stripped: no brain was found") from error
    litres = float(mask.sum() * np.prod(spacing) / 1e6)
    if not LITRES[0] < litres < LITRES[1]:
        raise UnreadableError(f"its skull could not be stripped: {litres:.2f} l were found, which is no brain's size")
    return mask
