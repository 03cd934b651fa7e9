"""What changes from one showing of a slice to the next, and what is said of it."""

import numpy as np

from braingan.evaluation.encoder import augment

ROW, COLUMN = np.mgrid[:64, :64] - 31.5
DISCS = np.repeat(((ROW**2 + COLUMN**2 < 20**2) * 200).astype(np.uint8)[None], 64, axis=0)


def test_the_same_step_shows_the_same_and_another_step_something_else():
    (first, zoom), (again, _), (other, _) = (augment.augmented(DISCS[:4], 1, step) for step in (5, 5, 6))
    assert (first == again).all()
    assert (first != other).any()
    assert (first[0] != first[1]).any()
    assert first.shape == (4, 1, 64, 64)
    assert 0 <= first.min() < first.max() <= 1
    assert np.abs(np.log(zoom)).max() <= augment.ZOOM


def test_the_zoom_is_how_many_times_as_large_a_slice_is_shown(monkeypatch):
    for name in ("GAIN", "BEND", "NOISE"):
        monkeypatch.setattr(augment, name, 0.0)
    slices, zoom = augment.augmented(DISCS, 0, 0)
    shown = slices.sum(dim=(1, 2, 3)).numpy() / (DISCS[0].sum() / 255)
    np.testing.assert_allclose(shown, zoom**2, rtol=0.01)
    assert zoom.min() < 0.95
    assert zoom.max() > 1.05
