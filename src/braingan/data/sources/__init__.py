"""SOURCES: how each kind of collection lists its scans.

A source is a function from a listing of a folder to its scans, or None where the folder is not of its kind. The kinds
are tried in the order of `SOURCES`.
"""

import re
from pathlib import Path

from braingan.data.sources.bids import bids
from braingan.data.sources.brats import brats
from braingan.data.sources.decathlon import decathlon
from braingan.data.sources.dicom import dicom
from braingan.data.sources.listing import Collection, Scan, Source, list_files
from braingan.data.sources.nifti import nifti
from braingan.data.sources.pictures import arrays, pictures
from braingan.errors import InputError

__all__ = ["SOURCES", "Collection", "Scan", "list_scans"]

SOURCES: dict[str, Source] = {
    "decathlon": decathlon,
    "bids": bids,
    "brats": brats,
    "nifti": nifti,
    "dicom": dicom,
    "arrays": arrays,
    "pictures": pictures,
}


def list_scans(root: Path, pattern: str) -> Collection:
    """List the scans of a folder, sorted by volume, then position, then name.

    Args:
        root: the folder.
        pattern: a regular expression, searched in each file's path below `root` (with `/`), with the named
            groups `subject`, and optionally `position`, `frame` and `label`.

    Raises:
        InputError: the folder is absent or empty of anything readable, or the pattern is not usable.
    """
    if not root.is_dir():
        raise InputError(f"{root} is not a folder; give a folder of NIfTI volumes, of DICOM files or of pictures.")
    _check_pattern(pattern)
    listing = list_files(root, pattern)
    for source in SOURCES.values():
        collection = source(listing)
        if collection is not None:
            collection.scans.sort(key=lambda s: (s.volume, s.position is None, s.position or 0, s.path.name))
            collection.passed_over[:] = sorted(collection.passed_over + listing.passed_over)
            return collection
    found = "".join(f"; {name}: {reason}" for name, reason in listing.passed_over[:3])
    raise InputError(
        f"{root} holds nothing to prepare: no dataset.json, no NIfTI volume (.nii, .nii.gz, .hdr with .img), no DICOM "
        f"file, no array (.npy) and no picture (.jpg, .png, .bmp, .tif){found}."
    )


def _check_pattern(pattern: str) -> None:
    try:
        groups = set(re.compile(pattern).groupindex)
    except re.error as error:
        raise InputError(f"data.pattern is not a regular expression: {error}.") from error
    if "subject" not in groups or not groups <= {"subject", "position", "frame", "label"}:
        raise InputError(
            "data.pattern needs the named group (?P<subject>…), and may have position, frame and label; "
            f"it has {sorted(groups) or 'none'}."
        )
