"""A store is the same whatever the workers and interruptions, and is split by subject."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import made
from braingan.data import assemble as module
from braingan.data.identity import split_of
from braingan.data.prepare import prepare
from braingan.data.settings import DataSettings
from braingan.data.store import SPLITS, Store
from braingan.errors import InputError


def contents(folder: Path):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_store_is_byte_identical_with_more_workers_and_after_an_interruption(tmp_path, monkeypatch):
    source, settings = made.decathlon(tmp_path / "task", subjects=4), DataSettings(size=24)
    prepare(source, tmp_path / "one", settings, "local:1")
    prepare(source, tmp_path / "two", settings, "local:2")

    def killed(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "assemble", killed)
        with pytest.raises(KeyboardInterrupt):
            prepare(source, tmp_path / "three", settings, "local:1")
    (next((tmp_path / "three" / "parts").glob("*.part"))).unlink()
    (tmp_path / "three" / ".images-00000.npy.77.tmp").touch()
    with pytest.raises(InputError, match="half-made store: run the command that began it"):
        Store.open(tmp_path / "three")
    prepare(source, tmp_path / "three", settings, "local:1")
    assert contents(tmp_path / "one") == contents(tmp_path / "two") == contents(tmp_path / "three")


def test_the_same_command_again_says_done_and_another_is_refused(tmp_path):
    source = made.picture_folder(tmp_path / "pictures", subjects=3, each=2)
    first = prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")
    assert prepare(source, tmp_path / "store", DataSettings(size=16), "local:1").fingerprint == first.fingerprint
    with pytest.raises(InputError, match=r"a store with other data\.size \(16 there\)"):
        prepare(source, tmp_path / "store", DataSettings(size=17), "local:1")
    shutil.copytree(source / "sub-00", source / "sub-77")
    with pytest.raises(InputError, match="a store with other files in the source"):
        prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").touch()
    with pytest.raises(InputError, match="is not empty"):
        prepare(source, tmp_path / "other", DataSettings(), "local:1")
    assert (tmp_path / "other" / "thesis.txt").exists()


def test_nothing_usable_is_an_error_that_points_to_the_reasons(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "empty.png").touch()
    with pytest.raises(InputError, match=r"No usable slice was found; .*discarded\.csv"):
        prepare(tmp_path / "pictures", tmp_path / "store", DataSettings(), "local:1")
    assert not (tmp_path / "store" / "store.json").exists()
    made.picture_folder(tmp_path / "pictures", subjects=2, each=1)
    assert len(prepare(tmp_path / "pictures", tmp_path / "store", DataSettings(size=16), "local:1")) == 2


def test_the_split_is_by_subject_near_its_shares_and_never_moved_by_others():
    settings = DataSettings()
    before = {f"subject {n}": split_of(f"subject {n}", settings) for n in range(2000)}
    shares = [list(before.values()).count(split) / 2000 for split in SPLITS]
    assert shares == pytest.approx([0.7, 0.1, 0.2], abs=0.03)
    other = DataSettings(split_seed=1)
    assert sum(split_of(name, other) != split for name, split in before.items()) > 600


def test_an_empty_split_is_warned_of_with_the_way_out(tmp_path):
    store = prepare(made.decathlon(tmp_path / "task", 1), tmp_path / "store", DataSettings(size=16), "local:1")
    assert any("add subjects" in note and "data.split_seed" in note for note in store.description["notes"])


def test_no_absolute_path_and_no_time_reach_the_store(tmp_path):
    source = made.picture_folder(tmp_path / "pictures", subjects=2, each=2)
    store = prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")
    for content in contents(store.folder.root).values():
        assert str(tmp_path).encode() not in content
    assert json.loads(store.folder.description.read_text())["source"] == {"name": "pictures", "kind": "pictures"}


def test_copies_are_left_out_whatever_they_are_called(tmp_path):
    source = made.picture_folder(tmp_path / "pictures", subjects=1, each=1)
    (original,) = source.rglob("*.png")
    for name in ("a.png", "b.png"):
        shutil.copy(original, source / name)
    store = prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")
    assert len(store) == 1
    assert store.folder.discarded.read_text().count("the same slice as") == 2


def test_what_a_killed_process_left_is_removed(tmp_path):
    source = made.picture_folder(tmp_path / "pictures", subjects=2, each=1)
    store = prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")
    before = contents(store.folder.root)
    store.folder.parts.mkdir()
    (store.folder.root / ".images-00000.npy.77.tmp").touch()
    prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")
    assert contents(store.folder.root) == before


def test_a_full_disk_is_an_error_that_says_what_it_needs_and_leaves_nothing_half_written(tmp_path, monkeypatch):
    source = made.picture_folder(tmp_path / "pictures", subjects=2, each=1)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module.np.lib.format, "write_array_header_1_0", full)
        with pytest.raises(InputError, match=r"is full, about 1 MiB more are needed: free them and run the same"):
            prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")
    assert not list((tmp_path / "store").glob("images*"))
    with pytest.raises(InputError, match="half-made"):
        Store.open(tmp_path / "store")
    assert len(prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")) == 2


def test_a_disk_that_is_full_before_the_first_volume_is_estimated(tmp_path, monkeypatch):
    source = made.decathlon(tmp_path / "task", subjects=3)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_json", full)
    # 3 volumes × 2 frames × 40 slices of a mebibyte, as parts and as a store
    with pytest.raises(InputError, match=r"is full, about 480 MiB more are needed"):
        prepare(source, tmp_path / "store", DataSettings(size=1024), "local:1")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of two mebibytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("a file system of its own cannot be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_really_full_disk(tmp_path, small_disk):
    source = made.picture_folder(tmp_path / "pictures", subjects=10, each=4)  # 40 slices of 256 × 256: 2.5 MiB
    with pytest.raises(InputError, match=r"is full, about \d MiB more are needed"):
        prepare(source, small_disk / "store", DataSettings(size=256), "local:1")
    assert not list((small_disk / "store").glob("*.npy"))
    shutil.copytree(small_disk / "store", tmp_path / "larger disk")
    made_there = len(list((tmp_path / "larger disk" / "parts").glob("*.part")))
    assert 0 < made_there < 10
    assert len(prepare(source, tmp_path / "larger disk", DataSettings(size=256), "local:1")) == 40


def test_a_part_that_a_power_failure_tore_is_made_anew(tmp_path, monkeypatch):
    source = made.picture_folder(tmp_path / "pictures", subjects=2, each=1)
    whole = prepare(source, tmp_path / "whole", DataSettings(size=16), "local:1")
    with monkeypatch.context() as patch:
        patch.setattr(module, "assemble", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")
    torn = next((tmp_path / "store" / "parts").glob("*.part"))
    torn.write_bytes(torn.read_bytes()[:300])
    with pytest.raises(InputError, match="was damaged"):
        prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")
    assert prepare(source, tmp_path / "store", DataSettings(size=16), "local:1").fingerprint == whole.fingerprint


def test_killed_at_any_moment_and_run_again_the_store_has_the_same_bytes(tmp_path):
    source = made.decathlon(tmp_path / "task", subjects=12, shape=(64, 64, 62))
    prepare(source, tmp_path / "whole", DataSettings(), "local:2")
    command = [sys.executable, "-c", "from braingan.cli import main; main()", "prepare", source,
               "--out", tmp_path / "store", "--on", "local:2"]  # fmt: skip
    killed = 0
    for moment in (0.6, 1.0, 1.4, 1.8, 2.2):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        started = time.monotonic()
        while process.poll() is None and time.monotonic() - started < moment:
            time.sleep(0.01)
        killed += process.poll() is None
        process.kill()
        process.wait()
    assert killed
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert contents(tmp_path / "store") == contents(tmp_path / "whole")


def test_a_flipped_byte_in_a_part_is_noticed(tmp_path, monkeypatch):
    source = made.picture_folder(tmp_path / "pictures", subjects=1, each=2)
    with monkeypatch.context() as patch:
        patch.setattr(module, "assemble", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")
    part = next((tmp_path / "store" / "parts").glob("*.part"))
    content = bytearray(part.read_bytes())
    content[-300] ^= 0xFF  # in the last slice: label maps there are none
    part.write_bytes(content)
    with pytest.raises(InputError, match="was damaged"):
        prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")
    assert len(prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")) == 2
