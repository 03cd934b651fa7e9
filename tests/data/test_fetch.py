"""A collection by its name: downloaded, verified, unpacked, and gone on with wherever it was stopped."""

import fcntl
import hashlib
import os
import subprocess
import sys
import tarfile
from dataclasses import replace

import pytest
import typer
from typer.testing import CliRunner

import made
from braingan.cli import fetch as verb
from braingan.data import download as downloading
from braingan.data import fetch as module
from braingan.data.fetch import TASKS, fetch, find_task, listing
from braingan.data.sources import list_scans
from braingan.errors import InputError
from served import Answer, served, unused_url

BRAIN = "Task01_BrainTumour"
TAR = f"{BRAIN}.tar"


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """A small task's archive, with what macOS adds, as its bytes."""
    folder = tmp_path_factory.mktemp("archive")
    task = made.decathlon(folder / BRAIN, subjects=2)
    (task / "imagesTr" / "._MADE_000.nii.gz").write_bytes(b"mac")
    with tarfile.open(folder / TAR, "w") as tar:
        tar.add(task, BRAIN)
    return (folder / TAR).read_bytes()


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(downloading, "PAUSES_SECONDS", (0.0, 0.0, 0.0))
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def small(archive, monkeypatch):
    """The brain task with the small archive's checksum; what serves it whole."""
    md5 = hashlib.md5(archive, usedforsecurity=False).hexdigest()
    monkeypatch.setitem(TASKS, "decathlon-brain", replace(TASKS["decathlon-brain"], md5=md5))
    return Answer(archive, etag='"1"')


def fetched(out, url, keep=False):
    said = []
    folder = fetch("decathlon-brain", out, url, keep, said.append)
    assert folder == out / BRAIN
    assert len(list_scans(folder, "(?P<subject>.*)").scans) == 2
    assert not list(folder.rglob("._*"))
    return said


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_ten_tasks_have_their_archives_and_checksums():
    assert TASKS["decathlon-brain"].folder == BRAIN
    assert TASKS["decathlon-brain"].md5 == "240a19d752f0d9e9101544901065d872"
    assert [task.folder[:6] for task in TASKS.values()] == [f"Task{number:02d}" for number in range(1, 11)]
    assert len({task.md5 for task in TASKS.values()}) == 10
    assert all(len(bytes.fromhex(task.md5)) == 16 for task in TASKS.values())


def test_a_short_name_will_do_and_a_wrong_one_is_answered_with_all():
    assert find_task("brain") is find_task("decathlon-brain")
    with pytest.raises(InputError, match="brian is no collection that can be fetched: take one of decathlon-brain, "):
        find_task("brian")


def test_a_collection_is_downloaded_unpacked_and_ready_to_prepare(tmp_path, small):
    with served(small) as host:
        fetched(tmp_path / "new" / "data", f"{host.url}/mirror/")
        assert [request[0] for request in host.requests] == [f"/mirror/{TAR}"]
    assert names(tmp_path / "new" / "data") == [BRAIN]


def test_run_again_it_says_that_all_is_done_and_asks_nobody(tmp_path, small):
    with served(small) as host:
        fetched(tmp_path, host.url)
    (tmp_path / f".{BRAIN}.tmp").mkdir()  # of a process killed as it ended
    assert fetched(tmp_path, unused_url()) == [f"{tmp_path / BRAIN} is there already."]
    assert names(tmp_path) == [BRAIN]


def test_the_archive_is_kept_on_request(tmp_path, small):
    with served(small) as host:
        fetched(tmp_path, host.url, keep=True)
    assert (tmp_path / TAR).read_bytes() == small.body
    assert names(tmp_path) == [BRAIN, TAR]
    assert "can be deleted" in fetched(tmp_path, unused_url())[0]
    assert (tmp_path / TAR).exists()  # somebody may have wanted it


def test_killed_between_download_and_unpacking_it_goes_on_without_the_host(tmp_path, small, monkeypatch):
    def killed(*arguments):
        raise KeyboardInterrupt

    with served(small) as host, monkeypatch.context() as patched:
        patched.setattr(module, "unpack", killed)
        with pytest.raises(KeyboardInterrupt):
            fetched(tmp_path, host.url)
    assert names(tmp_path) == [TAR]
    fetched(tmp_path, unused_url())
    assert names(tmp_path) == [BRAIN]


KILLED = """
import os, sys
from dataclasses import replace
from pathlib import Path
from braingan.data.fetch import TASKS, fetch

url, out, md5, steps = *sys.argv[1:4], int(sys.argv[4])
TASKS["decathlon-brain"] = replace(TASKS["decathlon-brain"], md5=md5)

def count(event, arguments):
    global steps
    if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir") and out in str(arguments[0]):
        steps -= 1
        if steps < 0:
            os._exit(9)

sys.addaudithook(count)
fetch("decathlon-brain", Path(out), url, False, print)
"""


def test_killed_before_any_of_its_steps_on_the_disk_it_goes_on(tmp_path, small):
    with served(small) as host:
        for steps in range(1000):
            out = tmp_path / str(steps)
            arguments = [host.url, out, find_task("brain").md5, steps]
            killed = subprocess.run([sys.executable, "-c", KILLED, *map(str, arguments)], stderr=subprocess.DEVNULL)
            assert killed.returncode in (0, 9)
            said = fetched(out, host.url)
            if said and "can be deleted" in said[0]:  # killed when only the archive was left to delete
                (out / TAR).unlink()
            assert names(out) == [BRAIN]
            if killed.returncode == 0:
                break
    assert steps > 10


def test_wrong_bytes_never_become_a_folder(tmp_path, small):
    wrong = pytest.raises(InputError, match=rf"{TAR} has other bytes than it should")
    with served(replace(small, body=small.body + b"\0")) as host, wrong:
        fetched(tmp_path, host.url)
    assert names(tmp_path) == []


def test_an_archive_that_is_wrong_is_named_and_left(tmp_path, small):
    (tmp_path / TAR).write_bytes(b"something else")
    with pytest.raises(InputError, match=rf"{TAR} has other bytes than it should .*: delete it"):
        fetched(tmp_path, unused_url())
    assert names(tmp_path) == [TAR]


def test_something_else_in_its_place_is_left(tmp_path, small):
    (tmp_path / BRAIN).mkdir()
    (tmp_path / BRAIN / "mine.txt").write_text("x")
    with pytest.raises(InputError, match=rf"{BRAIN} is there, but holds no dataset\.json: move it away"):
        fetched(tmp_path, unused_url())
    assert names(tmp_path / BRAIN) == ["mine.txt"]


def test_two_at_a_time_do_not_write_into_one_folder(tmp_path, small):
    handle = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with served(small) as host:
            with pytest.raises(InputError, match="Another fetch is at work"):
                fetched(tmp_path, host.url)
            assert host.requests == []
    finally:
        os.close(handle)
    with served(small) as host:
        fetched(tmp_path, host.url)


@pytest.mark.parametrize("host", ["", "ftp://host", "file:///etc", "http://", "https://a b", "http://a:x", "msd.tar"])
def test_a_host_that_is_none_is_said_before_anything_is_made(tmp_path, host):
    with pytest.raises(InputError, match="is no address of a host: it begins with http"):
        fetch("decathlon-brain", tmp_path / "out", host, False, print)
    assert names(tmp_path) == []


@pytest.fixture
def call():
    app = typer.Typer()
    app.command()(verb.command)
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


def test_the_verb_without_a_name_lists_names_sizes_and_licence(call):
    found = call()
    assert found.exit_code == 0
    assert found.stdout.startswith(listing() + "\n")
    assert "inception " in found.stdout.splitlines()[-1]
    assert "decathlon-brain                 7.6 GB  brain MRI with gliomas" in found.stdout
    assert "decathlon-colon           size unknown" in found.stdout
    assert "CC-BY-SA 4.0; cite Antonelli" in found.stdout


def test_the_verb_with_a_wrong_name_lists_them_too_and_fails(call, tmp_path):
    found = call("brian", "--out", tmp_path / "out")
    assert found.exit_code == 1
    assert isinstance(found.exception, InputError)
    assert "decathlon-brain" in found.stdout
    assert not (tmp_path / "out").exists()


def test_the_verb_fetches_and_says_the_next_command(call, tmp_path, small):
    with served(small) as host:
        found = call("brain", "--out", tmp_path, "--from", host.url, "--keep-archive")
    assert found.exit_code == 0, found.exception
    assert found.stdout.endswith(f"next: braingan prepare {tmp_path / BRAIN} --out store\n")
    assert "CC-BY-SA 4.0" in found.stdout
    assert names(tmp_path) == [BRAIN, TAR]
