"""From the scans of one volume to its slices: whatever its shape, spacing, orientation and type."""

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import made
from braingan.data.parts import read_slices, read_table
from braingan.data.prepare import make_part, prepare
from braingan.data.settings import DataSettings
from braingan.data.sources import list_scans
from braingan.folders import StoreFolder

TYPES = (np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64)


@settings(deadline=None, max_examples=60)
@given(
    shape=st.tuples(*[st.integers(1, 40)] * 3),
    frames=st.integers(1, 3),
    spacing=st.tuples(*[st.floats(0.2, 9)] * 3),
    codes=st.sampled_from(["RAS", "LPS", "PSR", "AIL", "SRP"]),
    kind=st.sampled_from(TYPES),
    axis=st.sampled_from(["axial", "coronal", "sagittal"]),
    crop=st.booleans(),
)
def test_any_volume_gives_slices_of_the_size_asked_for_or_reasons(
    tmp_path_factory, shape, frames, spacing, codes, kind, axis, crop
):
    root = tmp_path_factory.mktemp("any")
    rng = np.random.default_rng(sum(shape))
    voxels = np.where(rng.random((*shape, frames)) > 0.3, rng.integers(20, 250, (*shape, frames)), 0).astype(kind)
    image = nibabel.Nifti1Image(voxels, np.diag([*spacing, 1.0]))
    turn = nibabel.orientations.axcodes2ornt(codes)
    nibabel.save(image.as_reoriented(turn), root / "scan.nii.gz")
    chosen = DataSettings(size=24, slices="all", axis=axis, crop=crop)
    (scan,) = list_scans(root, chosen.pattern).scans
    make_part([scan], chosen, root, StoreFolder(root / "store"))
    (path,) = (root / "store" / "parts").glob("*.part")
    images, table = read_slices(path, "images"), read_table(path)
    count = shape[{"axial": 2, "coronal": 1, "sagittal": 0}[axis]]
    left_out = len(table["discarded"])
    assert len(images) == len(table["digests"]) == len(table["files"])
    assert len(images) + left_out == count * frames or any(where == "" for _, where, _ in table["discarded"])
    if len(images):
        assert images.shape[1:] == (24, 24)
        assert set(table["columns"]["position"]) <= set(range(count))


def ball(shape, centre, radius, value=300):
    grid = np.indices(shape).transpose(1, 2, 3, 0)
    return np.where(((grid - centre) ** 2).sum(axis=-1) < radius**2, value, 0).astype(np.int16)


def one_volume(folder, voxels, name="scan", **masks):
    folder.mkdir(exist_ok=True)
    nibabel.save(made.as_stored(voxels, "LPS"), folder / f"{name}.nii.gz")
    for kind, mask in masks.items():
        nibabel.save(made.as_stored(mask.astype(np.uint8), "LPS"), folder / f"{name}_{kind}.nii.gz")
    return folder


def test_a_slice_cropped_to_the_brain_shows_it_in_the_middle_and_large(tmp_path):
    voxels = ball((60, 60, 31), (40, 22, 15), 9) + ball((60, 60, 31), (40, 22, 15), 4, 100)
    source = one_volume(tmp_path / "scans", voxels)
    plain = prepare(source, tmp_path / "plain", DataSettings(size=60, slices="14:17"), "local:1")
    cropped = prepare(source, tmp_path / "cropped", DataSettings(size=60, slices="14:17", crop=True), "local:1")
    fixed = prepare(source, tmp_path / "fixed", DataSettings(size=60, slices="14:17", crop=True, edge_mm=36), "local:1")
    assert set(plain.columns["pixel_mm"]) == {1.0}
    assert cropped.columns["pixel_mm"][0] == pytest.approx(17 * 1.1 / 60)
    assert set(fixed.columns["pixel_mm"].tolist()) == {np.float32(0.6)}
    for store, extent in ((cropped, 60 / 1.1), (fixed, 17 / 0.6)):
        shown = store.images(np.array([1]))[0] > 60
        rows, columns = np.nonzero(shown)
        assert (rows.mean(), columns.mean()) == (pytest.approx(29.5, abs=0.6), pytest.approx(29.5, abs=0.6))
        assert np.ptp(rows) + 1 == pytest.approx(extent, abs=2)


def test_outside_the_sources_brain_mask_all_is_black(tmp_path):
    rng = np.random.default_rng(0)
    voxels = rng.integers(50, 200, (40, 40, 31)).astype(np.int16)
    mask = ball((40, 40, 31), (20, 20, 15), 12, 1)
    source = one_volume(tmp_path / "scans", voxels, brain_mask=mask)
    store = prepare(source, tmp_path / "store", DataSettings(size=40, brain="source", slices="12:18"), "local:1")
    image = store.images(np.array([3]))[0]
    inside = mask[::-1, ::-1, 15].T > 0
    assert (image[~inside] == 0).all()
    assert (image[inside] > 0).mean() > 0.95
    one_volume(source, voxels[..., ::-1], name="without")
    again = prepare(source, tmp_path / "again", DataSettings(size=40, brain="source", slices="12:18"), "local:1")
    assert set(again.columns["subject"]) == {"scan"}
    assert "data.brain is source, but no brain mask belongs to it" in again.folder.discarded.read_text()


def test_frames_that_differ_in_shape_are_left_out_with_the_shapes(tmp_path):
    source = one_volume(tmp_path / "cases", made.landmarks(), name="A_flair")
    one_volume(source, made.landmarks((24, 30, 22)), name="A_t1")
    one_volume(source, made.landmarks(), name="B_flair")
    one_volume(source, made.landmarks() // 2, name="B_t1")
    store = prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")
    assert set(store.columns["subject"]) == {"B"}
    reason = "the frames of its volume differ in shape: flair 24×30×20, t1 24×30×22"
    assert store.folder.discarded.read_text().count(reason) == 2


def test_volumes_that_do_not_say_their_orientation_are_noted(tmp_path):
    source = one_volume(tmp_path / "scans", made.landmarks())
    image = nibabel.Nifti1Image(made.landmarks((28, 30, 20)), None)
    nibabel.save(image, source / "unsaid.nii.gz")
    store = prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")
    assert any("1 of 2 volumes do not say how they are oriented" in note for note in store.description["notes"])


def test_sixteen_bits_keep_their_range_until_the_grey_scale_is_set(tmp_path):
    """Intensities 30,000 to 30,255 over a background of 0 would all be one grey level in eight bits."""
    voxels = np.zeros((32, 32, 31), np.uint16)
    voxels[4:28, 4:28] = 30_000 + np.linspace(0, 255, 24)[:, None, None].astype(np.uint16)
    source = one_volume(tmp_path / "scans", voxels)
    narrow = DataSettings(size=32, slices="15:16", percentiles=(0, 100))
    store = prepare(source, tmp_path / "store", narrow, "local:1")
    assert len(np.unique(store.images(np.array([0]))[0][10:20])) >= 2
    arrays = tmp_path / "arrays"
    arrays.mkdir()
    np.save(arrays / "deep.npy", (np.linspace(0, 60_000, 32 * 32).reshape(32, 32)).astype(np.uint16))
    deep = prepare(arrays, tmp_path / "deep", DataSettings(size=32), "local:1")
    assert len(np.unique(deep.images(np.array([0])))) > 200


def test_a_label_map_that_lies_elsewhere_is_not_used(tmp_path):
    """Saved by a script with an identity matrix beside a volume stored L,P,S, it would be mirrored."""
    source = tmp_path / "scans"
    source.mkdir()
    nibabel.save(nibabel.Nifti1Image(made.landmarks(), np.diag([-1.0, -1.0, 1.0, 1.0])), source / "scan.nii.gz")
    nibabel.save(nibabel.Nifti1Image(made.landmarks().astype(np.uint8), np.eye(4)), source / "scan_seg.nii.gz")
    store = prepare(source, tmp_path / "store", DataSettings(size=16), "local:1")
    assert np.isnan(store.columns["lesion_area_mm2"]).all()
    assert "by its affine matrix it lies elsewhere" in store.folder.discarded.read_text()


def test_labels_are_rounded_and_those_beyond_a_byte_are_no_labels(tmp_path):
    labels = ball((24, 30, 20), (12, 15, 10), 6, 1)
    for number, (kind, factor) in enumerate(((np.float32, 0.9999999), (np.int16, 300))):
        source = one_volume(tmp_path / str(number), made.landmarks())
        nibabel.save(made.as_stored((labels * factor).astype(kind), "LPS"), source / "scan_seg.nii.gz")
        store = prepare(source, tmp_path / f"store{number}", DataSettings(size=30, slices="9:12"), "local:1")
        if factor < 1:
            assert set(np.unique(store.masks(np.arange(len(store))))) == {0, 1}
        else:
            assert "its labels are no numbers from 0 to 255" in store.folder.discarded.read_text()


def test_a_mark_outside_the_brain_is_no_intensity(tmp_path):
    """Some tools write -32768, or the lowest number there is, outside the brain: the brain keeps its contrast."""
    rng = np.random.default_rng(0)
    brain = ball((40, 40, 31), (20, 20, 15), 12) > 0
    voxels = np.where(brain, rng.integers(100, 900, brain.shape), 0)
    expected = None
    for name, kind, mark in (("zero", np.int16, 0), ("int", np.int16, -32768), ("float", np.float32, -3.4e38)):
        source = one_volume(tmp_path / name, np.where(brain, voxels, mark).astype(kind))
        store = prepare(source, tmp_path / f"store {name}", DataSettings(size=40, slices="12:18"), "local:1")
        image = store.images(np.array([3]))[0].astype(int)
        inside = brain[::-1, ::-1, 15].T
        expected = image if expected is None else expected
        assert (image[~inside] == 0).all()
        assert np.corrcoef(image[inside], expected[inside])[0, 1] > 0.99
        assert np.ptp(image[inside]) > 150


def test_an_empty_first_frame_does_not_keep_the_others_from_being_centred(tmp_path):
    filled = ball((41, 41, 31), (26, 20, 15), 9)
    source = one_volume(tmp_path / "scans", np.stack([np.zeros_like(filled), filled], axis=-1))
    store = prepare(source, tmp_path / "store", DataSettings(size=41, align="centre", slices="15:16"), "local:1")
    rows, columns = np.nonzero(store.images(np.array([0]))[0] > 60)
    assert (rows.mean(), columns.mean()) == (pytest.approx(20, abs=0.1), pytest.approx(20, abs=0.1))
    assert "scan.nii.gz#0,,all its voxels have the same value" in store.folder.discarded.read_text()


def test_what_no_reason_foresees_stops_nothing(tmp_path, monkeypatch):
    from braingan.data import prepare as module
    from braingan.data.parts import read_table

    source = one_volume(tmp_path / "scans", made.landmarks())

    def fails(*arguments):
        raise TypeError("of Doe, Jane")

    monkeypatch.setattr(module, "read_volume", fails)
    (scan,) = list_scans(source, DataSettings().pattern).scans
    make_part([scan], DataSettings(), source, StoreFolder(tmp_path / "store"))
    (path,) = (tmp_path / "store" / "parts").iterdir()
    reason = "could not be prepared: it caused an unexpected TypeError"
    assert read_table(path)["discarded"] == [["scan.nii.gz", "", reason]]
