"""How fast scans become a store, beside other ways and beside the floor; how fast the store is then read.

    python benchmarks/prepare.py OUT [--only prepare|store] [--repeats 5]     (Linux)

Preparation: phantoms of 240×240×155×4 int16 as gzipped NIfTI, in a Decathlon task's layout. Every way is one process of
its own for each count of volumes. The slope between its two counts is its time per volume, so start-up does not count;
the ways take turns, since other work disturbs a machine; files are read once before, so the page cache is warm.

- *ours*: `prepare` with default settings, 40 slices of each of 4 frames, with one worker process and with two.
- *naive*: the same slices by a loop: nibabel's get_fdata, each slice from its least to its largest value, Pillow's
  resize to 112, a PNG or .npy file a slice.
- *JPG*: as med2image 2.6.6 works (its source was read; the code here is our own): voxels in the file's own type; every
  slice of every frame is turned by 90 degrees with a cubic spline (scipy.ndimage.rotate) and written in full size by
  matplotlib's imsave, which maps that slice's least and largest value to black and white.
- *floor*: a file read and inflated into memory, nothing else, by each library in one call that knows the output's size,
  and in steps of 1 MiB into memory that is used again. The fastest of them is the floor.

Reading: a store of 150k slices of noise, made by `prepare` (some 6 GB of files in OUT while it is made, 2 GB after).

Phantoms and store are kept in OUT for another run. A table is printed; `benchmarks/results/prepare.json` has all of it.
"""

import argparse
import importlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import time
import zlib
from functools import partial
from pathlib import Path

import nibabel
import numpy as np
from PIL import Image

from braingan.data.prepare import prepare
from braingan.data.settings import DataSettings
from braingan.data.store import Store
from braingan.folders import read_json, write_json

RESULTS = Path(__file__).resolve().parent / "results" / "prepare.json"
COUNTS, FEW = (6, 30), (2, 6)
"""Volumes between which the slope is taken; `FEW` for the slow way."""
STEP = 2**20
COLLECTION = 750
"""Volumes of the collection that the times are extrapolated to."""
SLICES, SIDE, BATCH = 150_000, 112, 64
PASSES = 3

# The ways: each works on the first `count` volumes of a task, and may write to `scratch`.


def images_of(task, count):
    return [task / entry["image"] for entry in read_json(task / "dataset.json")["training"][:count]]


def ours(workers, task, count, scratch):
    store = prepare(task, scratch / "store", DataSettings(), f"local:{workers}")
    assert len(store) > 0.9 * count * 160


def naive(kind, task, count, scratch):
    for number, path in enumerate(images_of(task, count)):
        voxels = nibabel.load(path).get_fdata()
        for frame in range(voxels.shape[3]):
            for position in range(60, 100):
                pixels = voxels[:, :, position, frame]
                pixels = (pixels - pixels.min()) / max(pixels.max() - pixels.min(), 1) * 255
                picture = Image.fromarray(pixels.T.astype(np.uint8)).resize((112, 112))
                name = scratch / f"{number}-{frame}-{position}.{kind}"
                picture.save(name) if kind == "png" else np.save(name, np.asarray(picture))


def jpg(task, count, scratch):
    from matplotlib.image import imsave
    from scipy.ndimage import rotate

    for number, path in enumerate(images_of(task, count)):
        voxels = np.asanyarray(nibabel.load(path).dataobj)
        for frame in range(voxels.shape[3]):
            for position in range(voxels.shape[2]):
                name = scratch / f"{number}-{frame}-{position}.jpg"
                imsave(name, rotate(voxels[:, :, position, frame], 90), cmap="Greys_r")


def inflate_at_once(module, task, count, scratch):
    decompress = importlib.import_module(module).decompress
    for path in images_of(task, count):
        content = path.read_bytes()
        size = int.from_bytes(content[-4:], "little")  # a gzip file ends with it
        assert len(decompress(content, 31, size)) == size


def inflate_in_steps(module, task, count, scratch):
    open_gzip, memory = importlib.import_module(module).open, None
    for path in images_of(task, count):
        with path.open("rb") as file:
            file.seek(-4, os.SEEK_END)
            size = int.from_bytes(file.read(), "little")
        if memory is None or len(memory) != size:
            memory = np.empty(size, np.uint8)  # NumPy asks for large pages: a bytearray is slower to fill
        at, view = 0, memoryview(memory)
        with open_gzip(path, "rb") as file:
            while read := file.readinto(view[at : at + STEP] or bytearray(1)):  # to the end, where the checksum is
                at += read
        assert at == size


OURS, OURS_2, JPG = "ours, 1 process", "ours, 2 processes", "JPG of every slice"
WAYS = {
    OURS: (partial(ours, 1), COUNTS, ()),
    OURS_2: (partial(ours, 2), COUNTS, ()),
    "naive to PNG": (partial(naive, "png"), COUNTS, ()),
    "naive to .npy": (partial(naive, "npy"), COUNTS, ()),
    JPG: (jpg, FEW, ("scipy",)),
    "floor: zlib at once": (partial(inflate_at_once, "zlib"), COUNTS, ()),
    "floor: isal at once": (partial(inflate_at_once, "isal.isal_zlib"), COUNTS, ("isal",)),
    "floor: zlib-ng at once": (partial(inflate_at_once, "zlib_ng.zlib_ng"), COUNTS, ("zlib_ng",)),
    "floor: gzip in steps": (partial(inflate_in_steps, "gzip"), COUNTS, ()),
    "floor: isal in steps": (partial(inflate_in_steps, "isal.igzip"), COUNTS, ("isal",)),
    "floor: zlib-ng in steps": (partial(inflate_in_steps, "zlib_ng.gzip_ng"), COUNTS, ("zlib_ng",)),
}
"""Name -> the way, its two counts of volumes, the packages it needs."""

# One measurement: a process of its own, which prints what it found as its last line.


def measure(name, count, out):
    """Run a way once and print its seconds, its processor seconds, and the most memory that a process of it held."""
    way, scratch = WAYS[name][0], out / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    task = task_path(out, count)
    for path in [*images_of(task, count), *task.glob("labelsTr/*")]:
        path.read_bytes()
    os.sync()  # what earlier measurements wrote is not to be written during this one
    start, processor = time.perf_counter(), processor_seconds()
    way(task, count, scratch)
    seconds, processor = time.perf_counter() - start, processor_seconds() - processor
    shutil.rmtree(scratch)
    workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "processor": processor, "MiB": max(workers, own_peak())}))


def processor_seconds():
    """Time on cores so far, of this process and of workers that have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def own_peak():
    """MiB; not ru_maxrss, which begins with that of the process that started this one."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def in_a_process(*arguments):
    call = [sys.executable, __file__, *map(str, arguments)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(call)} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


# Preparation.


def task_path(out, count):
    """A task of as many volumes, since `prepare` takes all of one; the loops take the first of a larger one."""
    return out / f"phantoms-{count if count in COUNTS else COUNTS[1]}"


def measure_preparation(out, repeats):
    from braingan.data.phantom.settings import PhantomSettings
    from braingan.data.phantom.write import write_phantoms
    from braingan.executor import default_place

    for count in COUNTS:
        write_phantoms(task_path(out, count), count, PhantomSettings(), default_place())
    ways = installed()
    runs = {name: [] for name in ways}
    for repeat in range(repeats):
        for name in ways:
            runs[name].append([in_a_process(out, "--measure", name, count) for count in WAYS[name][1]])
            print(f"repeat {repeat + 1} of {repeats}: {name}", file=sys.stderr)
    rows = {name: row_of(name, found) for name, found in runs.items()}
    sizes = [path.stat().st_size for path in images_of(task_path(out, COUNTS[1]), COUNTS[1])]
    shape = nibabel.load(images_of(task_path(out, COUNTS[1]), 1)[0]).shape
    return {
        **machine(), "repeats": repeats, "shape": list(shape), "MB a file": statistics.mean(sizes) / 1e6,
        "ways": rows, **ratios(runs), "extrapolated": extrapolated(runs),
    }  # fmt: skip


def installed():
    """The ways whose packages are there; of the others it is said how to get them."""
    chosen = []
    for name, (_, _, needs) in WAYS.items():
        missing = [package for package in needs if importlib.util.find_spec(package) is None]
        if missing:
            package = missing[0].replace("_", "-")
            print(f"'{name}' is left out: it needs {package} (pip install {package}).", file=sys.stderr)
        else:
            chosen.append(name)
    return chosen


def slopes(name, found, key="seconds"):
    """What one more volume takes, of each repeat."""
    few, many = WAYS[name][1]
    return [(more[key] - less[key]) / (many - few) for less, more in found]


def spread(values):
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def row_of(name, found):
    counts = WAYS[name][1]
    return {
        "volumes": list(counts),
        "seconds a volume": spread(slopes(name, found)),
        "processor seconds a volume": spread(slopes(name, found, "processor")),
        "peak MiB of a process": {
            str(count): max(run[index]["MiB"] for run in found) for index, count in enumerate(counts)
        },
    }


def ratios(runs):
    """Each ratio within every repeat, since what disturbs one way for a while disturbs its neighbours; with its goal.

    Processor seconds suffer less from other work than seconds do, but leave out waiting for the disk.
    """
    times = {name: slopes(name, found) for name, found in runs.items()}
    cores = {name: slopes(name, found, "processor") for name, found in runs.items()}

    def fastest(names):
        return min(names, key=lambda name: statistics.median(times[name]))

    def ratio(above, below, goal="", processes=1, share=1.0):
        parts = [(a / b / processes * share, c / d * share) for a, b, c, d in zip(
            times[above], times[below], cores[above], cores[below], strict=True)]  # fmt: skip
        seconds, processor = zip(*parts, strict=True)
        return {**spread(seconds), "of processor seconds": spread(processor), "goal": goal}

    floor = fastest([name for name in runs if name.startswith("floor")])
    at_once = fastest([name for name in runs if name.endswith("at once")])
    found = {
        "ours / floor": ratio(OURS, floor, "at most 2, aim 1.5"),
        "ours / floor at once": ratio(OURS, at_once),
        **{f"{name} / ours": ratio(name, OURS) for name in runs if name.startswith("naive")},
        "efficiency of 2 processes": ratio(OURS, OURS_2, "at least 0.9", processes=2),
    }
    if JPG in runs:
        found["JPG / ours, a volume"] = ratio(JPG, OURS, "at least 15")
        found["JPG / ours, a slice"] = ratio(JPG, OURS, share=160 / 620)  # it takes all 155 of a frame, we 40
    return {"floor": floor, "floor at once": at_once, "ratios": found}


def extrapolated(runs):
    """Minutes for a large collection, by the line through the two counts: not measured."""
    minutes = {}
    for name, found in runs.items():
        slope = slopes(name, found)
        starts = [less["seconds"] - WAYS[name][1][0] * one for (less, _), one in zip(found, slope, strict=True)]
        if not name.startswith("floor"):
            minutes[name] = spread([(s + COLLECTION * one) / 60 for s, one in zip(starts, slope, strict=True)])
    return {"volumes": COLLECTION, "slices of ours": COLLECTION * 160, "minutes": minutes}


# Reading a store.


def noise_store(out):
    """A store of many slices, made by `prepare` from volumes of noise as large as a store's slices."""
    path = out / "store-of-noise"
    if (path / "store.json").exists():
        return path
    task, rng, names = out / "noise", np.random.default_rng(0), ("FLAIR", "T1w", "t1gd", "T2w")
    (task / "imagesTr").mkdir(parents=True, exist_ok=True)
    entries = [f"./imagesTr/NOISE_{number:05d}.nii" for number in range(-(-SLICES // 160))]
    for entry in entries:
        voxels = rng.integers(0, 256, (SIDE, SIDE, 40, 4), np.uint8)
        nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), task / entry)
    frames = {str(number): name for number, name in enumerate(names)}
    write_json(task / "dataset.json", {
        "name": "noise", "modality": frames, "training": [{"image": entry} for entry in entries], "test": [],
    })  # fmt: skip
    prepare(task, path, DataSettings(slices="all"), "local:2")
    shutil.rmtree(task)
    return path


def opened(path):
    """Open a store and use what every verb uses of it; return its seconds."""
    start = time.perf_counter()
    store = Store.open(path)
    assert len(store) >= SLICES
    assert store.fingerprint
    assert len(store.columns["subject"]) == len(store)
    return time.perf_counter() - start


def one_pass(store, seed):
    """Read every slice once, in random batches; return slices a second."""
    order = np.random.default_rng(seed).permutation(len(store))
    start = time.perf_counter()
    for at in range(0, len(order), BATCH):
        store.images(order[at : at + BATCH])
    return len(order) / (time.perf_counter() - start)


def measure_reading(path):
    """In a process of its own: print the seconds of opening and the rates of passes over all slices."""
    for shard in path.glob("images-*.npy"):
        shard.read_bytes()
    seconds = [opened(path) for _ in range(4)]
    store = Store.open(path)
    rates = [one_pass(store, seed) for seed in range(1 + PASSES)]
    print(json.dumps({"fresh": seconds[0], "again": seconds[1:], "first": rates[0], "later": rates[1:]}))


def measure_store(out, repeats):
    path = noise_store(out)
    found = [in_a_process(path, "--reading") for _ in range(repeats)]
    milliseconds = {
        "in a fresh process": spread([1000 * run["fresh"] for run in found]),
        "again in that process": spread([1000 * seconds for run in found for seconds in run["again"]]),
    }
    rates = {
        "first pass": spread([run["first"] for run in found]),
        "later passes": spread([rate for run in found for rate in run["later"]]),
    }
    return {
        **machine(), "repeats": repeats, "slices": len(Store.open(path)), "batch": BATCH,
        "opening, ms": milliseconds, "goal of opening, ms": 50,
        "slices a second": rates, "goal of slices a second": 100_000,
    }  # fmt: skip


# What is written and printed.


def machine():
    from braingan.training.devices import Device

    versions = {"python": platform.python_version(), "zlib": zlib.ZLIB_RUNTIME_VERSION}
    for package in ("numpy", "nibabel", "pillow", "matplotlib", "scipy", "isal", "zlib-ng"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {"device": Device.choose("float32", 0).describe(), "versions": versions}


def line(name, values, factor=1.0, form=".2f", note=""):
    numbers = "".join(f"{format(values[key] * factor, form):>10}" for key in ("median", "lowest", "highest"))
    print(f"{name:<40}{numbers}  {note}".rstrip())


def head(title):
    print(f"\n{title:<40}{'median':>10}{'lowest':>10}{'highest':>10}")


def show_preparation(found):
    head("ms a volume")
    for name, row in found["ways"].items():
        core = row["processor seconds a volume"]["median"] * 1000
        peak = max(row["peak MiB of a process"].values())
        note = f"{core:.0f} of a core, {peak:.0f} MiB, {row['volumes'][0]} to {row['volumes'][1]} volumes"
        line(name, row["seconds a volume"], 1000, ".0f", note)
    head(f"ratios ({found['floor'].replace('floor: ', 'floor is ')})")
    for name, ratio in found["ratios"].items():
        goal = f", goal: {ratio['goal']}" if ratio["goal"] else ""
        line(name, ratio, note=f"{ratio['of processor seconds']['median']:.2f} of processor seconds{goal}")
    head(f"extrapolated to {COLLECTION} volumes, minutes")
    for name, minutes in found["extrapolated"]["minutes"].items():
        line(name, minutes, form=".1f")
    for name in (OURS, OURS_2):
        peaks = found["ways"][name]["peak MiB of a process"].items()
        said = ", ".join(f"{mib:.0f} MiB with {count} volumes" for count, mib in peaks)
        print(f"most memory of a process, {name}: {said} (goal: below 1024)")


def show_store(found):
    head(f"opening {found['slices']} slices, ms")
    for name, values in found["opening, ms"].items():
        line(name, values, form=".1f", note=f"goal: below {found['goal of opening, ms']}")
    head(f"slices a second, random batches of {BATCH}")
    for name, values in found["slices a second"].items():
        line(name, values, form=".0f", note=f"goal: at least {found['goal of slices a second']}")


PARTS = {"prepare": (measure_preparation, show_preparation), "store": (measure_store, show_store)}


def main():
    parser = argparse.ArgumentParser(description="Measure preparation and the reading of a store.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--reading", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        return measure(given.measure[0], int(given.measure[1]), given.out)
    if given.reading:
        return measure_reading(given.out)
    given.out.mkdir(parents=True, exist_ok=True)
    results = read_json(RESULTS) if RESULTS.exists() else {}
    for part in [given.only] if given.only else PARTS:
        take, show = PARTS[part]
        results[part] = take(given.out, given.repeats)
        write_json(RESULTS, results)
        show(results[part])


if __name__ == "__main__":
    main()
