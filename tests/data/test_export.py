"""Slices as picture files: none overwrites another, and the source's terms go with them."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

import made
from braingan.cli.export_images import command
from braingan.data.export import export_images, file_names
from braingan.data.prepare import prepare
from braingan.data.settings import DataSettings
from braingan.data.store import COLUMNS, Store
from braingan.errors import InputError
from braingan.folders import StoreFolder, read_json, write_json

app = typer.Typer()
app.command()(command)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    return prepare(
        made.decathlon(folder / "task", shape=(24, 24, 31)), folder / "store", DataSettings(size=24), "local:1"
    )


def rows_of(out):
    with (out / "slices.csv").open() as file:
        return list(csv.DictReader(file))


def test_every_slice_becomes_a_file_with_its_own_pixels_and_columns(store, tmp_path):
    out = tmp_path / "out"
    assert export_images(store, out, "png") == len(store)
    rows = rows_of(out)
    assert {path.relative_to(out).as_posix() for path in out.glob("*/*")} == {row["file"] for row in rows}
    for number, row in enumerate(rows):
        with Image.open(out / row["file"]) as picture:
            np.testing.assert_array_equal(np.asarray(picture), store.images(np.array([number]))[0])
        assert row["subject"] == store.columns["subject"][number]
        assert int(row["position"]) == store.columns["position"][number]
    assert set(rows[0]) >= {"file", *COLUMNS}
    split = store.columns["split"][0]
    assert rows[0]["file"] == f"{split}/sub-MADE000_FLAIR_z-{store.columns['position'][0]:03d}.png"


def test_exported_pictures_prepared_again_keep_subjects_frames_and_positions(store, tmp_path):
    export_images(store, tmp_path / "out", "png")
    again = prepare(tmp_path / "out", tmp_path / "again", DataSettings(size=24), "local:1")
    before, after = (
        zip(*(each.columns[name].tolist() for name in ("subject", "frame", "position")), strict=True)
        for each in (store, again)
    )
    assert sorted((subject.replace("_", ""), *rest) for subject, *rest in before) == sorted(after)
    assert (tmp_path / "again" / "discarded.csv").read_text() == "file,slice,reason\n"


def test_a_full_disk_says_how_much_more_the_pictures_need_and_they_go_on_from_there(store, tmp_path, monkeypatch):
    whole, written = Path.write_bytes, []

    def small(path, content):
        if len(written) == 5:
            raise OSError(28, "No space left on device")
        written.append(path)
        return whole(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", small)
        with pytest.raises(InputError, match=r"out is full, about 1 MiB more are needed: .* goes on from here"):
            export_images(store, tmp_path / "out", "png")
    assert len(list((tmp_path / "out").glob("*/*"))) == 3  # beside source.json and README.txt
    assert export_images(store, tmp_path / "out", "png") == len(store)


def test_an_interrupted_export_goes_on_and_a_whole_one_is_left_alone(store, tmp_path):
    out = tmp_path / "out"
    export_images(store, out, "png", ("train",))
    files = sorted(out.glob("train/*.png"))
    (out / "slices.csv").unlink()
    files[3].unlink()
    (out / "train" / ".left.png.1.tmp").touch()
    times = {path: path.stat().st_mtime_ns for path in files if path.exists()}
    export_images(store, out, "png", ("train",))
    assert sorted(out.glob("train/*")) == files
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert len(rows_of(out)) == len(files) == (store.columns["split"] == "train").sum()
    assert sorted(out.glob("*")) == [out / name for name in ("README.txt", "slices.csv", "source.json", "train")]


def test_another_export_or_something_else_in_the_folder_is_refused(store, tmp_path):
    export_images(store, tmp_path / "out", "png", ("train",))
    with pytest.raises(InputError, match="other format and splits"):
        export_images(store, tmp_path / "out", "jpg", ("train", "validation"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.pdf").touch()
    with pytest.raises(InputError, match="is not empty"):
        export_images(store, tmp_path / "mine", "png")
    for within in (store.folder.root, store.folder.root / "parts" / ".." / "pictures"):
        with pytest.raises(InputError, match="lies within the store"):
            export_images(store, within, "png")
    with pytest.raises(InputError, match="T9w not in the store"):
        export_images(store, tmp_path / "new", "png", frames=("T9w",))
    assert not (tmp_path / "new").exists()


def test_licence_terms_and_notes_travel(store, tmp_path):
    described = {"name": "made", "kind": "decathlon", "licence": "CC-BY-SA 4.0", "reference": "Somebody 2020"}
    other = Store(store.folder, store.description | {"source": described, "notes": ["Mind the gap."]})
    export_images(other, tmp_path / "out", "jpg")
    readme = (tmp_path / "out" / "README.txt").read_text()
    for said in ("licence: CC-BY-SA 4.0", "reference: Somebody 2020", "Mind the gap."):
        assert said in readme
    source = json.loads((tmp_path / "out" / "source.json").read_text())
    assert source["source"] == described
    export_images(store, tmp_path / "unstated", "png", ("train",))
    assert "licence: not stated" in (tmp_path / "unstated" / "README.txt").read_text()


def test_jpg_is_near_the_slice(store, tmp_path):
    export_images(store, tmp_path / "out", "jpg")
    row = rows_of(tmp_path / "out")[0]
    with Image.open(tmp_path / "out" / row["file"]) as picture:
        assert picture.format == "JPEG"
        difference = np.asarray(picture).astype(int) - store.images(np.array([0]))[0]
    assert np.abs(difference).mean() < 4


class Named(Store):
    """A store of which only the columns matter."""


def named(places):
    kinds = ("subject", "frame", "position", "split")
    found = Named(StoreFolder(Path()), {})
    found.__dict__["columns"] = {
        kind: np.array(values) for kind, values in zip(kinds, zip(*places, strict=True), strict=True)
    }
    return found


def test_names_that_look_alike_stay_apart():
    places = [
        ("a_1", "T1w", 3, "train"), ("a1", "T1w", 3, "train"), ("A1", "T1w", 3, "train"), ("a/1", "T1w", 3, "train"),
        ("脳", "", -1, "test"), ("腦", "", -1, "test"), ("../../etc", "FLAIR", 0, "test"), ("con", "", 1, "test"),
        ("b", "T1w", 4, "train"), ("b", "t1w", 4, "train"), ("b", "T1w", 4, "train"), ("b" * 300, "x", 1, "train"),
    ]  # fmt: skip
    names = file_names(named(places))
    assert len({name.lower() for name in names}) == len(names)
    assert all(name.isascii() and name.count("/") == 1 and ".." not in name and len(name) < 200 for name in names)
    assert names[6] == "test/sub-etc_FLAIR_z-000"
    assert len({name.split("_")[0].lower() for name in names[:4]}) == 4, "subjects stay apart, not only files"


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text("aA1_-/é脳 .", max_size=4), st.sampled_from(["", "T1", "t1", "t-1"]), st.integers(-1, 1),
            st.sampled_from(["train", "test"]),
        ),
        min_size=1, max_size=30,
    )
)  # fmt: skip
def test_no_two_slices_share_a_file(places):
    names = file_names(named(places))
    assert len({name.lower() for name in names}) == len(names)


def test_the_command_exports_what_is_asked_for(store, tmp_path):
    arguments = [str(store.folder.root), "--out", str(tmp_path / "out"), "--split", "train", "--frames", "t1w"]
    found = CliRunner().invoke(app, [*arguments, "--format", "jpg"])
    assert found.exit_code == 0, found.output
    wanted = (store.columns["split"] == "train") & (store.columns["frame"] == "T1w")
    assert f"{tmp_path / 'out'}: {wanted.sum()} slices as jpg" in found.output
    assert len(list((tmp_path / "out" / "train").glob("*_T1w_*.jpg"))) == wanted.sum()


def test_a_damaged_table_is_named(tmp_path):
    small = made.picture_store(tmp_path, subjects=3, each=2)
    small.folder.table.write_text("subject\n")
    with pytest.raises(InputError, match=r"slices\.csv is missing or damaged"):
        export_images(small, tmp_path / "out", "png", ("train",))
    write_json(small.folder.description, read_json(small.folder.description) | {"format": 99})
    with pytest.raises(InputError, match="format 99"):
        Store.open(small.folder.root)
