"""An inspection counts what is there, and says what cannot be."""

import json

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

import made
from braingan.cli.inspect import command
from braingan.data.inspect import areas_of_lesions, grey_levels, inspect_store, left_out, spread_of
from braingan.data.prepare import prepare
from braingan.data.settings import DataSettings
from braingan.data.store import Store
from braingan.errors import InputError

app = typer.Typer()
app.command()(command)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return made.picture_store(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def lesioned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lesioned")
    return prepare(
        made.decathlon(folder / "task", shape=(48, 48, 31)), folder / "store", DataSettings(size=48), "local:1"
    )


def test_counts_are_those_of_the_columns(pictures, tmp_path):
    found = inspect_store(pictures, tmp_path / "out")
    counts, columns = found["counts"], pictures.columns
    for split, of in counts["all"].items():
        there = columns["split"] == split
        assert of == {"slices": there.sum(), "subjects": len(set(columns["subject"][there]))}
    assert counts["frames"] == {"unnamed": counts["all"]}
    assert counts["labels"] == {}
    assert counts["slices_a_subject"] == {"lowest": 4, "median": 4, "highest": 4}
    assert found["lesions"] == "not applicable: the store has no label maps"
    assert found == json.loads((tmp_path / "out" / "inspect.json").read_text())
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "contact_sheet.png", "histograms.png", "inspect.json",
    }  # fmt: skip


def test_the_same_store_gives_the_same_files_again(pictures, tmp_path):
    for name in ("a", "b"):
        inspect_store(pictures, tmp_path / name)
    inspect_store(pictures, tmp_path / "a")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_lesions_count_once_whatever_the_frames_and_only_where_there_is_a_label_map(lesioned, tmp_path):
    columns, areas = lesioned.columns, areas_of_lesions(lesioned)
    mapped = (columns["subject"] == "MADE_000") & (columns["frame"] == "FLAIR")
    split = str(columns["split"][mapped][0])
    np.testing.assert_array_equal(areas[split], columns["lesion_area_mm2"][mapped])
    assert sum(map(len, areas.values())) == mapped.sum()
    found = inspect_store(lesioned, tmp_path / "out")["lesions"]
    assert found[split]["slices_with_lesion"] == (columns["lesion_area_mm2"][mapped] > 0).sum() > 0
    assert found[split]["area_mm2"] == {"lowest": 20, "median": 20, "highest": 20}  # a block of 4×5 voxels of 1 mm
    assert (tmp_path / "out" / "lesions.png").exists()


def test_label_maps_are_outlined_on_the_sheet_and_nothing_else_is_coloured(lesioned, pictures, tmp_path):
    coloured = {}
    for name, store in (("lesioned", lesioned), ("pictures", pictures)):
        inspect_store(store, tmp_path / name)
        with Image.open(tmp_path / name / "contact_sheet.png") as sheet:
            pixels = np.asarray(sheet).astype(int)
        coloured[name] = (np.ptp(pixels, axis=2) > 0).sum()
    assert coloured["lesioned"] > 100
    assert coloured["pictures"] == 0


def test_grey_levels_are_counted_by_frame_and_split(lesioned):
    found = grey_levels(lesioned)
    columns = lesioned.columns
    for frame in ("FLAIR", "T1w"):
        for split, levels in found[frame].items():
            images = lesioned.images(np.flatnonzero((columns["frame"] == frame) & (columns["split"] == split)))
            np.testing.assert_array_equal(levels, [(images == level).sum() for level in range(256)])


def test_reasons_are_counted_by_kind():
    reasons = [
        "tissue on 1.3% of it, less than data.min_brain", "tissue on 0.2% of it, less than data.min_brain",
        "expected 3-D or 4-D voxels, found 2-D of shape (80, 80)", "has 9 slices, none in 60:100/155",
        "expected one number a voxel, found complex64 numbers", "its header claims 1,234.5 GiB of voxels",
        "the same slice as a/b.png", "the same slice as c.nii slice 3", "not a readable picture: broken at 7",
    ]  # fmt: skip
    assert left_out(reasons) == {
        "tissue on …% of it, less than data.min_brain": 2, "the same slice as another": 2, "not a readable picture": 1,
        "expected 3-D or 4-D voxels, found 2-D of shape (…, …)": 1, "has … slices, none in 60:100/155": 1,
        "expected one number a voxel, found complex64 numbers": 1, "its header claims … GiB of voxels": 1,
    }  # fmt: skip


def test_the_sheet_spreads_over_subjects_and_positions(pictures):
    columns = pictures.columns
    there = pictures.select("train")
    chosen = spread_of(columns, there, 6)
    assert len(set(columns["subject"][chosen])) == min(6, len(set(columns["subject"][there])))
    assert set(columns["position"][chosen]) == {0, 1, 2, 3}
    assert (np.diff(columns["position"][chosen]) >= 0).all()
    assert len(spread_of(columns, there, 10_000)) == len(there)


def test_masks_are_read_by_number_and_refused_where_there_are_none(lesioned, pictures):
    with pytest.raises(InputError, match="has no label maps"):
        pictures.masks(np.array([0]))
    masks = lesioned.masks(np.arange(len(lesioned)))
    np.testing.assert_array_equal(masks.any(axis=(1, 2)), lesioned.columns["lesion_area_mm2"] > 0)
    np.testing.assert_array_equal(lesioned.masks(np.array([5, 2])), masks[[5, 2]])


def test_a_folder_of_something_else_is_refused(pictures, tmp_path):
    (tmp_path / "mine.txt").touch()
    with pytest.raises(InputError, match="is not empty"):
        inspect_store(pictures, tmp_path)


def test_the_command_says_what_it_found_and_where_and_strict_fails_on_a_leak(tmp_path):
    source = made.picture_folder(tmp_path / "pictures", subjects=10, each=2)
    store = prepare(source, tmp_path / "clean", DataSettings(split_seed=1), "local:1")
    clean = CliRunner().invoke(app, [str(store.folder.root), "--strict"])
    assert clean.exit_code == 0, clean.output
    assert "Source licence: not stated" in clean.output
    assert str(store.folder.derived / "inspect" / "contact_sheet.png") in clean.output
    columns = store.columns
    original, other = (str(columns["subject"][store.select(split)[0]]) for split in ("train", "test"))
    with Image.open(source / f"sub-{original}" / f"sub-{original}_z-00.png") as picture:
        mirrored = np.asarray(picture)[:, ::-1]
    Image.fromarray(mirrored).save(source / f"sub-{other}" / f"sub-{other}_z-09.png")
    leaking = prepare(source, tmp_path / "leaking", DataSettings(split_seed=1), "local:1")
    out = tmp_path / "out"
    found = CliRunner().invoke(app, [str(leaking.folder.root), "--out", str(out), "--strict"])
    assert isinstance(found.exception, InputError)
    assert f"{original} (train) and {other} (test): 1" in found.output
    (leak,) = json.loads((out / "inspect.json").read_text())["leaks"]["found"]
    assert (leak["first"]["subject"], leak["first"]["position"], leak["first"]["split"]) == (original, 0, "train")
    assert (leak["second"]["subject"], leak["second"]["position"], leak["turn"]) == (other, 9, "mirrored")


def test_one_split_alone_has_no_leaks_to_look_for(tmp_path):
    settings = DataSettings(size=48, split=(1, 0, 0))
    source = made.picture_folder(tmp_path / "pictures", subjects=2, each=2)
    store = prepare(source, tmp_path / "store", settings, "local:1")
    found = inspect_store(Store.open(store.folder.root), tmp_path / "out")
    assert found["leaks"] == "not applicable: all slices of a frame are in one split"


def test_tiny_slices_are_not_audited(tmp_path):
    source = made.picture_folder(tmp_path / "pictures", subjects=10, each=2)
    store = prepare(source, tmp_path / "store", DataSettings(size=16, split_seed=1), "local:1")
    assert inspect_store(store, tmp_path / "out")["leaks"].startswith("not applicable: slices under 48 pixels")
