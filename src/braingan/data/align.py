"""Brains lie differently in their scans; where is the brain, and how is it turned?

`centre_of_mass_mm` finds the middle of the tissue. `rigid` finds the turn and shift that lay the MNI152 template over
a scan: by mutual information, which asks only that the same tissue has the same grey level within a scan, so that any
contrast will do (Mattes et al., PET-CT image registration in the chest using free-form deformations, 2003, section
II-B). Size is fitted too, because a template larger than the brain would pull its edges to the skull, and is then left
out: `to_template` only turns and shifts.

Notation: t, mm from the middle of the template's brain (MNI152 coordinates less (0, -17, 5)); s, mm from the middle of
the scan's volume; both RAS. A transform is the 4×4 matrix of s = R t + shift; R is a proper rotation. The template is
symmetric: a scan whose left and right are mistaken can't be told from a right one.
"""

from functools import cache
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Float64, Shaped, UInt8

from braingan.data.itk import from_image, grid, itk, to_float, to_image
from braingan.data.mni152 import CENTRE, map_files
from braingan.data.slices import GreyScale, grey_scale
from braingan.data.volumes import UnreadableError, read_volume
from braingan.errors import InputError

SHAPE = (240, 240, 155)
"""Voxels, of 1 mm, of an aligned volume. The template's brain just fits; the Decathlon's brain scans have it too, so
rules such as `60:100/155` mean the same places."""
TEMPLATE_MM = (176.0, 216.0, 180.0)
"""Box around the template's brain in which scans are compared."""
COARSE_MM, FINE_MM = 6.0, 3.0
"""Voxels of the two levels at which transforms are sought."""
AROUND_MM = 6.0
"""How far around the template's brain scans are compared: its outline says much."""
BEYOND_MM = 40.0
"""Empty space added around a scan."""
USUAL_SIZE = 0.93
"""Of a brain, beside the template's."""
PITCHES, FORWARD, UPWARD = range(-24, 25, 12), range(-16, 33, 8), range(-24, 97, 8)
"""Starts that are tried: nods in degrees and shifts in mm of the brain from the tissue's centre of mass. With face and
neck in the scan the brain lies up to 60 mm above it."""
STARTS = 3
"""How many of them are followed further."""
BINS = 32
PERCENTILES = (0.5, 99.5)
FEWEST = 8
LARGEST_TURN, LARGEST_SHIFT, SIZES, LEAST_INFORMATION = 40.0, 80.0, (0.7, 1.2), 0.25
"""Degrees, mm, sizes beside the template's and nats beyond which a result is not believed."""


def check_align_installed() -> None:
    """Check that what alignment and bias correction need is there.

    Raises:
        InputError: SimpleITK or nilearn is not installed.
    """
    if find_spec("SimpleITK") is None:
        raise InputError("Alignment and bias correction need SimpleITK: pip install 'braingan[align]'.")
    map_files("align")


def centre_of_mass_mm(voxels: Shaped[np.ndarray, "x y z"], spacing: tuple[float, float, float]) -> tuple[float, ...]:
    """Return the centre of a scan's tissue (x, y, z) in mm from the volume's middle; every tissue voxel counts alike.

    In a scan with face and neck it lies below the brain.

    Raises:
        UnreadableError: all voxels have the same value.
    """
    scale = _scale(voxels)
    distance = np.abs(to_float(voxels, scale.background))
    tissue = distance > distance.mean()
    counts = (tissue.sum(axis=others) for others in ((1, 2), (0, 2), (0, 1)))
    middles = (float((np.arange(len(n)) - (len(n) - 1) / 2) @ n / n.sum()) for n in counts)
    return tuple(middle * step for middle, step in zip(middles, spacing, strict=True))


def rigid(voxels: Shaped[np.ndarray, "x y z"], spacing: tuple[float, float, float]) -> Float64[np.ndarray, "4 4"]:
    """Return the transform from the template's mm to the scan's, the same bytes on every run.

    Args:
        voxels: one frame of a scan, with or without skull, of any contrast.
        spacing: of its voxels in mm; wrong ones make a brain of no plausible shape.

    Raises:
        UnreadableError: no plausible transform was found, with the reason.
    """
    sitk = itk()
    if min(voxels.shape) < FEWEST:
        raise UnreadableError(f"{min(voxels.shape)} slices are too few to align it")
    scale = _scale(voxels)
    grey = np.clip((voxels.astype(np.float32) - scale.black) * (255 / (scale.white - scale.black)), 0, 255)
    extent = tuple(count * step + 2 * BEYOND_MM for count, step in zip(voxels.shape, spacing, strict=True))
    fine = _onto(sitk, to_image(sitk, grey, spacing), FINE_MM, extent)
    coarse = _onto(sitk, fine, COARSE_MM, extent)
    starts = _starts(sitk, coarse, np.array(centre_of_mass_mm(voxels, spacing)))
    found = [_refine(sitk, COARSE_MM, coarse, start, steps=(4.0, 0.1)) for start in starts]
    best = max(found, key=lambda end: end[0])[1]
    information, transform = _refine(sitk, FINE_MM, fine, best, steps=(1.0, 0.005))
    _check(information, transform)
    transform[:3, :3] /= _size(transform)
    return transform


def to_template(
    voxels: Shaped[np.ndarray, "x y z"], spacing: tuple[float, float, float], transform: Float64[np.ndarray, "4 4"]
) -> Float32[np.ndarray, "240 240 155"]:
    """Return one frame of a scan turned and shifted as the template is, 1 mm, around the middle of its brain.

    Trilinear; what lies beyond the scan gets its background.
    """
    sitk = itk()
    scale = grey_scale(voxels, PERCENTILES)
    background = float(voxels.flat[0]) if scale is None else scale.background
    image = to_image(sitk, to_float(voxels, background), spacing)
    return _resampled(sitk, image, transform, sitk.sitkLinear) + np.float32(background)


def labels_to_template(
    labels: Shaped[np.ndarray, "x y z"], spacing: tuple[float, float, float], transform: Float64[np.ndarray, "4 4"]
) -> UInt8[np.ndarray, "240 240 155"]:
    """Return a label map turned and shifted as `to_template` does, each voxel by its nearest; beyond the map is 0."""
    sitk = itk()
    image = to_image(sitk, labels.astype(np.uint8), spacing)
    return _resampled(sitk, image, transform, sitk.sitkNearestNeighbor)


def _scale(voxels: Shaped[np.ndarray, "x y z"]) -> GreyScale:
    scale = grey_scale(voxels, PERCENTILES)
    if scale is None:
        raise UnreadableError("all its voxels have the same value")
    return scale


def _resampled(
    sitk: ModuleType, image: Any, transform: Float64[np.ndarray, "4 4"], interpolator: int
) -> Shaped[np.ndarray, "240 240 155"]:
    to_scan = sitk.AffineTransform(transform[:3, :3].ravel().tolist(), transform[:3, 3].tolist())
    return from_image(sitk, sitk.Resample(image, grid(sitk, SHAPE, 1.0), to_scan, interpolator, 0.0))


def _onto(sitk: ModuleType, image: Any, step: float, extent: tuple[float, ...]) -> Any:
    """Return an image on voxels of `step` mm in a box around the origin, blurred where these are coarser."""
    blurs = [0.45 * max(step**2 - old**2, 0) ** 0.5 for old in image.GetSpacing()]
    blurred = sitk.SmoothingRecursiveGaussian(image, [max(blur, 1e-3) for blur in blurs])
    shape = [int(np.ceil(millimetres / step)) for millimetres in extent]
    return sitk.Resample(blurred, grid(sitk, shape, step), sitk.Transform(), sitk.sitkLinear, 0.0, sitk.sitkFloat32)


@cache
def _template(step: float) -> tuple[Any, Any]:
    """Return the template and where it is compared, in voxels of `step` mm."""
    sitk = itk()
    path = map_files("align")[0]
    try:
        t1 = read_volume(path).voxels[..., 0]
    except UnreadableError as reason:
        raise InputError(f"{path}: {reason}; install nilearn again (braingan[align]).") from reason
    image = to_image(sitk, t1.astype(np.float32), (1.0, 1.0, 1.0), np.array(CENTRE))
    for finer in (FINE_MM, COARSE_MM):
        if finer <= step:
            image = _onto(sitk, image, finer, TEMPLATE_MM)
    return image, sitk.BinaryDilate(image > 60, [round(AROUND_MM / step)] * 3)


def _starts(sitk: ModuleType, scan: Any, middle: Float[np.ndarray, "3"]) -> list[Float64[np.ndarray, "4 4"]]:
    """Return the most promising transforms, which differ from each other, by a search that only looks voxels up."""
    template, mask = (from_image(sitk, image) for image in _template(COARSE_MM))
    places = (np.argwhere(mask) - (np.array(mask.shape) - 1) / 2) * COARSE_MM
    grey = _binned(template[mask > 0])
    voxels = np.pad(_binned(from_image(sitk, scan)), 1)
    tried = []
    for pitch in PITCHES:
        turn = USUAL_SIZE * _pitch(pitch)
        turned = places @ turn.T + middle
        for y in FORWARD:
            for z in UPWARD:
                at = np.rint((turned + np.array((0, y, z))) / COARSE_MM + (np.array(voxels.shape) - 1) / 2).astype(int)
                i, j, k = np.clip(at, 0, np.array(voxels.shape) - 1).T
                tried.append((_information(grey, voxels[i, j, k]), (pitch, y, z)))
    picked: list[tuple[int, int, int]] = []
    for _, place in sorted(tried, reverse=True):
        steps = [np.abs(np.subtract(place, other)) / (12, 8, 8) for other in picked]
        if all(step.max() > 1 for step in steps) and len(picked) < STARTS:
            picked.append(place)
    return [_matrix(USUAL_SIZE * _pitch(pitch), middle + np.array((0, y, z))) for pitch, y, z in picked]


def _binned(grey: Float32[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
    return np.asarray(np.clip(grey * (BINS / 256), 0, BINS - 1).astype(int))


def _information(first: Shaped[np.ndarray, " n"], second: Shaped[np.ndarray, " n"]) -> float:
    """Return the mutual information of two lists of bins, in nats."""
    joint = np.bincount(first * BINS + second, minlength=BINS**2).reshape(BINS, BINS) / len(first)
    apart = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    seen = joint > 0
    return float((joint[seen] * np.log(joint[seen] / apart[seen])).sum())


def _refine(
    sitk: ModuleType, step: float, scan: Any, start: Float64[np.ndarray, "4 4"], steps: tuple[float, float]
) -> tuple[float, Float64[np.ndarray, "4 4"]]:
    """Climb to the most mutual information from a start; every voxel counts, so nothing is drawn at random.

    Args:
        sitk: SimpleITK.
        step: of the level, mm.
        scan: on that level.
        start: turn with size, and shift.
        steps: the first and the last that are made, in mm about.
    """
    template, mask = _template(step)
    similarity = sitk.Similarity3DTransform()
    similarity.SetMatrix(start[:3, :3].ravel().tolist(), 1e-6)
    similarity.SetTranslation(start[:3, 3].tolist())
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricFixedMask(mask)
    method.SetInterpolator(sitk.sitkLinear)
    method.MetricUseFixedImageGradientFilterOff()
    method.MetricUseMovingImageGradientFilterOff()
    method.SetOptimizerAsRegularStepGradientDescent(*steps, 200, 0.6, 1e-6)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(similarity, True)
    try:
        method.Execute(template, scan)
    except RuntimeError as error:  # the scan left the template's box
        raise UnreadableError("alignment found no brain in it") from error
    turn = np.array(similarity.GetMatrix()).reshape(3, 3)
    return -float(method.GetMetricValue()), _matrix(turn, np.array(similarity.GetTranslation()))


def _check(information: float, transform: Float64[np.ndarray, "4 4"]) -> None:
    size = _size(transform)
    turn = np.rad2deg(np.arccos(np.clip((np.trace(transform[:3, :3]) / size - 1) / 2, -1, 1)))
    shift = float(np.linalg.norm(transform[:3, 3]))
    if information < LEAST_INFORMATION:
        raise UnreadableError(
            f"alignment found no brain in it: it shares {information:.2f} nats with the template, less than "
            f"{LEAST_INFORMATION} (is its spacing right?)"
        )
    if not SIZES[0] < size < SIZES[1]:
        raise UnreadableError(f"alignment found a brain {size:.2f} times the template's size (is its spacing right?)")
    if turn > LARGEST_TURN or shift > LARGEST_SHIFT:
        raise UnreadableError(f"alignment found the brain turned by {turn:.0f}° and {shift:.0f} mm off its middle")


def _size(transform: Float64[np.ndarray, "4 4"]) -> float:
    return float(np.cbrt(np.linalg.det(transform[:3, :3])))


def _pitch(degrees: int) -> Float64[np.ndarray, "3 3"]:
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[1.0, 0.0, 0.0], [0.0, cosine, -sine], [0.0, sine, cosine]])


def _matrix(turn: Float64[np.ndarray, "3 3"], shift: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "4 4"]:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn, shift
    return matrix
