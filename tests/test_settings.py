"""TOML, `--set` and strictness."""

import pytest

from braingan.data.settings import DataSettings
from braingan.errors import InputError
from braingan.settings import Settings, apply_sets, parse, read_toml


class Made(Settings):
    """For the tests."""

    size: int = 3


def test_assignments_go_over_the_file_and_bare_words_are_strings():
    values = {"training": {"seed": 1, "epochs": 2}}
    result = apply_sets(values, ["training.seed=7", "model.name=thesis4", "data.frames=['T1w']", "a.b=x=y"])
    assert result == {
        "training": {"seed": 7, "epochs": 2},
        "model": {"name": "thesis4"},
        "data": {"frames": ["T1w"]},
        "a": {"b": "x=y"},
    }
    assert values == {"training": {"seed": 1, "epochs": 2}}


@pytest.mark.parametrize("assignment", ["training.seed", "=3"])
def test_an_assignment_without_name_or_value_is_named(assignment):
    with pytest.raises(InputError, match="--set takes name=value"):
        apply_sets({}, [assignment])


def test_a_slip_in_quotes_is_not_taken_for_text():
    with pytest.raises(InputError, match="text with a backslash goes in single quotes"):
        apply_sets({}, [r'data.pattern="sub-\d+"'])


def test_a_value_is_no_table():
    with pytest.raises(InputError, match="`seed` is a value"):
        apply_sets({"seed": 3}, ["seed.a=1"])


def test_every_fault_is_named():
    with pytest.raises(InputError, match=r"`size`: .*; `colour`: "):
        parse(Made, {"size": "big", "colour": 1})


def test_a_wrong_file_is_named(tmp_path):
    (tmp_path / "a.toml").write_text("[training\n")
    with pytest.raises(InputError, match=r"a\.toml is not valid TOML"):
        read_toml(tmp_path / "a.toml")
    with pytest.raises(InputError, match=r"absent\.toml cannot be read"):
        read_toml(tmp_path / "absent.toml")


def test_a_fault_of_several_settings_is_said_without_pydantics_words():
    with pytest.raises(InputError, match=r"^Settings refused: split: three shares that sum to 1 are needed\.$"):
        parse(DataSettings, {"split": [1, 1, 1]})
