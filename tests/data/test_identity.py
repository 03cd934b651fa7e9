"""Names that may be patients' never reach a store, and the key tells what stands for what."""

import csv
from dataclasses import replace

import numpy as np
import pytest

import made
from braingan.data.identity import deal, with_pseudonyms
from braingan.data.prepare import prepare
from braingan.data.settings import DataSettings
from braingan.data.sources import list_scans
from braingan.errors import InputError

PRIVATE = DataSettings(size=16, names="pseudonyms")


def patients(folder):
    """Pictures in folders that are called as patients are, one of them unreadable."""
    source = made.picture_folder(folder / "Doe_Jane_1950", subjects=4, each=2)
    for number, name in enumerate(("Doe-Jane", "Mueller-Hans", "Ivanova-Olga", "Sato-Ken")):
        (source / f"sub-{number:02d}").rename(source / name)
    (source / "Sato-Ken" / "Sato-broken.png").write_bytes(b"\x89PNG broken")
    (source / "Sato-Ken" / "Sato.gif").write_bytes(b"GIF")
    return source, r"(?P<subject>[A-Z][a-z]+-[A-Z][a-z]+)/.*?(?:_z-(?P<position>\d+))?\.png"


def test_no_name_reaches_the_store_and_the_key_has_them_all(tmp_path):
    source, pattern = patients(tmp_path)
    settings = PRIVATE.model_copy(update={"pattern": pattern})
    store = prepare(source, tmp_path / "store", settings, "local:1", tmp_path / "key.csv")
    assert set(store.columns["subject"]) == {f"subject-{number}" for number in range(1, 5)}
    for path in store.folder.root.rglob("*"):
        for name in (b"Doe", b"Mueller", b"Ivanova", b"Sato", b"1950"):
            assert name not in path.read_bytes(), path
            assert name.decode() not in path.name
    with (tmp_path / "key.csv").open(encoding="utf-8") as file:
        key = {row["pseudonym"]: row["stands for"] for row in csv.DictReader(file)}
    assert not any(of.startswith(("/", "..")) for of in key.values())  # files by their path below the source
    assert {key[f"subject-{n}"] for n in range(1, 5)} == {"Doe-Jane", "Mueller-Hans", "Ivanova-Olga", "Sato-Ken"}
    left_out = [line.split(",")[0] for line in store.folder.discarded.read_text().splitlines()[1:]]
    assert {key[name].rpartition("/")[2] for name in left_out} == {"Sato-broken.png", "Sato.gif"}


def test_pseudonyms_change_neither_slices_nor_splits(tmp_path):
    source, pattern = patients(tmp_path)
    kept = prepare(source, tmp_path / "kept", DataSettings(size=16, pattern=pattern), "local:1")
    hidden = prepare(source, tmp_path / "hidden", PRIVATE.model_copy(update={"pattern": pattern}), "local:1")
    slices = [
        set(zip(map(bytes, store.images(np.arange(len(store)))), store.columns["split"].tolist(), strict=True))
        for store in (kept, hidden)
    ]  # fmt: skip
    assert len(slices[0]) == 8
    assert slices[0] == slices[1]


def test_numbers_do_not_follow_the_alphabet_and_depend_on_the_names_alone(tmp_path):
    scans = deal(list_scans(made.picture_folder(tmp_path, subjects=9, each=1), DataSettings().pattern), PRIVATE)
    hidden, _ = with_pseudonyms(scans, tmp_path)
    order = {scan.path: scan.subject for scan in hidden.scans}
    assert [order[path] for path in sorted(order)] != sorted(order.values())
    turned, _ = with_pseudonyms(replace(scans, scans=scans.scans[::-1]), tmp_path)
    assert {scan.path: scan.subject for scan in turned.scans} == order


def test_a_key_within_the_store_or_without_pseudonyms_is_refused(tmp_path):
    source = made.picture_folder(tmp_path / "pictures", subjects=2, each=1)
    with pytest.raises(InputError, match="lies within the store: keep it apart"):
        prepare(source, tmp_path / "store", PRIVATE, "local:1", tmp_path / "store" / "key.csv")
    with pytest.raises(InputError, match="names are kept here"):
        prepare(source, tmp_path / "store", DataSettings(size=16), "local:1", tmp_path / "key.csv")
    assert not (tmp_path / "key.csv").exists()
    assert not (tmp_path / "store").exists()


def test_dicom_patients_get_pseudonyms_and_no_text_of_their_headers_is_kept(tmp_path):
    pytest.importorskip("pydicom")
    source = tmp_path / "export of ward 3"
    for number, name in enumerate(("Doe^Jane", "Mueller^Hans")):
        made.dicom_series(source / name, made.landmarks((24 + 2 * number, 30, 20)), patient=name, series=str(number))
        for path in (source / name).iterdir():
            path.write_bytes(path.read_bytes().replace(b"4711", b"471%d" % number))
    store = prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")
    assert set(store.columns["subject"]) == {"subject-1", "subject-2"}
    assert set(store.columns["frame"]) == {"FLAIR"}
    for path in store.folder.root.rglob("*"):
        for text in (b"Doe", b"Mueller", b"471", b"Watson", b"1970", b"ward"):
            assert text not in (path.read_bytes() if path.suffix != ".npy" else b""), path


def test_a_key_that_says_something_else_is_never_overwritten(tmp_path):
    first = made.picture_folder(tmp_path / "first", subjects=3, each=1)
    prepare(first, tmp_path / "store", PRIVATE, "local:1", tmp_path / "key.csv")
    before = (tmp_path / "key.csv").read_text()
    prepare(first, tmp_path / "store", PRIVATE, "local:1", tmp_path / "key.csv")
    second = made.picture_folder(tmp_path / "second", subjects=4, each=1)
    with pytest.raises(InputError, match="is there already and says something else"):
        prepare(second, tmp_path / "other", PRIVATE, "local:1", tmp_path / "key.csv")
    assert (tmp_path / "key.csv").read_text() == before


def test_a_volume_of_two_subjects_is_refused(tmp_path):
    for name in ("p1/p1_t1.nii", "p1/p1_t2.nii"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"data\.pattern finds two subjects, p1_t1 and p1_t2, in files of one volume"):
        deal(list_scans(tmp_path, r"(?P<subject>[^/]+)\.nii"), DataSettings())


def test_pseudonyms_are_recommended_only_where_names_are_kept(tmp_path):
    (tmp_path / "scan.nii").touch()
    listed = list_scans(tmp_path, DataSettings().pattern)
    assert "set data.names to pseudonyms" in listed.notes[-1]
    hidden, _ = with_pseudonyms(listed, tmp_path)
    assert hidden.notes == listed.notes[:-1] != []
