"""How far phantom subjects are from real patients, per frame, and how fast they are made.

    python benchmarks/phantom.py TASK OUT      TASK: a Decathlon brain tumour task with a few patients

Each patient is compared with as many phantoms as there are other patients, and with these. Radial power spectra are
compared at the scans' own resolution, everything else on the slices of the default preparation. The figures are printed
and written to `benchmarks/results/phantom.json`; `OUT/beside.png` shows phantoms (left) beside patients (right), a row
a frame.
"""

import statistics
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from braingan.data.phantom.settings import PhantomSettings
from braingan.data.phantom.write import phantom_store, write_phantoms
from braingan.data.prepare import prepare
from braingan.data.settings import DataSettings
from braingan.evaluation.distances import kernel_distance
from braingan.evaluation.features import open_extractor
from braingan.executor import default_place
from braingan.folders import write_json
from braingan.training.devices import Device
from braingan.training.run import mosaic

RESULTS = Path(__file__).resolve().parent / "results" / "phantom.json"
BANDS = {
    "coarse (over 16 mm)": (0.01, 1 / 16),
    "middle (5 to 16 mm)": (1 / 16, 1 / 5),
    "fine (2 to 5 mm)": (1 / 5, 0.5),
}
COMPARED = 8
FEW, MORE, REPEATS = 2, 10, 3
"""Subjects per process of the timed collections, and how often each is made."""


def earth_mover(a, b):
    """Mean distance in grey levels between two histograms of levels 0..255."""
    return float(np.abs(np.cumsum(a / a.sum()) - np.cumsum(b / b.sum())).sum())


def tissue_histogram(images):
    counts = np.bincount(images.ravel(), minlength=256).astype(float)
    counts[:5] = 0  # the background
    return counts


def radial_power(images):
    """Mean power per band of spatial frequency, of whole slices with 1 mm pixels."""
    power = (np.abs(np.fft.fft2(images - images.mean(axis=(1, 2), keepdims=True))) ** 2).mean(axis=0)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(images.shape[1]), np.fft.fftfreq(images.shape[2]), indexing="ij"))
    return {name: float(power[(frequency >= low) & (frequency < high)].mean()) for name, (low, high) in BANDS.items()}


def of_frame(store, frame):
    chosen = np.flatnonzero(np.char.lower(store.columns["frame"]) == frame.lower())
    return store.images(chosen), store.columns["subject"][chosen]


def patient_to_patients(subjects, distance):
    """Mean distance of each patient's slices to those of the others."""
    return float(np.mean([distance(subjects == one, subjects != one) for one in np.unique(subjects)]))


def patient_to_phantoms(patients, phantoms, distance):
    """The same with as many phantoms in the place of the others: mean over each patient and each such group."""
    names, everyone = np.unique(patients), np.unique(phantoms)
    size = len(names) - 1
    groups = [everyone[start : start + size] for start in range(0, len(everyone) - size + 1, size)]
    found = [distance(patients == one, np.isin(phantoms, group)) for one in names for group in groups]
    return float(np.mean(found))


def compare(frame, small, whole, extractor):
    """One frame's figures: patients to phantoms, beside patients to each other."""
    (made, phantoms), (real, patients) = (of_frame(store, frame) for store in small)
    features = [extractor.features(images) for images in (made, real)]
    spectra = [radial_power(of_frame(store, frame)[0].astype(float)) for store in whole]

    def histograms(first, second):
        return lambda a, b: earth_mover(tissue_histogram(first[a]), tissue_histogram(second[b]))

    def kernel(first, second):
        return lambda a, b: kernel_distance(first[a], second[b])

    return {
        "grey levels, earth mover's distance": {
            "patient to phantoms": patient_to_phantoms(patients, phantoms, histograms(real, made)),
            "patient to patients": patient_to_patients(patients, histograms(real, real)),
        },
        "power of phantoms over patients, dB": {
            band: 10 * float(np.log10(spectra[0][band] / spectra[1][band])) for band in BANDS
        },
        "kernel distance": {
            "patient to phantoms": patient_to_phantoms(patients, phantoms, kernel(features[1], features[0])),
            "patient to patients": patient_to_patients(patients, kernel(features[1], features[1])),
        },
    }


def seconds_a_subject(out, make):
    """The slope between a small and a larger collection, so that start-up does not count; each in a new folder."""
    processes = int(default_place().partition(":")[2])
    few, many = FEW * processes, MORE * processes
    found = []
    for repeat in range(REPEATS):
        times = []
        for count in (few, many):
            start = time.perf_counter()
            make(out / f"{repeat}-{count}", count)
            times.append(time.perf_counter() - start)
        found.append((times[1] - times[0]) / (many - few))
    return {"median": statistics.median(found), "lowest": min(found), "highest": max(found)}


def beside(stores, path):
    """Rows of frames: four phantoms' slices at the left, four patients' at the right."""
    rows = []
    for frame in np.unique(stores[0].columns["frame"]):
        for_both = [of_frame(store, frame)[0] for store in stores]
        rows += [images[np.linspace(0, len(images) - 1, 4).astype(int)] for images in for_both]
    Image.fromarray(mosaic(np.concatenate(rows), 8)).save(path)


def main(task, out):
    out, on, ill, timed = Path(out), default_place(), PhantomSettings(lesions=1.0), PhantomSettings()
    if out.exists():
        sys.exit(f"{out} is there already: name a new folder, or the times would be wrong.")
    seconds = {
        "as NIfTI": seconds_a_subject(out / "nifti", lambda folder, n: write_phantoms(folder, n, timed, on)),
        "as a store": seconds_a_subject(
            out / "stores", lambda folder, n: phantom_store(folder, n, timed, DataSettings(), on)
        ),
    }
    small, whole = [
        (
            phantom_store(out / f"{name}-phantoms", COMPARED, ill, settings, on),
            prepare(Path(task), out / f"{name}-patients", settings, on),
        )
        for name, settings in (("small", DataSettings()), ("whole", DataSettings(size=240)))
    ]
    extractor = open_extractor("efficientnet-lite2")
    beside(small, out / "beside.png")
    frames = [str(frame) for frame in np.unique(small[0].columns["frame"])]
    write_json(RESULTS, {
        "device": Device.choose("float32", 0).describe(), "place": on, "seconds a subject": seconds,
        "patients": len(np.unique(small[1].columns["subject"])), "phantoms": COMPARED,
        "frames": {frame: compare(frame, small, whole, extractor) for frame in frames},
    })  # fmt: skip
    print(RESULTS.read_text())


if __name__ == "__main__":
    main(*sys.argv[1:])
