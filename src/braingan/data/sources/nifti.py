"""Any folder of NIfTI volumes, subfolders included: `.nii`, `.nii.gz`, or pairs of `.hdr` and `.img`."""

from pathlib import Path

from braingan.data.sources.listing import BRAIN_MASK, LABEL_MAP, Collection, Listing, Scan, leak_note, stem

IN_A_FOLDER_OF_LABEL_MAPS = (
    "a label map by its folder's name: to use it, put it beside its volume as <volume>_seg, else rename the folder"
)


def nifti(listing: Listing) -> Collection | None:
    """Read all volumes but label maps and masks, which are known by their names or their folder's.

    `scan_seg.nii.gz` is the label map of `scan.nii.gz`, `scan_brain_mask.nii.gz` its brain mask; `scan_brain.nii.gz`
    beside it shows the same brain again.
    """
    if not listing.volumes:
        return None
    passed_over = list(listing.others("volumes"))
    beside = {path.parent / stem(path) for path in listing.volumes}
    masks: dict[Path, Path] = {}
    brains: dict[Path, Path] = {}
    found = []
    for path in listing.volumes:
        brain = BRAIN_MASK.fullmatch(stem(path))
        labels = brain or LABEL_MAP.fullmatch(stem(path))
        scan = path.parent / labels["scan"] if labels and labels["scan"] else None
        if scan in beside:
            if (brains if brain else masks).setdefault(scan, path) != path:
                passed_over.append((listing.name(path), "a second mask of its scan: not used"))
        elif labels:
            passed_over.append((listing.name(path), "a label map by its name, but the scan is not there"))
        elif listing.of_label_maps(path):
            passed_over.append((listing.name(path), IN_A_FOLDER_OF_LABEL_MAPS))
        elif stem(path).endswith("_brain") and path.parent / stem(path).removesuffix("_brain") in beside:
            passed_over.append((listing.name(path), "by its name the brain of the volume beside it: not read"))
        else:
            found.append(path)
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
