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
    crop: bool = False
    """Whether slices show the square around the brain (its mask, or else all tissue), instead of around the middle;
    with `edge_mm` that many mm of it."""
    slices: str = "60:100/155"
    """Which slices of a volume: `60:100` by number (half-open), `60:100/155` those of a 155-slice volume and in
    proportion of others (the thesis's choice), `0.4:0.6` by share of depth, `all`. Pictures are all taken."""
    body_part: str = "brain"
    """What the scans show. The look for skulls and faces, skull stripping and rigid alignment make sense for `brain`
    alone; for any other part, such as `heart` or `knee`, they are not applicable."""
    axis: Literal["axial", "coronal", "sagittal"] = "axial"
    """Along which axis volumes are cut."""
    frames: tuple[str, ...] = ()
    """Frames (MRI contrasts) to take, by name whatever the case; empty for all."""
    brain: Literal["none", "source", "strip"] = "none"
    """Where the brain mask comes from, all outside of which is made black: nowhere, the source's own mask files, or a
    skull stripping (extra `strip`)."""
    align: Literal["none", "centre", "rigid"] = "none"
    """How volumes are put in one place: not at all; `centre`: slices are centred on the centre of mass of the tissue;
    `rigid`: turned and shifted onto the MNI152 template, resampled to 1 mm (extra `align`)."""
    bias: bool = False
    """Whether slow changes of brightness across a volume, a coil's bias field, are taken out (N4; extra `align`)."""
    percentiles: tuple[float, float] = (0.5, 99.5)
    """Percentiles of a volume's foreground that set its grey scale."""
    min_brain: Annotated[float, Field(ge=0, lt=1)] = 0.02
    """Slices with a smaller share of tissue are left out."""
    pattern: str = r"sub-(?P<subject>[A-Za-z0-9]+)(?:.*?(?:_(?P<frame>[A-Za-z0-9]+))?_z-(?P<position>\d+)(?!.*_z-))?"
    """Finds subject, and optionally position, frame and label, in a file's path (a regular expression)."""
    names: Literal["auto", "kept", "pseudonyms"] = "auto"
    """Whether subjects, volumes and labels are called as the source calls them; `auto`: pseudonyms for DICOM only."""
    max_gib: Annotated[float, Field(gt=0)] = 4
    """A file whose voxels or pixels would take more memory, in GiB, is left out; what its header claims counts."""
    split: tuple[float, float, float] = (0.7, 0.1, 0.2)
    """Shares of subjects for training, validation and test."""
    split_seed: Annotated[int, Field(ge=0)] = 0
    """Another number deals the subjects anew."""

    @property
    def limit(self) -> int:
        """Most bytes that a file's voxels may take."""
        return int(self.max_gib * 2**30)

    @model_validator(mode="after")
    def _consistent(self) -> "DataSettings":
        if min(self.split) < 0 or abs(sum(self.split) - 1) > 1e-6:
            raise ValueError("split: three shares that sum to 1 are needed")
        if not 0 <= self.percentiles[0] < self.percentiles[1] <= 100:
            raise ValueError("percentiles: a lower and a higher number from 0 to 100 are needed")
        if self.body_part != "brain" and (self.brain == "strip" or self.align == "rigid"):
            raise ValueError(
                f"skull stripping and alignment to a brain template are not applicable to {self.body_part}"
            )
        return self
