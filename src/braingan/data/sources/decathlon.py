"""The layout of the Medical Segmentation Decathlon: `dataset.json` names images, their frames and label maps."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from braingan.data.sources.listing import Collection, Listing, Scan, stem
from braingan.errors import InputError


def decathlon(listing: Listing) -> Collection | None:
    """Read the scans that `dataset.json` names; it may also have `notes`, sentences to repeat.

    The subject is the pattern's, else the file's name without its ending.

    Raises:
        InputError: it is no description of this kind.
    """
    description = listing.root / "dataset.json"
    if not description.is_file():
        return None
    try:
        content = json.loads(description.read_text(encoding="utf-8"))
        modality = content["modality"]
        frames = tuple(str(modality[key]) for key in sorted(modality, key=int))
        entries: list[Any] = [*content["training"], *content.get("test", [])]
        listed = [(str(e), None) if isinstance(e, str) else (str(e["image"]), e.get("label")) for e in entries]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{description} is not a Decathlon description ({type(error).__name__}: {error}); "
            "it needs the keys `modality` and `training`. Without it, volumes are known by their names."
        ) from error
    if len({name.lower() for name in frames}) < len(frames):
        raise InputError(f"{description} names a frame twice ({', '.join(frames)}): give each a name of its own.")
    scans, absent = [], []
    for image in dict.fromkeys(image for image, _ in listed):
        if reason := _fault(listing, image):
            absent.append((image, reason))
            continue
        path = listing.root / image
        subject = listing.parts(path).get("subject", stem(path))
        scans.append(Scan(subject, listing.name(path), path, frames))
    masks = {image: str(mask) for image, mask in listed if mask}
    for number, scan in enumerate(scans):
        mask = masks.get(scan.volume, masks.get(f"./{scan.volume}"))
        if mask and (reason := _fault(listing, mask)):
            absent.append((mask, f"a label map {reason}: not used"))
        elif mask:
            scans[number] = replace(scan, mask=listing.root / mask)
    used = {path for scan in scans for path in (scan.path, scan.mask)}
    unlisted = [path for path in listing.volumes if path not in used]
    absent += [(listing.name(path), "not named in dataset.json") for path in unlisted]
    absent += listing.others("volumes")
    facts = {key: str(content[key]) for key in ("name", "licence", "license", "reference") if content.get(key)}
    notes = content.get("notes")
    said = [note for note in notes if isinstance(note, str)] if isinstance(notes, list) else []
    return Collection("decathlon", scans, absent, facts, said)


def _fault(listing: Listing, named: str) -> str:
    path = listing.root / named
    if Path(named).is_absolute():
        return "named in dataset.json, but outside its folder"
    try:
        there, inside = path.is_file(), path.resolve().is_relative_to(listing.root.resolve())
    except (OSError, ValueError, RuntimeError):  # a name too long or with a zero byte, links in a circle
        there, inside = False, True
    if not inside:
        return "named in dataset.json, but outside its folder"
    return "" if there else "named in dataset.json, but not there"
