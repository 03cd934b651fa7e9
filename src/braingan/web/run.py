"""One run: its curves, its slices growing, what it makes on request, its files."""

import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Form, Query
from fastapi.responses import FileResponse, HTMLResponse, Response
from PIL import Image

from braingan.data.conditions import Vocabulary
from braingan.errors import InputError
from braingan.folders import read_csv, read_json
from braingan.report.wording import words_of
from braingan.sampling.volume import geometry, write_volume
from braingan.training.run import read_config
from braingan.web.catalogue import Entry
from braingan.web.generation import MOST, Asked, Workshop, archive, png, uri
from braingan.web.site import Site, kept_as

THUMBNAIL = 4
BYTES = "application/octet-stream"
DOWNLOADS = ("config.json", "log.csv", "events.csv", "report.html")


class RunPages:
    """`/runs/NAME` and what lies below it."""

    def __init__(self, site: Site) -> None:
        self.site, self.router = site, APIRouter(prefix="/runs/{name}")
        for path, shows in (
            ("", self.run), ("/thumbnail.png", self.thumbnail), ("/epochs/{epoch}.png", self.grid),
            ("/files/{file}", self.download), ("/slices.zip", self.zipped), ("/slices.nii.gz", self.nifti),
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
        """Return slices as NIfTI, one above the other, without near-copies."""
        run = self._able(name).run
        where = geometry(read_config(run))
        made, refused = self.site.workshop.judged(run, asked)
        if refused is not None:
            made = made[~refused]
        if not len(made):
            raise InputError("All of these are too near to training slices: ask for another seed.")
        with tempfile.TemporaryDirectory() as folder:
            write_volume(Path(folder) / "slices.nii.gz", made, where)
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
    every, root = (*(of.run.root / name for name in DOWNLOADS), *last), of.run.root.resolve()
    return [path for path in every if path.is_file() and path.resolve().is_relative_to(root)]  # no links out of it


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
        "events": read_csv(entry.run.events), "pairs": workshop.nearest(entry.run), "can": words, "most": MOST,
        "confusion": found.get("detection", {}).get("confusion"), "own": found.get("confusion"),
        "downloads": [path.name for path in _downloads(entry)],
    }  # fmt: skip
