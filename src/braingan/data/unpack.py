"""A tar archive as a folder: nothing of it can land outside, and nothing half-done takes the folder's name.

An archive may name `../../.bashrc` or `/etc/passwd`, or lay a link and write through it. Here only plain files and
folders with plain relative names are unpacked, into an empty folder; one other entry and none of it is.
"""

import os
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from braingan.data.sizes import byte_progress, check_room
from braingan.errors import InputError

CHUNK_BYTES = 2**20
NAME_BYTES = 255
"""The longest name that file systems take."""


def unfinished(target: Path) -> Path:
    """Name the folder that an archive is unpacked into before it becomes `target`."""
    return target.with_name(f".{target.name}.tmp")


def unpack(archive: Path, target: Path, needs: str) -> None:
    """Unpack the folder `target.name` of an archive as `target`, whole or not at all.

    Files and folders get the permissions of any that the user makes; what macOS adds is passed over.

    Args:
        archive: a tar file, compressed or not.
        target: the folder, which is not there yet.
        needs: a file that the folder must hold.

    Raises:
        InputError: the archive is damaged, holds something unsafe or not what it should, or the disk is too small.
    """
    temporary = unfinished(target)
    if temporary.exists():  # of a killed process
        shutil.rmtree(temporary)
    try:
        temporary.mkdir()
        _unpack_all(archive, temporary)
        if not (temporary / target.name / needs).is_file():
            raise InputError(f"{archive} holds no {target.name}/{needs}: it is not what its name says.")
        (temporary / target.name).replace(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _unpack_all(archive: Path, folder: Path) -> None:
    try:
        with tarfile.open(archive) as tar:
            members = [member for member in tar.getmembers() if not _of_macos(member)]
            for member in members:
                if reason := _unsafe(member, folder):
                    raise InputError(f"{archive} holds {member.name!r}, {reason}: nothing of it is unpacked.")
            total = sum(member.size for member in members)
            check_room(folder.parent, total, f"unpacking {archive.name}")
            with byte_progress("unpack", total) as add:
                for member in members:
                    _write(tar, member, folder / member.name)
                    add(member.size)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise InputError(f"{archive} is damaged ({error}): delete it and run the same command again.") from error
    except (FileExistsError, NotADirectoryError) as error:
        name = Path(error.filename).relative_to(folder)
        raise InputError(f"{archive} holds {str(name)!r} twice: nothing of it is unpacked.") from error


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    """Write a member as a new file or folder."""
    content = tar.extractfile(member)
    if content is None:
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with content, path.open("xb") as file:
        shutil.copyfileobj(content, file, CHUNK_BYTES)
        file.flush()
        os.fsync(file.fileno())  # the archive is deleted afterwards


def _of_macos(member: tarfile.TarInfo) -> bool:
    """Whether it is what macOS adds beside files (AppleDouble, Finder), which are no scans."""
    parts = PurePosixPath(member.name).parts
    return any(part.startswith("._") or part == ".DS_Store" for part in parts)


def _unsafe(member: tarfile.TarInfo, folder: Path) -> str:
    """Return why a member is refused, or nothing."""
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts:
        return "a name that leads out of its folder"
    if not member.name.isprintable() or "\\" in member.name:
        return "a name that is not valid text"
    if any(len(part.encode()) > NAME_BYTES for part in name.parts):
        return "a name that is too long"
    if not (member.isdir() or (member.isreg() and not member.issparse())):
        return "which is neither a plain file nor a folder"
    if hasattr(tarfile, "data_filter"):  # Python's own judgement, from 3.11.4
        try:
            tarfile.data_filter(member, str(folder))
        except tarfile.FilterError as error:
            return f"which Python refuses ({error})"
    return ""
