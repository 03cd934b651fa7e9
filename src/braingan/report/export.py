"""A run's generator for others: its weights with a model card, as a Hugging Face repository lies, and as ONNX.

The ONNX graph takes `latents` [n, latent], standard normal, and `told` [n, 4], rows of conditions (frame and label by
their numbers, depth, lesion area in mm²; NaN is open), and gives `slices` [n, channels, side, side] in -1..1, the
lesion mask as second channel where the run makes some. What is open it draws itself, as `braingan sample` does.
"""

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from braingan import __version__
from braingan.data.conditions import CONDITIONS, UNTOLD
from braingan.errors import InputError
from braingan.folders import read_json, replacing, write_bytes, write_json
from braingan.models.architecture import Architecture
from braingan.optional import optional
from braingan.report.certificate import weights_digest
from braingan.report.evaluation import mask_rows, obeyed_rows, unreadable
from braingan.report.wording import VIEWS, number, words_of
from braingan.sampling.generator import TrainedGenerator
from braingan.sampling.pictures import CERTIFICATE

SYNTHETIC = "makes synthetic brain MRI slices, not for clinical use"
GRAPH, WEIGHTS, CONFIG, METRICS, CARD = (
    "generator.onnx", "generator.safetensors", "config.json", "metrics.json", "README.md",
)  # fmt: skip
TOLERANCE = 1e-4
"""Of slices in -1..1, between ONNX Runtime and torch."""
TRIED = 2 + len(CONDITIONS)
"""Latents in the check: one with all open, one with all told, and one for each condition."""
IN_CARD = (
    "frechet_distance", "kernel_distance", "precision_other_subject", "recall_other_subject", "detector_accuracy",
    "authenticity", "membership_auc", "copies",
)  # fmt: skip


class _Sampling(nn.Module):
    """Latents and wishes to slices."""

    def __init__(self, model: Architecture, generator: nn.Module) -> None:
        super().__init__()
        self.model, self.generator = model, generator

    def forward(self, latents: Float[Tensor, "n latent"], told: Float[Tensor, "n 4"]) -> Float[Tensor, "n k side side"]:
        return self.model.sample(self.generator, latents, self.model.draw(self.generator, latents, told))


def export(generator: TrainedGenerator, out: Path, onnx: bool = False, sample: Path | None = None) -> list[str]:
    """Write weights, settings, metrics and a card, and what else is wanted; return the files' names.

    `braingan.open_run` opens the folder. `config.json` comes first and marks it, so that the same call mends what an
    interrupted one left.

    Args:
        generator: of a run.
        out: the folder; an earlier export is replaced.
        onnx: whether to write the ONNX graph.
        sample: a folder of slices of this generator that the gate let out, whose certificate goes along.

    Raises:
        InputError: the folder holds something else, a library is missing, the metrics are of another version, the
            graph does not do as torch does, or the sample has no certificate or one of another generator.
    """
    if out.exists() and any(not path.name.startswith(".") for path in out.iterdir()) and not _ours(out):
        raise InputError(f"{out} holds something else: choose another --out.")
    metrics = read_json(generator.snapshot.metrics) if generator.snapshot.metrics.exists() else None
    if metrics is not None and (reason := unreadable(metrics)):
        raise InputError(reason)
    certificate = None if sample is None else _certificate(generator, sample)
    graph = onnx_graph(generator) if onnx else None
    kept = {**generator.config, "store": "not exported", "images_seen": generator.snapshot.images_seen}
    write_json(out / CONFIG, {"synthetic": SYNTHETIC, **kept, "braingan": __version__})
    for name in (GRAPH, METRICS, CERTIFICATE):
        (out / name).unlink(missing_ok=True)
    if graph is not None:
        write_bytes(out / GRAPH, graph)
    with replacing(out / WEIGHTS) as path:
        shutil.copyfile(generator.snapshot.weights("generator"), path)
    if metrics is not None:
        write_json(out / METRICS, {"synthetic": SYNTHETIC, **metrics})
    if certificate is not None:
        write_json(out / CERTIFICATE, certificate)
    write_bytes(out / CARD, card(generator, metrics, certificate, onnx).encode())
    return sorted(path.name for path in out.iterdir() if not path.name.startswith("."))


def _certificate(generator: TrainedGenerator, sample: Path) -> dict[str, Any]:
    path = sample / CERTIFICATE
    if not path.exists():
        raise InputError(f"{sample} has no {CERTIFICATE}: make it by `braingan sample {generator.run.root} --gate`.")
    certificate: dict[str, Any] = read_json(path)
    if certificate.get("weights_sha256") != weights_digest(generator):
        raise InputError(
            f"{path} is of another generator, or of another version of braingan: make it anew by "
            f"`braingan sample {generator.run.root} --gate`."
        )
    return certificate


def _ours(out: Path) -> bool:
    """Whether a folder holds an earlier export."""
    return (out / CONFIG).exists() and read_json(out / CONFIG).get("synthetic") == SYNTHETIC


def onnx_graph(generator: TrainedGenerator) -> bytes:
    """Return the generator as an ONNX file, checked against torch.

    Raises:
        InputError: a library is missing, or slices differ by more than 1e-4.
    """
    optional("onnxscript", "onnx", "ONNX files are written by onnxscript")
    runtime = optional("onnxruntime", "onnx", "ONNX files are checked by onnxruntime")
    network = _Sampling(generator.model, generator.networks["generator"]).eval()
    latents, told = generator.latents(0, range(2)), torch.from_numpy(np.tile(UNTOLD, (2, 1)))
    batch = torch.export.Dim("n", min=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about itself
        program = torch.onnx.export(
            network, (latents, told), dynamo=True, verbose=False, input_names=["latents", "told"],
            output_names=["slices"], dynamic_shapes={"latents": {0: batch}, "told": {0: batch}},
        )  # fmt: skip
    assert program is not None
    model = program.model_proto
    model.doc_string = f"braingan {__version__}: {SYNTHETIC}"
    for key, value in _properties(generator).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    graph: bytes = model.SerializeToString()
    session = runtime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    latents, told = generator.latents(1, range(TRIED)), torch.from_numpy(_tried(generator))
    (made,) = session.run(None, {"latents": latents.numpy(), "told": told.numpy()})
    with torch.no_grad():
        error = float(np.abs(made - network(latents, told).numpy()).max())
    if not error <= TOLERANCE:
        raise InputError(f"ONNX Runtime's slices differ from torch's by {error:.2g} of 2: this graph is not written.")
    return graph


def _tried(generator: TrainedGenerator) -> Float[np.ndarray, "n 4"]:
    """Return wishes for a check: everything open, everything told, and each condition alone."""
    known = generator.told(1, range(TRIED))
    wishes = np.tile(UNTOLD, (TRIED, 1))
    wishes[1] = known[1]
    for row in range(2, TRIED):
        wishes[row, row - 2] = known[row, row - 2]
    return wishes


def _properties(generator: TrainedGenerator) -> dict[str, str]:
    words = generator.vocabulary
    return {
        "synthetic": SYNTHETIC,
        "conditions": json.dumps(CONDITIONS),
        "frames": json.dumps(words.frames),
        "labels": json.dumps(words.labels),
        "depth": json.dumps(words.depth),
        "lesion_mm2": json.dumps(words.lesion),
        "latent_size": str(generator.latent_size),
    }


def card(
    generator: TrainedGenerator, metrics: dict[str, Any] | None, certificate: dict[str, Any] | None, onnx: bool
) -> str:
    """Return the model card, in Markdown with the head that Hugging Face's hub reads."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("braingan.report", "."), undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    found = {} if metrics is None else metrics["metrics"]
    config = generator.config
    source, data = config.get("source", {}), config["recipe"]["data"]
    shown, depth = ("", "0 first to 1 last") if source.get("kind", "pictures") == "pictures" else VIEWS[data["axis"]]
    rows = [(words_of(name, found[name]), found[name]) for name in IN_CARD if name in found]
    return environment.get_template("card.md.j2").render(
        model=generator.model.name,
        story=generator.model.story,
        side=data["size"],
        shown=shown,
        depth=depth,
        words=generator.vocabulary,
        latent_size=generator.latent_size,
        images_seen=generator.snapshot.images_seen,
        source={key: said for key, said in source.items() if said and isinstance(said, str)},
        licensed=bool(source.get("licence") or source.get("license")),
        notes=[*source.get("notes", []), *config.get("notes", [])],
        protocol={} if metrics is None else metrics["protocol"],
        metrics=[
            (words.name, number(of["value"]), number(of["floor"]) if "floor" in of else "", words.good)
            for words, of in rows
        ],
        told=[]
        if metrics is None
        else [
            *obeyed_rows(metrics.get("encoder", {})),
            *(mask_rows(metrics["masks"]) if "masks" in metrics else []),
        ],
        certificate=certificate,
        onnx=onnx,
        version=__version__,
    )
