"""All runs, sorted and filtered, and some of them side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, HTMLResponse, Response

from braingan.errors import InputError
from braingan.folders import StudyFolder
from braingan.report.study_figures import label
from braingan.report.wording import words_of
from braingan.web.catalogue import Catalogue, Entry
from braingan.web.site import Site, kept_as

SHOWN = ("frechet_distance", "precision_other_subject", "recall_other_subject", "detector_accuracy", "copies")
MOST = 6
"""Runs side by side."""


class OverviewPages:
    """`/`, its rows, and `/compare`."""

    def __init__(self, site: Site) -> None:
        self.site, self.router = site, APIRouter()
        self.router.add_api_route("/", self.overview)
        self.router.add_api_route("/rows", self.rows)
        self.router.add_api_route("/compare", self.compare)
        self.router.add_api_route("/files/{file}", self.download)

    def overview(self, sort: str = "", down: bool = False, only: str = "") -> HTMLResponse:
        """Show all runs."""
        table = _table(self.site.catalogue, sort, down, only)
        return self.site.page(
            "overview.html", **table, fault=self.site.catalogue.fault, downloads=sorted(self._downloads())
        )

    def rows(self, sort: str = "", down: bool = False, only: str = "") -> HTMLResponse:
        """Show the rows alone, to be put in place of older ones."""
        return self.site.page("update.html", **_table(self.site.catalogue, sort, down, only))

    def download(self, file: str) -> Response:
        """Return one of the study's own files."""
        there = self._downloads()
        if file not in there:
            raise InputError(f"There is no file {file}.")
        self.site.insist_none_reads(file)
        return FileResponse(there[file], media_type="application/octet-stream", headers=kept_as(file))

    def _downloads(self) -> dict[str, Path]:
        study = StudyFolder(self.site.root)
        every = (study.report, study.table, study.latex)
        return {path.name: path for path in every if path.is_file() and not path.is_symlink()}

    def compare(self, run: Annotated[tuple[str, ...], Query()] = ()) -> HTMLResponse:
        """Show some runs side by side."""
        chosen = [self.site.catalogue.open(name) for name in run]
        if not 1 < len(chosen) <= MOST:
            raise InputError(f"Tick two to {MOST} runs to compare.")
        shop = self.site.workshop
        shown = [{"entry": of, "metrics": of.said, "losses": shop.losses(of.run, of.log)} for of in chosen]
        names = list(dict.fromkeys(name for of in chosen for name in of.said))
        return self.site.page("compare.html", runs=shown, names=[(name, words_of(name, {}).name) for name in names])


def _table(catalogue: Catalogue, sort: str, down: bool, only: str) -> dict[str, Any]:
    """Return the overview's rows, sorted and filtered."""
    every = list(catalogue.entries().values())
    words = only.lower().split()
    differ = _different(every)
    searched = {of.id: f"{of.name} {of.id} {of.state} {differ[of.id]}".lower() for of in every}
    shown = [of for of in every if all(word in searched[of.id] for word in words)]

    def key(of: Entry) -> tuple[bool, Any]:
        if sort in SHOWN:  # what is not measured comes last, either way
            return (sort not in of.metrics) != down, of.metrics.get(sort, {}).get("value", 0.0)
        return False, {"minutes": of.minutes, "images": of.images, "state": of.state}.get(sort, of.name)

    if sort:
        shown.sort(key=key, reverse=down)
    return {
        "rows": [{"entry": of, "metrics": of.said, "settings": differ[of.id]} for of in shown],
        "columns": [(name, words_of(name, {}).name) for name in SHOWN],
        "sort": sort, "down": down, "only": only, "all": len(every),
    }  # fmt: skip


def _different(every: Sequence[Entry]) -> dict[str, str]:
    """Return, by run, the settings in which runs differ; in a study their name says these already."""
    names = dict.fromkeys(name for of in every for name in of.settings)
    unlike = [name for name in names if len({of.settings[name] for of in every if name in of.settings}) > 1]
    own = {of.id: {name: of.settings[name] for name in unlike if name in of.settings} for of in every}
    return {of.id: "" if of.values or not own[of.id] else label(own[of.id]) for of in every}
