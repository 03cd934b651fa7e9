"""The pages of the blind reading test."""

import csv
import io
from collections import Counter
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BeforeValidator

from braingan.errors import InputError
from braingan.evaluation.material import open_store_of
from braingan.study.reading import MOST_RUNS, REAL, Answer, name_of_reader, share_of
from braingan.study.reading_scores import scores
from braingan.web.generation import NOTE, png, uri
from braingan.web.site import Site, kept_as


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
        self.router.add_api_route("/{name}/end", self.end, methods=["POST"])

    def all_readings(self) -> HTMLResponse:
        """Show all series, and the form for a new one."""
        able = [entry for entry in self.site.catalogue.entries().values() if entry.snapshot is not None]
        listed = [
            {"id": of.id, "title": of.description["title"], "count": len(of.truth), "ended": of.ended,
             "readers": sorted({answer.reader for answer in self.site.readings.answers(of)})}
            for of in self.site.readings.series()
        ]  # fmt: skip
        damaged = self.site.readings.damaged()
        return self.site.page("readings.html", series=listed, damaged=damaged, runs=able, most=MOST_RUNS)

    def make_reading(
        self,
        title: Annotated[str, Form()],
        run: Annotated[list[str], Form()] = [],  # noqa: B006
        count: Annotated[int, Form()] = 20,
        seed: Annotated[int | None, Form(ge=0, lt=2**32), BeforeValidator(lambda given: given or None)] = None,
    ) -> Response:
        """Make a series; without a seed, of one that nobody knows."""
        chosen = [self.site.catalogue.open(name) for name in run]
        if not chosen:
            raise InputError("Choose at least one run whose slices are to be read.")
        share_of(count, len(chosen))  # before a hundred runs are opened in vain
        with self.site.workshop.turn() as end:
            generators = {entry.id: self.site.workshop.generator(entry.run) for entry in chosen}
            made = self.site.readings.make(title, generators, open_store_of(chosen[0].run, None), count, seed, end)
        return RedirectResponse(f"/readings/{made.id}", 303)

    def reading(self, name: str, reader: str = "") -> HTMLResponse:
        """Ask for a name, or show the next slice."""
        series = self.site.readings.open(name)
        shown = {"id": series.id, "name": series.description["title"], "count": len(series.truth)}
        if not reader:
            return self.site.page("reader.html", **shown, reader="", said="")
        try:
            reader = name_of_reader(reader)
        except InputError as error:
            return self.site.page("reader.html", 422, **shown, reader=reader, said=str(error))
        at = None if series.ended else self.site.readings.next_of(series, reader)
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
        seconds: Annotated[float, Form(ge=0, le=86400, allow_inf_nan=False)] = 0.0,
    ) -> Response:
        """Keep an answer, and go on."""
        series, reader = self.site.readings.open(name), name_of_reader(reader)
        self.site.readings.answer(series, Answer(reader, number, real, confidence, seconds))
        return RedirectResponse(f"/readings/{quote(series.id)}?reader={quote(reader)}", 303)

    def end(self, name: str, sure: Annotated[bool, Form()] = False) -> Response:
        """Take no more answers to a series, and show what they amount to."""
        series = self.site.readings.open(name)
        if not sure:
            raise InputError(f"Tick that nobody is to answer {series.description['title']} any more, and end it then.")
        series.end()
        return RedirectResponse(f"/readings/{quote(series.id)}/results", 303)

    def results(self, name: str) -> HTMLResponse:
        """Show what the answers amount to, once the series is ended: before that they would be a key to it."""
        series = self.site.readings.open(name)
        answers, shown = self.site.readings.answers(series), {"id": series.id, "name": series.description["title"]}
        if not series.ended:
            done, count = sorted(Counter(answer.reader for answer in answers).items()), len(series.truth)
            missing = [reader for reader, number in done if number < count]
            return self.site.page("open.html", **shown, count=count, readers=done, missing=missing)
        found = scores(self.site.readings.key_to(series), answers)
        fooled = [
            of | {"png": uri(series.slice(of["number"]), "" if of["made_by"] == REAL else NOTE)}
            for of in found["fooled"]
        ]
        names = {entry.id: entry.name for entry in self.site.catalogue.entries().values()}
        return self.site.page("results.html", **shown, of=found | {"fooled": fooled}, names=names)

    def answers_csv(self, name: str) -> Response:
        """Return all answers, once the series is ended."""
        series, text = self.site.readings.open(name), io.StringIO()
        truth = self.site.readings.key_to(series)
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("reader", "slice", "truth", "taken_for", "confidence", "seconds"))
        for of in self.site.readings.answers(series):
            taken = "real" if of.real else "generated"
            writer.writerow((of.reader, of.number + 1, truth[of.number], taken, of.confidence, of.seconds))
        return Response(text.getvalue(), media_type="text/csv", headers=kept_as(f"{series.id}.csv"))
