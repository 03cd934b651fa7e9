"""Bad input of every kind gets a reason that names the fault, and never stops the rest.

One folder of volumes, one of pictures and one of arrays, each with a good file among the bad ones, is prepared once.
"""

import csv
import gzip
import os
import re
import struct
import zlib
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

import made
from braingan.data.prepare import prepare
from braingan.data.settings import DataSettings

GOOD = made.landmarks()
UNREADABLE_BY_ROOT = os.geteuid() == 0


def nifti_bytes(voxels=GOOD, affine=None, **fields) -> bytearray:
    """A NIfTI-1 file whose header fields are then overwritten."""
    image = nibabel.Nifti1Image(voxels, np.eye(4) if affine is None else affine)
    raw = bytearray(image.to_bytes())
    for (offset, kind), value in fields.items():
        struct.pack_into("<" + kind, raw, offset, *np.atleast_1d(value).tolist())
    return raw


def with_header(**changes):
    """Writes the good volume with other bytes at places of its header: dim 40, datatype 70, bitpix 72, …"""
    places = {"dim": (40, "8h"), "datatype": (70, "h"), "bitpix": (72, "h"), "offset": (108, "f"), "magic": (344, "4s")}

    def write(path: Path) -> None:
        raw = nifti_bytes()
        for name, value in changes.items():
            offset, kind = places[name]
            struct.pack_into("<" + kind, raw, offset, *(value if isinstance(value, tuple) else (value,)))
        path.write_bytes(gzip.compress(bytes(raw)))

    return write


def voxels(content, affine=None):
    def write(path: Path) -> None:
        nibabel.save(nibabel.Nifti1Image(content, np.eye(4) if affine is None else affine), path)

    return write


def raw(content: bytes):
    return lambda path: path.write_bytes(content)


def zipped(content: bytes):
    return lambda path: path.write_bytes(gzip.compress(content))


def cut_to(share: float, ending: str = ".nii.gz"):
    def write(path: Path) -> None:
        content = bytes(nifti_bytes())
        content = gzip.compress(content, mtime=0) if ending == ".nii.gz" else content
        path.write_bytes(content[: int(len(content) * share)])

    return write


def flipped(byte: int):
    def write(path: Path) -> None:
        content = bytearray(gzip.compress(bytes(nifti_bytes()), mtime=0))
        content[byte] ^= 0xFF
        path.write_bytes(content)

    return write


def colour(path: Path) -> None:
    pixels = np.zeros((8, 8, 8), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nibabel.save(nibabel.Nifti1Image(pixels, np.eye(4)), path)


def with_slope(slope: float):
    def write(path: Path) -> None:
        content = nifti_bytes(GOOD + np.int16(1))
        struct.pack_into("<ff", content, 112, slope, 0)
        path.write_bytes(gzip.compress(bytes(content)))

    return write


def zero_affine(path: Path) -> None:
    content = nifti_bytes()
    struct.pack_into("<hh", content, 252, 0, 1)
    content[280:328] = bytes(48)
    path.write_bytes(gzip.compress(bytes(content)))


def nan_affine(path: Path) -> None:
    content = nifti_bytes()
    struct.pack_into("<hh", content, 252, 0, 1)
    struct.pack_into("<f", content, 280, float("nan"))
    path.write_bytes(gzip.compress(bytes(content)))


def analyze(path: Path) -> None:
    nibabel.AnalyzeImage(GOOD, np.eye(4)).to_filename(path.with_suffix(".img"))


def header_alone(path: Path) -> None:
    path.write_bytes(bytes(nifti_bytes())[:348])


def far_longer_than_said(path: Path) -> None:
    path.write_bytes(gzip.compress(bytes(nifti_bytes()) + bytes(40 * 2**20), 1))


def garbage_after_gzip(path: Path) -> None:
    path.write_bytes(gzip.compress(bytes(nifti_bytes())) + b"something else")


def nothing_there(path: Path) -> None:
    path.symlink_to("nowhere.nii.gz")


def no_permission(path: Path) -> None:
    voxels(GOOD)(path)
    path.chmod(0)


def a_folder(path: Path) -> None:
    path.mkdir()


def far_brain(path: Path) -> None:
    content = np.zeros((60, 60, 40), np.int16)
    content[28:32, 28:32, 20:22] = np.arange(32).reshape(4, 4, 2) + 50
    voxels(content)(path)


HUGE = (3, 32767, 32767, 32767, 1, 1, 1, 1)
BAD_VOLUMES = {
    "empty.nii.gz": (raw(b""), "the file is empty"),
    "empty.nii": (raw(b""), "the file is empty"),
    "short.nii": (raw(b"n+1" * 20), "too short for a NIfTI header"),
    "truncated header.nii.gz": (cut_to(0.02), "ends early"),
    "truncated voxels.nii.gz": (cut_to(0.9), "ends early"),
    "truncated voxels.nii": (cut_to(0.9, ".nii"), r"ends early: [\d,]+ of [\d,]+ bytes of voxels"),
    "no checksum.nii.gz": (lambda p: p.write_bytes(gzip.compress(bytes(nifti_bytes()))[:-8]), "ends early"),
    "wrong checksum.nii.gz": (flipped(-6), "damaged gzip file"),
    "wrong length at the end.nii.gz": (flipped(-2), "damaged gzip file"),
    "damaged inside.nii.gz": (flipped(60), "damaged gzip file|header|another beginning|ends early"),
    "garbage after gzip.nii.gz": (garbage_after_gzip, "other bytes after its end"),
    "text.nii.gz": (zipped(b"patient notes " * 100), "not a NIfTI file"),
    "web page.nii.gz": (raw(b"<!DOCTYPE html><title>404</title>" * 40), "not a NIfTI file"),
    "wrong magic.nii.gz": (with_header(magic=b"n?1\0"), "Analyze 7.5"),
    "terabytes.nii.gz": (with_header(dim=HUGE), r"claims 65,\d{3}\.\d GiB of voxels, more than data.max_gib = 4"),
    "no voxels.nii.gz": (with_header(dim=(3, 24, 0, 20, 1, 1, 1, 1)), r"found 3-D of shape \(24, 0, 20\)"),
    "negative size.nii.gz": (with_header(dim=(3, 24, -5, 20, 1, 1, 1, 1)), r"3-D of shape \(24, -5, 20\)"),
    "dimensions.nii.gz": (with_header(dim=(77, 24, 30, 20, 1, 1, 1, 1)), "damaged: it claims more dimensions than 7"),
    "no dimensions.nii.gz": (
        with_header(dim=(0, 24, 30, 20, 1, 1, 1, 1)),
        "damaged: it claims more dimensions than 7, or none",
    ),
    "unknown type.nii.gz": (with_header(datatype=77), "77 stands for no type of voxels"),
    "bits.nii.gz": (with_header(datatype=1, bitpix=1), "found voxels of one bit"),
    "offset.nii.gz": (with_header(offset=1e12), "voxels cannot begin where it says"),
    "negative offset.nii.gz": (with_header(offset=-352.0), "voxels cannot begin where it says"),
    "offset that is no number.nii.gz": (with_header(offset=float("nan")), "header is damaged"),
    "endless offset.nii.gz": (with_header(offset=float("inf")), "header is damaged"),
    "offset beyond.nii.gz": (with_header(offset=30000.0), "ends early"),
    "longer than said.nii.gz": (far_longer_than_said, "holds far more than its header says"),
    "one slice.nii.gz": (voxels(np.ones((9, 9), np.int16)), "expected 3-D or 4-D voxels, found 2-D"),
    "five dimensions.nii.gz": (voxels(np.ones((4, 4, 4, 2, 3), np.int16)), "found 5-D"),
    "colours.nii.gz": (colour, r"colours \(RGB\)"),
    "complex.nii.gz": (voxels(np.ones((4, 4, 4), np.complex64)), "complex64 numbers"),
    "zero affine.nii.gz": (zero_affine, "zero or singular"),
    "nan affine.nii.gz": (nan_affine, "zero or singular"),
    "flat affine.nii.gz": (voxels(GOOD, np.diag([1.0, 1.0, 1e-9, 1.0])), "which no scan has"),
    "all zero.nii.gz": (voxels(np.zeros((9, 9, 9), np.int16)), "all its voxels have the same value"),
    "constant.nii.gz": (voxels(np.full((9, 9, 9), 7.5, np.float32)), "all its voxels have the same value"),
    "all nan.nii.gz": (voxels(np.full((9, 9, 9), np.nan, np.float32)), "holds no finite values"),
    "all infinite.nii.gz": (voxels(np.full((9, 9, 9), np.inf, np.float32)), "holds no finite values"),
    "beyond.nii.gz": (voxels(np.full((9, 9, 9), 3e35)), r"holds no finite values: .* beyond 1e\+30"),
    "steep.nii.gz": (with_slope(1e38), "holds no finite values"),
    "labels of no word.nii.gz": (voxels((GOOD // 150 * 2).astype(np.int16)), "looks like a label map"),
    "labels as float.nii.gz": (voxels((GOOD > 150) * np.float64(255)), "looks like a label map"),
    "next to nothing.nii.gz": (far_brain, "less than data.min_brain"),
    "analyze.hdr": (analyze, "Analyze 7.5 file"),
    "alone.hdr": (header_alone, r"the other file of the pair, ending in .img, is not there"),
    "lonely.img": (raw(b"voxels"), r"the other file of the pair, ending in .hdr, is not there"),
    "leads nowhere.nii.gz": (nothing_there, "a link that leads nowhere"),
    "a folder.nii.gz": (a_folder, ""),
    "four frames_seg.nii.gz": (voxels(GOOD), "a label map by its name, but the scan is not there"),
    "mask.nii.gz": (voxels(GOOD), "a label map by its name, but the scan is not there"),
    "labelsTr/case.nii.gz": (voxels(GOOD), "a label map by its folder's name"),
    "volume.nii.xz": (raw(b"?"), "a format that is not read"),
    "slice.dcm.gz": (raw(b"?"), "a format that is not read"),
    "volume.mgz": (raw(b"?"), "a format that is not read"),
    "volume.nrrd": (raw(b"NRRD0004"), "a format that is not read"),
    "picture.png": (lambda p: Image.new("L", (9, 9)).save(p), "one of the pictures in a folder of volumes"),
    "scans.zip": (raw(b"PK"), "convert it to NIfTI, or unpack it"),
    **({} if UNREADABLE_BY_ROOT else {"locked.nii.gz": (no_permission, "cannot be read: Permission denied")}),
}


def bomb(path: Path) -> None:
    """A PNG of 60,000 × 60,000 pixels in a few kilobytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
    content = zlib.compress(bytes(10**6))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", content) + chunk(b"IEND", b""))


def picture(share: float, kind: str):
    def write(path: Path) -> None:
        pixels = np.random.default_rng(0).integers(0, 255, (60, 60)).astype(np.uint8)
        Image.fromarray(pixels).save(path, kind)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])

    return write


def pages(path: Path) -> None:
    first, *rest = [Image.new("L", (8, 8), level) for level in (1, 2, 3)]
    first.save(path, save_all=True, append_images=rest)


BAD_PICTURES = {
    "empty.jpg": (raw(b""), "the file is empty"),
    "cut.jpg": (picture(0.5, "JPEG"), "not a readable picture"),
    "cut.png": (picture(0.5, "PNG"), "not a readable picture"),
    "cut.bmp": (picture(0.5, "BMP"), "not a readable picture"),
    "cut.tif": (picture(0.5, "TIFF"), "not a readable picture"),
    "begin only.jpg": (raw(b"\xff\xd8\xff\xe0 and no more"), "not a readable picture"),
    "text.png": (raw(b"this is no picture"), "not a readable picture"),
    "bomb.png": (bomb, "exceeds limit|more than data.max_gib allows"),
    "black.png": (lambda p: Image.new("L", (30, 30)).save(p), "all its pixels have the same value"),
    "clear.png": (
        lambda p: Image.new("RGBA", (30, 30), (200, 90, 10, 0)).save(p),
        "all its pixels have the same value",
    ),
    "pages.tif": (pages, "has 3 pages"),
    "moving.png": (pages, "has 3 pages"),
    "old.pgm": (raw(b"P5"), "a format that is not read"),
    "masks/good.png": (lambda p: Image.new("L", (30, 30), 255).save(p), "a label map by its folder's name"),
    "moving.gif": (lambda p: Image.new("L", (9, 9)).save(p), "a format that is not read"),
    "good_mask.png": (lambda p: Image.new("L", (30, 30), 255).save(p), "by its name the label map"),
    "leads nowhere.png": (nothing_there, "a link that leads nowhere"),
}
BAD_ARRAYS = {
    "empty.npy": (raw(b""), "header is damaged|ends early|not a readable"),
    "text.npy": (raw(b"no array at all"), "header is damaged"),
    "cut.npy": (lambda p: (np.save(p, GOOD), p.write_bytes(p.read_bytes()[:500])), "header is damaged"),
    "objects.npy": (lambda p: np.save(p, np.array([{}, []], object)), "header is damaged"),
    "words.npy": (lambda p: np.save(p, np.array([["a", "b"]])), "expected real numbers"),
    "one dimension.npy": (lambda p: np.save(p, np.arange(9)), "expected a 2-D array"),
    "five dimensions.npy": (lambda p: np.save(p, np.ones((2,) * 5)), "expected a 3-D or 4-D array"),
    "no numbers.npy": (lambda p: np.save(p, np.ones((0, 5))), r"of shape \(0, 5\)"),
}


def good_volume(path):
    nibabel.save(made.as_stored(GOOD, "LPS"), path)


def good_picture(path):
    Image.fromarray(GOOD[:, :, 10].astype(np.uint8)).save(path)


COLLECTIONS = {
    "volumes": (BAD_VOLUMES, "good.nii.gz", good_volume),
    "pictures": (BAD_PICTURES, "good.png", good_picture),
    "arrays": (BAD_ARRAYS, "good.npy", lambda path: np.save(path, GOOD)),
}


@pytest.fixture(scope="module")
def reasons(tmp_path_factory):
    """Collection -> file -> its reasons, and the subjects in the store."""
    found = {}
    for kind, (bad, good, write_good) in COLLECTIONS.items():
        folder = tmp_path_factory.mktemp(kind)
        for name, (write, _) in bad.items():
            (folder / name).parent.mkdir(exist_ok=True)
            write(folder / name)
        write_good(folder / good)
        limit = {"max_gib": 0.03} if kind == "volumes" else {}
        store = prepare(folder, folder.parent / f"{folder.name}-store", DataSettings(size=32, **limit), "local:2")
        said: dict[str, str] = {}
        with store.folder.discarded.open(encoding="utf-8") as file:
            for row in csv.DictReader(file):
                said[row["file"]] = said.get(row["file"], "") + row["reason"]
        found[kind] = said, set(store.columns["subject"])
    return found


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, (bad, _, _) in COLLECTIONS.items() for name in bad])
def test_every_bad_file_has_its_reason(reasons, kind, name):
    expected, (said, _) = COLLECTIONS[kind][0][name][1], reasons[kind]
    if not expected:
        assert name not in said
        return
    assert re.search(expected.replace("= 4", "= 0.03"), said[name]), said[name]
    assert "Traceback" not in said[name]
    assert "/tmp" not in said[name]


@pytest.mark.parametrize("kind", COLLECTIONS)
def test_the_good_file_among_them_is_in_the_store(reasons, kind):
    assert reasons[kind][1] == {"good"}


def test_the_table_holds_at_least_forty_kinds():
    assert sum(len(bad) for bad, _, _ in COLLECTIONS.values()) >= 40
