"""The Brain Imaging Data Structure: `sub-<subject>/[ses-<session>/]anat/…_<frame>.nii.gz`."""

import re
from pathlib import Path

from braingan.data.sources.listing import BRAIN_MASK, LABEL_MAP, Collection, Listing, Scan, stem
from braingan.folders import read_json

ANATOMICAL = re.compile(
    r"sub-(?P<subject>[A-Za-z0-9]+)/(ses-(?P<session>[A-Za-z0-9]+)/)?anat/[^/]+_(?P<frame>[A-Za-z0-9]+)\.nii(\.gz)?"
)
SESSION = re.compile(r"sub-(?P<subject>[A-Za-z0-9]+)(_ses-(?P<session>[A-Za-z0-9]+))?")


def bids(listing: Listing) -> Collection | None:
    """Read the anatomical scans; a session's brain mask and lesion mask, also below `derivatives/`, belong to each."""
    found: list[tuple[Path, re.Match[str]]] = []
    brains: dict[tuple[str, str], Path] = {}
    lesions: dict[tuple[str, str], Path] = {}
    passed_over = list(listing.others("volumes"))
    for path in listing.volumes:
        scan, masks = ANATOMICAL.fullmatch(listing.name(path)), _masks(path, brains, lesions)
        session = _session(SESSION.match(path.name))
        if masks is not None and session not in masks:
            masks[session] = path
        elif masks is not None:
            passed_over.append((listing.name(path), "a second mask of its session: not used"))
        elif scan and scan["frame"].lower().endswith(("mask", "probseg")):
            passed_over.append((listing.name(path), "a mask by its name, neither of the brain nor of lesions"))
        elif LABEL_MAP.fullmatch(stem(path)):
            passed_over.append(
                (
                    listing.name(path),
                    "a label map, by its name neither of the brain nor of lesions, or in another space",
                )
            )
        elif scan:
            found.append((path, scan))
        else:
            reason = "not in sub-*/[ses-*/]anat, where a BIDS folder has its anatomical scans"
            passed_over.append((listing.name(path), reason))
    if not found:
        return None
    scans = []
    for path, scan in found:
        mask, brain = (masks.get(_session(scan), masks.get((scan["subject"], ""))) for masks in (lesions, brains))
        scans.append(Scan(scan["subject"], listing.name(path), path, (scan["frame"],), mask=mask, brain=brain))
    used = {path for scan in scans for path in (scan.mask, scan.brain)}
    unused = [path for path in (*lesions.values(), *brains.values()) if path not in used]
    passed_over += [(listing.name(path), "a mask whose session has no scan: not used") for path in unused]
    description = listing.root / "dataset_description.json"
    content = read_json(description) if description.is_file() else {}
    names = {"Name": "name", "License": "licence", "HowToAcknowledge": "reference"}
    facts = {fact: str(content[key]) for key, fact in names.items() if content.get(key)}
    return Collection("bids", scans, passed_over, facts)


def _masks(
    path: Path, brains: dict[tuple[str, str], Path], lesions: dict[tuple[str, str], Path]
) -> dict[tuple[str, str], Path] | None:
    """Which masks a file belongs to, by its name; those in another space than the scans' are of no use."""
    if not SESSION.match(path.name) or "_space-" in path.name:
        return None
    if BRAIN_MASK.fullmatch(stem(path)):
        return brains
    return lesions if LABEL_MAP.fullmatch(stem(path)) and "lesion" in path.name.lower() else None


def _session(found: re.Match[str] | None) -> tuple[str, str]:
    return (found["subject"], found["session"] or "") if found else ("", "")
