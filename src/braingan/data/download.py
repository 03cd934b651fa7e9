"""One large file over HTTP, on lines that are cut, from servers that may change it, lie or know no ranges.

What has arrived stays in `NAME.part`. `NAME.part.json` says which version of the file it is of (its length, and the
server's ETag or date), so that the rest is asked for with Range and If-Range (RFC 9110, sections 13.1.5 and 14) and
never glued to bytes of another version. The checksum has the last word; only then does the file take its name.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from braingan import __version__
from braingan.data.sizes import byte_progress, check_room, in_words
from braingan.errors import InputError
from braingan.folders import read_json, write_json

CHUNK_BYTES = 2**20
TIMEOUT_SECONDS = 30.0
"""Of silence, while connecting or reading."""
PAUSES_SECONDS = (1.0, 4.0, 16.0)
"""Before each further attempt, as long as none brings anything new."""
TRY_LATER = (408, 425, 429)
"""Refusals that pass, as all from 500 do."""


class _CutError(Exception):
    """An attempt ended before the file was whole; another may go on."""


@dataclass(frozen=True)
class _Part:
    """What has arrived of a file, and which version of the file it is of."""

    path: Path

    @property
    def note(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")

    @property
    def size(self) -> int:
        """Bytes that can be gone on from: none where nothing says what they are of."""
        return self.path.stat().st_size if self.path.exists() and self.note.exists() else 0

    def version(self) -> tuple[int | None, str]:
        """The whole file's length in bytes, and its ETag or date; None and empty where the server names none."""
        if not self.note.exists():
            return None, ""
        content = read_json(self.note)
        return content.get("length"), content.get("version", "")

    def begin(self, length: int | None, version: str) -> None:
        """Empty it before its note names another version: killed in between, it is empty, never mixed."""
        self.path.write_bytes(b"")
        write_json(self.note, {"length": length, "version": version})

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)
        for left in self.path.parent.glob(f".{self.note.name}.*.tmp"):  # of a killed process
            left.unlink()


def download(url: str, path: Path, checksum: str, copies: int, say: Callable[[str], None]) -> None:
    """Download a file whole and verified, or go on with an earlier call's; a file that is there is verified.

    Args:
        url: where it is, `http` or `https`.
        path: the name that it takes when all its bytes are there and right.
        checksum: its MD5 (32) or SHA-256 (64), in hexadecimal digits.
        copies: how many times its size must fit on the disk: 2 where it will be unpacked beside.
        say: told in a sentence of an attempt that failed and of the next.

    Raises:
        InputError: there is no such file, the disk is too small, the server cannot be reached, or the checksum is
            wrong; the sentence says whether the same command goes on.
    """
    part = _Part(path.with_name(f"{path.name}.part"))
    if path.exists():
        if wrong := _mismatch(path, checksum):
            raise InputError(
                f"{path} has other bytes than it should ({wrong}): delete it, and the same command downloads it."
            )
        part.discard()
        return
    _receive_all(url, part, copies, say)
    if wrong := _mismatch(part.path, checksum):
        part.discard()
        raise InputError(
            f"{url} has other bytes than it should ({wrong}), and what was downloaded is deleted: run the same command "
            "again, or take another host by --from URL."
        )
    part.path.replace(path)
    part.discard()


def _mismatch(path: Path, checksum: str) -> str:
    """Return how a file's checksum differs from what it should be, or nothing."""
    name, digest = ("MD5", hashlib.md5(usedforsecurity=False)) if len(checksum) == 32 else ("SHA-256", hashlib.sha256())
    with byte_progress("check", path.stat().st_size) as add, path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            add(len(chunk))
    found = digest.hexdigest()
    return "" if found == checksum else f"{name} {found}, not {checksum}"


def _receive_all(url: str, part: _Part, copies: int, say: Callable[[str], None]) -> None:
    """Try until the file is whole, or several attempts in a row have brought nothing new."""
    furthest, fruitless = part.size, 0
    while True:
        try:
            _receive(url, part, copies)
            return
        except _CutError as cut:
            fruitless = 0 if part.size > furthest else fruitless + 1
            furthest = max(furthest, part.size)
            if fruitless > len(PAUSES_SECONDS):
                way = f"{in_words(part.size)} are kept: the same command goes on" if part.size else "try again later"
                raise InputError(f"{url}: {cut}; {way}, or take another host by --from URL.") from cut
            pause = PAUSES_SECONDS[max(fruitless - 1, 0)]
            say(f"{url}: {cut}; trying again in {pause:g} s.")
            time.sleep(pause)


def _receive(url: str, part: _Part, copies: int) -> None:
    """Ask for what is absent and append it, until the file is whole."""
    length, _ = part.version()
    if length is not None and part.size >= length > 0:
        return
    try:
        reply: HTTPResponse = urlopen(_request(url, part), timeout=TIMEOUT_SECONDS)
    except HTTPError as error:
        with error:
            _refused(url, error, part)
        return
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise _CutError(f"the server cannot be reached ({reason or type(error).__name__})") from error
    with reply:
        start, length = _agree(reply, part)
        if length is not None:
            purpose = f"downloading {part.path.stem}" + (" and unpacking it" if copies > 1 else "")
            check_room(part.path.parent, copies * length - start, purpose)
        if not start:
            part.begin(length, _version(reply.headers))
        with byte_progress("download", length or 0, start) as add, part.path.open("ab") as file:
            for chunk in _chunks(reply):
                file.write(chunk)
                add(len(chunk))
    if length is not None and part.size < length:
        raise _CutError(f"the line was cut at {in_words(part.size)} of {in_words(length)}")


def _request(url: str, part: _Part) -> Request:
    request = Request(url, headers={"User-Agent": f"braingan/{__version__}"})
    if part.size:
        request.add_header("Range", f"bytes={part.size}-")
        if version := part.version()[1]:
            request.add_header("If-Range", version)
    return request


def _refused(url: str, error: HTTPError, part: _Part) -> None:
    """Return if the server refuses because nothing is absent; else raise whether another attempt may help."""
    if error.code == 416 and part.size:
        if error.headers.get("Content-Range") == f"bytes */{part.size}":
            return
        part.discard()
        raise _CutError("the file on the server has changed, so it is begun anew")
    if error.code in TRY_LATER or error.code >= 500:
        raise _CutError(f"the server answers {error.code} {error.reason}")
    raise InputError(f"{url}: the server answers {error.code} {error.reason}; take another host by --from URL.")


def _agree(reply: HTTPResponse, part: _Part) -> tuple[int, int | None]:
    """Return from which byte on the reply is and the whole file's length, if it is known."""
    if reply.status != 206:  # the whole file: no part was asked for, it has changed, or the server knows no ranges
        return 0, reply.length
    version, (length, earlier) = _version(reply.headers), part.version()
    given = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", reply.headers.get("Content-Range", ""))
    continues = given is not None and int(given[1]) == part.size and length in (None, int(given[2]))
    if not continues or (version and earlier and version != earlier):
        part.discard()
        raise _CutError("the file on the server has changed, so it is begun anew")
    return part.size, length


def _version(headers: Message) -> str:
    """Return what tells one version of a file from another; a weak ETag does not do so byte for byte."""
    tag = str(headers.get("ETag", ""))
    return tag if tag and not tag.startswith("W/") else str(headers.get("Last-Modified", ""))


def _chunks(reply: HTTPResponse) -> Iterator[bytes]:
    try:
        while chunk := reply.read1(CHUNK_BYTES):  # what is there at once, so that a cut line loses nothing
            yield chunk
    except (OSError, HTTPException) as error:
        raise _CutError(f"the line was cut ({error or type(error).__name__})") from error
