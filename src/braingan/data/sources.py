"""How each kind of collection lists its scans.

A source is a function from a folder to its scans, or None where the folder is not of its kind. The kinds are
tried in the order of `SOURCES`.
"""

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from braingan.errors import InputError
from braingan.folders import read_json

NIFTI_ENDINGS = (".nii", ".nii.gz")
LABEL_MAP_ENDINGS = ("_seg", "_dseg", "_mask", "_label", "_labels")
PICTURE_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")
BIDS = re.compile(r"sub-(?P<subject>[A-Za-z0-9]+)/(?:ses-[A-Za-z0-9]+/)?anat/[^/]+_(?P<frame>[A-Za-z0-9]+)\.nii(\.gz)?")
BRATS = re.compile(r"(?P<case>.+)[-_](?P<frame>flair|t1|t1ce|t1gd|t1c|t1n|t2|t2w|t2f|seg)\.nii(\.gz)?", re.IGNORECASE)


@dataclass(frozen=True)
class Scan:
    """One file of a collection: a NIfTI volume (3-D, or 4-D with several frames) or one picture."""

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
    position: int | None = None
    """Slice number of a picture along the axis; volumes count their own slices."""


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


Source = Callable[[Path, str], Collection | None]


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
        raise InputError(f"{root} is not a folder; give a folder of NIfTI volumes or of pictures.")
    _check_pattern(pattern)
    for source in SOURCES.values():
        collection = source(root, pattern)
        if collection is not None:
            collection.scans.sort(key=lambda s: (s.volume, s.position is None, s.position or 0, s.path.name))
            return collection
    endings = ", ".join(NIFTI_ENDINGS + PICTURE_ENDINGS)
    raise InputError(f"{root} holds nothing to prepare: no dataset.json, and no file ending in {endings}.")


def decathlon(root: Path, pattern: str) -> Collection | None:
    """Medical Segmentation Decathlon: `dataset.json` names images, their frames and label maps, and may have notes."""
    description = root / "dataset.json"
    if not description.is_file():
        return None
    try:
        content = json.loads(description.read_text(encoding="utf-8"))
        modality = content["modality"]
        frames = tuple(str(modality[key]) for key in sorted(modality, key=int))
        entries: list[Any] = [*content["training"], *content.get("test", [])]
        listed = [(str(e), None) if isinstance(e, str) else (str(e["image"]), e.get("label")) for e in entries]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{description} is not a Decathlon description ({type(error).__name__}: {error}); "
            "it needs the keys `modality` and `training`."
        ) from error
    if len({name.lower() for name in frames}) < len(frames):
        raise InputError(f"{description} names a frame twice ({', '.join(frames)}): give each a name of its own.")
    scans, absent = [], []
    for image, mask in listed:
        path = root / image
        if not path.is_file():
            absent.append((image, "named in dataset.json, but not there"))
        elif not path.resolve().is_relative_to(root.resolve()):
            absent.append((image, "named in dataset.json, but outside its folder"))
        else:
            volume, label_map = path.relative_to(root).as_posix(), root / str(mask) if mask else None
            if label_map and not label_map.resolve().is_relative_to(root.resolve()):
                absent.append((str(mask), "a label map named in dataset.json, but outside its folder: not used"))
                label_map = None
            scans.append(Scan(_stem(path), volume, path, frames, mask=label_map))
    facts = {key: str(content[key]) for key in ("name", "licence", "license", "reference") if content.get(key)}
    notes = content.get("notes")
    said = [note for note in notes if isinstance(note, str)] if isinstance(notes, list) else []
    return Collection("decathlon", scans, absent, facts, said)


def bids(root: Path, pattern: str) -> Collection | None:
    """Brain Imaging Data Structure: `sub-<subject>/[ses-<session>/]anat/…_<frame>.nii.gz`; nothing else is read."""
    files, passed_over = _files(root)
    scans = []
    for path in files:
        name = path.relative_to(root).as_posix()
        found = BIDS.fullmatch(name)
        if not found:
            passed_over.append((name, "not in sub-*/[ses-*/]anat, where a BIDS folder has its anatomical scans"))
        elif _stem(path).lower().endswith(LABEL_MAP_ENDINGS):
            passed_over.append((name, "a label map by its name; only a dataset.json says which scan it belongs to"))
        else:
            scans.append(Scan(found["subject"], name, path, (found["frame"],)))
    if not scans:
        return None
    description = root / "dataset_description.json"
    content = read_json(description) if description.is_file() else {}
    facts = {fact: str(content[key]) for key, fact in (("Name", "name"), ("License", "licence")) if content.get(key)}
    return Collection("bids", scans, passed_over, facts)


def brats(root: Path, pattern: str) -> Collection | None:
    """BraTS: a file per frame, `<case>_flair.nii.gz` or `<case>-t2f.nii.gz`, and `<case>_seg.nii.gz` as label map.

    The subject is the pattern's, else the case, time points of one patient (`BraTS-GLI-00005-101`) together.
    """
    files, passed_over = _files(root)
    cases: dict[str, dict[str, Path]] = {}
    for path in files:
        found = BRATS.fullmatch(path.name)
        if found:
            case = (path.parent / found["case"]).relative_to(root).as_posix()
            frame = "seg" if found["frame"].lower() == "seg" else found["frame"]
            cases.setdefault(case, {})[frame] = path
        else:
            name = path.relative_to(root).as_posix()
            passed_over.append((name, "not a frame or label map of a BraTS case by its name"))
    if not any(len(frames.keys() - {"seg"}) > 1 for frames in cases.values()):
        return None
    scans, unnamed = [], 0
    for case, frames in cases.items():
        mask = frames.pop("seg", None)
        for frame, path in frames.items():
            named = _parts(pattern, root, path)
            unnamed += "subject" not in named and not Path(case).name.lower().startswith("brats")
            subject = named.get("subject", re.sub(r"(BraTS-\w+-\d+)-\d+$", r"\1", Path(case).name))
            scans.append(Scan(subject, case, path, (frame,), mask=mask))
    return Collection("brats", scans, passed_over, notes=_leak_note(unnamed, len(scans)))


def nifti(root: Path, pattern: str) -> Collection | None:
    """Read any folder of NIfTI volumes, subfolders included; label maps, known by their names, are no scans."""
    files, passed_over = _files(root)
    volumes = [path for path in files if path.name.lower().endswith(NIFTI_ENDINGS)]
    if not volumes:
        return None
    scans, unnamed = [], 0
    for path in files:
        volume = path.relative_to(root).as_posix()
        if path not in volumes:
            passed_over.append((volume, "a picture in a folder of volumes: prepare pictures apart"))
        elif _stem(path).lower().endswith(LABEL_MAP_ENDINGS):
            passed_over.append((volume, "a label map by its name; only a dataset.json says which scan it belongs to"))
        else:
            found = _parts(pattern, root, path)
            unnamed += "subject" not in found
            subject = found.get("subject", volume.removesuffix(path.name) + _stem(path))
            frame = (found["frame"],) if "frame" in found else ()
            scans.append(Scan(subject, volume, path, frame, found.get("label", "")))
    return Collection("nifti", scans, passed_over, notes=_leak_note(unnamed, len(scans)))


def pictures(root: Path, pattern: str) -> Collection | None:
    """Read a folder of pictures, subfolders included; where no subject is named, the folder is the label."""
    files, passed_over = _files(root)
    if not files:
        return None
    scans, unnamed = [], 0
    for path in files:
        found = _parts(pattern, root, path)
        unnamed += "subject" not in found
        relative = path.relative_to(root)
        folder = relative.parent.as_posix() if "subject" not in found and path.parent != root else ""
        subject = found.get("subject", relative.with_suffix("").as_posix())
        volume = found.get("subject", relative.as_posix())
        frame = (found["frame"],) if "frame" in found else ()
        position = int(found["position"]) if "position" in found else None
        scans.append(Scan(subject, volume, path, frame, found.get("label", folder), position=position))
    return Collection("pictures", scans, passed_over, notes=_leak_note(unnamed, len(files)))


SOURCES: dict[str, Source] = {
    "decathlon": decathlon,
    "bids": bids,
    "brats": brats,
    "nifti": nifti,
    "pictures": pictures,
}


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


def _parts(pattern: str, root: Path, path: Path) -> dict[str, str]:
    match = re.search(pattern, path.relative_to(root).as_posix())
    found = {key: value for key, value in match.groupdict().items() if value} if match else {}
    if "position" in found and not (found["position"].isdecimal() and len(found["position"]) < 10):
        raise InputError(f"data.pattern: the position of {path.name} is `{found['position']}`, no slice number.")
    return found


def _leak_note(unnamed: int, files: int) -> list[str]:
    if not unnamed:
        return []
    return [
        f"{unnamed} of {files} files name no subject, so each volume counts as a subject of its own: if one person "
        "has several, the split leaks. Name the subject by data.pattern."
    ]


def _files(root: Path) -> tuple[list[Path], list[tuple[str, str]]]:
    """List all volumes and pictures below a folder, links followed once, and what could not be listed.

    Hidden folders hold no scans of their own (`.git/annex` holds those that visible links lead to).
    """
    found, passed_over, visited = [], [], set()

    def unreadable(error: OSError) -> None:
        name = Path(error.filename).relative_to(root).as_posix()
        passed_over.append((name, f"a folder that cannot be read: {error.strerror}"))

    for folder, folders, names in os.walk(root, onerror=unreadable, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        here = os.path.realpath(folder)
        if here in visited:
            folders.clear()
            continue
        visited.add(here)
        for name in names:
            path = Path(folder) / name
            if name.startswith(".") or not name.lower().endswith(NIFTI_ENDINGS + PICTURE_ENDINGS):
                continue
            shown = path.relative_to(root).as_posix()
            if not shown.isprintable() or "\udc80" <= max(shown) <= "\udcff":
                passed_over.append((ascii(shown), "its name is not valid text: rename it"))
            elif not path.is_file():
                passed_over.append((shown, "a link that leads nowhere, or a file that cannot be reached"))
            else:
                found.append(path)
    return sorted(found), passed_over


def _stem(path: Path) -> str:
    return re.sub(r"\.nii(\.gz)?$", "", path.name, flags=re.IGNORECASE)
