"""Folders of single slices: pictures (JPG, PNG, BMP, TIFF), or arrays (`.npy`, which may also hold volumes)."""

from collections.abc import Sequence
from pathlib import Path

from braingan.data.sources.listing import LABEL_MAP, Collection, Listing, Scan, leak_note, stem
from braingan.data.volumes import dimensions
from braingan.folders import SAMPLE_FILES

TABLE, OVERVIEW = SAMPLE_FILES


def pictures(listing: Listing) -> Collection | None:
    """Read all pictures, subfolders included; where no subject is named, the folder is the label."""
    if not listing.pictures:
        return None
    return _one_by_one(listing, "pictures", listing.pictures)


def arrays(listing: Listing) -> Collection | None:
    """Read all arrays; they state neither orientation nor millimetres, which the store says.

    A few flat ones among more pictures, such as tables of numbers, make no folder of arrays.
    """
    few = len(listing.arrays) < len(listing.pictures)
    if not listing.arrays or (few and all(dimensions(path) < 3 for path in listing.arrays)):
        return None
    collection = _one_by_one(listing, "arrays", listing.arrays)
    collection.notes.append(
        "Arrays state no orientation: volumes are taken as [x, y, z] growing towards the patient's right, anterior and "
        "superior, with voxels of 1 mm."
    )
    return collection


def _one_by_one(listing: Listing, kind: str, files: Sequence[Path]) -> Collection:
    passed_over = list(listing.others(kind))
    scans, unnamed, beside = [], 0, {path.parent / stem(path) for path in files}
    for path in files:
        labels = LABEL_MAP.fullmatch(stem(path))
        if labels and labels["scan"] and path.parent / labels["scan"] in beside:
            passed_over.append((listing.name(path), f"by its name the label map of another of the {kind}: not read"))
            continue
        if path.name == OVERVIEW and path.with_name(TABLE).exists():
            passed_over.append((listing.name(path), "an overview of the sample beside it: not read"))
            continue
        if listing.of_label_maps(path):
            passed_over.append((listing.name(path), "a label map by its folder's name: not read"))
            continue
        named, name = listing.parts(path), listing.name(path)
        unnamed += "subject" not in named
        folder = listing.name(path.parent) if "subject" not in named and path.parent != listing.root else ""
        subject = named.get("subject", name.removesuffix(path.suffix))
        frame = (named["frame"],) if "frame" in named else ()
        position = int(named["position"]) if "position" in named else None
        volume = named.get("subject", name) if kind == "pictures" or dimensions(path) < 3 else name
        scans.append(Scan(subject, volume, path, frame, named.get("label", folder), position=position))
    return Collection(kind, scans, passed_over, notes=leak_note(unnamed, len(scans)))
