"""The pages of the blind reading test."""

import csv
import io
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from braingan.errors import InputError
from braingan.evaluation.material import open_store_of
from braingan.study.reading import Answer, scores
from braingan.web.generation import png, uri
from braingan.web.site import Site


class ReadingPages:
    """`/readings` and what lies below it. No address, header or length tells real from generated."""

    def __init__(self, site: Site) -> None:
        self.site, self.router = site, APIRouter(prefix="/readings")
        self.router.add_api_route("", self.all_readings)
        self.router.add_api_route("", self.make_reading, methods=["POST"])
        for path, shows in (
            ("/{name}", self.reading), ("/{name}/{at}.png", self.read_slice), ("/{name}/results", self.results),
            ("/{name}/answers.csv", self.answers_csv),
        ):  # fmt: skip
            self.router.add_api_route(path, shows)
        self.router.add_api_route("/{name}/answers", self.answer, methods=["POST"])

    def all_readings(self) -> HTMLResponse:
        """Show all series, and the form for a new one."""
        able = [entry for entry in self.site.catalogue.entries().values() if entry.snapshot is not None]
        listed = [
            {"id": of.id, "title": of.description["title"], "count": len(of.truth),
             "readers": sorted({answer.reader for answer in self.site.readings.answers(of)})}
            for of in self.site.readings.series()
        ]  # fmt: skip
        return self.site.page("readings.html", series=listed, runs=able)

    def make_reading(
        self,
        title: Annotated[str, Form()],
        run: Annotated[list[str], Form()] = [],  # noqa: B006
        count: Annotated[int, Form()] = 20,
        seed: Annotated[int, Form()] = 0,
    ) -> Response:
        """Make a series."""
        chosen = [self.site.catalogue.open(name) for name in run]
        if not chosen:
            raise InputError("Choose at least one run whose slices are to be read.")
        with self.site.workshop.turn():
            generators = {entry.id: self.site.workshop.generator(entry.run) for entry in chosen}
            made = self.site.readings.make(title, generators, open_store_of(chosen[0].run, None), count, seed)
        return RedirectResponse(f"/readings/{made.id}", 303)

    def reading(self, name: str, reader: str = "") -> HTMLResponse:
        """Ask for a name, or show the next slice."""
        series = self.site.readings.open(name)
        shown = {"id": series.id, "name": series.description["title"], "count": len(series.truth)}
        if not reader:
            return self.site.page("reader.html", **shown)
        at = self.site.readings.next_of(series, reader)
        return self.site.page("reading.html", **shown, reader=reader, number=at)

    def read_slice(self, name: str, at: int) -> Response:
        """Return a slice; all have one length."""
        series = self.site.readings.open(name)
        if not 0 <= at < len(series.truth):
            raise InputError("There is no such slice.")
        return Response(png(series.slice(at), "", 0), media_type="image/png")

    def answer(
        self,
        name: str,
        reader: Annotated[str, Form()],
        number: Annotated[int, Form()],
        real: Annotated[bool, Form()],
        confidence: Annotated[int, Form()],
        seconds: Annotated[float, Form()] = 0.0,
    ) -> Response:
        """Keep an answer, and go on."""
        series = self.site.readings.open(name)
        self.site.readings.answer(series, Answer(reader, number, real, confidence, seconds))
        return RedirectResponse(f"/readings/{series.id}?reader={reader}", 303)

    def results(self, name: str, reader: str = "") -> HTMLResponse:
        """Show what the answers amount to."""
        series = self.site.readings.open(name)
        answers = self.site.readings.answers(series, reader or None)
        if reader and self.site.readings.next_of(series, reader) is not None:
            raise InputError("The results are shown once all slices of the series are answered.")
        found = scores(series.truth, answers)
        fooled = [of | {"png": uri(series.slice(of["number"]))} for of in found["fooled"]]
        return self.site.page(
            "results.html", id=series.id, name=series.description["title"], reader=reader, of=found | {"fooled": fooled}
        )

    def answers_csv(self, name: str) -> Response:
        """Return all answers."""
        series, text = self.site.readings.open(name), io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("reader", "number", "truth", "taken_for", "confidence", "seconds"))
        for of in self.site.readings.answers(series):
            taken = "real" if of.real else "generated"
            writer.writerow((of.reader, of.number, series.truth[of.number], taken, of.confidence, of.seconds))
        kept = {"Content-Disposition": f'attachment; filename="{series.id}.csv"'}
        return Response(text.getvalue(), media_type="text/csv", headers=kept)
