"""Volumes: all depths at one latent, stacked. A first step to three dimensions, and no more.

Each slice is made by itself; what holds them together is that they come from the same noise. Nothing was learnt of how
neighbouring slices belong together, so anatomy may jump from slice to slice: the correlation of neighbours, beside that
of a real volume's, says how much.
"""

import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from braingan.data.conditions import CONDITIONS, NAMES, UNTOLD, Row
from braingan.data.slices import cut, cut_spacing, stacked
from braingan.data.store import Store
from braingan.errors import InputError
from braingan.folders import replacing, write_json
from braingan.sampling.generator import TrainedGenerator
from braingan.sampling.pictures import replacing_sample
from braingan.training.run import write_synthetic_png

DEPTH = CONDITIONS.index("depth")
SHOWN = 6
"""Volumes in the picture of views."""
DESCRIPTION = "synthetic brain MRI, made by braingan"


def volume(
    generator: TrainedGenerator, seed: int, number: int = 0, wish: Row = UNTOLD
) -> tuple[UInt8[np.ndarray, "n side side"], Bool[np.ndarray, "n side side"] | None]:
    """Make the slices of all depths that the run knows, and their lesion masks if it makes some.

    Args:
        generator: of a run.
        seed: of the latent.
        number: of the latent.
        wish: what else is to hold for all slices; what it leaves open each slice draws for its depth.

    Raises:
        InputError: the run was not told its slices' depth, or does not know how far apart slices are.
    """
    step, extent = geometry(generator.config)["slice_depth"], generator.vocabulary.depth
    if extent is None:
        raise InputError(f"{generator.run.root} was not told its slices' depth, so it makes no volumes.")
    if not np.isnan(wish[DEPTH]):
        raise InputError("A volume goes through all depths: leave out --depth.")
    depths = np.linspace(*extent, round((extent[1] - extent[0]) / step) + 1)
    wishes = np.tile(wish, (len(depths), 1))
    wishes[:, :NAMES] = generator.told(seed, [number], wish)[0, :NAMES]
    wishes[:, DEPTH] = depths
    z = generator.latents(seed, [number]).expand(len(depths), -1)
    made = generator.make(z, generator.drawn(z, wishes))
    return made[:, 0], made[:, 1] > 127 if generator.vocabulary.masks else None


def real_volumes(
    store: Store, frames: tuple[str, ...] = (), most: int = 20
) -> Iterator[UInt8[np.ndarray, "n side side"]]:
    """Yield the slices of test subjects' volumes, of these frames or of all, in the order of their depth."""
    columns, indices = store.columns, store.select("test", frames)
    keys = np.char.add(np.char.add(columns["volume"][indices], "/"), columns["frame"][indices])
    for key in np.unique(keys)[:most]:
        own = indices[keys == key]
        yield store.images(own[np.argsort(columns["depth"][own], kind="stable")])


def neighbour_correlation(slices: UInt8[np.ndarray, "n side side"]) -> float:
    """Return the mean correlation of each slice with the next; NaN where there are no two that vary."""
    pixels = slices.reshape(len(slices), -1).astype(np.float64)
    pixels -= pixels.mean(axis=1, keepdims=True)
    lengths = np.sqrt((pixels**2).sum(axis=1))
    varies = (lengths[:-1] > 0) & (lengths[1:] > 0)
    products = (pixels[:-1] * pixels[1:]).sum(axis=1)[varies]
    return float((products / (lengths[:-1] * lengths[1:])[varies]).mean()) if varies.any() else np.nan


def write_volume(path: Path, slices: UInt8[np.ndarray, "n side side"], where: dict[str, Any]) -> None:
    """Write slices as a NIfTI volume in RAS orientation whose header says that it is synthetic; see `geometry`."""
    x, y, z = _spacing(where)
    voxels = np.ascontiguousarray(stacked(slices, where["axis"]))
    affine = np.diag([x, y, z, 1.0])
    affine[:3, 3] = -(np.array(voxels.shape) - 1) / 2 * (x, y, z)
    image = nibabel.Nifti1Image(voxels, affine)
    image.header["descrip"] = DESCRIPTION.encode()
    image.header.set_xyzt_units("mm")
    with replacing(path) as temporary:
        temporary.write_bytes(gzip.compress(image.to_bytes(), mtime=0))


def geometry(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return along which axis a run's slices lie, `pixel_mm`, `slice_mm`, and `slice_depth`, their step in depth.

    Raises:
        InputError: its record does not say.
    """
    found: dict[str, Any] = config.get("geometry", {})
    if not all(found.get(name) for name in ("pixel_mm", "slice_mm", "slice_depth")):
        raise InputError(
            "This run does not know how large its slices are or how far apart: its store came from single pictures, or "
            "from an earlier version. Prepare volumes anew and train on these."
        )
    return found


def _spacing(where: dict[str, Any]) -> tuple[float, float, float]:
    pixel, between = where["pixel_mm"], where["slice_mm"]
    spacings = {"axial": (pixel, pixel, between), "coronal": (pixel, between, pixel)}
    return spacings.get(where["axis"], (between, pixel, pixel))


def views(slices: UInt8[np.ndarray, "n rows columns"], where: dict[str, Any]) -> UInt8[np.ndarray, "height width"]:
    """Return the middle slices along all three axes side by side, as slices are shown, in true proportion."""
    voxels, tiles = stacked(slices, where["axis"]), []
    for axis in ("axial", "coronal", "sagittal"):
        across = cut(voxels, axis)
        middle = np.ascontiguousarray(across[len(across) // 2])
        sides = zip(middle.shape, cut_spacing(_spacing(where), axis), strict=True)
        rows, columns = (max(round(pixels * mm / where["pixel_mm"]), 1) for pixels, mm in sides)
        tiles.append(np.asarray(Image.fromarray(middle).resize((columns, rows), Image.Resampling.BILINEAR)))
    tall = max(len(tile) for tile in tiles)
    return np.concatenate([np.pad(tile, ((0, tall - len(tile)), (0, 0))) for tile in tiles], axis=1)


def write_volumes(
    generator: TrainedGenerator, out: Path, count: int, seed: int, wish: Row = UNTOLD, store: Store | None = None
) -> dict[str, Any]:
    """Write volumes number 0 to `count` of a seed as NIfTI, with lesion masks if the run makes some, and their views.

    Returns:
        what `volumes.json` says: the mean correlation of neighbouring slices, and that of real test volumes, if the
        store is there.

    Raises:
        InputError: as `volume`, or `out` holds something else.
    """
    where, frame = geometry(generator.config), generator.vocabulary.words(wish)["frame"]
    frames = (frame,) if frame else tuple(generator.config["recipe"]["data"]["frames"])
    made = [volume(generator, seed, number, wish) for number in range(count)]
    real = [] if store is None else list(real_volumes(store, frames))
    found = {
        "synthetic": "volumes of slices that were made one by one",
        "neighbour_correlation": _mean_correlation([slices for slices, _ in made]),
        "real_neighbour_correlation": _mean_correlation(real),
        "slices": len(made[0][0]),
        "seed": seed,
    }
    with replacing_sample(out) as folder:
        for number, (slices, masks) in enumerate(made):
            write_volume(folder / f"synthetic_{number:06d}.nii.gz", slices, where)
            if masks is not None:
                write_volume(folder / f"synthetic_{number:06d}_mask.nii.gz", masks.astype(np.uint8), where)
        rows = [views(slices, where) for slices, _ in made[:SHOWN]]
        note = f"{generator.model.name}, seed {seed}: the middle slices of volumes along three axes"
        write_synthetic_png(folder / "views.png", np.concatenate(rows), note)
        write_json(folder / "volumes.json", found)
    return found


def _mean_correlation(volumes: list[UInt8[np.ndarray, "n side side"]]) -> float | None:
    every = np.array([neighbour_correlation(slices) for slices in volumes])
    known = every[np.isfinite(every)]
    return float(known.mean()) if len(known) else None
