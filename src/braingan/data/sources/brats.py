"""BraTS: a file per frame, `<case>_flair.nii.gz` or `<case>-t2f.nii.gz`, and `<case>_seg.nii.gz` as label map."""

import re
from pathlib import Path

from braingan.data.sources.listing import Collection, Listing, Scan, leak_note

FRAME = re.compile(r"(?P<case>.+)[-_](?P<frame>flair|t1|t1ce|t1gd|t1c|t1n|t2|t2w|t2f|seg)\.nii(\.gz)?", re.IGNORECASE)

TIME_POINT = re.compile(r"(BraTS-\w+-\d+)-\d+$", re.IGNORECASE)


def brats(listing: Listing) -> Collection | None:
    """Read the cases, where one at least has several frames, a label map beside its frame, or a name of BraTS.

    The subject is the pattern's, else the case, time points of one patient (`BraTS-GLI-00005-101`) together.
    """
    passed_over = list(listing.others("volumes"))
    cases: dict[str, dict[str, Path]] = {}
    for path in listing.volumes:
        found = FRAME.fullmatch(path.name)
        if found:
            case = listing.name(path.parent / found["case"])
            frame = "seg" if found["frame"].lower() == "seg" else found["frame"]
            cases.setdefault(case, {})[frame] = path
        else:
            passed_over.append((listing.name(path), "not a frame or label map of a BraTS case by its name"))
    if not any(_is_case(case, set(frames)) for case, frames in cases.items()):
        return None
    scans, unnamed = [], 0
    for case, frames in cases.items():
        mask = frames.pop("seg", None)
        if mask and not frames:
            passed_over.append((listing.name(mask), "a label map of a case without frames"))
        for frame, path in frames.items():
            named = listing.parts(path)
            unnamed += "subject" not in named and not _named_brats(case)
            subject = named.get("subject", TIME_POINT.sub(r"\1", Path(case).name))
            scans.append(Scan(subject, case, path, (frame,), mask=mask))
    return Collection("brats", scans, passed_over, notes=leak_note(unnamed, len(scans)))


def _is_case(case: str, files: set[str]) -> bool:
    frames = files - {"seg"}
    return len(frames) > 1 or (len(frames) == 1 and ("seg" in files or _named_brats(case)))


def _named_brats(case: str) -> bool:
    return Path(case).name.lower().startswith("brats")
