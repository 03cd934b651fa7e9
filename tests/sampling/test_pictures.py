"""Generated slices as files that say they are synthetic."""

import json

import numpy as np
import pytest
from PIL import Image

from braingan.errors import InputError
from braingan.sampling.generator import TrainedGenerator
from braingan.sampling.pictures import write_pictures


def test_files_sheet_and_table(trained, tmp_path):
    generator, out = TrainedGenerator.open(trained), tmp_path / "out"
    write_pictures(generator, out, 20, seed=1)
    write_pictures(generator, out, 18, seed=1)  # again, with fewer: no stale files
    assert len(list(out.glob("0*.png"))) == 18
    with Image.open(out / "000017.png") as picture:
        assert "synthetic" in picture.info["Description"]
        np.testing.assert_array_equal(np.asarray(picture), generator.sample(18, seed=1)[17])
    with Image.open(out / "sheet.png") as sheet:
        assert sheet.size == (8 * 112, 3 * 112)
    assert len((out / "synthetic.csv").read_text().splitlines()) == 19
    source = json.loads((out / "source.json").read_text())
    assert (source["kind"], source["made_by"]) == ("pictures", "thesis4, a generator trained on slices of this source")


def test_a_folder_of_something_else_is_refused(trained, tmp_path):
    (tmp_path / "slices.csv").touch()  # as in a store
    with pytest.raises(InputError, match="is not empty"):
        write_pictures(TrainedGenerator.open(trained), tmp_path, 1, seed=0)


def test_other_pictures_in_the_folder_stay(trained, tmp_path):
    out = tmp_path / "out"
    write_pictures(TrainedGenerator.open(trained), out, 2, seed=0)
    (out / "2024-scan.png").touch()
    write_pictures(TrainedGenerator.open(trained), out, 1, seed=0)
    assert {path.name for path in out.glob("*.png")} == {"000000.png", "sheet.png", "2024-scan.png"}
