"""One run: its curves, its slices growing, what it makes on request, its files."""

import tempfile
from collections.abc import Mapping
from contextlib import suppress
from math import ceil, floor, log10
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Form, Query
from fastapi.responses import FileResponse, HTMLResponse, Response
from PIL import Image

from braingan.data.conditions import Vocabulary
from braingan.errors import InputError
from braingan.folders import read_json
from braingan.report.wording import words_of
from braingan.sampling.volume import geometry, write_volume
from braingan.training.run import read_config
from braingan.web.catalogue import Entry
from braingan.web.generation import MOST, NONE_YET, Asked, Workshop, archive, png, uri
from braingan.web.site import Site, kept_as

THUMBNAIL = 4
DESCRIPTION = 80
"""Bytes that NIfTI has for one."""
BYTES = "application/octet-stream"
DOWNLOADS = ("config.json", "log.csv", "events.csv", "report.html")


class RunPages:
    """`/runs/NAME` and what lies below it."""

    def __init__(self, site: Site) -> None:
        self.site, self.router = site, APIRouter(prefix="/runs/{name}")
        for path, shows in (
            ("", self.run), ("/thumbnail.png", self.thumbnail), ("/epochs/{epoch}.png", self.grid),
            ("/files/{file}", self.download), ("/slices.zip", self.zipped), ("/slices.nii.gz", self.nifti),
            ("/first", self.first), ("/nearest", self.nearest),
        ):  # fmt: skip
            self.router.add_api_route(path, shows)
        self.router.add_api_route("/slices", self.slices, methods=["POST"])

    def run(self, name: str) -> HTMLResponse:
        """Show a run."""
        entry = self.site.catalogue.open(name)
        if entry.snapshot is not None:
            with suppress(InputError):
                self.site.workshop.begin_gate(entry.run)  # until someone has filled in the form
        return self.site.page("run.html", **_run(entry, self.site.workshop))

    def thumbnail(self, name: str) -> Response:
        """Return its first slices, small."""
        return Response(_thumbnail(self.site.catalogue.open(name)), media_type="image/png")

    def grid(self, name: str, epoch: int) -> Response:
        """Return the grid of an epoch."""
        path = self.site.catalogue.open(name).grids.get(epoch)
        if path is None:
            raise InputError(f"There is no grid of epoch {epoch}.")
        return Response(path.read_bytes(), media_type="image/png")

    def first(self, name: str) -> HTMLResponse:
        """Make its first slices, for a page that is there already."""
        entry = self.site.catalogue.open(name)
        of = {"first": "", "said": NONE_YET} if entry.snapshot is None else self.site.workshop.first(entry.run)
        return self.site.page("first.html", of=of, name=entry.name)

    def nearest(self, name: str) -> HTMLResponse:
        """Make its slices that are nearest to training slices, for a page that is there already."""
        pairs, said = self.site.workshop.nearest(self._able(name).run)
        return self.site.page("nearest.html", pairs=pairs, said=said)

    def download(self, name: str, file: str) -> Response:
        """Return one of its files."""
        entry = self.site.catalogue.open(name)
        there = {path.name: path for path in _downloads(entry)}
        if file not in there:
            raise InputError(f"There is no file {file}.")
        self.site.insist_none_reads(file)
        return FileResponse(there[file], media_type=BYTES, headers=kept_as(f"{name}-{file}"))

    def _able(self, name: str) -> Entry:
        entry = self.site.catalogue.open(name)
        if entry.snapshot is None:
            raise InputError(f"{entry.name} has no weights that can be read.")
        return entry

    def slices(self, name: str, asked: Annotated[Asked, Form()]) -> HTMLResponse:
        """Make slices and show them, near-copies marked."""
        entry = self._able(name)
        made, refused = self.site.workshop.judged(entry.run, asked)
        pictures = [
            {"number": n, "png": uri(pixels), "refused": refused is not None and bool(refused[n])}
            for n, pixels in enumerate(made)
        ]
        return self.site.page(
            "slices.html", pictures=pictures, entry=entry, gated=refused is not None, asked=asked,
            spaced=_has_spacing(entry),
        )  # fmt: skip

    def zipped(self, name: str, asked: Annotated[Asked, Query()]) -> Response:
        """Return slices as PNG files, near-copies named so."""
        made, refused = self.site.workshop.judged(self._able(name).run, asked)
        headers = kept_as(f"synthetic-{name}-{asked.seed}.zip")
        return Response(archive(made, refused, asked, name), media_type=BYTES, headers=headers)

    def nifti(self, name: str, asked: Annotated[Asked, Query()]) -> Response:
        """Return slices as NIfTI, one above the other, without near-copies; the header says that they are no volume."""
        run = self._able(name).run
        where = geometry(read_config(run))
        made, refused = self.site.workshop.judged(run, asked)
        if refused is not None:
            made = made[~refused]
        if not len(made):
            raise InputError("All of these are too near to training slices: ask for another seed.")
        end = f" seed {asked.seed}{' walk' if asked.walk else ''}"
        said = f"synthetic, separate slices, {name}".encode()[: DESCRIPTION - len(end)].decode(errors="ignore") + end
        with tempfile.TemporaryDirectory() as folder:
            write_volume(Path(folder) / "slices.nii.gz", made, where, said)
            content = (Path(folder) / "slices.nii.gz").read_bytes()
        headers = kept_as(f"synthetic-{name}-{asked.seed}.nii.gz")
        return Response(content, media_type=BYTES, headers=headers)


def _has_spacing(of: Entry) -> bool:
    """Whether slices can be had as NIfTI."""
    try:
        return bool(geometry(read_config(of.run)))
    except InputError:
        return False


def _downloads(of: Entry) -> list[Path]:
    last = [of.snapshot.metrics, of.snapshot.weights("generator")] if of.snapshot is not None else []
    return of.own((*(of.run.root / name for name in DOWNLOADS), *last))


def _sliders(words: Vocabulary | None) -> dict[str, dict[str, str]]:
    bounds = {} if words is None else {"depth": words.depth, "lesion": words.lesion}
    return {name: slider(*of) for name, of in bounds.items() if of}


def slider(low: float, high: float) -> dict[str, str]:
    """Return a range input's `min`, `max` and `step` in round numbers within the bounds, some hundred steps.

    Nothing where there is no room for one.
    """
    if not high > low:
        return {}
    digits = 1 - floor(log10((high - low) / 5))
    step = 10.0**-digits
    least, most = ceil(round(low / step, 6)) * step, floor(round(high / step, 6)) * step
    names = {"min": least, "max": most, "step": step}
    return {name: f"{value:.{max(digits, 0)}f}" for name, value in names.items()}


def _thumbnail(of: Entry) -> bytes:
    """Return the first slices of a run's last grid, two rows of four, at half their size.

    Raises:
        InputError: there is no grid yet.
    """
    if not of.grids:
        raise InputError(f"{of.name} has no slices yet.")
    with Image.open(of.grids[max(of.grids)]) as grid:
        side = grid.width // 8
        cut = grid.crop((0, 0, THUMBNAIL * side, min(THUMBNAIL // 2 * side, grid.height)))
        return png(np.asarray(cut.resize((cut.width // 2, cut.height // 2), Image.Resampling.BOX)))


def _run(entry: Entry, workshop: Workshop) -> dict[str, Any]:
    """Return what a run's page shows."""
    found: Mapping[str, Any] = {}
    if entry.snapshot is not None and entry.snapshot.metrics.exists():
        found = read_json(entry.snapshot.metrics)
    words = Vocabulary.from_json(read_config(entry.run).get("vocabulary", {})) if entry.snapshot is not None else None
    return {
        "entry": entry, "metrics": entry.said, "names": [(n, words_of(n, {}).name) for n in entry.said],
        "losses": workshop.losses(entry.run, entry.log), "epochs": sorted(entry.grids),
        "events": entry.events, "near": bool(found.get("memorisation")), "can": words, "most": MOST,
        "sliders": _sliders(words),
        "confusion": found.get("detection", {}).get("confusion"), "own": found.get("confusion"),
        "downloads": [path.name for path in _downloads(entry)],
    }  # fmt: skip
