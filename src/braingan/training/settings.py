"""The settings of a training."""

from typing import Annotated, Any, Literal

from pydantic import Field

from braingan.settings import Settings


class TrainingSettings(Settings):
    """How the networks are trained. The length of a training is no part of its identity: see `LENGTH`."""

    samples: Annotated[int, Field(ge=0)] = 0
    """Training slices used, a seeded subset; smaller ones lie within larger ones; 0 for all."""
    subjects: Annotated[int, Field(ge=0)] = 0
    """Training subjects used, a seeded subset in the same way, before `samples`; 0 for all."""
    epochs: Annotated[int, Field(ge=1)] = 50
    """Length in passes over the training slices."""
    minutes: Annotated[float, Field(ge=0)] = 0
    """Length in minutes of wall-clock time, where that comes first; 0 for no limit."""
    snapshots: tuple[int, ...] = ()
    """Epochs after which a snapshot of both players is kept; the last is always kept."""
    objective: Literal["non_saturating", "minimax"] = "non_saturating"
    """What the players minimise."""
    batch_size: Annotated[int, Field(ge=1)] = 64
    """Slices a step, on all devices together."""
    learning_rate: Annotated[float, Field(gt=0)] = 2e-4
    """Adam's, of both players. 2e-4 with betas (0.5, 0.999), as Radford et al. (DCGAN, 2016) have it, beat
    Keras's betas with 1e-4 in our trial; `docs/models.md` has the numbers."""
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.5, 0.999)
    """Adam's decay rates of the gradient's mean and square; Keras's defaults are 0.9 and 0.999."""
    averaging_images: Annotated[float, Field(ge=0)] = 10_000
    """Half-life, in training images, of the averaged weights that slices are made with; at most a twentieth
    of the images seen so far, so that early weights are soon forgotten (Karras et al., 2024, section 3)."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Initial weights, order of slices, latents, the subsets of `samples` and `subjects`."""
    precision: Literal["float32", "bf16", "auto"] = "auto"
    """`auto`: bf16 with float32 weights where the processor multiplies bf16, else float32."""
    threads: Annotated[int, Field(ge=0)] = 0
    """CPU threads of a process; 0 for all cores, divided among its processes. Another number gives other rounding."""
    checkpoint_seconds: Annotated[float, Field(gt=0)] = 120
    """Time between checkpoints; longer where writing one holds the training up for more than a fiftieth of it."""
    accumulate: Annotated[int, Field(ge=1)] = 1
    """Parts in which a batch is taken where it does not fit into memory; only for models without batch norm."""
    compile: bool = False
    """Compile the networks by `torch.compile`: other rounding, faster on a GPU."""
    trouble: Literal["go_on", "stop", "roll_back"] = "go_on"
    """What to do when the discriminator has won, the generator paints one picture, or numbers are not finite (which
    always stops, if not rolled back): `roll_back` takes the last good state and half the learning rate."""
    tensorboard: bool = False
    """Write the log for TensorBoard, too."""


LENGTH = ("epochs", "minutes", "snapshots", "threads", "checkpoint_seconds", "tensorboard", "accumulate")


def identity(settings: TrainingSettings) -> dict[str, Any]:
    """Return the settings that make a training the one it is: all but its length and where it runs.

    Of `trouble` only rolling back changes what is learnt; all subjects go without saying, as in earlier versions.
    """
    kept = settings.model_dump(mode="json", exclude=set(LENGTH) | (set() if settings.subjects else {"subjects"}))
    return kept | {"trouble": "roll_back" if settings.trouble == "roll_back" else "go_on"}
