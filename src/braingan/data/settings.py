"""The settings of a preparation."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from braingan.settings import Settings


class DataSettings(Settings):
    """How scans become slices."""

    size: Annotated[int, Field(ge=8, le=4096)] = 112
    """Width and height of a slice in pixels; the thesis used 112."""
    edge_mm: Annotated[float, Field(ge=0)] = 0
    """Edge in mm of the square, around a volume's middle, that a slice shows; 0 for the whole slice. A smaller square
    leaves out empty surroundings and has finer pixels. Pictures, whose millimetres are unknown, are shown whole."""
    slices: str = "60:100/155"
    """Which slices of a volume: `60:100` by number (half-open), `60:100/155` those of a 155-slice volume and in
    proportion of others (the thesis's choice), `0.4:0.6` by share of depth, `all`. Pictures are all taken."""
    axis: Literal["axial", "coronal", "sagittal"] = "axial"
    """Along which axis volumes are cut."""
    frames: tuple[str, ...] = ()
    """Frames (MRI contrasts) to take, by name whatever the case; empty for all."""
    percentiles: tuple[float, float] = (0.5, 99.5)
    """Percentiles of a volume's foreground that set its grey scale."""
    min_brain: Annotated[float, Field(ge=0, lt=1)] = 0.02
    """Slices with a smaller share of tissue are left out."""
    pattern: str = r"sub-(?P<subject>[A-Za-z0-9]+)(?:.*_z-(?P<position>\d+))?"
    """Finds subject, and optionally position, frame and label, in a file's path (a regular expression)."""
    split: tuple[float, float, float] = (0.7, 0.1, 0.2)
    """Shares of subjects for training, validation and test."""
    split_seed: Annotated[int, Field(ge=0)] = 0
    """Another number deals the subjects anew."""

    @model_validator(mode="after")
    def _consistent(self) -> "DataSettings":
        if min(self.split) < 0 or abs(sum(self.split) - 1) > 1e-6:
            raise ValueError("split: three shares that sum to 1 are needed")
        if not 0 <= self.percentiles[0] < self.percentiles[1] <= 100:
            raise ValueError("percentiles: a lower and a higher number from 0 to 100 are needed")
        return self
