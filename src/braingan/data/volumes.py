"""A file becomes a volume in a known orientation, or a named reason why not.

Volumes are turned to RAS: the first axis grows towards the patient's right, the second towards anterior, the
third towards superior. Turning permutes and mirrors axes only; nothing is resampled or copied.

Most of the time goes into inflating, so a file is inflated once, in pieces that stay in the processor's cache, into
the array that it is going to be; isal does it, where it is installed, more than twice as fast as gzip. A header is read
before anything is allocated for what it claims.
"""

import gzip
import math
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from jaxtyping import Float, Shaped

open_gzip: Callable[..., Any] = gzip.open
DAMAGED_GZIP: tuple[Any, ...] = (gzip.BadGzipFile, zlib.error)
with suppress(ImportError):  # it only makes reading faster
    from isal import igzip, isal_zlib

    open_gzip, DAMAGED_GZIP = igzip.open, (*DAMAGED_GZIP, isal_zlib.error)

LARGEST = 1e30
"""Intensities beyond are none, and sums over a volume of less stay finite in float32."""
SMALLEST_MM, LARGEST_MM = 1e-3, 1e3
PIECE = 2**20
HEADER_BYTES = {nibabel.Nifti1Header: 348, nibabel.Nifti2Header: 540}
METRES, MICRONS = 1, 3
PAIRS = {".hdr": ".img", ".img": ".hdr"}


class UnreadableError(Exception):
    """Why a file, or a frame of it, can't be used; goes to `discarded.csv`."""


@dataclass(frozen=True)
class Volume:
    """Voxels in RAS orientation, in the file's own intensity units."""

    voxels: Shaped[np.ndarray, "x y z frames"]
    spacing: tuple[float, float, float]
    """Distance between voxel centres along x, y, z in mm."""
    oriented: bool = True
    """Whether the file says how it is oriented; if not, left and right may be confused."""
    affine: Float[np.ndarray, "4 4"] | None = None
    """From voxel numbers to the scanner's mm along RAS axes; None where the file states none."""

    def lies_as(self, other: "Volume") -> bool:
        """Whether its voxels lie where those of another volume do, to within one; unknown places count as the same."""
        if self.voxels.shape[:3] != other.voxels.shape[:3]:
            return False
        if self.affine is None or other.affine is None:
            return True
        corners = np.array([[*corner, 1.0] for corner in np.ndindex(2, 2, 2)]) * [*self.voxels.shape[:3], 1]
        apart = np.linalg.norm(((self.affine - other.affine) @ corners.T)[:3], axis=0)
        return bool(apart.max() < max(self.spacing))


def read_volume(path: Path, limit: int = 2**33) -> Volume:
    """Read a NIfTI-1 or NIfTI-2 file, plain, gzipped or as a pair, or a NumPy array; 3-D or 4-D.

    Args:
        path: the file; of a pair the `.hdr`.
        limit: most bytes that its voxels may take.

    Raises:
        UnreadableError: it can't be read, with the reason.
    """
    if path.name.lower().endswith(".npy"):
        voxels = read_array(path, limit)
        if voxels.ndim not in (3, 4):
            raise UnreadableError(f"expected a 3-D or 4-D array, found one of shape {voxels.shape}")
        return Volume(finite(voxels if voxels.ndim == 4 else voxels[..., None]), (1.0, 1.0, 1.0), oriented=False)
    with _reasons():
        header, voxels = _read_nifti(path, limit)
        affine = header.get_best_affine()
    affine[:3] *= {METRES: 1000.0, MICRONS: 0.001}.get(int(header["xyzt_units"]) & 7, 1.0)
    if not np.isfinite(affine).all() or np.linalg.matrix_rank(affine[:3, :3]) < 3:
        raise UnreadableError("its affine matrix is zero or singular, so orientation and spacing are unknown")
    spacing = nibabel.affines.voxel_sizes(affine)
    if not (spacing.min() > SMALLEST_MM and spacing.max() < LARGEST_MM):
        raise UnreadableError(f"voxels of {'×'.join(f'{mm:.3g}' for mm in spacing)} mm, which no scan has")
    oriented = bool(header["qform_code"] or header["sform_code"])
    return turned(finite(voxels), affine, spacing, oriented)


def turned(
    voxels: Shaped[np.ndarray, "i j k frames"],
    affine: Float[np.ndarray, "4 4"],
    spacing: Float[np.ndarray, "3"],
    oriented: bool = True,
) -> Volume:
    """Turn voxels to RAS, a view of them.

    Args:
        voxels: as a file stores them.
        affine: from their numbers to RAS.
        spacing: in mm along their own axes.
        oriented: whether the file states the affine.
    """
    orientation = nibabel.io_orientation(affine)
    x, y, z = (float(spacing[int(np.flatnonzero(orientation[:, 0] == axis)[0])]) for axis in range(3))
    place = affine @ nibabel.orientations.inv_ornt_aff(orientation, voxels.shape[:3]) if oriented else None
    return Volume(nibabel.apply_orientation(voxels, orientation), (x, y, z), oriented, place)


def read_shape(path: Path) -> tuple[int, ...]:
    """Read from a NIfTI file's header alone how many voxels it has along x, y and z.

    Raises:
        UnreadableError: it can't be read, with the reason.
    """
    with _reasons(), open_gzip(path) if _is_gzip(path) else path.open("rb") as stream:
        header = _read_header(stream)
        axes = nibabel.io_orientation(header.get_best_affine())[:, 0]
        return tuple(int(header.get_data_shape()[int(np.flatnonzero(axes == axis)[0])]) for axis in range(3))


def dimensions(path: Path) -> int:
    """How many dimensions the array in a `.npy` file has; 0 if it can't be read."""
    try:
        return int(np.load(path, mmap_mode="r", allow_pickle=False).ndim)
    except Exception:  # a header that makes no sense raises whatever Python's parser does; read_array says so
        return 0


def read_array(path: Path, limit: int) -> Shaped[np.ndarray, "..."]:
    """Read a `.npy` file of real numbers.

    Raises:
        UnreadableError: it can't be read, with the reason.
    """
    with _reasons():
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(mapped, np.ndarray):
            raise UnreadableError("not a NumPy array")
        _check_limit(mapped.nbytes, limit)
        if mapped.dtype.kind not in "biuf" or 0 in mapped.shape:
            raise UnreadableError(f"expected real numbers, found {mapped.dtype} of shape {mapped.shape}")
        return np.array(mapped, np.uint8 if mapped.dtype.kind == "b" else mapped.dtype)


def other_of_pair(path: Path) -> Path | None:
    """The `.img` of a `.hdr` or the other way round, whatever the case of its ending."""
    other = PAIRS[path.suffix.lower()]
    found = (path.with_suffix(ending) for ending in (other, other.upper()))
    return next((candidate for candidate in found if candidate.is_file()), None)


@contextmanager
def _reasons() -> Iterator[None]:
    """Turn what reading a bad file raises into the reason in words."""
    try:
        yield
    except EOFError as error:
        raise UnreadableError("the file ends early: copy or download it again") from error
    except DAMAGED_GZIP as error:
        after = "Not a gzipped file" in str(error)  # what it begins with was looked at
        reason = "other bytes after its end" if after else str(error)
        raise UnreadableError(f"damaged gzip file: {reason}") from error
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise UnreadableError("there is not enough memory for its voxels") from error
    except UnreadableError:
        raise
    except Exception as error:  # nibabel and NumPy raise a dozen kinds for headers that make no sense
        raise UnreadableError(f"its header is damaged: {error}") from error


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _read_nifti(path: Path, limit: int) -> tuple[nibabel.Nifti1Header, Shaped[np.ndarray, "x y z frames"]]:
    with open_gzip(path) if _is_gzip(path) else path.open("rb") as stream:
        header = _read_header(stream)
        shape, kind = _shape_and_kind(header)
        if len(shape) not in (3, 4) or min(shape) < 1:
            raise UnreadableError(f"expected 3-D or 4-D voxels, found {len(shape)}-D of shape {shape}")
        size = math.prod(shape) * kind.itemsize
        _check_limit(size, limit)
        voxels = np.empty(math.prod(shape), kind)
        if path.suffix.lower() == ".hdr":
            pair_path = other_of_pair(path)
            if pair_path is None:
                raise UnreadableError("the other file of the pair, ending in .img, is not there")
            with pair_path.open("rb") as pair:
                _fill(voxels, pair, int(header["vox_offset"]), limit)
        else:
            begin = int(header["vox_offset"]) or header.single_vox_offset
            _fill(voxels, stream, begin - HEADER_BYTES[type(header)], limit)
    slope, intercept = header.get_slope_inter()
    if slope is not None and (slope, intercept) != (1, 0):
        with np.errstate(over="ignore", invalid="ignore"):  # what becomes infinite is no intensity: see `finite`
            voxels = voxels.astype(np.float32)
            voxels *= np.float32(slope)
            voxels += np.float32(intercept)
    return header, voxels.reshape(shape if len(shape) == 4 else (*shape, 1), order="F")


def _shape_and_kind(header: nibabel.Nifti1Header) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    """Return which voxels a header claims, without last dimensions of 1 beyond three."""
    count, code = int(header["dim"][0]), int(header["datatype"])
    if not 1 <= count <= 7:
        raise UnreadableError("its header is damaged: it claims more dimensions than 7, or none")
    if code not in nibabel.nifti1.data_type_codes.value_set():
        raise UnreadableError(f"its header is damaged: {code} stands for no type of voxels")
    shape, kind = header.get_data_shape(), header.get_data_dtype()
    if kind.kind not in "iuf":
        raise UnreadableError(f"expected one number a voxel, found {_colour_or_complex(kind, code)}")
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    return shape, kind


def _read_header(stream: BufferedIOBase) -> nibabel.Nifti1Header:
    start = stream.read(348)
    if len(start) < 348:
        raise UnreadableError(f"too short for a NIfTI header: {len(start)} bytes" if start else "the file is empty")
    if start[344:348] in (b"n+1\0", b"ni1\0"):
        return nibabel.Nifti1Header(start, check=False)
    start += stream.read(540 - 348)
    if start[4:8] in (b"n+2\0", b"ni2\0"):
        return nibabel.Nifti2Header(start, check=False)
    if 348 in (int.from_bytes(start[:4], order) for order in ("little", "big")):
        raise UnreadableError("an Analyze 7.5 file, which does not say left from right: convert it to NIfTI")
    raise UnreadableError("not a NIfTI file: its header has another beginning")


def _fill(voxels: Shaped[np.ndarray, " n"], stream: BufferedIOBase, skipped: int, limit: int) -> None:
    """Fill an array from a stream, and read on to the end, where gzip keeps a checksum."""
    if not 0 <= skipped <= limit:
        raise UnreadableError("its header is damaged: voxels cannot begin where it says")
    stream.read(skipped)
    wanted = voxels.data.cast("B")
    done = 0
    while done < len(wanted):
        count = stream.readinto(wanted[done : done + PIECE])
        if not count:
            raise UnreadableError(f"the file ends early: {done:,} of {len(wanted):,} bytes of voxels are there")
        done += count
    while rest := stream.read(PIECE):
        done += len(rest)
        if done > limit:
            raise UnreadableError("holds far more than its header says")


def _check_limit(size: int, limit: int) -> None:
    if size > limit:
        raise UnreadableError(
            f"its header claims {size / 2**30:,.1f} GiB of voxels, more than data.max_gib = {limit / 2**30:g}"
        )


def _colour_or_complex(kind: np.dtype[np.generic], code: int) -> str:
    if kind.kind == "V" and not kind.names:
        return "voxels of one bit" if code == 1 else "voxels of unknown type"
    return "colours (RGB)" if kind.names else f"{kind} numbers"


def finite(values: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
    """Some tools write NaN or the lowest number outside the brain: these, and infinities, count as 0.

    Raises:
        UnreadableError: there is nothing else.
    """
    if values.dtype.kind != "f":
        return values
    with np.errstate(invalid="ignore", over="ignore"):  # float16 knows no number as large as `LARGEST`
        usable = np.abs(values) < LARGEST
        if not usable.any():
            raise UnreadableError(f"holds no finite values: all are NaN, infinite or beyond {LARGEST:.0e}")
        return np.where(usable, values, 0).astype(np.float32)
