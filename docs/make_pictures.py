"""Make the README's pictures, all from phantoms:  python docs/make_pictures.py DEMO

DEMO is a folder that `braingan demo` made. The report's picture needs Chromium.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from braingan.data.phantom.subject import FRAMES, make_phantom
from braingan.data.slices import Square, above_black, cut, grey_scale, resample, to_grey
from braingan.folders import RunFolder, replacing
from braingan.training.run import mosaic

PICTURES = Path(__file__).with_name("pictures")
SUBJECTS, SIDE, EDGE_MM = 6, 150, 190.0
STEPS, LATENTS = 5, 8


def phantoms():
    """A row a frame, a column a subject: the slice with the largest lesion, or the middle one of the healthy."""
    rows = [[] for _ in FRAMES]
    for number in range(SUBJECTS):
        phantom = make_phantom(0, number, lesions=0.6)
        areas = (phantom.labels[:, :, 50:110] > 0).sum(axis=(0, 1))
        position = 50 + int(areas.argmax()) if areas.any() else 85
        for frame, row in enumerate(rows):
            voxels = phantom.voxels[..., frame]
            scale = grey_scale(voxels, (0.5, 99.5))
            above = above_black(cut(voxels, "axial")[position : position + 1], scale)
            row.append(to_grey(resample(above, (1.0, 1.0), Square(EDGE_MM), SIDE), scale)[0])
    return mosaic(np.array([image for row in rows for image in row]), SUBJECTS)


def growth(run):
    """A row an epoch, a column a latent."""
    grids = sorted(run.samples.glob("epoch-*.png"))
    chosen = sorted(set(np.geomspace(1, len(grids), STEPS).round().astype(int) - 1))
    rows = [np.asarray(Image.open(grids[i])) for i in chosen]
    side = rows[0].shape[1] // 8
    return np.vstack([row[:side, : LATENTS * side] for row in rows])


def screenshot(page, picture):
    """The upper part of a page, as a browser shows it."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        sys.exit(
            "The report's picture needs Chromium: install it (Debian: apt-get install chromium) and run this again."
        )
    with tempfile.TemporaryDirectory() as profile, replacing(picture) as temporary:
        raw = Path(profile) / "raw.png"
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
        size, where = "--window-size=1120,1500", f"--user-data-dir={profile}"
        subprocess.run(
            [browser, *flags, size, where, f"--screenshot={raw}", page.resolve().as_uri()],
            check=True,
            capture_output=True,
        )
        Image.open(raw).convert("P", palette=Image.Palette.ADAPTIVE, colors=64).save(temporary, "PNG", optimize=True)


def main(demo):
    """Write all pictures."""
    run = RunFolder(Path(demo) / "run")
    for name, pixels in (("phantoms", phantoms()), ("growth", growth(run))):
        with replacing(PICTURES / f"{name}.png") as temporary:
            Image.fromarray(pixels).save(temporary, "PNG", optimize=True)
    screenshot(run.report, PICTURES / "report.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
