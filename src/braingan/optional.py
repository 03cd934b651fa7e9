"""Libraries that an extra of this package installs."""

from importlib import import_module
from typing import Any

from braingan.errors import InputError


def optional(module: str, extra: str, reason: str) -> Any:
    """Import a library that an extra of this package installs.

    Raises:
        InputError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(f"{reason}, and {module} is not installed: pip install 'braingan[{extra}]'.") from error
