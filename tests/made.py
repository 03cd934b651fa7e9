"""Scans and stores made for tests, whose right answer is known."""

import json
from pathlib import Path

import nibabel
import numpy as np
from PIL import Image

from braingan.data.prepare import prepare
from braingan.data.settings import DataSettings


def landmarks(shape=(24, 30, 20)):
    """A RAS volume: background 0, a head of 100, and brighter blocks at its right, front and top."""
    x, y, z = shape
    voxels = np.zeros(shape, np.int16)
    voxels[2 : x - 2, 2 : y - 2, 2 : z - 2] = 100
    voxels[x - 6 : x - 2, y // 2 - 2 : y // 2 + 2, 2 : z - 2] = 200  # right
    voxels[x // 2 - 2 : x // 2 + 2, y - 6 : y - 2, 2 : z - 2] = 300  # front
    voxels[x // 2 - 1 : x // 2 + 1, y // 2 - 1 : y // 2 + 1, z - 5 : z - 2] = 400  # top
    return voxels


def as_stored(voxels, codes, spacing=(1.0, 1.0, 1.0)):
    """The NIfTI image of a RAS volume whose file stores its axes as `codes`, such as "LPS"."""
    affine = np.diag([*spacing, 1.0])
    to = nibabel.orientations.axcodes2ornt(codes)
    turn = nibabel.orientations.ornt_transform(nibabel.orientations.axcodes2ornt("RAS"), to)
    stored = nibabel.apply_orientation(voxels, turn)
    return nibabel.Nifti1Image(stored, affine @ nibabel.orientations.inv_ornt_aff(turn, voxels.shape))


def decathlon(root: Path, subjects: int = 3, shape=(24, 24, 31), seed: int = 0) -> Path:
    """A task of 4-D volumes (FLAIR, T1w) stored L,P,S; the first subject has a label map."""
    rng = np.random.default_rng(seed)
    (root / "imagesTr").mkdir(parents=True)
    (root / "labelsTr").mkdir()
    entries = []
    for number in range(subjects):
        name = f"MADE_{number:03d}.nii.gz"
        frames = [landmarks(shape) * (1 + frame) + (landmarks(shape) > 0) * rng.integers(0, 40, shape)
                  for frame in range(2)]  # fmt: skip
        nibabel.save(as_stored(np.stack(frames, axis=-1).astype(np.int16), "LPS"), root / "imagesTr" / name)
        entry = {"image": f"./imagesTr/{name}"}
        if number == 0:
            mask = np.zeros(shape, np.uint8)
            mask[10:14, 10:15, 12:20] = 1
            nibabel.save(as_stored(mask, "LPS", (1.0, 1.0, 1.0)), root / "labelsTr" / name)
            entry["label"] = f"./labelsTr/{name}"
        entries.append(entry)
    description = {"name": "made", "modality": {"0": "FLAIR", "1": "T1w"}, "training": entries, "test": []}
    (root / "dataset.json").write_text(json.dumps(description))
    return root


def picture_folder(root: Path, subjects: int = 10, each: int = 4, side: int = 40, kind: str = "png") -> Path:
    """Bright ellipses with texture, `sub-<n>/sub-<n>_z-<position>.<kind>`."""
    rng = np.random.default_rng(1)
    row, column = np.mgrid[:side, :side] / side - 0.5
    for subject in range(subjects):
        width = 0.3 + 0.1 * rng.random()
        for position in range(each):
            inside = (row / 0.4) ** 2 + (column / width) ** 2 < 1 - 0.1 * position
            pixels = np.where(inside, 120 + 60 * np.cos(9 * row + subject) + rng.integers(0, 30, inside.shape), 0)
            path = root / f"sub-{subject:02d}" / f"sub-{subject:02d}_z-{position:02d}.{kind}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(path)
    return root


def picture_store(folder: Path, subjects: int = 10, each: int = 4, size: int = 112):
    """A store of pictures with subjects in every split."""
    source = picture_folder(folder / "pictures", subjects, each)
    return prepare(source, folder / "store", DataSettings(split_seed=1, size=size), "local:1")


def dicom_slices(voxels, spacing=(1.0, 1.0, 1.0), axis="axial", turn=None):
    """The slices of a RAS volume as a scanner shows them: pixels, directions and positions in LPS, mm between pixels.

    `turn` rotates the scanner's frame against the patient's (a 3×3 matrix).
    """
    left, posterior, inferior = np.eye(3) * ((1,), (1,), (-1,))
    x, y, z = voxels.shape
    across, down, start, cut, between = {
        "axial": (left, posterior, lambda k: (x - 1, y - 1, k), lambda k: voxels[::-1, ::-1, k], (1, 0)),
        "coronal": (left, inferior, lambda k: (x - 1, k, z - 1), lambda k: voxels[::-1, k, ::-1], (2, 0)),
        "sagittal": (posterior, inferior, lambda k: (k, y - 1, z - 1), lambda k: voxels[k, ::-1, ::-1], (2, 1)),
    }[axis]
    turn = np.eye(3) if turn is None else turn
    for k in range({"axial": z, "coronal": y, "sagittal": x}[axis]):
        position = turn @ (np.array(start(k)) * spacing * (-1, -1, 1))
        yield cut(k).T, [*(turn @ across), *(turn @ down)], [*position], [spacing[i] for i in between]


def dicom_series(folder: Path, voxels, spacing=(1.0, 1.0, 1.0), axis="axial", patient="Doe^Jane", turn=None,
                 series="1", shuffle=0, change=lambda dataset, k: None):  # fmt: skip
    """Files of an MR series, named and numbered at random, whose voxels are a RAS volume; returns their paths by place.

    Thickness and numbers say nothing true. `change` may change each file's dataset before it is written.
    """
    import pydicom

    rng = np.random.default_rng(shuffle)
    folder.mkdir(parents=True, exist_ok=True)
    slices = list(dicom_slices(voxels, spacing, axis, turn))
    numbers, paths = rng.permutation(len(slices)), []
    for k, (pixels, directions, position, between) in enumerate(slices):
        dataset = pydicom.Dataset()
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        dataset.SOPClassUID = pydicom.uid.MRImageStorage
        dataset.SOPInstanceUID = f"1.2.3.{series}.{shuffle}.{k + 1}"
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3", f"1.2.3.{series}"
        dataset.Modality, dataset.PatientName, dataset.PatientID = "MR", patient, "4711"
        dataset.PatientBirthDate, dataset.SeriesDescription = "19700101", "Ax T2 FLAIR for Dr Watson"
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "M"]
        dataset.InstanceNumber, dataset.SliceThickness = int(numbers[k]), 99
        dataset.ImageOrientationPatient = [float(f"{v:.8f}") for v in directions]
        dataset.ImagePositionPatient = [float(f"{v:.6f}") for v in position]
        dataset.PixelSpacing, (dataset.Rows, dataset.Columns) = between, pixels.shape
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated = dataset.BitsStored = 8 * pixels.dtype.itemsize
        dataset.HighBit = dataset.BitsStored - 1
        dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
        dataset.PixelData = np.ascontiguousarray(pixels).tobytes()
        change(dataset, k)
        paths.append(folder / f"{series}.{shuffle}.{numbers[k]}")
        dataset.save_as(paths[-1], enforce_file_format=True)
    return paths


def textured_store(folder: Path, subjects: int = 24, each: int = 4, side: int = 64):
    """A store of round heads, each subject's with a texture of its own."""
    rng = np.random.default_rng(2)
    row, column = np.mgrid[:side, :side] / side - 0.5
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)) * side
    for subject in range(subjects):
        spectrum = np.fft.rfft2(rng.normal(size=(each, side, side))) * np.exp(-((frequency / 14) ** 2))
        texture = np.fft.irfft2(spectrum, (side, side))
        texture = 0.9 * texture[:1] + 0.45 * texture  # neighbouring slices are alike
        for position in range(each):
            inside = (row / 0.42) ** 2 + (column / 0.36) ** 2 < 1
            pixels = np.where(inside, np.clip(130 + 45 * texture[position] / texture.std(), 1, 255), 0)
            path = folder / "pictures" / f"sub-{subject:02d}" / f"sub-{subject:02d}_z-{position:02d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(path)
    settings = DataSettings(split_seed=1, size=side, split=(0.6, 0.2, 0.2))
    return prepare(folder / "pictures", folder / "store", settings, "local:1")
