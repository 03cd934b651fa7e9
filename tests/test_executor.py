"""The place where jobs run."""

import os

import pytest

from braingan.errors import InputError
from braingan.executor import default_place, open_executor


def test_jobs_run_in_other_processes():
    with open_executor("local:1") as executor:
        assert executor.submit(os.getpid).result() != os.getpid()
    assert default_place().startswith("local:")


@pytest.mark.parametrize("place", ["", "local", "local:0", "local:two", "moon:3"])
def test_an_unknown_place_is_named(place):
    with pytest.raises(InputError, match="is no known place"):
        open_executor(place)
