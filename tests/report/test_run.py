"""The report is one page that needs nothing else and says what the folders say."""

import shutil

import pytest

from braingan.folders import RunFolder, read_json, write_json
from braingan.report.run import write_report
from pages import read


@pytest.fixture
def copied(trained, tmp_path):
    shutil.copytree(trained.root, tmp_path / "a run & <more>")
    return RunFolder(tmp_path / "a run & <more>")


def test_a_page_before_and_after_evaluation(copied):
    page = read(write_report(copied))
    assert "Not evaluated yet: run braingan evaluate" in page.text
    assert "a run & <more>: synthetic brain slices by thesis4" in page.text
    assert "20,072,001 parameters, 20,072,001 trainable" in page.text
    assert "Conv2DTranspose112×112×11,601" in page.text
    write_json(copied.snapshots()[-1].metrics, {"format": 1, "metrics": {}})
    page = read(write_report(copied))
    assert "run braingan evaluate again" in page.text


def test_it_is_made_again_byte_identical(copied):
    first = write_report(copied).read_bytes()
    assert write_report(copied).read_bytes() == first


def test_the_settings_shown_are_toml_that_reads_back(copied):
    import tomllib

    from braingan.recipe import Recipe
    from braingan.report.run import _toml
    from braingan.settings import parse

    recipe = read_json(copied.config)["recipe"]
    assert parse(Recipe, tomllib.loads(_toml(recipe))).model_dump(mode="json") == recipe
