"""A network of a store's own, that tells frame, depth, lesion area and label, and whose features span its domain.

Distances in the features of an ImageNet network ask what cats and cars differ in. This one learnt what slices of this
store differ in; and what it predicts for a generated slice tells whether the generator did as asked. It is trained on
real slices of training subjects, for a fixed number of images. Nothing is chosen by validation subjects, so their
scores are those of subjects never seen.

It is kept in the store's `derived` folder under a name that stands for all that it depends on: the weights, then what
is known of them, with their SHA-256. What is missing, damaged, or of another store or settings is trained anew.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Int, Shaped, UInt8
from safetensors.torch import load, save
from torch import Tensor

from braingan.data.store import Store
from braingan.errors import InputError
from braingan.evaluation.encoder.network import EncoderNetwork
from braingan.evaluation.encoder.questions import Questions
from braingan.evaluation.encoder.scores import held_out_scores, scores
from braingan.evaluation.encoder.training import EFFORTS, Effort, train_network
from braingan.folders import read_json, write_bytes, write_json
from braingan.training.devices import accelerator, settle_precision

FORMAT = 3
"""Another number, another network or training: encoders of before are left aside."""
BATCH = 64
QUICK = EFFORTS["quick"]


@dataclass(frozen=True)
class Encoder:
    """A trained network with what it was asked and how well it answers."""

    network: EncoderNetwork
    questions: Questions
    record: dict[str, Any]
    """What it was trained on and how, and its scores."""
    note: str = ""
    """Why it is not kept, or nothing."""

    @property
    def frames(self) -> tuple[str, ...]:
        """Names of the columns of `frame_probabilities`; empty if it can't tell frames."""
        return self.questions.frames

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the columns of `label_probabilities`; empty if it can't tell labels."""
        return self.questions.labels

    @property
    def scores(self) -> dict[str, dict[str, Any]]:
        """How well it does on validation subjects; see `held_out_scores`. Empty where the store has none."""
        return dict(self.record["scores"])

    @property
    def fingerprint(self) -> str:
        """Changes whenever its features would."""
        return f"encoder {self.record['weights']} {self.record['identity']['store']}"

    @torch.no_grad()
    def predict(self, images: UInt8[np.ndarray, "n side side"]) -> dict[str, Shaped[np.ndarray, "n ..."]]:
        """Return what slices show, as far as the store taught it: the mean answer of a slice and its mirror image.

        `frame` (names) and `frame_probabilities`, `label` and `label_probabilities`, `depth` (0 to 1 along
        the store's axis), `lesion_area_mm2` (at the store's pixel size) and `lesion_probability` (that there is any).

        Raises:
            InputError: the slices are not of the store's side.
        """
        raw = [(self.network(of)[0] + self.network(of.flip(3))[0]) / 2 for of in self._batches(images)]
        return self.questions.read(torch.cat(raw) if raw else torch.zeros(0, self.questions.width))

    @torch.no_grad()
    def features(self, images: UInt8[np.ndarray, "n side side"]) -> Float32[np.ndarray, "n features"]:
        """Return the activations that predictions are read from, a row per slice.

        Raises:
            InputError: the slices are not of the store's side.
        """
        found = [self.network.features(slices).cpu().numpy() for slices in self._batches(images)]
        return np.concatenate(found) if found else np.zeros((0, self.network.feature_count), np.float32)

    def score(self, store: Store, indices: Int[np.ndarray, " n"]) -> dict[str, dict[str, Any]]:
        """Return the scores on slices of a store."""
        return held_out_scores(self.questions, self.predict(store.images(indices)), store, indices)

    def obeyed(
        self, images: UInt8[np.ndarray, "n side side"], told: Mapping[str, Shaped[np.ndarray, " n"]], spacing: float
    ) -> dict[str, dict[str, Any]]:
        """Return how far generated slices show what they were told to, each a subject of its own; see `scores`.

        Args:
            images: generated slices.
            told: what each was to show, as a store's columns `ANSWERED`.
            spacing: change of depth from slice to slice, for errors in slices.
        """
        every = np.arange(len(images))
        true = self.questions.answers(told)
        return scores(self.questions, self.predict(images), true, np.full(len(images), spacing), every)

    def _batches(self, images: UInt8[np.ndarray, "n side side"]) -> Iterator[Float[Tensor, "n 1 side side"]]:
        if images.shape[1] != self.record["side"]:
            raise InputError(
                f"The encoder was trained on slices of {self.record['side']} pixels, these have {images.shape[1]}."
            )
        self.network.eval()
        for start in range(0, len(images), BATCH):
            part = torch.from_numpy(np.asarray(images[start : start + BATCH], np.float32))
            yield part.to(self.network.device)[:, None] / 255


def train_encoder(store: Store, frames: tuple[str, ...] = (), seed: int = 0, effort: Effort = QUICK) -> Encoder:
    """Train on the real slices of a store's training subjects; nothing is written.

    On a CPU the same arguments give the same weights at the same number of threads (`torch.get_num_threads`).

    Args:
        store: a whole store.
        frames: only slices of these frames; empty for all.
        seed: of initial weights, order and augmentation.
        effort: how finely it looks, and how long it is trained.

    Raises:
        InputError: a frame is not in the store, or its training slices teach nothing.
    """
    training, validation = store.select("train", frames), store.select("validation", frames)
    questions = Questions.of(store, training)
    if not questions.width:
        why = "it has one frame, and no depths, lesion areas or labels that vary" if len(training) else "there are none"
        raise InputError(
            f"The training slices of {store.folder.root} teach an encoder nothing: {why}. Set evaluation.extractor to "
            "another, or prepare a source that says more."
        )
    network = train_network(store, training, questions, seed, effort)
    record = {
        "identity": _identity(store, frames, seed, effort),
        "weights": hashlib.sha256(_saved(network)).hexdigest(),
        "side": store.side,
        "trained_on": "real slices of training subjects only",
        "training_slices": len(training),
        "training_subjects": len(np.unique(store.columns["subject"][training])),
        "threads": torch.get_num_threads(),
        "device": network.device.type,
        "precision": settle_precision("auto", network.device),
        "torch": torch.__version__,
        "questions": asdict(questions),
        "scores": {},
    }
    encoder = Encoder(network, questions, record)
    scores = encoder.score(store, validation) if len(validation) else {}
    return replace(encoder, record={**record, "scores": scores})


def open_encoder(store: Store, frames: tuple[str, ...] = (), seed: int = 0, effort: Effort = QUICK) -> Encoder:
    """Open a store's encoder, or train and keep it where there is none yet.

    Where the store can't be written to, it is trained each time, and its `note` says so.

    Raises:
        InputError: as `train_encoder`.
    """
    identity = _identity(store, frames, seed, effort)
    name = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    path = store.folder.derived / f"encoder-{name}.json"
    if kept := _read(path, identity):
        return kept
    encoder = train_encoder(store, frames, seed, effort)
    try:
        write_bytes(path.with_suffix(".safetensors"), _saved(encoder.network))
        write_json(path, encoder.record)
    except OSError as error:
        reason = error.strerror or error
        return replace(encoder, note=f"{path.parent} can't be written to ({reason}): it is trained anew each time.")
    return encoder


def _identity(store: Store, frames: tuple[str, ...], seed: int, effort: Effort) -> dict[str, Any]:
    wanted = sorted({frame.lower() for frame in frames})
    return {"format": FORMAT, "store": store.fingerprint, "frames": wanted, "seed": seed, **asdict(effort)}


def _saved(network: EncoderNetwork) -> bytes:
    """Return the weights as a file; channels-last kernels must lie in order first."""
    return save({name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()})


def _read(path: Path, identity: dict[str, Any]) -> Encoder | None:
    """Return the encoder kept under a name, None if it is missing, damaged, or another."""
    try:
        record = read_json(path)
        weights = path.with_suffix(".safetensors").read_bytes()
        if record["identity"] != identity or hashlib.sha256(weights).hexdigest() != record["weights"]:
            return None
        questions = Questions.from_json(record["questions"])
        network = EncoderNetwork(questions.width, questions.extent is not None, identity["side"], identity["width"])
        network.load_state_dict(load(weights))
    except (InputError, OSError, KeyError, TypeError, RuntimeError):  # the last: weights of another network
        return None
    return Encoder(network.to(accelerator()).eval(), questions, record)
