"""Anyone's pictures as a set of slices."""

import numpy as np
import pytest
from PIL import Image

from braingan.errors import InputError
from braingan.evaluation.pictures import read_folder

RNG = np.random.default_rng(0)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def test_pictures_are_taken_as_they_are(tmp_path):
    grey = RNG.integers(0, 100, (3, 32, 32)).astype(np.uint8)
    for number, pixels in enumerate(grey):
        save(tmp_path / f"sub-{number // 2}_z-{number}.png", pixels)
    save(tmp_path / "other.png", np.repeat(grey[0][:, :, None], 3, axis=2))
    slices, note = read_folder(tmp_path)
    assert not note
    assert slices.subjects.tolist() == ["0", "0", "1", "other"]
    assert (slices.images[:3] == grey).all()
    assert (slices.images[3] == grey[0]).all()


def test_sixteen_bits_become_eight_by_their_range(tmp_path):
    save(tmp_path / "a.png", np.full((16, 16), 65535, np.uint16))
    save(tmp_path / "b.png", np.full((16, 16), 257 * 100, np.uint16))
    np.save(tmp_path / "c.npy", np.full((16, 16), 0.5, np.float32))
    assert read_folder(tmp_path)[0].images[:, 0, 0].tolist() == [255, 100]


def test_other_sizes_are_resampled_and_said(tmp_path):
    save(tmp_path / "a.png", np.full((32, 32), 80, np.uint8))
    save(tmp_path / "b.png", np.full((64, 64), 80, np.uint8))
    slices, note = read_folder(tmp_path)
    assert slices.images.shape == (2, 32, 32)
    assert "64×64" in note
    assert slices.images[1, 8:24, 8:24].min() == slices.images[1].max() == 80


def test_mistakes_are_named(tmp_path):
    with pytest.raises(InputError, match="not a folder"):
        read_folder(tmp_path / "gone")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"bad\.png: .*mend it or take it away"):
        read_folder(tmp_path)
