"""Shapes in annotations are checked in every test; fixtures make what they need."""

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

install_import_hook("braingan", "beartype.beartype")


def pytest_configure(config: pytest.Config) -> None:
    """Give each of several workers a core of its own, which its trainings and processes then share."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})


REAL = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Real brain MRI, where it is there."""
    if not REAL.is_dir():
        pytest.skip(f"{REAL} is not there: tests on real data are left out")
    return REAL


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A run of the 4-layer network after two short epochs, on a store of made pictures; not to be changed."""
    import made
    from braingan.folders import RunFolder
    from braingan.recipe import compose, train_recipe

    folder = tmp_path_factory.mktemp("trained")
    store = made.picture_store(folder)
    sets = ["model.name=thesis4", "training.epochs=2", "training.batch_size=8", "evaluation.seeds=2"]
    run = RunFolder(folder / "run")
    train_recipe(compose(None, sets), store, run)
    return run


def _told(folder, *more, **store):
    import taught
    from braingan.folders import RunFolder
    from braingan.recipe import compose, train_recipe

    sets = ["model.flow_widths=[8,8]", "model.widths=[8,8,8]", "training.epochs=2", "evaluation.seeds=2"]
    run = RunFolder(folder / "run")
    train_recipe(compose(None, [*sets, *more]), taught.taught_store(folder / "store", subjects=32, **store), run)
    return run


@pytest.fixture(scope="session")
def told(tmp_path_factory):
    """A run of a small `latentflow` that was told frame, label, depth and lesion area; not to be changed."""
    return _told(tmp_path_factory.mktemp("told"))


@pytest.fixture(scope="session")
def masked(tmp_path_factory):
    """The same, which makes masks too, on a store whose slices all have label maps."""
    return _told(tmp_path_factory.mktemp("masked"), "model.masks=true", unmapped=0)
