"""One run: its curves, its slices growing, what it makes on request, its files."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, Response
from PIL import Image

from braingan.data.conditions import Row
from braingan.errors import InputError
from braingan.evaluation.material import open_store_of
from braingan.folders import read_csv, read_json
from braingan.report.figures import loss_curves
from braingan.report.pictures import pairs
from braingan.sampling.volume import geometry, write_volume
from braingan.web.catalogue import Entry
from braingan.web.generation import MOST, Workshop, archive, facts, png, uri
from braingan.web.site import Site, metrics_of, name_of

THUMBNAIL = 4
DOWNLOADS = ("config.json", "log.csv", "events.csv", "report.html")
CHANCE = 2 * float(np.log(2))


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
        self.router.add_api_route("/walk", self.walk, methods=["POST"])

    def run(self, name: str) -> HTMLResponse:
        """Show a run."""
        return self.site.page("run.html", **_run(self.site.catalogue.open(name), self.site.workshop))

    def thumbnail(self, name: str) -> Response:
        """Return its first slices, small."""
        return Response(_thumbnail(self.site.catalogue.open(name)), media_type="image/png")

    def grid(self, name: str, epoch: int) -> Response:
        """Return the grid of an epoch."""
        path = _grids(self.site.catalogue.open(name)).get(epoch)
        if path is None:
            raise InputError(f"There is no grid of epoch {epoch}.")
        return Response(path.read_bytes(), media_type="image/png")

    def download(self, name: str, file: str) -> Response:
        """Return one of its files."""
        entry = self.site.catalogue.open(name)
        there = {path.name: path for path in _downloads(entry)}
        if file not in there:
            raise InputError(f"There is no file {file}.")
        kept = {"Content-Disposition": f'attachment; filename="{name}-{file}"'}
        return Response(there[file].read_bytes(), media_type="application/octet-stream", headers=kept)

    def _wished(self, entry: Entry, frame: str, label: str, depth: str, lesion: str) -> Row:
        """Return what a form wishes for."""
        return self.site.workshop.generator(entry.run).wish(
            frame or None, label or None, float(depth) if depth else None, float(lesion) if lesion else None
        )

    def slices(
        self,
        name: str,
        count: Annotated[int, Form()] = 16,
        seed: Annotated[int, Form()] = 0,
        frame: Annotated[str, Form()] = "",
        label: Annotated[str, Form()] = "",
        depth: Annotated[str, Form()] = "",
        lesion: Annotated[str, Form()] = "",
    ) -> HTMLResponse:
        """Make slices and show them, near-copies marked."""
        entry = self.site.catalogue.open(name)
        wish = self._wished(entry, frame, label, depth, lesion)
        made = self.site.workshop.slices(entry.run, count, seed, wish)
        gate = self.site.workshop.gate(entry.run)
        refused = gate.refuses(gate.nearest(made)) if gate is not None else np.zeros(len(made), bool)
        pictures = [{"number": n, "png": uri(pixels), "refused": bool(refused[n])} for n, pixels in enumerate(made)]
        asked = {"count": count, "seed": seed, "frame": frame, "label": label, "depth": depth, "lesion": lesion}
        return self.site.page("slices.html", pictures=pictures, entry=entry, gated=gate is not None, asked=asked)

    def zipped(
        self,
        name: str,
        count: int = 16,
        seed: int = 0,
        frame: str = "",
        label: str = "",
        depth: str = "",
        lesion: str = "",
    ) -> Response:
        """Return slices as PNG files."""
        entry = self.site.catalogue.open(name)
        made = self.site.workshop.slices(entry.run, count, seed, self._wished(entry, frame, label, depth, lesion))
        kept = {"Content-Disposition": f'attachment; filename="synthetic-{name}-{seed}.zip"'}
        return Response(archive(made, seed, name), media_type="application/zip", headers=kept)

    def nifti(
        self,
        name: str,
        count: int = 16,
        seed: int = 0,
        frame: str = "",
        label: str = "",
        depth: str = "",
        lesion: str = "",
    ) -> Response:
        """Return slices as NIfTI."""
        entry = self.site.catalogue.open(name)
        made = self.site.workshop.slices(entry.run, count, seed, self._wished(entry, frame, label, depth, lesion))
        kept = {"Content-Disposition": f'attachment; filename="synthetic-{name}-{seed}.nii.gz"'}
        return Response(_nifti(self.site.workshop, entry, made), media_type="application/gzip", headers=kept)

    def walk(
        self,
        name: str,
        seed: Annotated[int, Form()] = 0,
        frame: Annotated[str, Form()] = "",
        label: Annotated[str, Form()] = "",
        depth: Annotated[str, Form()] = "",
        lesion: Annotated[str, Form()] = "",
    ) -> HTMLResponse:
        """Show slices on the way between two latents."""
        entry = self.site.catalogue.open(name)
        made = self.site.workshop.walk(entry.run, seed, self._wished(entry, frame, label, depth, lesion))
        return self.site.page("walk.html", pictures=[uri(pixels) for pixels in made], seed=seed)


def losses_of(of: Entry) -> str:
    """Draw a run's losses; nothing before its first epoch has ended."""
    return loss_curves(of.log, CHANCE) if of.log else ""


def _grids(of: Entry) -> dict[int, Path]:
    """Return the grids that training kept, by epoch."""
    found = sorted(of.run.samples.glob("epoch-*.png"))
    return {int(path.stem[6:]): path for path in found if path.stem[6:].isdigit()}


def _downloads(of: Entry) -> list[Path]:
    metrics = [of.snapshot.metrics] if of.snapshot is not None else []
    return [path for path in (*(of.run.root / name for name in DOWNLOADS), *metrics) if path.is_file()]


def _thumbnail(of: Entry) -> bytes:
    """Return the first slices of a run's last grid, at half their size."""
    grids = _grids(of)
    if not grids:
        return png(np.zeros((1, 1), np.uint8), "")
    with Image.open(grids[max(grids)]) as grid:
        side = grid.width // 8
        cut = grid.crop((0, 0, THUMBNAIL * side, min(side, grid.height)))
        return png(np.asarray(cut.resize((cut.width // 2, cut.height // 2), Image.Resampling.BOX)))


def _run(entry: Entry, workshop: Workshop) -> dict[str, Any]:
    """Return what a run's page shows."""
    grids = _grids(entry)
    found: Mapping[str, Any] = {}
    if entry.snapshot is not None and entry.snapshot.metrics.exists():
        found = read_json(entry.snapshot.metrics)
    nearest: list[Any] = []
    if found.get("memorisation"):
        try:
            nearest = pairs(found["memorisation"], workshop.generator(entry.run), open_store_of(entry.run, None))
        except InputError:
            nearest = []
    return {
        "entry": entry, "metrics": metrics_of(entry), "names": [(n, name_of(n)) for n in entry.metrics if "@" not in n],
        "losses": losses_of(entry), "epochs": sorted(grids), "events": read_csv(entry.run.events),
        "pairs": nearest, "confusion": found.get("detection", {}).get("confusion"), "own": found.get("confusion"),
        "downloads": [path.name for path in _downloads(entry)], "most": MOST,
        "can": facts(workshop.generator(entry.run)) if entry.snapshot is not None else None,
    }  # fmt: skip


def _nifti(workshop: Workshop, entry: Entry, made: np.ndarray) -> bytes:
    """Return slices as a NIfTI file, one above the other."""

    with tempfile.TemporaryDirectory() as folder:
        write_volume(Path(folder) / "slices.nii.gz", made, geometry(workshop.generator(entry.run)))
        return (Path(folder) / "slices.nii.gz").read_bytes()
