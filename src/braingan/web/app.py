"""The page as an application: who may ask, what is where, and how a mistake is said."""

from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from braingan.errors import InputError
from braingan.web.generation import Busy
from braingan.web.guard import HEADERS, Guard
from braingan.web.overview import OverviewPages
from braingan.web.readings import ReadingPages
from braingan.web.run import RunPages
from braingan.web.site import Site

STATIC = Path(__file__).with_name("static")


def create_app(root: Path, host: str = "127.0.0.1", port: int = 8765, token: str | None = None) -> FastAPI:
    """Return the page over a folder; `host` and `port` are those that it will be bound to."""
    app, site = FastAPI(title="braingan", docs_url=None, redoc_url=None, openapi_url=None), Site(root)
    app.middleware("http")(Guard(host, port, token))
    app.mount("/static", StaticFiles(directory=STATIC))
    for pages in (OverviewPages(site), RunPages(site), ReadingPages(site)):
        app.include_router(pages.router)

    @app.exception_handler(InputError)
    async def said(request: Request, error: InputError, status: int = 404) -> HTMLResponse:
        """Say a mistake in its sentence: in place, where a part of a page was asked for."""
        if request.headers.get("hx-request") and request.url.path != "/rows":  # these stay, and are asked for again
            return site.page("said.html", sentence=str(error))
        return site.page("error.html", status, sentence=str(error))

    @app.exception_handler(Busy)
    async def busy(request: Request, error: Busy) -> HTMLResponse:
        """Say that others come first."""
        return await said(request, error, 429)

    @app.exception_handler(RequestValidationError)
    async def refused(request: Request, error: RequestValidationError) -> HTMLResponse:
        """Say what was not filled in as it should be."""
        faults = "; ".join(f"{fault['loc'][-1]}: {fault['msg']}" for fault in error.errors())
        return await said(request, InputError(f"Not understood: {faults}."), 422)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> HTMLResponse:
        """Say that something is wrong here; the guard, which this answer does not pass, would add the headers."""
        fault = f"{type(error).__name__}: {error}"
        sentence = f"This could not be shown ({fault}): a file may be damaged; where braingan serve runs it says which."
        answer = site.page("error.html", 500, sentence=sentence)
        answer.headers.update(HEADERS)
        return answer

    return app
