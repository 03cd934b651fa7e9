"""A part: the slices of one volume, or the pictures of one subject, as they will stand in the store."""

import hashlib
import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from jaxtyping import Shaped, UInt8

from braingan.data.settings import DataSettings
from braingan.data.slices import (
    GreyScale,
    chosen_positions,
    covered_edge,
    cut,
    cut_spacing,
    grey_scale,
    resample,
    resample_labels,
    to_grey,
    within,
)
from braingan.data.sources import Scan
from braingan.data.store import COLUMNS
from braingan.data.volumes import UnreadableError, Volume, read_picture, read_volume
from braingan.folders import StoreFolder, replacing


@dataclass
class Part:
    """The slices of one volume, and what was left out of it."""

    images: list[UInt8[np.ndarray, "side side"]] = field(default_factory=list)
    masks: list[UInt8[np.ndarray, "side side"]] = field(default_factory=list)
    """As many as images, or none where the volume has no label map."""
    files: list[str] = field(default_factory=list)
    """Which file, and of a 4-D one which frame, each image is from."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    discarded: list[tuple[str, str, str]] = field(default_factory=list)


def part_path(folder: StoreFolder, volume: str) -> Path:
    """Name the part of a volume."""
    name = quote(volume, safe=" ")
    if len(name) > 200:  # longer than a file name may be
        name = name[:150] + hashlib.sha256(volume.encode()).hexdigest()[:32]
    return folder.parts / f"{name}.npz"


def make_part(scans: list[Scan], settings: DataSettings, source: Path, folder: StoreFolder) -> None:
    """Prepare the scans of one volume and write them as a part; whatever is unreadable becomes a reason."""
    part = Part()
    first, last = (scans[0].position, scans[-1].position)
    for scan in scans:
        name = scan.path.relative_to(source).as_posix()
        try:
            if scan.path.name.lower().endswith((".nii", ".nii.gz")):
                volume = read_volume(scan.path)
                mask = _read_mask(scan.mask, volume, part) if scan.mask else None
                add_volume(part, scan, name, volume, mask, settings)
            else:
                depth = np.nan
                if scan.position is not None and first is not None and last is not None:
                    depth = (scan.position - first) / (last - first) if last > first else 0.5
                _add_picture(part, scan, name, depth, settings)
        except UnreadableError as reason:
            part.discarded.append((name, "", str(reason)))
    write_part(part, part_path(folder, scans[0].volume))


def write_part(part: Part, target: Path) -> None:
    """Write a part as a file."""
    arrays: dict[str, Shaped[np.ndarray, ...]] = {
        "images": np.asarray(part.images, np.uint8),
        "masks": np.asarray(part.masks, np.uint8),
        "files": np.asarray(part.files, np.str_),
        "discarded": np.asarray(part.discarded, np.str_).reshape(-1, 3),
    }
    arrays |= {name: np.asarray([row[name] for row in part.rows]) for name in COLUMNS if name != "split"}
    with replacing(target) as path:
        write_npz(path, arrays)


def add_volume(
    part: Part,
    scan: Scan,
    name: str,
    volume: Volume,
    mask: Shaped[np.ndarray, "x y z"] | None,
    settings: DataSettings,
) -> None:
    """Cut a volume, with its label map if it has one, into the slices that the settings take.

    Raises:
        UnreadableError: its frames are not those that the scan names, or none of them is wanted.
    """
    count = volume.voxels.shape[3]
    names = scan.frames or (("",) if count == 1 else tuple(str(number) for number in range(count)))
    if len(names) != count:
        raise UnreadableError(f"{len(names)} frames are named ({', '.join(names)}), but it has {count}")
    taken = [n for n in names if not settings.frames or n.lower() in {f.lower() for f in settings.frames}]
    if not taken:
        raise UnreadableError(
            f"none of the frames {', '.join(settings.frames)}: it has {', '.join(names) or 'one, unnamed'}"
        )
    spacing = cut_spacing(volume.spacing, settings.axis)
    for frame in taken:
        voxels = volume.voxels[..., names.index(frame)]
        scale = grey_scale(voxels, settings.percentiles)
        if scale is None:
            part.discarded.append((f"{name}#{frame}", "", "all its voxels have the same value"))
            continue
        slices = cut(voxels, settings.axis)
        positions = chosen_positions(settings.slices, len(slices))
        if not positions:
            part.discarded.append((f"{name}#{frame}", "", f"has {len(slices)} slices, none in {settings.slices}"))
            continue
        span = slice(positions.start, positions.stop)
        edge = settings.edge_mm or covered_edge(slices.shape[1:], spacing)
        images = resample(to_grey(slices[span], scale), spacing, edge, settings.size)
        masks, areas = None, np.full(len(positions), np.nan)
        if mask is not None:
            native = cut(mask, settings.axis)[span]
            masks = resample_labels(native, spacing, edge, settings.size)
            seen = (native > 0) & within(native.shape[1:], spacing, edge)
            areas = seen.sum(axis=(1, 2)) * (spacing[0] * spacing[1])
        for i, position in enumerate(positions):
            row = {
                "subject": scan.subject, "volume": scan.volume, "frame": frame, "position": position,
                "depth": position / max(len(slices) - 1, 1), "pixel_mm": edge / settings.size,
                "lesion_area_mm2": areas[i], "label": scan.label,
            }  # fmt: skip
            label_map = masks[i] if masks is not None else None
            _add(part, images[i], label_map, row, scale, f"{name}#{frame}" if frame else name, settings)


def _read_mask(path: Path, volume: Volume, part: Part) -> Shaped[np.ndarray, "x y z"] | None:
    try:
        mask = read_volume(path)
        if mask.voxels.shape[:3] != volume.voxels.shape[:3]:
            raise UnreadableError(f"its shape {mask.voxels.shape[:3]} is not the volume's {volume.voxels.shape[:3]}")
    except UnreadableError as reason:
        part.discarded.append((path.name, "", f"label map not used: {reason}"))
        return None
    return mask.voxels[..., 0]


def _add_picture(part: Part, scan: Scan, name: str, depth: float, settings: DataSettings) -> None:
    picture = read_picture(scan.path)
    scale = grey_scale(picture, settings.percentiles)
    if scale is None:
        raise UnreadableError("all its pixels have the same value")
    if settings.frames and not (scan.frames and scan.frames[0].lower() in {f.lower() for f in settings.frames}):
        raise UnreadableError(f"none of the frames {', '.join(settings.frames)}")
    edge = float(max(picture.shape))
    image = resample(to_grey(picture[None], scale), (1.0, 1.0), edge, settings.size)[0]
    row = {
        "subject": scan.subject, "volume": scan.volume, "frame": scan.frames[0] if scan.frames else "",
        "position": -1 if scan.position is None else scan.position, "depth": depth, "pixel_mm": np.nan,
        "lesion_area_mm2": np.nan, "label": scan.label,
    }  # fmt: skip
    _add(part, image, None, row, scale, name, settings)


def _add(
    part: Part,
    image: UInt8[np.ndarray, "side side"],
    mask: UInt8[np.ndarray, "side side"] | None,
    row: dict[str, Any],
    scale: GreyScale,
    name: str,
    settings: DataSettings,
) -> None:
    brain = float((image > scale.foreground).mean())
    position = str(row["position"])
    if image.min() == image.max():
        part.discarded.append((name, position, "all its pixels have the same value"))
    elif brain < settings.min_brain:
        part.discarded.append((name, position, f"tissue on {brain:.1%} of it, less than data.min_brain"))
    else:
        part.images.append(image)
        if mask is not None:
            part.masks.append(mask)
        part.files.append(name)
        part.rows.append(row | {"brain_fraction": brain})


def write_npz(path: Path, arrays: dict[str, Shaped[np.ndarray, "..."]]) -> None:
    """Write arrays as an uncompressed `.npz` whose bytes depend on nothing but the arrays."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue())
