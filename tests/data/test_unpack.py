"""What is unpacked is whole and stays in its folder."""

import io
import shutil
import tarfile
from collections import namedtuple

import pytest

from braingan.data.unpack import unpack
from braingan.errors import InputError

GOOD = [("task/dataset.json", b"{}"), ("task/imagesTr/a.nii.gz", b"scan")]


def entry(name, content=b"", kind=tarfile.REGTYPE, link="", mode=0o644):
    member = tarfile.TarInfo(name)
    member.size, member.type, member.linkname, member.mode = len(content), kind, link, mode
    return member, content


def archive_of(folder, *entries, mode="w"):
    path = folder / "task.tar"
    with tarfile.open(path, mode) as tar:
        for member, content in [*(entry(*good) for good in GOOD), *entries]:
            tar.addfile(member, io.BytesIO(content))
    return path


def files_in(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_an_archive_becomes_its_folder_and_nothing_else(tmp_path, mode):
    archive = archive_of(tmp_path, entry("task/empty", kind=tarfile.DIRTYPE), entry("README", b"x"), mode=mode)
    unpack(archive, tmp_path / "task", "dataset.json")
    assert files_in(tmp_path / "task") == {"dataset.json": b"{}", "imagesTr/a.nii.gz": b"scan"}
    assert (tmp_path / "task" / "empty").is_dir()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["task", "task.tar"]


def test_what_macos_adds_is_passed_over(tmp_path):
    extra = ["._task", "task/._dataset.json", "task/imagesTr/._a.nii.gz", "task/.DS_Store", "./task/._x/y"]
    archive = archive_of(tmp_path, *(entry(name, b"mac") for name in extra))
    unpack(archive, tmp_path / "task", "dataset.json")
    assert set(files_in(tmp_path / "task")) == {"dataset.json", "imagesTr/a.nii.gz"}


def test_names_may_begin_with_a_dot(tmp_path):
    archive = archive_of(tmp_path, entry("./", kind=tarfile.DIRTYPE), entry("./task/labelsTr/a.nii.gz", b"map"))
    unpack(archive, tmp_path / "task", "dataset.json")
    assert files_in(tmp_path / "task")["labelsTr/a.nii.gz"] == b"map"


def test_permissions_are_those_of_any_file_the_user_makes(tmp_path):
    extra = [entry("task/closed", b"x", mode=0o000), entry("task/root", b"x", mode=0o6777)]
    unpack(archive_of(tmp_path, *extra), tmp_path / "task", "dataset.json")
    (tmp_path / "mine").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    for name in ("closed", "root", "dataset.json"):
        assert (tmp_path / "task" / name).stat().st_mode == (tmp_path / "mine").stat().st_mode
    assert (tmp_path / "task" / "imagesTr").stat().st_mode == (tmp_path / "folder").stat().st_mode


@pytest.mark.parametrize(
    ("hostile", "reason"),
    [
        ([entry("../outside", b"x")], "leads out"),
        ([entry("task/../../outside", b"x")], "leads out"),
        ([entry("{absolute}/outside", b"x")], "leads out"),
        ([entry("task/link", kind=tarfile.SYMTYPE, link="../..")], "neither a plain file"),
        ([entry("task/in", kind=tarfile.SYMTYPE, link=".."), entry("task/in/outside", b"x")], "neither a plain file"),
        ([entry("task/link", kind=tarfile.LNKTYPE, link="../outside")], "neither a plain file"),
        ([entry("task/device", kind=tarfile.CHRTYPE)], "neither a plain file"),
        ([entry("task/device", kind=tarfile.BLKTYPE)], "neither a plain file"),
        ([entry("task/sparse", kind=tarfile.GNUTYPE_SPARSE)], "neither a plain file"),
        ([entry("task/pipe", kind=tarfile.FIFOTYPE)], "neither a plain file"),
        ([entry("task/a\nb", b"x")], "not valid text"),
        ([entry("task/\x1b[31mred", b"x")], "not valid text"),
        ([entry("task/\udcff", b"x")], "not valid text"),
        ([entry("task\\..\\..\\outside", b"x")], "not valid text"),
        ([entry("task/" + "é" * 130, b"x")], "too long"),
        ([entry("task/dataset.json", b"other")], "'task/dataset.json' twice"),
        ([entry("task/dataset.json/a", b"x")], "'task/dataset.json' twice"),
    ],
)  # fmt: skip
def test_of_a_hostile_archive_nothing_is_unpacked(tmp_path, hostile, reason):
    (tmp_path / "deep").mkdir()
    for member, _ in hostile:
        member.name = member.name.format(absolute=tmp_path)
    archive = archive_of(tmp_path / "deep", *hostile)
    with pytest.raises(InputError, match=f"{reason}.*nothing of it is unpacked"):
        unpack(archive, tmp_path / "deep" / "task", "dataset.json")
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["task.tar"]


@pytest.mark.parametrize("left", [100, 1000, 0])
def test_a_damaged_archive_is_named(tmp_path, left):
    archive = archive_of(tmp_path, mode="w:gz" if left == 100 else "w")
    archive.write_bytes(archive.read_bytes()[:left])
    with pytest.raises(InputError, match=r"task\.tar (is damaged|holds no)"):
        unpack(archive, tmp_path / "task", "dataset.json")
    assert [path.name for path in tmp_path.iterdir()] == ["task.tar"]


def test_an_archive_of_something_else_is_named(tmp_path):
    archive = archive_of(tmp_path)
    with pytest.raises(InputError, match=r"holds no other/dataset\.json"):
        unpack(archive, tmp_path / "other", "dataset.json")
    assert [path.name for path in tmp_path.iterdir()] == ["task.tar"]


def test_what_a_killed_process_had_unpacked_is_begun_anew(tmp_path):
    (tmp_path / ".task.tmp" / "task").mkdir(parents=True)
    (tmp_path / ".task.tmp" / "task" / "half").write_bytes(b"h")
    unpack(archive_of(tmp_path), tmp_path / "task", "dataset.json")
    assert set(files_in(tmp_path / "task")) == {"dataset.json", "imagesTr/a.nii.gz"}
    assert not (tmp_path / ".task.tmp").exists()


def test_a_full_disk_is_said_before_anything_is_unpacked(tmp_path, monkeypatch):
    archive = archive_of(tmp_path, entry("task/large", bytes(2_000_000)))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: namedtuple("usage", "free")(1_000_000))
    with pytest.raises(InputError, match=r"has 1 MB free, but unpacking task\.tar needs 2 MB: make room"):
        unpack(archive, tmp_path / "task", "dataset.json")
    assert [path.name for path in tmp_path.iterdir()] == ["task.tar"]
