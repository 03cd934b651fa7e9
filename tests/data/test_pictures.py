"""Pictures of every mode become one channel, or there is a reason why not."""

import numpy as np
import pytest
from PIL import Image

from braingan.data.pictures import read_picture
from braingan.data.volumes import UnreadableError


def test_pictures_of_every_mode_become_one_channel(tmp_path):
    ramp = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    for mode in ("L", "RGB", "RGBA", "P", "CMYK"):
        path = tmp_path / f"{mode}.{'tif' if mode == 'CMYK' else 'png'}"
        grey = Image.fromarray(ramp)
        (grey.convert("P") if mode == "P" else grey.convert("RGB").convert(mode)).save(path)
        assert np.abs(read_picture(path).astype(int) - ramp).max() <= 1, mode
    deep = (ramp.astype(np.uint16) + 1000) * 50
    Image.fromarray(deep).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "deep.png"), deep)


def test_a_broken_picture_has_a_reason(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    with pytest.raises(UnreadableError, match="not a readable picture"):
        read_picture(tmp_path / "broken.jpg")


def test_a_stack_of_pictures_is_not_read_as_its_first_page(tmp_path):
    pages = [Image.new("L", (8, 8), level) for level in (1, 2, 3)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(UnreadableError, match="has 3 pages"):
        read_picture(tmp_path / "stack.tif")


def test_the_limit_is_the_callers_alone_and_pillows_stays_for_others(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 30)
    pixels = np.arange(100, dtype=np.uint8).reshape(10, 10)
    Image.fromarray(pixels).save(tmp_path / "large.tif")
    np.testing.assert_array_equal(read_picture(tmp_path / "large.tif"), pixels)
    with pytest.raises(UnreadableError, match=r"claims 10×10 pixels, more than data\.max_gib allows"):
        read_picture(tmp_path / "large.tif", 700)
    assert Image.MAX_IMAGE_PIXELS == 30
