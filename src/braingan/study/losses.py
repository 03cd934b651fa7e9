"""What the loss curves of a training show, in numbers: whether they mirror each other, fall, and grow steady."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

LEAST_EPOCHS = 5
"""With fewer there is nothing to see."""


@dataclass(frozen=True)
class LossFacts:
    """Of a training's epoch losses."""

    correlation: float
    """Pearson's, of the two players' losses: -1 where they mirror each other, NaN where one is constant."""
    discriminator_change: float
    """From the first epoch to the last, along the line that fits best."""
    generator_change: float
    """The same of the generator."""
    late_deviation: float
    """Standard deviation of the generator's loss around the line that fits its second half."""


def loss_facts(rows: Sequence[Mapping[str, str]]) -> LossFacts | None:
    """Return what a log's rows show; None of fewer than five epochs."""
    if len(rows) < LEAST_EPOCHS:
        return None
    discriminator, generator = (
        np.array([float(row[f"{player}_loss"]) for row in rows]) for player in ("discriminator", "generator")
    )
    constant = discriminator.std() == 0 or generator.std() == 0
    late = generator[len(rows) // 2 :]
    return LossFacts(
        float("nan") if constant else float(np.corrcoef(discriminator, generator)[0, 1]),
        _change(discriminator),
        _change(generator),
        float((late - _fit(late)).std()),
    )


def _fit(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    epochs = np.arange(len(values))
    return np.asarray(np.polyval(np.polyfit(epochs, values, 1), epochs))


def _change(values: Float[np.ndarray, " n"]) -> float:
    line = _fit(values)
    return float(line[-1] - line[0])
