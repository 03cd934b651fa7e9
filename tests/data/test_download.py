"""A file arrives whole and right, or a sentence says what to do, whatever the line and the server do."""

import hashlib
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import namedtuple

import numpy as np
import pytest

from braingan.data import download as module
from braingan.data.download import download
from braingan.errors import InputError
from served import Answer, served, unused_url

CONTENT = np.random.default_rng(0).bytes(300_000)
OTHER = np.random.default_rng(1).bytes(300_000)
LONGER = np.random.default_rng(2).bytes(350_000)


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(module, "PAUSES_SECONDS", (0.0, 0.0, 0.0))
    monkeypatch.setenv("no_proxy", "*")


def fetched(folder, host, content=CONTENT, copies=1):
    """Download what a host serves, verified against `content`; return what was said."""
    said = []
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    download(f"{host.url}/a.tar", folder / "a.tar", md5, copies, said.append)
    assert (folder / "a.tar").read_bytes() == content
    assert [path.name for path in folder.iterdir()] == ["a.tar"]
    return said


def refused(folder, host, match, content=CONTENT):
    with pytest.raises(InputError, match=match):
        fetched(folder, host, content)
    assert not (folder / "a.tar").exists()
    return sorted(path.name for path in folder.iterdir())


def test_a_file_arrives_whole_by_one_request(tmp_path):
    with served(Answer(CONTENT, etag='"1"')) as host:
        assert fetched(tmp_path, host) == []
        assert host.requests == [("/a.tar", None, None)]


def test_a_file_that_is_there_is_verified_and_nothing_asked_for(tmp_path):
    (tmp_path / "a.tar").write_bytes(CONTENT)
    with served(Answer(CONTENT)) as host:
        fetched(tmp_path, host)
        (tmp_path / "a.tar").write_bytes(OTHER)
        with pytest.raises(InputError, match=r"a\.tar has other bytes than it should .*: delete it"):
            fetched(tmp_path, host)
        assert (tmp_path / "a.tar").read_bytes() == OTHER  # somebody's file, not ours to delete
        assert host.requests == []


@pytest.mark.parametrize("reset", [False, True])
def test_a_cut_line_is_gone_on_from_where_it_was(tmp_path, reset):
    held = threading.Event()
    cut = Answer(CONTENT, etag='"1"', cut=100_000, reset=reset, silent=held)
    threading.Timer(0.2, held.set).start()
    with served(cut, Answer(CONTENT, etag='"1"')) as host:
        said = fetched(tmp_path, host)
        assert host.requests[1:] == [("/a.tar", "bytes=100000-", '"1"')]
    assert len(said) == 1
    assert "the line was cut" in said[0]
    assert "trying again in 0 s" in said[0]


def test_a_line_may_be_cut_any_number_of_times_as_long_as_something_arrives(tmp_path):
    with served(Answer(CONTENT, etag='"1"', cut=30_000)) as host:
        fetched(tmp_path, host)
        assert len(host.requests) == 10


def test_a_line_that_brings_nothing_more_ends_in_a_sentence_and_the_same_call_goes_on(tmp_path):
    cut = Answer(CONTENT, etag='"1"', cut=100_000)
    with served(cut, Answer(CONTENT, etag='"1"', cut=0)) as host:
        assert refused(tmp_path, host, r"cut at 0\.1 MB of 0\.3 MB; 0\.1 MB are kept: the same command goes on") == [
            "a.tar.part",
            "a.tar.part.json",
        ]
        assert len(host.requests) == 1 + 4
    with served(Answer(CONTENT, etag='"1"')) as host:
        fetched(tmp_path, host)
        assert host.requests == [("/a.tar", "bytes=100000-", '"1"')]


@pytest.mark.parametrize("cut", [0, 1000])
def test_a_silent_server_is_not_waited_for_for_ever(tmp_path, monkeypatch, cut):
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 0.1)
    silent = Answer(CONTENT, etag='"1"', cut=cut, silent=threading.Event())
    with served(silent, Answer(CONTENT, etag='"1"')) as host:
        said = fetched(tmp_path, host)
        assert host.requests[1][1] == (f"bytes={cut}-" if cut else None)
    assert "the line was cut (timed out); trying again" in said[0]


def test_a_server_that_ignores_range_is_begun_anew_not_appended(tmp_path):
    with served(Answer(CONTENT, cut=100_000), Answer(CONTENT, ranges=False)) as host:
        fetched(tmp_path, host)
        assert host.requests[1][1] == "bytes=100000-"


def test_a_server_that_ignores_range_and_always_cuts_ends_in_a_sentence(tmp_path):
    with served(Answer(CONTENT, ranges=False, cut=100_000)) as host:
        refused(tmp_path, host, "the line was cut")
        assert len(host.requests) == 1 + 4


@pytest.mark.parametrize(
    "changed",
    [
        Answer(OTHER, etag='"2"'),
        Answer(OTHER, etag='"2"', if_range=False),  # 206 of another version, which only its ETag betrays
        Answer(LONGER),  # which only its length betrays
        Answer(OTHER[:50_000]),  # shorter than what has arrived
    ],
    ids=["if-range", "etag", "length", "shorter"],
)
def test_a_file_that_changes_on_the_server_is_not_glued_to_its_old_half(tmp_path, changed):
    first = Answer(CONTENT, etag='"1"' if changed.etag else "", cut=100_000)
    with served(first, changed) as host:
        fetched(tmp_path, host, changed.body)


def test_a_change_that_nothing_betrays_is_found_by_the_checksum(tmp_path):
    with served(Answer(CONTENT, cut=100_000), Answer(OTHER)) as host:
        assert refused(tmp_path, host, "has other bytes than it should .* is deleted: run", OTHER) == []
    with served(Answer(OTHER)) as host:
        fetched(tmp_path, host, OTHER)


def test_wrong_bytes_are_named_and_deleted(tmp_path):
    with served(Answer(b"<html>Please log in</html>")) as host:
        assert refused(tmp_path, host, "has other bytes than it should") == []


def test_a_checksum_may_be_a_sha_256(tmp_path):
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    with served(Answer(CONTENT)) as host:
        download(f"{host.url}/a.tar", tmp_path / "a.tar", sha256, 1, pytest.fail)
        assert (tmp_path / "a.tar").read_bytes() == CONTENT
    with served(Answer(OTHER)) as host, pytest.raises(InputError, match=rf"SHA-256 \w+, not {sha256}"):
        download(f"{host.url}/b.tar", tmp_path / "b.tar", sha256, 1, pytest.fail)


def test_a_length_that_lies_too_short_is_found_by_the_checksum(tmp_path):
    with served(Answer(CONTENT, lie=-1000)) as host:
        assert refused(tmp_path, host, "has other bytes than it should") == []


def test_a_length_that_lies_too_long_is_found_by_asking_for_the_rest(tmp_path):
    with served(Answer(CONTENT, lie=1000)) as host:
        fetched(tmp_path, host)
        assert host.requests[1][1] == "bytes=300000-"


def test_a_length_that_lies_too_long_without_ranges_ends_in_a_sentence(tmp_path):
    with served(Answer(CONTENT, lie=1000, ranges=False)) as host:
        refused(tmp_path, host, "the line was cut")


def test_a_file_of_unknown_length_ends_with_the_line(tmp_path):
    with served(Answer(CONTENT, no_length=True)) as host:
        fetched(tmp_path, host)


def test_an_absent_file_is_said_at_once(tmp_path):
    with served(Answer(b"no", status=404)) as host:
        assert refused(tmp_path, host, r"a\.tar: the server answers 404 Not Found; take another host") == []
        assert len(host.requests) == 1


def test_a_server_in_trouble_is_asked_again(tmp_path):
    with served(Answer(status=500), Answer(status=503), Answer(CONTENT)) as host:
        assert len(fetched(tmp_path, host)) == 2
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    with served(Answer(status=500)) as host:
        assert refused(tmp_path, host, "answers 500 Internal Server Error; try again later") == []
        assert len(host.requests) == 4


def test_a_host_that_cannot_be_reached_is_named(tmp_path):
    url = unused_url()
    with pytest.raises(InputError, match=rf"{url}/a\.tar: the server cannot be reached \(.*refused\)"):
        download(f"{url}/a.tar", tmp_path / "a.tar", "", 1, lambda sentence: None)


def test_a_disk_too_small_for_the_copies_is_said_before_a_byte_is_written(tmp_path, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(599_999))
    with served(Answer(CONTENT, etag='"1"')) as host:
        with pytest.raises(InputError, match=r"0\.6 MB free, but downloading a\.tar and unpacking it needs 0\.6 MB"):
            fetched(tmp_path, host, copies=2)
        assert list(tmp_path.iterdir()) == []
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(600_000))
        fetched(tmp_path, host, copies=2)


def test_what_has_arrived_needs_no_room_any_more(tmp_path, monkeypatch):
    with served(Answer(CONTENT, etag='"1"', cut=100_000), Answer(status=404)) as host:
        refused(tmp_path, host, "404")
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(200_000))
    with served(Answer(CONTENT, etag='"1"')) as host:
        fetched(tmp_path, host)


def test_bytes_of_which_nothing_says_what_they_are_of_are_not_gone_on_from(tmp_path):
    (tmp_path / "a.tar.part").write_bytes(OTHER[:1000])
    with served(Answer(CONTENT)) as host:
        fetched(tmp_path, host)
        assert host.requests[0][1] is None


def test_a_range_that_starts_elsewhere_is_not_glued(tmp_path):
    first, elsewhere = Answer(CONTENT, etag='"1"', cut=100_000), Answer(CONTENT, etag='"1"', shift=10)
    with served(first, elsewhere) as host:
        fetched(tmp_path, host)
        assert [request[1] for request in host.requests] == [None, "bytes=100000-", None]


def test_all_bytes_of_a_killed_download_are_verified_without_the_host(tmp_path, monkeypatch):
    def killed(path, checksum):
        raise KeyboardInterrupt

    with served(Answer(CONTENT)) as host, monkeypatch.context() as patched:
        patched.setattr(module, "_mismatch", killed)
        with pytest.raises(KeyboardInterrupt):
            fetched(tmp_path, host)
    with served(Answer(status=404)) as host:
        fetched(tmp_path, host)
        assert host.requests == []


def test_a_killed_download_is_gone_on_from(tmp_path):
    script = "import sys; from braingan.data.download import download; download(*sys.argv[1:3], '', 1, print)"
    script = script.replace("*sys.argv[1:3]", "sys.argv[1], __import__('pathlib').Path(sys.argv[2])")
    part = tmp_path / "a.tar.part"
    with served(Answer(CONTENT, etag='"1"', cut=100_000, silent=threading.Event())) as host:
        killed = subprocess.Popen([sys.executable, "-c", script, f"{host.url}/a.tar", tmp_path / "a.tar"])
        for _ in range(1000):
            if part.exists() and part.stat().st_size > 50_000:
                break
            time.sleep(0.01)
        killed.send_signal(signal.SIGKILL)
        assert killed.wait() == -signal.SIGKILL
    arrived = part.stat().st_size
    assert 50_000 < arrived <= 100_000
    with served(Answer(CONTENT, etag='"1"')) as host:
        fetched(tmp_path, host)
        assert host.requests == [("/a.tar", f"bytes={arrived}-", '"1"')]
