"""What a store can teach: which of frame, depth, lesion and label are known, and vary, among its training slices.

What is unknown of a slice (an empty name, NaN) takes no part in the loss; what is known of none, or the same for all,
is not asked. An area of 0 mm² is known: no lesion. Lesions are learnt from the label maps: which share of each cell of
a grid is ill, and the square root of the area, an extent in mm. On a linear scale a few large lesions would be all that
counts, on a logarithmic one a single pixel more than none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float32, Int, Shaped
from torch import Tensor

from braingan.data import conditions
from braingan.data.store import Store

ANSWERED = ("frame", "label", "depth", "lesion_area_mm2")
"""A store's columns that answer the questions."""
UNKNOWN = -1
BEND = 0.1
"""Errors below this many standard deviations count by their square, larger ones by their size."""
DEPTH_WEIGHT, CELLS_WEIGHT, LABEL_WEIGHT = 2.0, 30.0, 0.2
"""Of losses beside the others'. Most cells are healthy: their mean is small. A label is mostly a subject's: much
of what can be learnt of it is who the training subjects are, which the features should not hold."""


@dataclass(frozen=True)
class Answers:
    """What is known of slices: numbers of names (-1: unknown), depth 0..1 and area in mm² (NaN: unknown)."""

    frame: Int[np.ndarray, " n"]
    label: Int[np.ndarray, " n"]
    depth: Float32[np.ndarray, " n"]
    area: Float32[np.ndarray, " n"]

    def of(self, places: Int[np.ndarray, " k"]) -> "Answers":
        """Take some of them."""
        return Answers(self.frame[places], self.label[places], self.depth[places], self.area[places])


@dataclass(frozen=True)
class Scale:
    """A number as the network learns it: less the mean of the training slices', over their standard deviation."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, values: Float32[np.ndarray, " n"]) -> "Scale | None":
        """Return the scale of what is known, None if that does not vary."""
        known = values[np.isfinite(values)].astype(np.float64)
        return cls(float(known.mean()), float(known.std())) if len(known) and np.ptp(known) > 0 else None


@dataclass(frozen=True)
class Questions:
    """What is asked of a slice."""

    frames: tuple[str, ...]
    """Names, or none."""
    labels: tuple[str, ...]
    depth: Scale | None
    extent: Scale | None
    """Of the square root of the lesion area."""
    slice_mm2: float
    """Area of a slice, of the median pixel size where that varies; 0 where it is unknown."""

    @classmethod
    def of(cls, store: Store, indices: Int[np.ndarray, " n"]) -> "Questions":
        """Find what slices of a store can teach."""
        columns = {name: store.columns[name][indices] for name in ANSWERED}
        pixel_mm = store.columns["pixel_mm"][indices]
        pixel_mm = pixel_mm[np.isfinite(pixel_mm)].astype(np.float64)
        extent = Scale.of(np.sqrt(columns["lesion_area_mm2"])) if len(pixel_mm) else None
        return cls(
            _to_tell_apart(columns["frame"]),
            _to_tell_apart(columns["label"]),
            Scale.of(columns["depth"]),
            extent,
            float(np.median(pixel_mm) * store.side) ** 2 if extent else 0.0,
        )

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> "Questions":
        """Read back `dataclasses.asdict`."""
        depth, extent = (Scale(**found[name]) if found[name] else None for name in ("depth", "extent"))
        return cls(tuple(found["frames"]), tuple(found["labels"]), depth, extent, found["slice_mm2"])

    @property
    def asked(self) -> tuple[str, ...]:
        """The questions in words."""
        of = {"frame": self.frames, "depth": self.depth, "lesion area": self.extent, "label": self.labels}
        return tuple(name for name, there in of.items() if there)

    @property
    def places(self) -> dict[str, slice]:
        """Where each question's raw answers stand in a row."""
        widths = {
            "frame": len(self.frames), "label": len(self.labels), "depth": int(self.depth is not None),
            "lesion": int(self.extent is not None), "share": int(self.extent is not None),
        }  # fmt: skip
        ends = np.cumsum(list(widths.values())).tolist()
        return {name: slice(end - widths[name], end) for name, end in zip(widths, ends, strict=True) if widths[name]}

    @property
    def width(self) -> int:
        """Length of a row of raw answers."""
        return max((place.stop for place in self.places.values()), default=0)

    def answers(self, columns: Mapping[str, Shaped[np.ndarray, " n"]]) -> Answers:
        """Return what is known of slices, by the columns `ANSWERED`; a name that no training slice has is unknown."""
        return Answers(
            _numbers(columns["frame"], self.frames),
            _numbers(columns["label"], self.labels),
            columns["depth"].astype(np.float32),
            columns["lesion_area_mm2"].astype(np.float32),
        )

    def loss(
        self,
        raw: Float[Tensor, "n width"],
        lesion_map: Float[Tensor, "n h w"] | None,
        answers: Answers,
        masks: Float[Tensor, "n 1 side side"] | None,
    ) -> Float[Tensor, ""]:
        """Return the sum of all questions' mean losses over the slices whose answer is known.

        Args:
            raw: answers of a network; and its `lesion_map`, logits.
            answers: what is known.
            masks: 1 in lesions, 0 elsewhere, as the slices were shown.
        """
        total, places = raw.new_zeros(()), self.places
        for name, number, weight in (("frame", answers.frame, 1.0), ("label", answers.label, LABEL_WEIGHT)):
            if name in places:
                wanted = torch.from_numpy(number).to(raw.device)
                errors = F.cross_entropy(raw[:, places[name]], wanted, ignore_index=UNKNOWN, reduction="none")
                total = total + weight * _mean(errors, number != UNKNOWN)
        if self.depth:
            deviations = np.nan_to_num((answers.depth - self.depth.mean) / self.depth.deviation)
            wanted = torch.from_numpy(deviations).float().to(raw.device)
            errors = F.smooth_l1_loss(raw[:, places["depth"]][:, 0], wanted, beta=BEND, reduction="none")
            total = total + DEPTH_WEIGHT * _mean(errors, np.isfinite(answers.depth))
        if self.extent and lesion_map is not None and masks is not None:
            errors = self._lesion_errors(raw, lesion_map, masks)
            wanted = torch.from_numpy(answers.area > 0).float().to(raw.device)
            errors = errors + F.binary_cross_entropy_with_logits(
                raw[:, places["lesion"]][:, 0], wanted, reduction="none"
            )
            total = total + _mean(errors, np.isfinite(answers.area))
        return total

    def _lesion_errors(
        self,
        raw: Float[Tensor, "n width"],
        lesion_map: Float[Tensor, "n h w"],
        masks: Float[Tensor, "n 1 side side"],
    ) -> Float[Tensor, " n"]:
        """Return each slice's errors in the shares of its cells and in extent."""
        assert self.extent is not None
        shares = F.adaptive_avg_pool2d(masks, (lesion_map.shape[1], lesion_map.shape[2]))[:, 0]
        cells = F.binary_cross_entropy_with_logits(lesion_map, shares, reduction="none").mean(dim=(1, 2))
        wanted, found = (
            (share * self.slice_mm2 + 1).sqrt() / self.extent.deviation
            for share in (shares.mean(dim=(1, 2)), raw[:, self.places["share"]][:, 0])
        )
        extent = F.smooth_l1_loss(found, wanted, beta=BEND, reduction="none")
        return CELLS_WEIGHT * cells + extent

    def read(self, raw: Float[Tensor, "n width"]) -> dict[str, Shaped[np.ndarray, "n ..."]]:
        """Return the answers that raw ones stand for; see `Encoder.predict`."""
        found: dict[str, Shaped[np.ndarray, "n ..."]] = {}
        parts = {name: raw[:, place].double().cpu() for name, place in self.places.items()}
        for name, names in (("frame", self.frames), ("label", self.labels)):
            if names:
                shares = torch.softmax(parts[name], dim=1).numpy()
                found[name] = np.asarray(names)[shares.argmax(axis=1)]
                found[f"{name}_probabilities"] = shares
        if self.depth:
            depth = parts["depth"][:, 0].numpy() * self.depth.deviation + self.depth.mean
            found["depth"] = np.clip(depth, 0, 1)
        if self.extent:
            found["lesion_area_mm2"] = parts["share"][:, 0].numpy() * self.slice_mm2
            found["lesion_probability"] = torch.sigmoid(parts["lesion"][:, 0]).numpy()
        return found


def _mean(errors: Float[Tensor, " n"], known: Bool[np.ndarray, " n"]) -> Float[Tensor, ""]:
    return (errors * torch.from_numpy(known).to(errors.device)).sum() / max(int(known.sum()), 1)


def _to_tell_apart(column: Shaped[np.ndarray, " n"]) -> tuple[str, ...]:
    """Return the names that occur, if there are at least two."""
    there = conditions.names(column)
    return there if len(there) > 1 else ()


def _numbers(column: Shaped[np.ndarray, " n"], known: tuple[str, ...]) -> Int[np.ndarray, " n"]:
    found = conditions.numbers(column, known)
    return np.where(np.isnan(found), UNKNOWN, found).astype(np.int64)
