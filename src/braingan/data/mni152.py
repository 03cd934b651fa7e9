"""Where the MNI152 maps are that the package nilearn ships; only its files are read, it is never imported.

Fonov et al., Unbiased average age-appropriate atlases for pediatric studies, NeuroImage 2011. RAS, 1 mm.
"""

from importlib.util import find_spec
from pathlib import Path

from braingan.errors import InputError

MAPS = ("t1", "gm", "wm")
CENTRE = (98.0, 117.0, 77.0)
"""The middle of the template's brain, in its voxels; in MNI152 coordinates (0, -17, 5) mm."""


def map_files(extra: str) -> list[Path]:
    """Return where the maps of T1, grey matter and white matter are.

    Args:
        extra: the extra of this package that brings nilearn.

    Raises:
        InputError: nilearn is not installed.
    """
    package = find_spec("nilearn")
    if package is None or package.origin is None:
        raise InputError(f"The MNI152 maps that nilearn ships are needed: pip install 'braingan[{extra}]'.")
    folder = Path(package.origin).parent / "datasets" / "data"
    return [folder / f"mni_icbm152_{name}_tal_nlin_sym_09a_converted.nii.gz" for name in MAPS]
