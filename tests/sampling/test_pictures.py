"""Generated slices as files that say they are synthetic."""

import gc
import gzip
import json
import shutil
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from braingan.cli import sample
from braingan.data.conditions import UNTOLD
from braingan.errors import InputError
from braingan.evaluation.pictures import read_folder
from braingan.folders import RunFolder, read_csv
from braingan.sampling.generator import TrainedGenerator
from braingan.sampling.interpolate import write_interpolation
from braingan.sampling.pictures import LAYOUTS, write_pictures, write_slices
from braingan.sampling.volume import write_volumes
from marking import marking


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
    assert [row["synthetic"] for row in read_csv(out / "synthetic.csv")] == ["yes"] * 18
    source = json.loads((out / "source.json").read_text())
    assert source["kind"] == "pictures"
    assert source["made_by"].startswith("thesis4, a generator trained on slices of this source")
    assert "synthetic" in source["made_by"]


def test_each_slice_is_listed_with_what_it_was_told(told, tmp_path):
    generator, out = TrainedGenerator.open(told), tmp_path / "out"
    write_pictures(generator, out, 3, 0, generator.vocabulary.row(frame="light", depth=0.5))
    rows = read_csv(out / "synthetic.csv")
    assert {(row["frame"], row["depth"], row["mask"]) for row in rows} == {("light", "0.5000", "")}
    drawn = generator.told(0, range(3), generator.vocabulary.row(frame="light", depth=0.5))
    assert [row["lesion_area_mm2"] for row in rows] == ["" if np.isnan(a) else f"{a:.1f}" for a in drawn[:, 3]]
    assert {row["label"] for row in rows} <= {"a", "b"}
    assert not (out / "masks").exists()


def test_masks_are_files_of_their_own_that_say_what_they_are(masked, tmp_path):
    generator, out = marking(masked), tmp_path / "out"
    write_pictures(generator, out, 19, 0)
    write_pictures(generator, out, 18, 0)  # again, with fewer: no stale files
    assert [row["mask"] for row in read_csv(out / "synthetic.csv")] == [f"masks/{n:06d}.png" for n in range(18)]
    assert len(list((out / "masks").glob("*.png"))) == 18
    odd = generator.sample(18)[17] % 2
    assert odd.any()
    with Image.open(out / "masks" / "000017.png") as picture:
        assert "synthetic" in picture.info["Description"]
        assert "lesion mask" in picture.info["Description"]
        np.testing.assert_array_equal(np.asarray(picture), odd * 255)


def test_the_layout_of_nnunet(masked, told, tmp_path):
    generator, out = marking(masked), tmp_path / "out"
    write_pictures(generator, out, 3, 0, generator.wish(frame="light"), "nnunet")
    about = json.loads((out / "dataset.json").read_text())
    assert (about["channel_names"], about["labels"]) == ({"0": "light"}, {"background": 0, "lesion": 1})
    assert (about["numTraining"], about["file_ending"]) == (3, ".png")
    cases = sorted(path.name.removesuffix(".png") for path in (out / "labelsTr").iterdir())
    assert [f"{case}_0000.png" for case in cases] == sorted(path.name for path in (out / "imagesTr").iterdir())
    images = generator.sample(3, 0, generator.wish(frame="light"))
    assert (images % 2).any(axis=(1, 2)).all()
    for case, image in zip(cases, images, strict=True):
        with Image.open(out / "labelsTr" / f"{case}.png") as picture:
            assert "synthetic" in picture.info["Description"]
            np.testing.assert_array_equal(np.asarray(picture), image % 2)
        with Image.open(out / "imagesTr" / f"{case}_0000.png") as picture:
            np.testing.assert_array_equal(np.asarray(picture), image)
    write_pictures(generator, out, 1, 0)
    assert {path.name for path in out.rglob("*") if path.is_file()} == {
        "000000.png", "sheet.png", "synthetic.csv", "source.json", "files.csv",
    }  # fmt: skip
    with pytest.raises(InputError, match=r"of slices with masks.*--set model\.masks=true, on a store whose training"):
        write_pictures(TrainedGenerator.open(told), tmp_path / "other", 1, 0, layout="nnunet")
    with pytest.raises(InputError, match="there are pictures, imagefolder, nnunet"):
        write_pictures(generator, tmp_path / "other", 1, 0, layout="bids")
    assert not (tmp_path / "other").exists()


def test_a_channel_of_nnunet_is_of_one_frame(masked, tmp_path):
    generator = TrainedGenerator.open(masked)
    with pytest.raises(InputError, match="choose one of dark, light by --frame"):
        write_pictures(generator, tmp_path / "out", 3, 0, layout="nnunet")
    assert not list(tmp_path.iterdir())
    for frames, number, channel in ((("T2w",), 0.0, "T2w"), ((), np.nan, "MRI")):
        generator.networks["generator"].field.told.rows[:, 0] = number
        one = TrainedGenerator(**vars(generator) | {"vocabulary": replace(generator.vocabulary, frames=frames)})
        write_pictures(one, tmp_path / "out", 1, 0, generator.wish(depth=0.5), "nnunet")
        assert json.loads((tmp_path / "out" / "dataset.json").read_text())["channel_names"] == {"0": channel}


@pytest.mark.parametrize("which", ["told", "masked"])
def test_the_layout_of_an_image_folder(which, request, tmp_path):
    run, out = request.getfixturevalue(which), tmp_path / "out"
    generator = marking(run) if which == "masked" else TrainedGenerator.open(run)
    write_pictures(generator, out, 3, 0, generator.wish(frame="light"), "imagefolder")
    table = out / "images" / "metadata.csv"
    rows = read_csv(table)
    assert [(row["frame"], row["number"], row["synthetic"]) for row in rows] == [
        ("light", str(n), "yes") for n in range(3)
    ]
    for row, image in zip(rows, generator.sample(3, 0, generator.wish(frame="light")), strict=True):
        with Image.open(table.parent / row["file_name"]) as picture:
            np.testing.assert_array_equal(np.asarray(picture), image)
        assert ("mask_file_name" in row) == (which == "masked")
        if which == "masked":
            with Image.open(table.parent / row["mask_file_name"]) as picture:
                np.testing.assert_array_equal(np.asarray(picture), image % 2 * 255)
    write_pictures(generator, out, 1, 0)
    assert not [path for path in (out / "images").rglob("*") if path.is_file()]


def test_every_file_says_that_it_is_synthetic(masked, tmp_path):
    generator = TrainedGenerator.open(masked)
    generator.config["geometry"] = {"axis": "axial", "pixel_mm": 1.0, "slice_mm": 1.0, "slice_depth": 0.2}
    wish = generator.wish(frame="light")
    for layout in LAYOUTS:
        write_pictures(generator, tmp_path / layout, 2, 0, wish, layout)
    write_interpolation(generator, tmp_path / "way", "depth", 3, 0)
    write_volumes(generator, tmp_path / "volumes", 1, 0)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".png", ".gif", ".gz", ".csv", ".json"}
    for path in files:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        assert b"synthetic" in content, path


def test_tables_are_written_as_slices_come(trained, tmp_path, monkeypatch):
    monkeypatch.setattr("braingan.sampling.pictures.write_synthetic_png", lambda *of: None)
    generator, held, peaks = TrainedGenerator.open(trained), np.zeros((32, 32), np.uint8), []
    for count in (200, 800):
        (tmp_path / str(count)).mkdir()
        gc.collect()
        tracemalloc.start()
        write_slices(generator, tmp_path / str(count), 0, UNTOLD, ((number, held) for number in range(count)))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(read_csv(tmp_path / str(count) / "synthetic.csv")) == count
    assert peaks[1] < 1.1 * peaks[0]


def test_without_a_folder_slices_lie_in_the_run_s(told, tmp_path):
    shutil.copytree(told.root, tmp_path / "run")
    sample.command(tmp_path / "run", count=2)
    assert len(read_csv(tmp_path / "run" / "slices" / "synthetic.csv")) == 2
    assert len(TrainedGenerator.open(RunFolder(tmp_path / "run")).sample(1)) == 1


def test_a_sample_of_an_earlier_version_is_replaced(trained, tmp_path):
    generator = TrainedGenerator.open(trained)
    write_pictures(generator, tmp_path / "out", 2, seed=0)
    names = [row["file"] for row in read_csv(tmp_path / "out" / "files.csv")]
    (tmp_path / "out" / "files.csv").write_text("\n".join(["file", *names, ""]))
    write_pictures(generator, tmp_path / "out", 1, seed=0)
    assert not (tmp_path / "out" / "000001.png").exists()


def test_a_folder_of_something_else_is_refused(trained, tmp_path):
    (tmp_path / "slices.csv").touch()  # as in a store
    with pytest.raises(InputError, match="is not empty"):
        write_pictures(TrainedGenerator.open(trained), tmp_path, 1, seed=0)


def test_a_table_of_files_that_is_another_s_makes_no_sample_of_a_folder(trained, tmp_path):
    (tmp_path / "files.csv").write_text("file,size\nscan.png,12\n")
    (tmp_path / "scan.png").touch()
    with pytest.raises(InputError, match="is not empty"):
        write_pictures(TrainedGenerator.open(trained), tmp_path, 1, seed=0)
    assert (tmp_path / "scan.png").exists()


def test_a_sample_s_overview_is_none_of_its_slices(trained, tmp_path):
    write_pictures(TrainedGenerator.open(trained), tmp_path / "out", 3, seed=0)
    assert len(read_folder(tmp_path / "out")[0]) == 3
    (tmp_path / "out" / "synthetic.csv").unlink()
    assert len(read_folder(tmp_path / "out")[0]) == 4


def test_other_pictures_in_the_folder_stay(trained, tmp_path):
    out = tmp_path / "out"
    write_pictures(TrainedGenerator.open(trained), out, 2, seed=0)
    (out / "2024-scan.png").touch()
    write_pictures(TrainedGenerator.open(trained), out, 1, seed=0)
    assert {path.name for path in out.glob("*.png")} == {"000000.png", "sheet.png", "2024-scan.png"}
