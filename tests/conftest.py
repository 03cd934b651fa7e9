"""Shapes in annotations are checked in every test; fixtures make what they need."""

from pathlib import Path

import pytest
from jaxtyping import install_import_hook

install_import_hook("braingan", "beartype.beartype")

REAL = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Real brain MRI, where it is there."""
    if not REAL.is_dir():
        pytest.skip(f"{REAL} is not there: tests on real data are left out")
    return REAL
