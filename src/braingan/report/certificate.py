"""The certificate of a sample that went through the gate: what was drawn, what was refused, and by what rule.

`certificate.json` holds no picture and no name of a subject, and may go wherever the slices go. `certificate.html`
shows training slices beside the generated ones, so it belongs with the training data. Both depend on run, store, seed
and count alone.
"""

import hashlib
import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from braingan import __version__
from braingan.data.conditions import UNTOLD, Row
from braingan.data.leaks import LEAST_SIDE, TURNS
from braingan.data.store import Store
from braingan.evaluation.gate import Drawn, Gate, draw, most_drawn, record
from braingan.evaluation.material import open_store_of
from braingan.folders import write_bytes, write_json
from braingan.progress import progress
from braingan.report.figures import likeness_chart, png_uri
from braingan.sampling.generator import TrainedGenerator
from braingan.sampling.pictures import (
    CERTIFICATE,
    PAGE,
    REFUSED,
    check_layout,
    replacing_sample,
    write_slices,
    write_synthetic_csv,
)

FORMAT = 1
PAIRS = 8
"""Nearest pairs of admitted and of refused slices that are named and shown."""
FEW = 20
"""Validation subjects under which the certificate says that they are few."""
LIMITS = (
    "It is no guarantee of privacy and not differential privacy: it finds slices that are copies or nearly so, but an "
    "admitted slice can still reveal something of the training subjects, such as a rare trait.",
    "It compares slices as pictures. Copies turned by some degrees, zoomed, bent or mixed from several training slices "
    "in like shares may pass.",
    "It says nothing of the generator itself: whoever holds its weights can draw slices that no gate has seen.",
    "It says nothing of whether the slices are realistic or fit for any use: `braingan evaluate` measures some.",
)


@dataclass
class Tally:
    """What happened while slices were drawn, in the memory of the likenesses and of the pairs shown."""

    likeness: dict[bool, list[float]] = field(default_factory=lambda: {True: [], False: []})
    """Of admitted and of refused slices."""
    refused: list[Drawn] = field(default_factory=list)
    """Without their pictures."""
    pixels: Any = field(default_factory=hashlib.sha256)
    """Of the admitted slices, in order."""
    _nearest: dict[bool, list[tuple[float, int, Drawn]]] = field(default_factory=lambda: {True: [], False: []})

    def admitted(self, slices: Iterable[Drawn]) -> Iterator[tuple[int, np.ndarray]]:
        """Yield number and picture of the admitted slices, and take note of all."""
        for one in slices:
            self.likeness[one.admitted].append(one.likeness)
            held = self._nearest[one.admitted]
            heapq.heappush(held, (one.likeness, -one.number, one))
            if len(held) > PAIRS:
                heapq.heappop(held)
            if one.admitted:
                self.pixels.update(one.image.tobytes())
                yield one.number, one.image
            else:
                self.refused.append(replace(one, image=np.empty((0, 0), np.uint8)))

    def nearest(self, admitted: bool) -> list[Drawn]:
        """Return the slices most alike to a training slice, the most alike first."""
        return [one for _, _, one in sorted(self._nearest[admitted], reverse=True)]


def write_gated_pictures(
    generator: TrainedGenerator,
    out: Path,
    count: int,
    seed: int,
    data: Path | None = None,
    wish: Row = UNTOLD,
    layout: str = "pictures",
) -> dict[str, Any]:
    """Write the first `count` slices of a seed and a wish that the gate admits, and their certificate (returned).

    Args:
        generator: of a run.
        out: the folder, as in `write_pictures`.
        count: slices wanted, at least one.
        seed: seed and number determine a slice; refused numbers are missing.
        data: the store, if it is no longer where the run was trained.
        wish: conditions.
        layout: of the files.

    Raises:
        InputError: the store is gone or another, has no validation subjects, the generator copies too much, or `out`
            holds something else.
    """
    check_layout(generator, layout)
    store = open_store_of(generator.run, data)
    tally = Tally()
    with replacing_sample(out) as folder:
        frames = tuple(generator.config["recipe"]["data"]["frames"])
        gate = Gate.of_store(store, frames)
        with progress("slices", count, "admitted") as advance:
            slices = tally.admitted(draw(gate, generator.slices(seed, most_drawn(count), wish), count))
            write_slices(generator, folder, seed, wish, _advancing(slices, advance), layout)
        of_data = {"store": store.fingerprint, "frames": list(frames)}
        wished = {name: value for name, value in generator.vocabulary.words(wish).items() if value}
        about = {"wish": wished, "notes": [*_notes(gate), *generator.config.get("notes", [])]}
        certificate = _certificate(generator, record(gate) | of_data, tally, seed) | about
        rows = ((one.number, f"{one.likeness:.4f}", one.training_slice, one.turn) for one in tally.refused)
        write_synthetic_csv(folder / REFUSED, ("number", "likeness", "training_slice", "turn"), rows)
        write_json(folder / CERTIFICATE, certificate)
        write_bytes(folder / PAGE, _page(certificate, tally, gate, store).encode())
    return certificate


def _advancing(slices: Iterator[tuple[int, np.ndarray]], advance: Any) -> Iterator[tuple[int, np.ndarray]]:
    for one in slices:
        yield one
        advance(1)


def _certificate(generator: TrainedGenerator, gate: dict[str, Any], tally: Tally, seed: int) -> dict[str, Any]:
    admitted, refused = len(tally.likeness[True]), len(tally.likeness[False])
    return {
        "format": FORMAT,
        "of": "synthetic slices",
        "made_by": f"{generator.model.name}, {generator.snapshot.images_seen} training images seen",
        "weights_sha256": weights_digest(generator),
        "seed": seed,
        "drawn": admitted + refused,
        "admitted": admitted,
        "refused": refused,
        "admitted_pixels_sha256": tally.pixels.hexdigest(),
        "largest_likeness_admitted": max(tally.likeness[True]),
        "median_likeness_admitted": float(np.median(tally.likeness[True])),
        "gate": gate,
        "nearest_admitted": [_pair(one) for one in tally.nearest(True)],
        "nearest_refused": [_pair(one) for one in tally.nearest(False)],
        "does_not_say": list(LIMITS),
        "braingan": __version__,
    }


def weights_digest(generator: TrainedGenerator) -> str:
    """Return the SHA-256 of a generator's file of weights."""
    return hashlib.sha256(generator.snapshot.weights("generator").read_bytes()).hexdigest()


def _pair(one: Drawn) -> dict[str, Any]:
    return {"number": one.number, "likeness": one.likeness, "training_slice": one.training_slice, "turn": one.turn}


def _notes(gate: Gate) -> list[str]:
    """Say what makes this gate less sure than it could be."""
    found, side = gate.rests_on, gate.training.store.side
    notes = []
    if found.validation_subjects < FEW:
        notes.append(
            f"The threshold rests on {found.validation_subjects} validation subject"
            f"{'s' if found.validation_subjects > 1 else ''}: without the margin, any slice of one more real subject "
            f"would be refused with a probability of up to {found.chance:.0%}. More validation subjects make it surer."
        )
    if found.validation_copies:
        notes.append(
            f"{found.validation_copies} of {found.validation_slices} validation slices are as near to a training slice "
            "as a planted copy and did not count. The store holds a picture or a subject twice (`braingan inspect` "
            "looks), or its slices are too alike for the gate to tell copies from patients."
        )
    if side < LEAST_SIDE:
        notes.append(f"Slices under {LEAST_SIDE} pixels have little texture to tell copies by; these have {side}.")
    return notes


def _page(certificate: dict[str, Any], tally: Tally, gate: Gate, store: Store) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("braingan.report", "."), autoescape=True, undefined=jinja2.StrictUndefined
    )
    found = gate.rests_on
    marks = {
        "nearest real patient": found.nearest_patient,
        "refused above": found.threshold,
        "planted copies from": found.planted_reach,
    }
    return environment.get_template("certificate.html.j2").render(
        certificate=certificate,
        gate=certificate["gate"],
        source=store.description["source"],
        chart=likeness_chart(tally.likeness[True], tally.likeness[False], marks),
        admitted=[_shown(one, store) for one in tally.nearest(True)],
        refused=[_shown(one, store) for one in tally.nearest(False)],
    )


def _shown(one: Drawn, store: Store) -> dict[str, Any]:
    """Return a pair with its pictures side by side, the training slice turned to lie on the generated one."""
    down, across = TURNS[one.turn]
    there = store.images(np.array([one.training_slice]))[0, ::down, ::across]
    return _pair(one) | {"png": png_uri(np.concatenate([one.image, there], axis=1))}
