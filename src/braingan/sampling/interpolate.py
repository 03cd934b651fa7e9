"""Slices along a way: from one latent to another, or through a condition at one latent.

From latent a to latent b the way is the quarter of a circle (Shoemake, Animating rotation, 1985),

    z(s) = cos(πs/2) a + sin(πs/2) b,    s from 0 to 1

on which every point is again a standard normal latent, where on the straight line those in the middle would be too
short. Depth and lesion area go straight from a's to b's where both are known; frame and label, which have nothing
between them, stay a's. Nowhere is a lesion larger than any of the training slices' at that depth. The correlation of
each slice with the next says how smoothly anatomy moves.
"""

import math
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from braingan.data.conditions import COLUMNS, CONDITIONS, NAMES, UNTOLD, Row, Rows
from braingan.errors import InputError
from braingan.sampling.generator import TrainedGenerator
from braingan.sampling.pictures import replacing_sample, write_source, write_synthetic_csv
from braingan.sampling.volume import neighbour_correlations
from braingan.training.run import mosaic, write_synthetic_png

Along = Literal["latents", "frame", "label", "depth", "lesion"]
ALONG: tuple[Along, ...] = get_args(Along)
STRIP, MOVIE, TABLE = "strip.png", "interpolation.gif", "interpolation.csv"
FRAME_MS = 120
UNRELATED = 16
"""Slices of different latents, to compare a way's smoothness with."""


def way(
    generator: TrainedGenerator, along: Along, count: int, seed: int = 0, wish: Row = UNTOLD
) -> tuple[Float[Tensor, "n latent"], Rows]:
    """Return latents and conditions along a way, for `TrainedGenerator.make`.

    Args:
        generator: of a run.
        along: between the latents number 0 and 1 of a seed, or a condition at number 0: through all that the run knows.
        count: slices, at least two; of frames and labels there are as many as the run knows.
        seed: of the latents.
        wish: what stays.

    Raises:
        InputError: the run was not told that condition, or the wish fixes it.
    """
    z = generator.latents(seed, (0, 1))
    first, last = generator.told(seed, (0, 1), wish)
    share = np.linspace(0, 1, count)
    if along == "latents":
        angle = torch.from_numpy(share).float()[:, None] * (math.pi / 2)
        rows = np.tile(first, (count, 1))
        rows[:, NAMES:] = first[NAMES:] + share[:, None] * np.nan_to_num(last - first)[NAMES:]
        return angle.cos() * z[:1] + angle.sin() * z[1:], generator.vocabulary.shrunk(rows)
    column = CONDITIONS.index(along)
    if not np.isnan(wish[column]):
        raise InputError(f"--interpolate {along} goes through all of it: leave out --{along}.")
    values = _values(generator, along, share, first)
    rows = np.tile(first, (len(values), 1))
    rows[:, column] = values
    return z[:1].expand(len(values), -1), generator.vocabulary.shrunk(rows)


def _values(
    generator: TrainedGenerator, along: Along, share: Float[np.ndarray, " n"], first: Row
) -> Float[np.ndarray, " m"]:
    words, depth = generator.vocabulary, first[CONDITIONS.index("depth")]
    names = {"frame": words.frames, "label": words.labels}.get(along, ())
    if names:
        return np.arange(float(len(names)))
    extent = {"depth": words.depth, "lesion": words.lesions(None if np.isnan(depth) else float(depth))}.get(along)
    if extent is None:
        raise InputError(f"--interpolate {along}: this run was not told its slices' {along}; there is latents.")
    return extent[0] + share * (extent[1] - extent[0])


def write_interpolation(
    generator: TrainedGenerator, out: Path, along: Along, count: int, seed: int, wish: Row = UNTOLD
) -> dict[str, Any]:
    """Write the slices along a way as `strip.png` and, there and back, as `interpolation.gif`.

    `interpolation.csv` says what each was told.

    Returns:
        how many `slices` there are, and of the correlations of one with the next the mean, `neighbour_correlation`,
        and the least, `least_correlation`; beside them `unrelated_correlation`, the mean of slices of different latents
        that are told the same as each other. None where no two vary.

    Raises:
        InputError: as `way`, or `out` holds something else.
    """
    z, rows = way(generator, along, count, seed, wish)
    images = generator.make(z, rows)[:, 0]
    note = f"{generator.model.name}, seed {seed}, along {along}"
    first, *others = [Image.fromarray(image) for image in (*images, *images[-2:0:-1])]
    told = [(number, *generator.vocabulary.words(row).values()) for number, row in enumerate(rows)]
    with replacing_sample(out) as folder:
        write_synthetic_png(folder / STRIP, mosaic(images, len(images)), note)
        first.save(
            folder / MOVIE, format="GIF", save_all=True, append_images=others, duration=FRAME_MS, loop=0,
            comment=f"synthetic brain MRI, made by braingan: {note}".encode(),
        )  # fmt: skip
        write_synthetic_csv(folder / TABLE, ("number", *COLUMNS.values()), told)
        write_source(generator, folder)
    found = neighbour_correlations(images)
    latents = generator.latents(seed, range(UNRELATED))
    unrelated = neighbour_correlations(generator.make(latents, np.tile(rows[0], (UNRELATED, 1)))[:, 0])
    return {
        "slices": len(images),
        "neighbour_correlation": float(found.mean()) if len(found) else None,
        "least_correlation": float(found.min()) if len(found) else None,
        "unrelated_correlation": float(unrelated.mean()) if len(unrelated) else None,
    }
