"""The Brain Imaging Data Structure: `sub-<subject>/[ses-<session>/]anat/…_<frame>.nii.gz`."""

import re
from pathlib import Path

from braingan.data.sources.listing import BRAIN_MASK, LABEL_MAP, Collection, Listing, Scan, stem
from braingan.errors import InputError
from braingan.folders import read_json

ANATOMICAL = re.compile(
    r"(sub-(?P<subject>[A-Za-z0-9]+))/((ses-[A-Za-z0-9]+)/)?anat/[^/]+_(?P<frame>[A-Za-z0-9]+)\.nii(\.gz)?"
)
Masks = dict[str, dict[frozenset[str], Path]]
"""`sub-<subject>` -> what the name of a mask says of its scan -> the mask."""


def bids(listing: Listing) -> Collection | None:
    """Read the anatomical scans, each with the brain mask and the lesion mask that fit it, also below `derivatives/`.

    A mask fits the scans whose names have all parts of its own: that of run 1 none of run 2, that of a session all.
    """
    found: list[tuple[Path, re.Match[str]]] = []
    brains: Masks = {}
    lesions: Masks = {}
    passed_over = list(listing.others("volumes"))
    for path in listing.volumes:
        scan, name, masks = ANATOMICAL.fullmatch(listing.name(path)), listing.name(path), _masks(path, brains, lesions)
        if masks is not None:
            first = masks.setdefault(path.name.split("_")[0], {}).setdefault(_said(path), path)
            passed_over += [(name, "a second mask of its scan: not used")] if first != path else []
        elif scan and scan["frame"].lower().endswith(("mask", "probseg")):
            passed_over.append((name, "a mask by its name, neither of the brain nor of lesions"))
        elif LABEL_MAP.fullmatch(stem(path)):
            passed_over.append((name, "a label map, by its name neither of the brain nor of lesions"))
        elif scan:
            found.append((path, scan))
        else:
            passed_over.append((name, "not in sub-*/[ses-*/]anat, where a BIDS folder has its anatomical scans"))
    if not found:
        return None
    scans = []
    for path, scan in found:
        said = _said(path) | {part for part in scan.group(1, 4) if part}
        mask, brain = (_fitting(said, masks.get(scan[1], {})) for masks in (lesions, brains))
        scans.append(Scan(scan["subject"], listing.name(path), path, (scan["frame"],), mask=mask, brain=brain))
    used = {path for scan in scans for path in (scan.mask, scan.brain)}
    there = [path for masks in (lesions, brains) for own in masks.values() for path in own.values()]
    passed_over += [
        (listing.name(path), "a mask that by its name (session, run, space …) fits no scan, or not best: not used")
        for path in there
        if path not in used
    ]
    return Collection("bids", scans, passed_over, _facts(listing, passed_over))


def _masks(path: Path, brains: Masks, lesions: Masks) -> Masks | None:
    """Which masks a file belongs to, by its name."""
    if not path.name.startswith("sub-"):
        return None
    if BRAIN_MASK.fullmatch(stem(path)):
        return brains
    return lesions if LABEL_MAP.fullmatch(stem(path)) and "lesion" in path.name.lower() else None


def _said(path: Path) -> frozenset[str]:
    """The parts of a name, such as `run-1`, but those that a mask has for itself."""
    named = BRAIN_MASK.fullmatch(stem(path)) or LABEL_MAP.fullmatch(stem(path))
    parts = (named["scan"] if named else stem(path)).split("_")
    return frozenset(part for part in parts if not part.startswith(("desc-", "label-")))


def _fitting(said: frozenset[str], masks: dict[frozenset[str], Path]) -> Path | None:
    """Return the mask that fits a scan, of several the one that says most of it."""
    return masks[max(fitting, key=len)] if (fitting := [of for of in masks if of <= said]) else None


def _facts(listing: Listing, passed_over: list[tuple[str, str]]) -> dict[str, str]:
    description = listing.root / "dataset_description.json"
    try:
        content = read_json(description) if description.is_file() else {}
    except InputError:  # it only says what the folder is called
        passed_over.append((description.name, "damaged, it holds no JSON object: not used"))
        content = {}
    names = {"Name": "name", "License": "licence", "HowToAcknowledge": "reference"}
    return {fact: str(content[key]) for key, fact in names.items() if content.get(key)}
