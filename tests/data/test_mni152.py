"""The template's files are found without importing what ships them."""

import sys

import pytest

from braingan.data import mni152 as module
from braingan.data.mni152 import map_files
from braingan.errors import InputError


def test_the_maps_are_there_and_nilearn_is_not_imported():
    assert [path.is_file() for path in map_files("demo")] == [True] * 3
    assert "nilearn" not in sys.modules


@pytest.mark.parametrize("extra", ["demo", "align"])
def test_without_nilearn_the_way_out_is_named(monkeypatch, extra):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=rf"pip install 'braingan\[{extra}\]'"):
        map_files(extra)
