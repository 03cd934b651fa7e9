"""Any folder of NIfTI volumes, subfolders included: `.nii`, `.nii.gz`, or pairs of `.hdr` and `.img`."""

from pathlib import Path

from braingan.data.sources.listing import BRAIN_MASK, LABEL_MAP, Collection, Listing, Scan, leak_note, stem


def nifti(listing: Listing) -> Collection | None:
    """Read all volumes; `scan_seg.nii.gz` is the label map of `scan.nii.gz`, `scan_brain_mask.nii.gz` its brain."""
    if not listing.volumes:
        return None
    passed_over = list(listing.others("volumes"))
    beside = {path.parent / stem(path) for path in listing.volumes}
    masks: dict[Path, Path] = {}
    brains: dict[Path, Path] = {}
    found = []
    for path in listing.volumes:
        brain, labels = BRAIN_MASK.fullmatch(stem(path)), LABEL_MAP.fullmatch(stem(path))
        scan = path.parent / (brain or labels)["scan"] if brain or labels else None  # type: ignore[index]
        if scan is None:
            found.append(path)
        elif scan in beside:
            (brains if brain else masks)[scan] = path
        else:
            passed_over.append((listing.name(path), "a label map by its name, but the scan is not there"))
    scans, unnamed = [], 0
    for path in found:
        named, volume, key = listing.parts(path), listing.name(path), path.parent / stem(path)
        unnamed += "subject" not in named
        subject = named.get("subject", volume.removesuffix(path.name) + stem(path))
        frame = (named["frame"],) if "frame" in named else ()
        scans.append(
            Scan(subject, volume, path, frame, named.get("label", ""), mask=masks.get(key), brain=brains.get(key))
        )
    return Collection("nifti", scans, passed_over, notes=leak_note(unnamed, len(scans)))
