"""How well planted turns and shifts are found again by `--align rigid`, and how long it takes.

    python benchmarks/align.py FOLDER...      folders of NIfTI volumes, or Decathlon tasks

Each frame of each volume, with 25 mm of empty space around it so that nothing is cut off, is aligned, then turned about
its middle by up to 10 degrees about each axis and shifted by up to 20 mm along each, drawn from a seed, and aligned
again. What both transforms make of the brain's middle and of points 50 mm from it must differ by the planted motion
alone: the largest distance in mm and the angle in degrees by which they do not are printed and written to
`benchmarks/results/align.json`, with the seconds that an alignment takes on one core.
"""

import statistics
import sys
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from braingan.data.align import rigid
from braingan.data.itk import from_image, to_image
from braingan.data.settings import DataSettings
from braingan.data.sources import list_scans
from braingan.data.volumes import read_volume
from braingan.folders import write_json
from braingan.training.devices import Device

RESULTS = Path(__file__).resolve().parent / "results" / "align.json"
ROOM_MM, DEGREES, MILLIMETRES, MOTIONS = 25, 10, 20, 3
POINTS = np.vstack([np.hstack([np.zeros((3, 1)), 50 * np.eye(3), -50 * np.eye(3)]), np.ones(7)])


def moved(voxels, spacing, degrees, shift):
    """A volume in motion, and the matrix from its mm to those of the volume at rest."""
    motion = sitk.Euler3DTransform([0, 0, 0], *np.radians(degrees), shift)
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = np.array(motion.GetMatrix()).reshape(3, 3), shift
    image = to_image(sitk, voxels, spacing)
    return from_image(sitk, sitk.Resample(image, image, motion, sitk.sitkLinear, float(voxels.min()))), matrix


def apart(one, other):
    turn = one[:3, :3] @ other[:3, :3].T
    angle = np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))
    return float(np.linalg.norm(((one - other) @ POINTS)[:3], axis=0).max()), float(angle)


def measure(voxels, spacing, rng):
    """The errors of each motion, and the seconds of each alignment."""
    room = [(round(ROOM_MM / step),) * 2 for step in spacing]
    voxels = np.pad(voxels.astype(np.float32), room, constant_values=float(voxels.min()))
    start = time.process_time()
    rest, errors, seconds = rigid(voxels, spacing), [], [time.process_time() - start]
    for _ in range(MOTIONS):
        degrees, shift = rng.uniform(-DEGREES, DEGREES, 3), rng.uniform(-MILLIMETRES, MILLIMETRES, 3)
        turned, planted = moved(voxels, spacing, degrees, shift)
        start = time.process_time()
        found = rigid(turned, spacing)
        seconds.append(time.process_time() - start)
        errors.append(apart(planted @ found, rest))
    return errors, seconds


def main(*folders):
    rng, groups, seconds = np.random.default_rng(0), {}, []
    for folder in map(Path, folders):
        for scan in list_scans(folder, DataSettings().pattern).scans:
            volume = read_volume(scan.path)
            for number, frame in enumerate(scan.frames or ("unnamed",)):
                errors, taken = measure(volume.voxels[..., number], volume.spacing, rng)
                groups.setdefault(f"{folder.name}, {frame}", []).extend(errors)
                seconds += taken
    found = {
        name: {
            "alignments": len(errors),
            **{
                f"{what} {unit}": pick(error[place] for error in errors)
                for place, unit in enumerate(("mm", "degrees"))
                for what, pick in (("median", statistics.median), ("worst", max))
            },
        }
        for name, errors in groups.items()
    }
    write_json(RESULTS, {
        "device": Device.choose("float32", 0).describe(), "SimpleITK": sitk.Version_VersionString(),
        "seconds an alignment": {"median": statistics.median(seconds), "highest": max(seconds)}, "frames": found,
    })  # fmt: skip
    print(RESULTS.read_text())


if __name__ == "__main__":
    main(*sys.argv[1:])
