"""The steps from the voxels of one volume to its slices.

A volume has its bias field corrected and its brain found where the settings ask for it, aligned, cut into slices,
resampled and put on one grey scale. What the first frame decides (where the brain lies, how the volume is aligned,
which square is shown) holds for all frames, so that their slices lie on each other.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt8

from braingan.data.align import centre_of_mass_mm, check_align_installed, labels_to_template, rigid, to_template
from braingan.data.bias import correct_bias
from braingan.data.parts import Part, write_part
from braingan.data.settings import DataSettings
from braingan.data.skull import shows_skull
from braingan.data.slices import (
    GreyScale,
    Square,
    above_black,
    brain_square,
    chosen_positions,
    covered_edge,
    cut,
    cut_offset,
    cut_spacing,
    grey_scale,
    resample,
    resample_labels,
    tissue,
    to_grey,
    within,
)
from braingan.data.sources import Scan
from braingan.data.strip import brain_mask, check_strip_installed
from braingan.data.volumes import UnreadableError, Volume

FEW = 8
"""Slices resampled at a time: so few stay in the processor's cache, which makes it twice as fast."""
MARGIN = 0.05
"""Around a brain that slices are cropped to, as a share of its extent, on each side."""


@dataclass(frozen=True)
class Cut:
    """Where the slices of a volume lie, and its label map cut there."""

    positions: range
    depths: list[float]
    square: Square
    masks: UInt8[np.ndarray, "n side side"] | None
    areas: Float[np.ndarray, " n"]
    """Of the label map in the square, in mm²; NaN without one."""
    slice_mm: float
    """From slice to slice."""


@dataclass(frozen=True)
class View:
    """What the first frame of a volume decides for all."""

    first: Volume
    """The volume that the first frame is of, without its voxels."""
    labels: Shaped[np.ndarray, "x y z"] | None
    brain: Bool[np.ndarray, "x y z"] | None
    transform: Float[np.ndarray, "4 4"] | None = None
    """From mm in the aligned volume to mm from the middle of the scan."""
    cut: Cut | None = None
    """None until a first frame was cut."""


@dataclass(frozen=True)
class Placed:
    """What belongs to a volume's frames, where these are about to be cut."""

    spacing: tuple[float, float, float]
    labels: Shaped[np.ndarray, "x y z"] | None
    brain: Shaped[np.ndarray, "x y z"] | None
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """From the volume's middle to the point that slices are centred on, in mm along x, y, z."""


def add_volume(
    part: Part,
    scan: Scan,
    name: str,
    volume: Volume,
    labels: Shaped[np.ndarray, "x y z"] | None,
    brain: Shaped[np.ndarray, "x y z"] | None,
    settings: DataSettings,
    view: View | None = None,
) -> View:
    """Cut a volume into the slices that the settings take.

    Args:
        part: where the slices go.
        scan: what the volume is a scan of.
        name: what to call it in reasons.
        volume: its voxels.
        labels: its label map, if it has one.
        brain: its brain mask, if it has one: all but 0 is brain.
        settings: how to cut.
        view: what an earlier frame of the volume decided.

    Returns:
        what later frames are to follow.

    Raises:
        UnreadableError: its frames are not those that the scan names, or none is wanted, or it can't be aligned.
    """
    frames, spacing = _wanted_frames(scan, volume, settings), volume.spacing
    if settings.bias:
        frames = {frame: correct_bias(of, spacing) if of.any() else of for frame, of in frames.items()}
    view = view or _view(frames, volume, labels, brain, settings)
    if not volume.lies_as(view.first):
        raise UnreadableError("it lies elsewhere, or has another shape, than the first frame of its volume")
    if view.brain is not None:
        frames = {frame: _masked(voxels, view.brain) for frame, voxels in frames.items()}
    placed = Placed(spacing, view.labels, view.brain)
    if view.transform is not None:
        part.transform = view.transform[:3].ravel().tolist()
        if settings.align == "rigid":
            frames, placed = _to_template(frames, placed, view.transform)
        else:
            x, y, z = (float(mm) for mm in view.transform[:3, 3])
            placed = replace(placed, offset=(x, y, z))
    if not volume.oriented:
        part.noticed.add("unoriented")
    for frame, voxels in frames.items():
        title = f"{name}#{frame}" if frame else name
        scale = grey_scale(voxels, settings.percentiles)
        if scale is None:
            part.discarded.append((title, "", "all its voxels have the same value"))
            continue
        if scale.few:
            part.discarded.append((title, "", "looks like a label map: few values, all whole numbers from 0 to 255"))
            continue
        cut_here = view.cut or _decide_cut(voxels, scale, placed, settings)
        view = replace(view, cut=cut_here)
        _add_frame(part, known_of(scan, frame), title, voxels, scale, placed.spacing, cut_here, settings)
    return view


def _decide_cut(voxels: Shaped[np.ndarray, "x y z"], scale: GreyScale, placed: Placed, settings: DataSettings) -> Cut:
    slices, spacing = cut(voxels, settings.axis), cut_spacing(placed.spacing, settings.axis)
    along, down, across = cut_offset(placed.offset, settings.axis)
    thickness = float(np.prod(placed.spacing) / np.prod(spacing))
    shift, count = round(along / thickness), len(slices)
    wanted = chosen_positions(settings.slices, count)
    positions = range(max(wanted.start + shift, 0), min(wanted.stop + shift, count))
    if not positions:
        raise UnreadableError(f"has {count} slices, none in {settings.slices}")
    span = slice(positions.start, positions.stop)
    square = Square(settings.edge_mm or covered_edge(slices.shape[1:], spacing), down, across)
    if settings.crop:
        held = cut(placed.brain, settings.axis)[span] if placed.brain is not None else tissue(slices[span], scale)
        around = brain_square(held, spacing, MARGIN)
        square = replace(around, edge=settings.edge_mm or around.edge)
    masks, areas = None, np.full(len(positions), np.nan)
    if placed.labels is not None:
        native = cut(placed.labels, settings.axis)[span]
        masks = resample_labels(native, spacing, square, settings.size)
        inside = (native > 0) & within(native.shape[1:], spacing, square)
        areas = np.count_nonzero(inside, axis=(1, 2)) * (spacing[0] * spacing[1])
    depths = [min(max((position - shift) / max(count - 1, 1), 0.0), 1.0) for position in positions]
    return Cut(positions, depths, square, masks, areas, thickness)


def _add_frame(
    part: Part,
    row: dict[str, Any],
    name: str,
    voxels: Shaped[np.ndarray, "x y z"],
    scale: GreyScale,
    spacing: tuple[float, float, float],
    where: Cut,
    settings: DataSettings,
) -> None:
    slices = cut(voxels, settings.axis)[where.positions.start : where.positions.stop]
    images = np.concatenate(
        [
            to_grey(
                resample(above_black(few, scale), cut_spacing(spacing, settings.axis), where.square, settings.size),
                scale,
            )
            for few in (slices[start : start + FEW] for start in range(0, len(slices), FEW))
        ]
    )
    rows = [
        row | {
            "position": position, "depth": where.depths[i], "pixel_mm": where.square.edge / settings.size,
            "lesion_area_mm2": float(where.areas[i]), "slice_mm": where.slice_mm,
        }
        for i, position in enumerate(where.positions)
    ]  # fmt: skip
    part.add(images, where.masks, rows, scale.foreground, name, settings.min_brain)


def known_of(scan: Scan, frame: str) -> dict[str, Any]:
    """Return the columns that a scan gives all its slices."""
    return {"subject": scan.subject, "volume": scan.volume, "frame": frame, "split": scan.split, "label": scan.label}


def _masked(voxels: Shaped[np.ndarray, "x y z"], brain: Bool[np.ndarray, "x y z"]) -> Shaped[np.ndarray, "x y z"]:
    """Black out all but the brain: 0, or the darkest value where there are negative ones."""
    return np.asarray(np.where(brain, voxels, min(voxels.min(), voxels.dtype.type(0))))


def _to_template(
    frames: dict[str, Shaped[np.ndarray, "x y z"]], placed: Placed, transform: Float[np.ndarray, "4 4"]
) -> tuple[dict[str, Shaped[np.ndarray, "x y z"]], Placed]:
    labels, brain = (
        None if maps is None else labels_to_template(maps, placed.spacing, transform)
        for maps in (placed.labels, placed.brain)
    )
    moved = {frame: to_template(voxels, placed.spacing, transform) for frame, voxels in frames.items()}
    return moved, Placed((1.0, 1.0, 1.0), labels, brain)


def _wanted_frames(scan: Scan, volume: Volume, settings: DataSettings) -> dict[str, Shaped[np.ndarray, "x y z"]]:
    count = volume.voxels.shape[3]
    names = scan.frames or (("",) if count == 1 else tuple(str(number) for number in range(count)))
    if len(names) != count:
        raise UnreadableError(f"{len(names)} frames are named ({', '.join(names)}), but it has {count}")
    wanted = {frame.lower() for frame in settings.frames}
    frames = {n: volume.voxels[..., i] for i, n in enumerate(names) if not wanted or n.lower() in wanted}
    if not frames:
        raise UnreadableError(
            f"none of the frames {', '.join(settings.frames)}: it has {', '.join(names) or 'one, unnamed'}"
        )
    return frames


def _view(
    frames: dict[str, Shaped[np.ndarray, "x y z"]],
    volume: Volume,
    labels: Shaped[np.ndarray, "x y z"] | None,
    given: Shaped[np.ndarray, "x y z"] | None,
    settings: DataSettings,
) -> View:
    spacing, voxels, brain = volume.spacing, next(iter(frames.values())), None
    if settings.brain == "strip" or settings.align != "none":
        filled = [each for each in frames.values() if grey_scale(each, settings.percentiles) is not None]
        if not filled:
            raise UnreadableError("all its voxels have the same value")
        voxels = filled[0]
    if settings.brain == "strip":
        brain = brain_mask(voxels, spacing)
    elif settings.brain == "source":
        if given is None:
            raise UnreadableError("data.brain is source, but no brain mask belongs to it")
        brain = given > 0
    if brain is not None and not brain.any():
        raise UnreadableError("its brain mask is empty")
    place = replace(volume, voxels=np.broadcast_to(voxels.dtype.type(0), (*voxels.shape, 1)))
    shown = voxels if brain is None else _masked(voxels, brain)
    transform = None
    if settings.align == "rigid":
        transform = rigid(shown, spacing)
    elif settings.align == "centre":
        transform = np.eye(4)
        transform[:3, 3] = centre_of_mass_mm(shown, spacing)
    return View(place, labels, brain, transform)


def finish_part(part: Part, target: Path, settings: DataSettings) -> None:
    """Look whether a part shows a skull, and write it."""
    few = part.images[:: max(len(part.images) // 16, 1)]
    if settings.body_part == "brain" and few and shows_skull(np.asarray(few)):
        part.noticed.add("skull")
    write_part(part, target)


def check_installed(settings: DataSettings) -> None:
    """Check that the packages are there which the settings need.

    Raises:
        InputError: one is not.
    """
    if settings.align == "rigid" or settings.bias:
        check_align_installed()
    if settings.brain == "strip":
        check_strip_installed()
