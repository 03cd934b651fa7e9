"""What all pages share: the folder, what works on request, and the templates."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from fastapi.responses import HTMLResponse

from braingan import __version__
from braingan.errors import InputError
from braingan.folders import StudyFolder
from braingan.study.reading import Readings
from braingan.web.catalogue import Catalogue
from braingan.web.generation import Workshop


@dataclass
class Site:
    """A folder, served."""

    root: Path
    workshop: Workshop = field(default_factory=Workshop)

    def __post_init__(self) -> None:
        self.root = self.root.resolve()  # so that a run at "." has a name
        self.catalogue, self.readings = Catalogue(self.root), Readings(StudyFolder(self.root).readings)
        self.templates = jinja2.Environment(
            loader=jinja2.PackageLoader("braingan.web", "pages"), autoescape=True, undefined=jinja2.StrictUndefined
        )

    def insist_none_reads(self, file: str) -> None:
        """Keep a report back while a blind reading test is open: it shows test slices, and says that they are.

        Raises:
            InputError: that is so.
        """
        if file.endswith(".html") and self.readings.open_to_readers:
            raise InputError("A report shows real slices as such: it is given out once all series of slices are ended.")

    def page(self, template: str, status: int = 200, **shown: Any) -> HTMLResponse:
        """Return a page."""
        html = self.templates.get_template(template).render(title=self.catalogue.title, version=__version__, **shown)
        return HTMLResponse(html, status)


def kept_as(name: str) -> dict[str, str]:
    """Return the header of a file to be kept under a name, in any alphabet (RFC 6266)."""
    return {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
