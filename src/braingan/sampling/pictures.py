"""Generated slices as picture files. Every file says of itself that it is synthetic.

A sample is made in a folder of its own and takes the place of the one that was there, whole or not at all.
"""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from jaxtyping import UInt8

from braingan.data.conditions import COLUMNS, UNTOLD, Row
from braingan.errors import InputError
from braingan.folders import SAMPLE_FILES, iterate_csv, read_csv, write_csv, write_json
from braingan.sampling.generator import TrainedGenerator
from braingan.training.run import mosaic, write_synthetic_png

SHEET = 64
TABLE, OVERVIEW = SAMPLE_FILES
LISTED: tuple[str, ...] = ("file", "seed", "number", *COLUMNS.values(), "mask")
"""Columns of the table."""
FILES = "files.csv"
DATASET, METADATA = "dataset.json", "images/metadata.csv"
CERTIFICATE, PAGE, REFUSED = "certificate.json", "certificate.html", "refused.csv"
"""What a gate says of a sample."""


@dataclass(frozen=True)
class Layout:
    """Where a sample's files lie, from a slice's number."""

    image: str
    mask: str
    inside: int
    """Grey level of lesions in a mask."""


LAYOUTS = {
    "pictures": Layout("{:06d}.png", "masks/{:06d}.png", 255),
    "imagefolder": Layout("images/{:06d}.png", "images/masks/{:06d}.png", 255),
    "nnunet": Layout("imagesTr/synthetic_{:06d}_0000.png", "labelsTr/synthetic_{:06d}.png", 1),
}
"""`imagefolder`: as Hugging Face's `datasets` reads it from `images` by its `metadata.csv`; `nnunet`: as nnU-Net
(version 2) reads a data set, where an image's name ends in its channel and labels are classes."""


def write_pictures(
    generator: TrainedGenerator, out: Path, count: int, seed: int, wish: Row = UNTOLD, layout: str = "pictures"
) -> None:
    """Write slices 0 to `count` of a seed and a wish, with lesion masks where the run makes some.

    `synthetic.csv` lists all and what each was told, `sheet.png` shows the first 64, and `source.json` holds what the
    training slices' source says of itself and its terms.

    Raises:
        InputError: `out` holds something else, or the layout is none for these slices.
    """
    check_layout(generator, layout)
    every = (image for batch in generator.slices(seed, count, wish) for image in batch)
    with replacing_sample(out) as folder:
        write_slices(generator, folder, seed, wish, enumerate(every), layout)


@contextmanager
def replacing_sample(out: Path) -> Iterator[Path]:
    """Yield a folder to write into; on success its files replace those that an earlier call made, on failure they go.

    `files.csv` lists them. Other files in such a folder stay.

    Raises:
        InputError: `out` holds something that no such call made.
    """
    out = out.resolve()
    earlier = read_csv(out / FILES)
    if (
        out.exists()
        and any(out.iterdir())
        and (not earlier or earlier[0].keys() not in ({"file"}, {"file", "synthetic"}))
    ):
        raise InputError(f"{out} is not empty: choose another --out.")
    made = out.with_name(f".{out.name}.{uuid4().hex[:12]}.tmp")
    made.mkdir(parents=True)
    try:
        yield made
        names = sorted(path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file())
        write_synthetic_csv(made / FILES, ("file",), ((name,) for name in names))
        out.mkdir(exist_ok=True)
        for path in (out / row["file"] for row in earlier):
            if path.resolve().is_relative_to(out):
                path.unlink(missing_ok=True)
        (made / FILES).replace(out / FILES)  # first, so that the next call knows these files if this one is killed now
        for name in names:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (made / name).replace(out / name)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def check_layout(generator: TrainedGenerator, layout: str) -> None:
    """Make sure that a run's slices can be laid out so.

    Raises:
        InputError: there is no such layout, or it needs masks, of which the run makes none.
    """
    if layout not in LAYOUTS:
        raise InputError(f"--layout {layout}: there are {', '.join(LAYOUTS)}.")
    if layout == "nnunet" and not generator.vocabulary.masks:
        raise InputError(
            f"--layout {layout} is of slices with masks, and {generator.run.root} makes none: train latentflow with "
            "--set model.masks=true, on a store whose training slices all have label maps."
        )


def write_slices(
    generator: TrainedGenerator,
    folder: Path,
    seed: int,
    wish: Row,
    slices: Iterable[tuple[int, UInt8[np.ndarray, "side side"]]],
    layout: str = "pictures",
) -> None:
    """Write at least one slice of a seed and a wish, each with its number, and their table, sheet and source.

    Raises:
        InputError: the layout is of slices of one frame, and these are of several.
    """
    places, channel = LAYOUTS[layout], _frame(generator, wish) if layout == "nnunet" else ""
    first: list[UInt8[np.ndarray, "side side"]] = []

    def rows() -> Iterator[tuple[str | int, ...]]:
        for number, image in slices:
            if len(first) < SHEET:
                first.append(image)
            yield _written(generator, folder, seed, number, image, wish, places)

    write_synthetic_csv(folder / TABLE, LISTED, rows())
    write_source(generator, folder)
    write_synthetic_png(folder / OVERVIEW, mosaic(np.stack(first), 8), f"seed {seed}, first {len(first)}")
    if layout == "imagefolder":
        masks = {"mask": "mask_file_name"} if generator.vocabulary.masks else {}
        columns = {"file": "file_name", **{name: name for name in LISTED[1:-1]}, **masks}
        listed = ([row[name].removeprefix("images/") for name in columns] for row in iterate_csv(folder / TABLE))
        write_synthetic_csv(folder / METADATA, tuple(columns.values()), listed)
    if layout == "nnunet":
        count = sum(1 for _ in iterate_csv(folder / TABLE))
        write_json(folder / DATASET, _dataset(generator, channel, count))


def _written(
    generator: TrainedGenerator,
    folder: Path,
    seed: int,
    number: int,
    image: UInt8[np.ndarray, "side side"],
    wish: Row,
    places: Layout,
) -> tuple[str | int, ...]:
    """Write a slice and its mask, if the run makes some, and return its row of the table."""
    made_by, mask = f"{generator.model.name}, seed {seed}, number {number}", ""
    file = places.image.format(number)
    write_synthetic_png(folder / file, image, made_by)
    if generator.vocabulary.masks:
        mask, inside = places.mask.format(number), generator.with_masks(seed, [number], wish)[1]
        assert inside is not None
        write_synthetic_png(folder / mask, inside[0] * np.uint8(places.inside), f"lesion mask, {made_by}")
    told = generator.vocabulary.words(generator.told(seed, [number], wish)[0])
    return file, seed, number, *told.values(), mask


def write_source(generator: TrainedGenerator, folder: Path) -> None:
    """Write `source.json`: what the training slices' source says of itself and its terms."""
    made_by = f"{generator.model.name}, a generator trained on slices of this source; what it makes is synthetic"
    write_json(folder / "source.json", {"made_by": made_by, **generator.config.get("source", {})})


def write_synthetic_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table, a last column of which says of each row that it is of something synthetic."""
    write_csv(path, (*header, "synthetic"), ((*row, "yes") for row in rows))


def _frame(generator: TrainedGenerator, wish: Row) -> str:
    """Return the frame that all slices are of; `MRI` where the run knows none.

    Raises:
        InputError: they are of several.
    """
    known = generator.vocabulary.frames
    wished = generator.vocabulary.words(wish)["frame"]
    if len(known) > 1 and not wished:
        raise InputError(f"--layout nnunet has one frame a channel: choose one of {', '.join(known)} by --frame.")
    return wished or next(iter(known), "MRI")


def _dataset(generator: TrainedGenerator, frame: str, count: int) -> dict[str, Any]:
    """Return what nnU-Net is to know of the files."""
    return {
        "channel_names": {"0": frame},
        "labels": {"background": 0, "lesion": 1},
        "numTraining": count,
        "file_ending": ".png",
        "description": f"synthetic brain MRI, made by braingan: {generator.model.name}; not for clinical use",
    }
