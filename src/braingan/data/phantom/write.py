"""Phantom subjects as a Decathlon task, or straight as a store."""

import gzip
from functools import partial
from pathlib import Path

import nibabel
import numpy as np
import torch
from jaxtyping import Integer

from braingan.data.assemble import make_store, run_jobs
from braingan.data.identity import split_of
from braingan.data.mni152 import map_files
from braingan.data.parts import Part, leaving_out, part_path
from braingan.data.phantom.settings import PhantomSettings
from braingan.data.phantom.subject import FRAMES, make_phantom
from braingan.data.settings import DataSettings
from braingan.data.slices import chosen_positions
from braingan.data.sources import Scan
from braingan.data.steps import add_volume, check_installed, finish_part
from braingan.data.store import Store
from braingan.data.volumes import Volume
from braingan.errors import InputError
from braingan.executor import as_seen_from
from braingan.folders import StoreFolder, is_empty, read_json, write_bytes, write_json

VERSION = 1
"""Another number, other voxels from the same seed."""
NOTE = (
    "Phantom subjects: synthetic, made from the MNI152 template. What is measured here is a phantom result and says "
    "nothing of real scans."
)
REFERENCE = "Fonov et al., Unbiased average age-appropriate atlases for pediatric studies, NeuroImage 54 (2011)"
TEMPLATE_TERMS = (
    "Made from the ICBM 152 nonlinear atlas: Copyright (C) 1993-2004 Louis Collins, McConnell Brain Imaging Centre, "
    "Montreal Neurological Institute, McGill University. Permission to use, copy, modify, and distribute this software "
    "and its documentation for any purpose and without fee is hereby granted, provided that the above copyright notice "
    "appear in all copies. The authors and McGill University make no representations about the suitability of this "
    'software for any purpose. It is provided "as is" without express or implied warranty. The authors are not '
    "responsible for any data loss, equipment damage, property loss, or injury to subjects or patients resulting from "
    "the use or misuse of this software package."
)


def write_phantoms(out: Path, subjects: int, settings: PhantomSettings, on: str) -> None:
    """Write subjects 0 to `subjects` in the layout of a Decathlon task.

    The same call again goes on where it stopped; with more subjects it adds those. The bytes depend on settings and
    numbers alone. `dataset.json` comes first, so that a half-made task is known as one of phantoms.

    Raises:
        InputError: the folder holds something else, or nilearn is not installed.
    """
    map_files("demo")  # what is not installed is said before any work
    description, identity = out / "dataset.json", {"version": VERSION, **settings.model_dump(mode="json")}
    there = read_json(description).get("phantom") if description.exists() else None
    if there is None and out.exists() and not is_empty(out):
        raise InputError(f"{out} is not empty and holds no phantoms: choose another --out.")
    if there not in (None, identity) and any(out.glob("imagesTr/*.nii.gz")):
        raise InputError(f"{out} holds phantoms of other settings ({there}): choose another --out.")
    names = [_name(number) for number in range(subjects)]
    write_json(description, {
        "name": "phantoms",
        "description": "Synthetic subjects made by braingan phantom; no person's scans",
        "phantom": identity,
        "reference": REFERENCE,
        "licence": TEMPLATE_TERMS,
        "notes": [NOTE],
        "tensorImageSize": "4D",
        "modality": {str(number): frame for number, frame in enumerate(FRAMES)},
        "labels": {"0": "background", "1": "edema", "2": "non-enhancing tumor", "3": "enhancing tumour"},
        "numTraining": len(names),
        "numTest": 0,
        "training": [{"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"} for name in names],
        "test": [],
    })  # fmt: skip
    waiting = [
        partial(_write, as_seen_from(out, on), number, settings)
        for number, name in enumerate(names)
        if not all((out / folder / name).exists() for folder in ("imagesTr", "labelsTr"))
    ]
    run_jobs("phantom", "subjects", waiting, subjects, on)
    for left in out.glob("*Tr/.*.tmp"):  # of a killed process
        left.unlink()


def phantom_store(out: Path, subjects: int, settings: PhantomSettings, data: DataSettings, on: str) -> Store:
    """Make the store that `write_phantoms` and a preparation would give, without the files in between.

    Works on a GPU where there is one; its noise is another there.

    Raises:
        InputError: the folder holds something else, no slice is taken, or nilearn is not installed.
    """
    map_files("demo")
    check_installed(data)
    if unknown := {name.lower() for name in data.frames} - {name.lower() for name in FRAMES}:
        raise InputError(f"data.frames: phantoms have {', '.join(FRAMES)}, but not {', '.join(sorted(unknown))}.")
    folder, device = StoreFolder(as_seen_from(out, on)), "cuda" if torch.cuda.is_available() else "cpu"
    jobs = {
        f"imagesTr/{_name(number)}": partial(_write_part, folder, number, settings, data, device)
        for number in range(subjects)
    }
    facts = {"name": "phantoms", "kind": "phantom", "subjects": subjects, **settings.model_dump(mode="json")}
    facts |= {"reference": REFERENCE, "licence": TEMPLATE_TERMS, "device": device}
    source = {"source": facts, "listing": f"version {VERSION}"}
    expected = subjects * len(data.frames or FRAMES) * len(chosen_positions(data.slices, 155))
    return make_store(folder, source, jobs, data, on, [], [NOTE], expected)


def _name(number: int) -> str:
    return f"PHANTOM_{number:05d}.nii.gz"


def _write(out: Path, number: int, settings: PhantomSettings) -> None:
    torch.set_num_threads(1)
    phantom = make_phantom(settings.seed, number, settings.lesions)
    _write_nifti(out / "labelsTr" / _name(number), phantom.labels)
    _write_nifti(out / "imagesTr" / _name(number), phantom.voxels)


def _write_nifti(path: Path, voxels: Integer[np.ndarray, "..."]) -> None:
    """Write a RAS volume of 1 mm stored L,P,S, as the Decathlon's are, with bytes that depend on its voxels only."""
    affine = np.diag([-1.0, -1.0, 1.0, 1.0])
    affine[1, 3] = voxels.shape[1] - 1
    image = nibabel.Nifti1Image(voxels[::-1, ::-1], affine)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = "synthetic: braingan phantom"
    write_bytes(path, gzip.compress(image.to_bytes(), compresslevel=1, mtime=0))


def _write_part(folder: StoreFolder, number: int, settings: PhantomSettings, data: DataSettings, device: str) -> None:
    torch.set_num_threads(1)
    try:
        phantom = make_phantom(settings.seed, number, settings.lesions, device)
    except torch.OutOfMemoryError as error:
        raise InputError("The GPU's memory does not suffice for so many processes: use fewer, --on local:1.") from error
    name = f"imagesTr/{_name(number)}"
    subject = _name(number).removesuffix(".nii.gz")
    scan = Scan(subject, name, Path(name), FRAMES, split=split_of(subject, data))
    part = Part()
    with leaving_out(part, name):
        add_volume(part, scan, name, Volume(phantom.voxels, (1.0, 1.0, 1.0)), phantom.labels, None, data)
    finish_part(part, part_path(folder, name), data)
