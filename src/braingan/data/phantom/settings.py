"""The settings of a collection of phantom subjects."""

from typing import Annotated

from pydantic import Field

from braingan.settings import Settings


class PhantomSettings(Settings):
    """Which subjects are drawn."""

    seed: Annotated[int, Field(ge=0)] = 0
    """With `lesions` and its number it determines a subject."""
    lesions: Annotated[float, Field(ge=0, le=1)] = 0.6
    """Share of the subjects that have one lesion or two."""
