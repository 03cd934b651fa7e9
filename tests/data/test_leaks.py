"""Planted copies are found, and slices of different subjects are not taken for copies."""

import io

import numpy as np
import pytest
from PIL import Image

import made
from braingan.data.leaks import Band, find_leaks, magnitude_vectors, pairs_compared, phase_likeness
from braingan.data.prepare import prepare
from braingan.data.settings import DataSettings

SIDE = 112


def brain(seed, side=SIDE):
    """An ellipse of smooth random texture, its own for each seed, in the same place for all."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.fft2(rng.standard_normal((side, side)))
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(side, 1 / side)] * 2, indexing="ij"))
    texture = np.fft.ifft2(spectrum / (1 + (frequency / 8) ** 2)).real
    row, column = np.mgrid[:side, :side] / side - 0.5
    inside = (row / 0.4) ** 2 + (column / 0.33) ** 2 < 1
    return np.where(inside, np.clip(130 + 40 * texture / texture.std(), 1, 255), 0).astype(np.uint8)


def encoded(image):
    content = io.BytesIO()
    Image.fromarray(image).save(content, "JPEG", quality=75)
    return np.asarray(Image.open(content))


CHANGES = {
    "shifted down": (lambda image: np.roll(image, 2, 0), "none"),
    "shifted up and left": (lambda image: np.roll(image, (-2, -2), (0, 1)), "none"),
    "encoded": (encoded, "none"),
    "brighter": (lambda image: np.clip(image * 1.2, 0, 255).astype(np.uint8), "none"),
    "mirrored": (lambda image: image[:, ::-1], "mirrored"),
    "upside down": (lambda image: image[::-1], "upside down"),
    "turned": (lambda image: image[::-1, ::-1], "half a turn"),
    "mirrored, shifted, encoded": (lambda image: encoded(np.roll(image[:, ::-1], 2, 1)), "mirrored"),
}


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A store of 20 subjects, and a copy of one training slice per change under names of the test split."""
    folder = tmp_path_factory.mktemp("leaks")
    for subject in range(20):
        Image.fromarray(brain(subject)).save(folder / f"sub-{subject}_z-00.png")
    settings = DataSettings(split_seed=1)
    clean = prepare(folder, folder / "clean", settings, "local:1")
    originals = clean.columns["subject"][clean.select("train")].tolist()
    copies = {}
    from braingan.data.identity import split_of

    for (name, (change, _)), original in zip(CHANGES.items(), originals, strict=False):
        copy = next(
            f"copy{n}" for n in range(999) if split_of(f"copy{n}", settings) == "test" and f"copy{n}" not in copies
        )
        copies[copy] = (name, original)
        Image.fromarray(change(brain(int(original)))).save(folder / f"sub-{copy}_z-00.png")
    return clean, prepare(folder, folder / "store", settings, "local:1"), copies


def test_every_planted_copy_is_found_with_its_turn_and_nothing_else(planted):
    _, store, copies = planted
    subjects = store.columns["subject"]
    found = {str(subjects[leak.second]): (str(subjects[leak.first]), leak.turn) for leak in find_leaks(store)}
    assert found == {copy: (original, CHANGES[name][1]) for copy, (name, original) in copies.items()}
    assert len(copies) == len(CHANGES)


def test_subjects_of_the_same_outline_are_no_copies(planted):
    clean, _, _ = planted
    assert pairs_compared(clean) > 50
    assert find_leaks(clean) == []
    assert max(leak.magnitudes for leak in find_leaks(clean, 0.0, -1.0)) < 0.4


def test_shifts_change_no_magnitude_and_mirrors_exchange_them():
    band, image = Band.of(SIDE), brain(0)[None]
    straight = magnitude_vectors(image, band)
    np.testing.assert_allclose(magnitude_vectors(np.roll(image, (5, -9), (1, 2)), band), straight, atol=1e-5)
    for turned, of in (
        (image[:, :, ::-1], straight[:, band.opposite]),
        (image[:, ::-1], straight[:, band.opposite]),
        (image[:, ::-1, ::-1], straight),
    ):
        np.testing.assert_allclose(magnitude_vectors(turned, band), of, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(straight), 1, rtol=1e-5)


def test_phases_agree_wholly_after_a_shift_within_reach_and_not_beyond():
    band, image = Band.of(SIDE), brain(1)[None]
    for shift in ((0, 0), (2, -2), (-4, 4)):
        np.testing.assert_allclose(phase_likeness(image, np.roll(image, shift, (1, 2)), band), 1, rtol=1e-5)
    assert phase_likeness(image, np.roll(image, (9, 9), (1, 2)), band)[0] < 0.5
    assert phase_likeness(image, brain(2)[None], band)[0] < 0.4


@pytest.mark.parametrize("side", [8, 9, 33, 45, 256])
def test_bands_stay_below_the_nyquist_frequency_and_know_their_opposites(side):
    band = Band.of(side)
    assert len(band.u)
    assert max(band.u.max(), band.v.max()) <= min(22, (side - 1) // 2)
    np.testing.assert_array_equal(band.u[band.opposite], -band.u)
    np.testing.assert_array_equal(band.v[band.opposite], band.v)


def test_frames_are_compared_apart_and_slices_of_one_split_not_at_all(tmp_path):
    settings = DataSettings(size=24, slices="all", split=(1, 0, 0))
    store = prepare(made.decathlon(tmp_path / "task"), tmp_path / "store", settings, "local:1")
    assert pairs_compared(store) == 0
    assert find_leaks(store, -1.0, -1.0) == []
    settings = DataSettings(size=24, slices="all", split=(0.5, 0, 0.5), split_seed=3)
    store = prepare(tmp_path / "task", tmp_path / "other", settings, "local:1")
    columns = store.columns
    each = [
        [((columns["frame"] == frame) & (columns["split"] == split)).sum() for split in ("train", "test")]
        for frame in ("FLAIR", "T1w")
    ]
    assert pairs_compared(store) == sum(train * test for train, test in each) > 0
    pairs = find_leaks(store, -1.0, -1.0)
    assert {(str(columns["frame"][leak.first]), str(columns["frame"][leak.second])) for leak in pairs} == {
        ("FLAIR", "FLAIR"), ("T1w", "T1w"),
    }  # fmt: skip
    assert len(pairs) == pairs_compared(store)  # each pair once, though it is looked at in every turn
