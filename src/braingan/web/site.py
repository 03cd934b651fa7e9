"""What all pages share: the folder, what works on request, and the templates."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
from fastapi.responses import HTMLResponse

from braingan import __version__
from braingan.folders import StudyFolder
from braingan.report.wording import GROUPS, interval_of, number, value_of, words_of
from braingan.study.reading import Readings
from braingan.web.catalogue import Catalogue, Entry
from braingan.web.generation import Workshop


@dataclass
class Site:
    """A folder, served."""

    root: Path
    workshop: Workshop = field(default_factory=Workshop)

    def __post_init__(self) -> None:
        self.catalogue, self.readings = Catalogue(self.root), Readings(StudyFolder(self.root).readings)
        self.templates = jinja2.Environment(
            loader=jinja2.PackageLoader("braingan.web", "pages"), autoescape=True, undefined=jinja2.StrictUndefined
        )

    def page(self, template: str, status: int = 200, **shown: Any) -> HTMLResponse:
        """Return a page."""
        html = self.templates.get_template(template).render(title=self.catalogue.title, version=__version__, **shown)
        return HTMLResponse(html, status)


def name_of(metric: str) -> str:
    """Return what a metric is called."""
    known = {name for of in GROUPS.values() for name in of}
    return words_of(metric, {}).name if metric in known else metric


def metrics_of(of: Entry) -> dict[str, dict[str, str]]:
    """Return a run's metrics in words: value, interval and floor."""
    shares = {name: words.share for group in GROUPS.values() for name, words in group.items()}
    return {
        name: {
            "value": value_of(entry, shares.get(name, False)), "interval": interval_of(entry, shares.get(name, False)),
            "floor": number(entry["floor"], 0.0, shares.get(name, False)) if "floor" in entry else "",
        }
        for name, entry in of.metrics.items() if "@" not in name
    }  # fmt: skip
