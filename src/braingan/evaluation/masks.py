"""Whether generated lesion masks fit: their area to the one told, their place to the grey levels there.

A lesion shows by its contrast: the mean grey level inside the mask less that of a ring around it, brighter in FLAIR and
T2, darker in T1. Real slices say which sign is right in a frame; a mask that lies elsewhere has none.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8

from braingan.evaluation.sets import SliceSet

RING = 4
"""Pixels around a lesion."""
LEAST = 4
"""Pixels of a mask, below which it counts as none."""


def contrast(
    images: UInt8[np.ndarray, "n side side"], masks: Bool[np.ndarray, "n side side"]
) -> Float[np.ndarray, " n"]:
    """Return the mean grey level (0 to 255) in each mask less that around it; NaN without a lesion."""
    inside = torch.from_numpy(masks)[:, None].float()
    around = F.max_pool2d(inside, 2 * RING + 1, 1, RING) - inside
    grey = torch.from_numpy(images)[:, None].float()
    means = [(grey * where).sum((1, 2, 3)) / where.sum((1, 2, 3)).clamp_min(1) for where in (inside, around)]
    found: Float[np.ndarray, " n"] = (means[0] - means[1]).double().numpy()
    found[masks.sum(axis=(1, 2)) < LEAST] = np.nan
    return found


def fit(real: SliceSet, generated: list[SliceSet], pixel_mm2: float) -> dict[str, Any]:
    """Return how masks fit: to the areas told, and to the grey levels of their frame.

    `area_correlation` is of all slices that were told an area; most may be told none, so `of_lesions` has the same of
    those told a lesion, with `area_error_mm2` (mean, absolute), `mean_area_mm2` and `mean_told_mm2`. By frame,
    `lesions`: how many real and generated slices there are, and how many of them have a lesion; and `frames`: the mean
    contrast of these, and the share whose sign is the real mean's.
    """
    masks, told = (np.concatenate(parts) for parts in zip(*(_known(of) for of in generated), strict=True))
    area = masks.sum(axis=(1, 2)) * pixel_mm2
    frames, lesions = {}, {}
    names = {name.lower(): name for name in np.unique(real.columns["frame"]).tolist()}
    for frame, name in names.items():
        found = {"real": _contrasts([real], frame), "generated": _contrasts(generated, frame)}
        ill = {side: of[np.isfinite(of)] for side, of in found.items()}
        lesions[name] = {side: {"slices": len(of), "with_lesion": len(ill[side])} for side, of in found.items()}
        if len(ill["real"]) and len(ill["generated"]):
            sign = np.sign(ill["real"].mean())
            frames[name] = {side: float(of.mean()) for side, of in ill.items()}
            frames[name] |= {f"{side}_same_sign": float((np.sign(of) == sign).mean()) for side, of in ill.items()}
    areas: dict[str, Any] = {}
    if len(area):
        areas = {"area_correlation": _correlation(area, told)}
        asked = told > 0
        if asked.any():
            areas["of_lesions"] = {
                "count": int(asked.sum()),
                "area_correlation": _correlation(area[asked], told[asked]),
                "area_error_mm2": float(np.abs(area[asked] - told[asked]).mean()),
                "mean_area_mm2": float(area[asked].mean()),
                "mean_told_mm2": float(told[asked].mean()),
            }
    return {"count": len(area), **areas, "lesions": lesions, "frames": frames}


def _correlation(one: Float[np.ndarray, " n"], other: Float[np.ndarray, " n"]) -> float | None:
    """Return the correlation of two quantities, None where one does not vary."""
    return float(np.corrcoef(one, other)[0, 1]) if min(one.std(), other.std()) > 0 else None


def _known(slices: SliceSet) -> tuple[Bool[np.ndarray, "n side side"], Float[np.ndarray, " n"]]:
    """Return the masks of those slices that were told a lesion area, and the areas."""
    told = slices.columns["lesion_area_mm2"].astype(np.float64)
    known = np.isfinite(told)
    assert slices.masks is not None
    return slices.masks[known], told[known]


def _contrasts(sets: list[SliceSet], frame: str) -> Float[np.ndarray, " n"]:
    """Return the contrasts of the slices of a frame, whatever its case."""
    found = []
    for slices in sets:
        of_frame = np.char.lower(slices.columns["frame"]) == frame
        assert slices.masks is not None
        found.append(contrast(slices.images[of_frame], slices.masks[of_frame]))
    return np.concatenate(found)
