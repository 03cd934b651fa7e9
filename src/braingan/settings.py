"""The strict base of all settings, and how a TOML file and `--set` become one.

Each settings class states the meaning and unit of its fields; unknown names are refused, so that a slip of
the pen never trains the wrong network.
"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from braingan.errors import InputError


class Settings(BaseModel):
    """Immutable, with no unknown names, and defaults checked like any other value."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        allow_inf_nan=False,
        protected_namespaces=(),
        use_attribute_docstrings=True,
    )


S = TypeVar("S", bound=Settings)


def parse(kind: type[S], values: Mapping[str, Any], table: str = "") -> S:
    """Make settings from plain values, those of a recipe's table if one is named.

    Raises:
        InputError: a name is unknown or a value is not allowed; every fault is named.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        said = [(_name((table, *fault["loc"])), fault["msg"].removeprefix("Value error, ")) for fault in error.errors()]
        faults = "; ".join(f"`{name}`: {fault}" if name else fault for name, fault in said)
        raise InputError(f"Settings refused: {faults}.") from error


def _name(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location if part != "")


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        InputError: the file is missing or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML: {error}.") from error


def apply_sets(values: Mapping[str, Any], assignments: Iterable[str]) -> dict[str, Any]:
    """Return the values with `a.b=c` assignments over them; c is TOML, a bare word is a string.

    Raises:
        InputError: an assignment has no `=` or no name.
    """
    result = {key: dict(value) if isinstance(value, dict) else value for key, value in values.items()}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        *tables, key = name.strip().split(".")
        if not equals or not key:
            raise InputError(f"--set takes name=value, such as training.seed=1; got `{assignment}`.")
        target = result
        for table in tables:
            target = target.setdefault(table, {})
            if not isinstance(target, dict):
                raise InputError(f"--set {assignment}: `{table}` is a value, not a table of settings.")
        target[key] = _toml_value(text.strip())
    return result


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        if text[:1] in ("'", '"', "[", "{"):
            raise InputError(
                f"--set: {text} is not TOML ({error}); text with a backslash goes in single quotes."
            ) from error
        return text
