"""Small charts for a table's cells: a value with its interval, and a tick where real training slices lie.

A strip is drawn by the page from places along it, 0 at the left end and 100 at the right one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

LIMITS = (2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)


@dataclass(frozen=True)
class Strip:
    """Places in a strip; an end of the interval outside the scale lies on the strip's end."""

    value: float
    low: float | None
    high: float | None
    mark: float
    """Of the real training slices."""
    says: str
    """For those who can't see it."""


@dataclass(frozen=True)
class Scale:
    """A linear scale, or a logarithmic one, that all strips of a column share."""

    least: float
    most: float
    logarithmic: bool = False

    @classmethod
    def of_ratios(cls, ratios: Sequence[float]) -> "Scale":
        """Return a logarithmic scale from a half to a round number that holds all ratios, up to 1000."""
        return cls(0.5, next((limit for limit in LIMITS if limit >= max(ratios)), LIMITS[-1]), True)

    @classmethod
    def around_zero(cls, values: Sequence[float]) -> "Scale":
        """Return a linear scale as wide to the left of 0 as to the right."""
        widest = max(0.1, math.ceil(10 * max(abs(value) for value in values)) / 10)
        return cls(-widest, widest)

    def at(self, value: float) -> float:
        """Return where a value lies, from 0 to 100."""
        least, most = self.least, self.most
        if self.logarithmic:
            value, least, most = math.log(max(value, least)), math.log(least), math.log(most)
        return round(100 * min(max((value - least) / (most - least), 0.0), 1.0), 2)

    def strip(self, value: float, low: float | None, high: float | None, mark: float, says: str) -> Strip:
        """Place a value, its interval and the mark."""
        from_, to = (None if end is None else self.at(end) for end in (low, high))
        return Strip(self.at(value), from_, to, self.at(mark), says)

    def ticks(self, values: Sequence[float], unit: str = "") -> list[tuple[float, str]]:
        """Return places of ticks with their text."""
        return [(self.at(value), f"{value:g}{unit}".replace("-", "−")) for value in values]
