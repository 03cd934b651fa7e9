"""Figures are text that stays the same."""

import base64
import io

import numpy as np
from PIL import Image

from braingan.report.figures import loss_curves, png_uri

ROWS = [{"images": str(n * 640), "discriminator_loss": "1.2", "generator_loss": str(n)} for n in range(1, 5)]


def test_a_picture_comes_back_from_its_uri():
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    content = base64.b64decode(png_uri(pixels).removeprefix("data:image/png;base64,"))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content))), pixels)


def test_curves_name_both_players_and_stay_the_same():
    drawn = loss_curves(ROWS, 1.386)
    assert drawn.startswith("<svg")
    assert ">discriminator<" in drawn
    assert ">generator<" in drawn
    assert loss_curves(ROWS, 1.386) == drawn
