"""Parts: their names and bytes."""

import numpy as np

from braingan.data.parts import part_path, write_npz
from braingan.folders import StoreFolder


def test_every_volume_has_a_part_of_its_own_whatever_its_name(tmp_path):
    names = ["a/b", "a_b", "a b", "ä", "x" * 300 + "1", "x" * 300 + "2", "../up"]
    paths = {part_path(StoreFolder(tmp_path), name) for name in names}
    assert len(paths) == len(names)
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.touch()  # a name that the file system takes
        assert path.parent == tmp_path / "parts"


def test_the_bytes_depend_on_the_arrays_alone_and_come_back(tmp_path):
    arrays = {"a": np.arange(6).reshape(2, 3), "names": np.array(["x", "yy"]), "none": np.zeros((0, 4), np.uint8)}
    for name in ("one", "two"):
        write_npz(tmp_path / name, arrays)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with np.load(tmp_path / "one") as back:
        for name, array in arrays.items():
            np.testing.assert_array_equal(back[name], array)
