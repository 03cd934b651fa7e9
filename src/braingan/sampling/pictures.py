"""Generated slices as picture files. Every file says of itself that it is synthetic."""

from pathlib import Path

from braingan.errors import InputError
from braingan.folders import read_csv, write_csv, write_json
from braingan.sampling.generator import TrainedGenerator
from braingan.training.run import mosaic, write_synthetic_png

SHEET = 64


def write_pictures(generator: TrainedGenerator, out: Path, count: int, seed: int) -> None:
    """Write slices 0 to `count` of a seed as `<number>.png`, and `sheet.png` of the first 64.

    `synthetic.csv` lists them; `source.json` holds what the training slices' source says of itself and its terms.

    Raises:
        InputError: `out` holds something else.
    """
    table = out / "synthetic.csv"
    if out.exists() and not table.exists() and any(out.iterdir()):
        raise InputError(f"{out} is not empty: choose another --out.")
    for stale in read_csv(table):
        (out / stale["file"]).unlink(missing_ok=True)
    write_csv(table, ("file", "seed", "number"), ((f"{n:06d}.png", seed, n) for n in range(count)))
    made_by = f"{generator.model.name}, a generator trained on slices of this source"
    write_json(out / "source.json", {"made_by": made_by, **generator.config.get("source", {})})
    written = 0
    for batch in generator.slices(seed, count):
        for image in batch:
            note = f"{generator.model.name}, seed {seed}, number {written}"
            write_synthetic_png(out / f"{written:06d}.png", image, note)
            written += 1
    shown = min(count, SHEET)
    write_synthetic_png(out / "sheet.png", mosaic(generator.sample(shown, seed), 8), f"seed {seed}, first {shown}")
