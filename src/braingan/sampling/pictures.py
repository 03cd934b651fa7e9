"""Generated slices as picture files. Every file says of itself that it is synthetic.

A sample is made in a folder of its own and takes the place of the one that was there, whole or not at all.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from braingan.errors import InputError
from braingan.folders import read_csv, write_csv, write_json
from braingan.sampling.generator import TrainedGenerator
from braingan.training.run import mosaic, write_synthetic_png

SHEET = 64
TABLE = "synthetic.csv"
CERTIFICATE, PAGE, REFUSED = "certificate.json", "certificate.html", "refused.csv"
"""What a gate says of a sample; a sample made without one must not keep another's."""


def write_pictures(generator: TrainedGenerator, out: Path, count: int, seed: int) -> None:
    """Write slices 0 to `count` of a seed as `<number>.png`, and `sheet.png` of the first 64.

    `synthetic.csv` lists them; `source.json` holds what the training slices' source says of itself and its terms.

    Raises:
        InputError: `out` holds something else.
    """
    every = (image for batch in generator.slices(seed, count) for image in batch)
    with replacing_sample(out) as folder:
        write_slices(generator, folder, seed, enumerate(every))


@contextmanager
def replacing_sample(out: Path) -> Iterator[Path]:
    """Yield a folder to write a sample into; on success its files replace the sample in `out`, on failure they go.

    Other files in a folder that holds a sample stay.

    Raises:
        InputError: `out` holds no sample but something else.
    """
    out = out.resolve()
    if out.exists() and not (out / TABLE).exists() and any(out.iterdir()):
        raise InputError(f"{out} is not empty: choose another --out.")
    made = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    made.mkdir(parents=True)
    try:
        yield made
        out.mkdir(exist_ok=True)
        for name in (*(row["file"] for row in read_csv(out / TABLE)), CERTIFICATE, PAGE, REFUSED):
            (out / name).unlink(missing_ok=True)
        (made / TABLE).replace(out / TABLE)  # first, so that the next call knows these files if this one is killed now
        for path in made.iterdir():
            path.replace(out / path.name)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def write_slices(
    generator: TrainedGenerator, folder: Path, seed: int, slices: Iterable[tuple[int, UInt8[np.ndarray, "side side"]]]
) -> None:
    """Write at least one slice of a seed, each with its number, and their table, sheet and source."""
    rows: list[tuple[str, int, int]] = []
    first: list[UInt8[np.ndarray, "side side"]] = []
    for number, image in slices:
        write_synthetic_png(
            folder / f"{number:06d}.png", image, f"{generator.model.name}, seed {seed}, number {number}"
        )
        rows.append((f"{number:06d}.png", seed, number))
        if len(first) < SHEET:
            first.append(image)
    write_csv(folder / TABLE, ("file", "seed", "number"), rows)
    made_by = f"{generator.model.name}, a generator trained on slices of this source"
    write_json(folder / "source.json", {"made_by": made_by, **generator.config.get("source", {})})
    write_synthetic_png(folder / "sheet.png", mosaic(np.stack(first), 8), f"seed {seed}, first {len(first)}")
