"""Volumes: all depths at one latent, stacked. A first step to three dimensions, and no more.

Each slice is made by itself; what holds them together is that they come from the same noise. Nothing was learnt of how
neighbouring slices belong together, so anatomy may jump from slice to slice: the correlation of neighbours, beside that
of a real volume's, says how much.
"""

import gzip
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from braingan.data.conditions import COLUMNS, CONDITIONS, NAMES, UNTOLD, Row, Rows
from braingan.data.slices import cut, cut_spacing, stacked
from braingan.data.store import Store
from braingan.errors import InputError
from braingan.folders import replacing, write_json
from braingan.sampling.generator import TrainedGenerator
from braingan.sampling.pictures import LISTED, TABLE, replacing_sample, write_source, write_synthetic_csv
from braingan.training.run import write_synthetic_png

DEPTH = CONDITIONS.index("depth")
SHOWN = 6
"""Volumes in a picture of views."""
VIEWS, REAL_VIEWS, SLICES = "views.png", "views-real.png", "slices.csv"
FILE, MASK = "synthetic_{:06d}.nii.gz", "synthetic_{:06d}_mask.nii.gz"
DESCRIPTION = "synthetic brain MRI, made by braingan"
REAL = "real brain MRI of test subjects, not synthetic: to be kept with the store"


def volume(
    generator: TrainedGenerator, seed: int, number: int = 0, wish: Row = UNTOLD
) -> tuple[UInt8[np.ndarray, "n side side"], Bool[np.ndarray, "n side side"] | None]:
    """Make the slices of all depths that the run knows, and their lesion masks if it makes some.

    Args:
        generator: of a run.
        seed: of the latent.
        number: of the latent.
        wish: what else is to hold for all slices, a lesion's area as far as there are such at each depth; what it
            leaves open each slice draws for its depth.

    Raises:
        InputError: the run was not told its slices' depth, or does not know how far apart slices are.
    """
    z = generator.latents(seed, [number])
    rows = told_of(generator, seed, number, wish)
    made = generator.make(z.expand(len(rows), -1), rows)
    return made[:, 0], made[:, 1] > 127 if generator.vocabulary.masks else None


def told_of(generator: TrainedGenerator, seed: int, number: int = 0, wish: Row = UNTOLD) -> Rows:
    """Return what each slice of a volume is told; see `volume`."""
    depths = _depths(generator, wish)
    wishes = np.tile(named(generator, seed, number, wish), (len(depths), 1))
    wishes[:, DEPTH] = depths
    z = generator.latents(seed, [number]).expand(len(depths), -1)
    return generator.vocabulary.shrunk(generator.drawn(z, wishes))


def _depths(generator: TrainedGenerator, wish: Row) -> Float[np.ndarray, " n"]:
    step, extent = geometry(generator.config)["slice_depth"], generator.vocabulary.depth
    if extent is None:
        raise InputError(f"{generator.run.root} was not told its slices' depth, so it makes no volumes.")
    if not np.isnan(wish[DEPTH]):
        raise InputError("A volume goes through all depths: leave out --depth.")
    return np.linspace(*extent, round((extent[1] - extent[0]) / step) + 1)


def named(generator: TrainedGenerator, seed: int, number: int, wish: Row) -> Row:
    """Return a wish with the frame and the label of all slices of a volume: its latent draws what is open."""
    row: Row = generator.told(seed, [number], wish)[0]
    row[NAMES:] = wish[NAMES:]
    return row


def real_volumes(
    store: Store, frames: tuple[str, ...] = (), most: int = 20
) -> Iterator[UInt8[np.ndarray, "n side side"]]:
    """Yield the slices of test subjects' volumes, of these frames or of all, in the order of their depth."""
    columns, indices = store.columns, store.select("test", frames)
    keys = np.char.add(np.char.add(columns["volume"][indices], "/"), columns["frame"][indices])
    for key in np.unique(keys)[:most]:
        own = indices[keys == key]
        yield store.images(own[np.argsort(columns["depth"][own], kind="stable")])


def neighbour_correlations(slices: UInt8[np.ndarray, "n side side"]) -> Float[np.ndarray, " pairs"]:
    """Return the correlation of each slice with the next, where both vary."""
    pixels = slices.reshape(len(slices), -1).astype(np.float64)
    pixels -= pixels.mean(axis=1, keepdims=True)
    lengths = np.sqrt((pixels**2).sum(axis=1))
    varies = (lengths[:-1] > 0) & (lengths[1:] > 0)
    products = (pixels[:-1] * pixels[1:]).sum(axis=1)[varies]
    return np.asarray(products / (lengths[:-1] * lengths[1:])[varies])


def write_volume(
    path: Path, slices: UInt8[np.ndarray, "n side side"], where: dict[str, Any], description: str = DESCRIPTION
) -> None:
    """Write slices as a NIfTI volume in RAS orientation whose header says that it is synthetic.

    Args:
        path: of the file, `.nii.gz`.
        slices: in the order of their depth.
        where: as `geometry` has it.
        description: for the header, which takes 80 bytes.
    """
    x, y, z = _spacing(where)
    voxels = np.ascontiguousarray(stacked(slices, where["axis"]))
    affine = np.diag([x, y, z, 1.0])
    affine[:3, 3] = -(np.array(voxels.shape) - 1) / 2 * (x, y, z)
    image = nibabel.Nifti1Image(voxels, affine)
    image.header["descrip"] = description.encode()
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

    `synthetic.csv` lists them, `slices.csv` what each slice was told, counted from 0 along the axis. If the store is
    there, `views-real.png` shows real test volumes of the same frames. One volume at a time is held in memory.

    Returns:
        what `volumes.json` says: the mean correlation of neighbouring slices, and that of real test volumes, if the
        store is there.

    Raises:
        InputError: as `volume`, or `out` holds something else.
    """
    where, depths = geometry(generator.config), _depths(generator, wish)
    wishes = [named(generator, seed, number, wish) for number in range(count)]
    told = [generator.vocabulary.words(row) for row in wishes]
    frames = {of["frame"] for of in told} - {""} or generator.config["recipe"]["data"]["frames"]
    with replacing_sample(out) as folder:
        made, shown = _overview(_written(generator, folder, seed, wishes, where), where)
        note = f"{generator.model.name}, seed {seed}: the middle slices of volumes along three axes"
        write_synthetic_png(folder / VIEWS, shown, note)
        real, shown = _overview([] if store is None else real_volumes(store, tuple(frames)), where)
        if shown.size:
            info = PngInfo()
            info.add_text("Description", REAL)
            Image.fromarray(shown).save(folder / REAL_VIEWS, pnginfo=info)
        masks = [MASK.format(number) if generator.vocabulary.masks else "" for number in range(count)]
        rows = [(FILE.format(n), seed, n, *told[n].values(), masks[n]) for n in range(count)]
        write_synthetic_csv(folder / TABLE, LISTED, rows)
        header = ("file", "slice", *COLUMNS.values())
        write_synthetic_csv(folder / SLICES, header, _told_each(generator, seed, wishes))
        write_source(generator, folder)
        found = {
            "synthetic": "volumes of slices that were made one by one",
            "neighbour_correlation": made,
            "real_neighbour_correlation": real,
            "slices": len(depths),
            "seed": seed,
        }
        write_json(folder / "volumes.json", found)
    return found


def _written(
    generator: TrainedGenerator, folder: Path, seed: int, wishes: list[Row], where: dict[str, Any]
) -> Iterator[UInt8[np.ndarray, "n side side"]]:
    """Write a volume for each wish, with its masks if there are some, and yield its slices."""
    for number, wish in enumerate(wishes):
        slices, masks = volume(generator, seed, number, wish)
        write_volume(folder / FILE.format(number), slices, where)
        if masks is not None:
            write_volume(folder / MASK.format(number), masks.astype(np.uint8), where)
        yield slices


def _told_each(generator: TrainedGenerator, seed: int, wishes: list[Row]) -> Iterator[tuple[str | int, ...]]:
    for number, wish in enumerate(wishes):
        for place, row in enumerate(told_of(generator, seed, number, wish)):
            yield FILE.format(number), place, *generator.vocabulary.words(row).values()


def _overview(
    volumes: Iterable[UInt8[np.ndarray, "_ side side"]], where: dict[str, Any]
) -> tuple[float | None, UInt8[np.ndarray, "height width"]]:
    """Return the mean correlation of neighbouring slices, and the views of the first volumes, one below the other."""
    means: list[float] = []
    rows = [np.zeros((0, 0), np.uint8)]
    for slices in volumes:
        if len(correlations := neighbour_correlations(slices)):
            means.append(float(correlations.mean()))
        if len(rows) <= SHOWN:
            rows.append(views(slices, where))
    wide = max(row.shape[1] for row in rows)
    shown = np.concatenate([np.pad(row, ((0, 0), (0, wide - row.shape[1]))) for row in rows])
    return float(np.mean(means)) if means else None, shown
