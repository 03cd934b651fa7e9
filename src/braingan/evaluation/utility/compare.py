"""The comparison: equal networks, equal steps, real test subjects; only the training slices differ.

*real*: slices of few training subjects. *synthetic*: generated slices alone. *both*: half of each batch from either.
The generator may have seen more subjects than the few, which the result says. Each seed draws other few subjects, other
generated slices, other weights. Intervals come from a bootstrap that draws test subjects and seeds anew, together, the
same for all arms, so that differences are paired (Efron and Tibshirani, An Introduction to the Bootstrap, 1993).
"""

import shutil
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from safetensors.torch import load, save
from torch import nn

from braingan.data.store import Store
from braingan.errors import InputError
from braingan.evaluation.encoder.augment import augmented
from braingan.evaluation.encoder.network import shrunk
from braingan.evaluation.gate import spread
from braingan.evaluation.utility.task import Score, Task, Taught
from braingan.folders import write_bytes
from braingan.progress import progress
from braingan.randomness import draws
from braingan.sampling.generator import TrainedGenerator
from braingan.training.batches import trained_on
from braingan.training.devices import accelerator, settle_precision

ARMS = ("real", "synthetic", "both")
BATCH = 16
LEARNING_RATE, WEIGHT_DECAY, WARM_UP = 2e-3, 0.02, 0.15
"""As the encoder's training has them."""
DRAWS = 1000
LEAST_SUBJECTS = 4


def utility(
    generator: TrainedGenerator,
    store: Store,
    share: float = 0.1,
    seeds: int = 5,
    steps: int = 1000,
    most: int = 4096,
) -> dict[str, Any]:
    """Return the score of each arm on real test subjects, and its difference from the first arm, with intervals.

    Trained networks are kept beside the generator until all is found, so that the same call goes on where it stopped.

    Args:
        generator: of a run.
        store: the one that it was trained on.
        share: of the training subjects, whose slices are the real ones; at least one subject of each label, or one
            with and one without lesions.
        seeds: repetitions.
        steps: of each training, of 16 slices.
        most: slices generated for each seed, or fewer where the generator saw fewer or the steps take fewer; and real
            test slices, drawn evenly.

    Raises:
        InputError: the run's slices teach nothing, or the store has too few test subjects whose answer is known.
    """
    task, recipe = Task.of(generator), generator.config["recipe"]
    frames = tuple(recipe["data"]["frames"])
    seen = trained_on(store, recipe)
    training, test = (task.known(store, of) for of in (seen, store.select("test", frames)))
    test = spread(test, most)
    names, subject = np.unique(store.columns["subject"][test], return_inverse=True)
    wanted = task.real(store, test)
    if not len(training) or task.telling_subjects(wanted, subject.reshape(-1)) < LEAST_SUBJECTS:
        raise InputError(
            f"{store.folder.root} has too few test subjects to judge a {task.name} by: at least {LEAST_SUBJECTS} with "
            "lesions, or with labels of which each occurs, are needed. Prepare with more subjects."
        )
    scores: dict[str, list[Score]] = {arm: [] for arm in ARMS}
    generated = min(len(seen), steps * BATCH, most)
    kept = generator.snapshot.root / f"utility-{share:g}-{steps}-{generated}"
    with progress("utility", seeds * len(ARMS), "trainings") as advance:
        for seed in range(seeds):
            few = task.real(store, few_subjects(store, training, task, share, seed))
            made = cache(partial(task.generated, generator, generated, seed))
            for arm in ARMS:
                sources = partial(_sources, arm, few, made)
                network = _kept(kept / f"{arm}-{seed}.safetensors", task, sources, steps, seed)
                scores[arm].append(task.score(_answers(task, network, wanted), wanted.targets, subject.reshape(-1)))
                advance(1)
    found = {
        "task": task.name,
        "score": "mean Dice of test subjects with lesions" if task.name == "segmentation" else "mean AUC of the labels",
        "arms": _arms(scores, len(names)),
        "few_subjects": len(np.unique(store.columns["subject"][few_subjects(store, training, task, share, 0)])),
        "generator_saw_subjects": len(np.unique(store.columns["subject"][seen])),
        "generated": generated,
        "test_subjects": len(names),
        "seeds": seeds,
        "steps": steps,
        "batch": BATCH,
    }
    shutil.rmtree(kept)
    return found


def few_subjects(
    store: Store, training: Int[np.ndarray, " n"], task: Task, share: float, seed: int
) -> Int[np.ndarray, " m"]:
    """Return the slices of a share of the training subjects, of each kind as many in proportion; at least one."""
    subjects, kinds = store.columns["subject"][training], task.kinds(store, training)
    chosen: list[str] = []
    for kind in np.unique(kinds):
        names = np.unique(subjects[kinds == kind])
        chosen += (
            draws(seed, "few subjects", int(kind)).permutation(names)[: max(round(share * len(names)), 1)].tolist()
        )
    return training[np.isin(subjects, chosen)]


def _sources(arm: str, few: Taught, made: Callable[[], Taught]) -> list[Taught]:
    """Return what an arm is taught."""
    return [few] * (arm != "synthetic") + ([made()] if arm != "real" else [])


def _kept(path: Path, task: Task, sources: Callable[[], list[Taught]], steps: int, seed: int) -> nn.Module:
    """Open a network that was trained before, or train and keep it."""
    if path.exists():
        network = task.network().to(accelerator())
        network.load_state_dict(load(path.read_bytes()))
        return network.eval()
    network = trained(task, sources(), steps, seed)
    write_bytes(path, save({name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}))
    return network


def trained(task: Task, sources: list[Taught], steps: int, seed: int) -> nn.Module:
    """Train a network, each batch in equal parts from the sources; in evaluation mode."""
    device = accelerator()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(draws(seed, "utility weights").integers(2**63)))
        network = task.network().to(device)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps, pct_start=WARM_UP)
    each = BATCH // len(sources)
    for step in range(steps):
        parts = [of.take(draws(seed, f"utility {n}", step).integers(len(of.images), size=each))
                 for n, of in enumerate(sources)]  # fmt: skip
        slices, targets = _tensors(task, parts, seed, step, device)
        with precise(device):
            loss = task.loss(network, slices, targets)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
    return network.eval()


def precise(device: torch.device) -> torch.autocast:
    """Compute in bf16 where the device multiplies it."""
    return torch.autocast(device.type, torch.bfloat16, enabled=settle_precision("auto", device) == "bf16")


def _tensors(
    task: Task, parts: list[Taught], seed: int, step: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a batch, black 0 and white 1, a little different every time, lesions moved alike."""
    slices = torch.from_numpy(np.concatenate([part.images for part in parts])).to(device)[:, None].float() / 255
    targets = torch.from_numpy(np.concatenate([part.targets for part in parts])).to(device)
    if task.name == "classification":
        return augmented(shrunk(slices), None, seed, step)[0], targets
    slices, moved = augmented(slices, targets[:, None].float(), seed, step)
    assert moved is not None
    return slices, moved[:, 0]


@torch.no_grad()
def _answers(task: Task, network: nn.Module, wanted: Taught) -> np.ndarray:
    found, device = [], next(network.parameters()).device
    for start in range(0, len(wanted.images), 4 * BATCH):
        part = torch.from_numpy(wanted.images[start : start + 4 * BATCH]).to(device)
        slices = part[:, None].float() / 255
        with precise(device):
            found.append(task.answers(network, slices))
    return np.concatenate(found)


def _arms(scores: dict[str, list[Score]], subjects: int) -> dict[str, dict[str, float]]:
    """Return value, low and high of each arm, and of its difference from the real slices alone."""
    seeds, rng = len(scores["real"]), draws(0, "utility bootstrap")
    drawn = {arm: np.empty(DRAWS) for arm in ARMS}
    for repeat in range(DRAWS):
        weights = rng.multinomial(subjects, np.full(subjects, 1 / subjects)).astype(np.float64)
        chosen = rng.integers(seeds, size=seeds)
        for arm in ARMS:
            values = [scores[arm][seed](weights) for seed in np.unique(chosen)]
            drawn[arm][repeat] = np.average(values, weights=np.unique(chosen, return_counts=True)[1])
    found = {}
    for arm in ARMS:
        value = {name: float(np.mean([of(np.ones(subjects)) for of in scores[name]])) for name in (arm, "real")}
        low, high = np.nanquantile(drawn[arm], [0.025, 0.975])
        found[arm] = {"value": value[arm], "low": float(low), "high": float(high)}
        if arm != "real":
            low, high = np.nanquantile(drawn[arm] - drawn["real"], [0.025, 0.975])
            found[arm] |= {"gain": value[arm] - value["real"], "gain_low": float(low), "gain_high": float(high)}
    return found
