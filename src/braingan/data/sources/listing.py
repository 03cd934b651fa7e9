"""What a folder holds, walked once, and what a source makes of it.

The names of files decide what is looked at: volumes, pictures, arrays, and files without a known ending, which may be
DICOM. Scans in a format that is not read are named, never skipped without a word.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from braingan.data.dicom import is_dicom
from braingan.data.volumes import PAIRS, other_of_pair
from braingan.errors import InputError
from braingan.folders import StoreFolder

VOLUME_ENDINGS = (".nii", ".nii.gz", ".hdr")
PICTURE_ENDINGS = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".tif", ".tiff")
ARRAY_ENDINGS = (".npy",)
DICOM_ENDINGS = (".dcm", ".ima", ".dicom")
UNREAD_ENDINGS = (
    ".mgz", ".mgh", ".nrrd", ".nhdr", ".mha", ".mhd", ".mnc", ".par", ".rec", ".head", ".brik", ".npz", ".mat",
    ".h5", ".gif", ".webp", ".jp2", ".heic", ".avif", ".tga", ".pbm", ".pgm", ".ppm", ".pnm", ".zip", ".tar", ".tgz",
    ".7z", ".rar", ".gz", ".bz2", ".xz", ".zst", ".lz4",
)  # fmt: skip
TABLE_ENDINGS = (".tsv.gz", ".csv.gz", ".txt.gz", ".json.gz")
OTHER_ENDING = re.compile(r"\.[a-z][a-z0-9_]*$")
BRAIN_MASK = re.compile(r"((?P<scan>.+?)[-_. ])?(brainmask|(desc-)?brain[-_]mask)", re.IGNORECASE)
LABEL_MAP = re.compile(
    r"((?P<scan>.+?)[-_. ])?(labels?|(d?seg|probseg|segmentation|(label-|desc-)?(lesion_)?mask)([-_]?\d+)?)",
    re.IGNORECASE,
)
"""A file's name without its ending; `scan` is absent where the name is such a word alone, as `mask`."""
OF_LABEL_MAPS = re.compile(
    r"(.+[-_ ])?(labels?|segs?|segmentations?|masks?)([-_ ]?(tr|ts|train|training|val|validation|test|testing))?",
    re.IGNORECASE,
)
"""A folder's name; `labelsTr` and `labelsTs` in the layouts of the Decathlon and of nnU-Net."""
NAMES_KEPT = "Subjects are called as their files are: where these are patients' names, set data.names to pseudonyms."


@dataclass(frozen=True)
class Scan:
    """One scan of a collection: a volume (3-D, or 4-D with several frames), a DICOM series, or one picture."""

    subject: str
    volume: str
    """Scans of one volume are prepared together; the pictures of one subject count as a volume."""
    path: Path
    frames: tuple[str, ...] = ()
    """Frame names of a 4-D file in its own order, or the one frame of a 3-D file or picture; empty: unnamed."""
    label: str = ""
    """A class of the source, such as a diagnosis."""
    mask: Path | None = None
    """The label map that belongs to the volume."""
    brain: Path | None = None
    """The brain mask that belongs to the volume."""
    position: int | None = None
    """Slice number of a picture along the axis; volumes count their own slices."""
    series: tuple[Path, ...] = ()
    """The files of a DICOM series in the order of its slices, of which `path` is the first."""
    name: str = ""
    """What reasons call it; empty: its path below the folder."""
    split: str = ""


@dataclass(frozen=True)
class Collection:
    """What a source found in a folder."""

    kind: str
    scans: list[Scan]
    passed_over: list[tuple[str, str]] = field(default_factory=list)
    """Files that are not read, each with the reason."""
    facts: dict[str, str] = field(default_factory=dict)
    """What the source says of itself: name, licence, reference."""
    notes: list[str] = field(default_factory=list)
    """Sentences that the store and every report repeat."""
    private: bool = False
    """Whether names come from patients' records, so that pseudonyms must take their place."""


@dataclass(frozen=True)
class Listing:
    """All files below a folder that may be scans, sorted."""

    root: Path
    pattern: str
    """A regular expression with the named group `subject`, and optionally `position`, `frame` and `label`."""
    volumes: list[Path] = field(default_factory=list)
    pictures: list[Path] = field(default_factory=list)
    arrays: list[Path] = field(default_factory=list)
    dicom: list[Path] = field(default_factory=list)
    passed_over: list[tuple[str, str]] = field(default_factory=list)

    def name(self, path: Path) -> str:
        """A file's path below the folder, with `/`."""
        return path.relative_to(self.root).as_posix()

    def parts(self, path: Path) -> dict[str, str]:
        """What the pattern finds in a file's path.

        Raises:
            InputError: the position that it finds is no number.
        """
        match = re.search(self.pattern, self.name(path))
        found = {key: value for key, value in match.groupdict().items() if value} if match else {}
        if "position" in found and not (found["position"].isdecimal() and len(found["position"]) < 10):
            raise InputError(f"data.pattern: the position of {path.name} is `{found['position']}`, no slice number.")
        return found

    def of_label_maps(self, path: Path) -> bool:
        """Whether a file lies in a folder of label maps, by the name of any folder between it and the root."""
        return any(OF_LABEL_MAPS.fullmatch(name) for name in path.relative_to(self.root).parts[:-1])

    def others(self, *taken: str) -> Iterator[tuple[str, str]]:
        """Yield the files of the kinds that a source does not take, with a reason."""
        for kind in ("volumes", "pictures", "arrays", "dicom"):
            if kind not in taken:
                for path in getattr(self, kind):
                    yield self.name(path), f"one of the {kind} in a folder of {taken[0]}: prepare it apart"


Source = Callable[[Listing], Collection | None]


def list_files(root: Path, pattern: str) -> Listing:
    """List what lies below a folder, links followed once.

    Hidden folders hold no scans of their own (`.git/annex` holds those that visible links lead to), and stores, whole
    or half made, no scans at all. Those of a task further below cannot be told from its label maps without its
    description, so it is passed over.
    """
    listing = Listing(root, pattern)
    visited = set()

    def unreadable(error: OSError) -> None:
        name = listing.name(Path(error.filename))
        listing.passed_over.append(
            (name if _is_text(name) else ascii(name), f"a folder that cannot be read: {error.strerror}")
        )

    for folder, folders, names in os.walk(root, onerror=unreadable, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        here = os.path.realpath(folder)
        if here in visited or _is_store(StoreFolder(Path(folder))):
            folders.clear()
            continue
        visited.add(here)
        if Path(folder) != root and "dataset.json" in names and "imagesTr" in folders:
            listing.passed_over.append((listing.name(Path(folder)), "a task of its own: prepare that folder apart"))
            folders.clear()
            continue
        for name in sorted(names):
            if not name.startswith("."):
                _sort_in(listing, Path(folder) / name)
    for files in (listing.volumes, listing.pictures, listing.arrays, listing.dicom):
        files.sort()
    return listing


def _is_store(folder: StoreFolder) -> bool:
    return folder.description.exists() or folder.begun.exists()


def _sort_in(listing: Listing, path: Path) -> None:
    name, shown = path.name.lower(), listing.name(path)
    kinds = {VOLUME_ENDINGS: listing.volumes, PICTURE_ENDINGS: listing.pictures, ARRAY_ENDINGS: listing.arrays}
    kind = next((files for endings, files in kinds.items() if name.endswith(endings)), None)
    if kind is None and name.endswith(UNREAD_ENDINGS) and not name.endswith(TABLE_ENDINGS):
        reason = "a format that is not read: convert it to NIfTI, or unpack it"
    elif kind is not None or name.endswith((".img", *DICOM_ENDINGS)):
        reason = _unusable(path, shown)
    else:
        reason = ""
    if reason:
        listing.passed_over.append((shown if _is_text(shown) else ascii(shown), reason))
    elif kind is not None:
        kind.append(path)
    elif (name.endswith(DICOM_ENDINGS) or not OTHER_ENDING.search(name)) and is_dicom(path):
        if reason := _unusable(path, shown):
            listing.passed_over.append((ascii(shown), reason))
        else:
            listing.dicom.append(path)


def _is_text(name: str) -> bool:
    """Whether a name has no control characters, and no surrogates, which stand for bytes that are no text."""
    return not any(ord(letter) < 32 or "\ud800" <= letter <= "\udfff" for letter in name)


def _unusable(path: Path, shown: str) -> str:
    if not _is_text(shown):
        return "its name is not valid text: rename it"
    if not path.is_file():
        return "a link that leads nowhere, or a file that cannot be reached"
    ending = path.suffix.lower()
    if ending in PAIRS and other_of_pair(path) is None:
        return f"the other file of the pair, ending in {PAIRS[ending]}, is not there"
    return ""


def leak_note(unnamed: int, files: int) -> list[str]:
    """The notes for a collection some of whose files name no subject."""
    if not unnamed:
        return []
    return [
        f"{unnamed} of {files} files name no subject, so each counts as a subject of its own: if one person has "
        "several, the split leaks. Name the subject by data.pattern.",
        NAMES_KEPT,
    ]


def stem(path: Path) -> str:
    """A file's name without its ending, of which `.nii.gz` is one."""
    return re.sub(r"\.(nii|nii\.gz|[A-Za-z0-9]+)$", "", path.name, flags=re.IGNORECASE)
