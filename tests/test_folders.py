"""Files are written whole or not at all, and damaged ones are named."""

import pytest

from braingan.errors import InputError
from braingan.folders import RunFolder, read_csv, read_json, replacing, write_bytes, write_csv


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "table.csv"
    write_bytes(path, b"old")

    def fail():
        with replacing(path) as temporary:
            temporary.write_bytes(b"half of the n")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        fail()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_tables_come_back(tmp_path):
    path = tmp_path / "table.csv"
    write_csv(path, ("a", "b"), [(1, "x, y"), ("", 'said "z"')])
    assert read_csv(path) == [{"a": "1", "b": "x, y"}, {"a": "", "b": 'said "z"'}]
    assert read_csv(tmp_path / "absent.csv") == []


@pytest.mark.parametrize("content", ["{", "[1]", ""])
def test_damaged_json_is_named(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(InputError, match=r"a\.json is damaged"):
        read_json(tmp_path / "a.json")
    with pytest.raises(InputError, match=r"absent\.json cannot be read: No such file"):
        read_json(tmp_path / "absent.json")


def test_snapshots_are_in_the_order_of_images_seen(tmp_path):
    run = RunFolder(tmp_path)
    for images in (900, 1000, 50):
        write_bytes(run.snapshot(images).weights("generator"), b"")
    run.snapshot(2000).root.mkdir()
    assert [snapshot.images_seen for snapshot in run.snapshots()] == [50, 900, 1000]
