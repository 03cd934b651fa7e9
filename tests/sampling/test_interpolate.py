"""Ways between latents and through conditions."""

import numpy as np
import pytest
import torch
from PIL import Image

from braingan.errors import InputError
from braingan.folders import read_csv
from braingan.sampling.generator import TrainedGenerator
from braingan.sampling.interpolate import way, write_interpolation


def test_between_latents_every_point_is_as_long_as_a_latent_and_the_ends_are_slices_0_and_1(trained, told):
    generator = TrainedGenerator.open(told)
    z, rows = way(generator, "latents", 9, seed=3)
    assert torch.equal(z[0], generator.latents(3, [0])[0])
    torch.testing.assert_close(z[-1], generator.latents(3, [1])[0], atol=1e-6, rtol=0)
    lengths = z.norm(dim=1) / z.shape[1] ** 0.5
    assert lengths.min() > 0.9
    ends = generator.told(3, [0, 1])
    np.testing.assert_allclose(rows[[0, -1], 2], ends[:, 2], rtol=1e-6)
    assert np.allclose(np.diff(rows[:, 2], 2), 0, atol=1e-6)
    assert (rows[:, :2] == ends[0, :2]).all()
    thesis = TrainedGenerator.open(trained)
    z, rows = way(thesis, "latents", 3)
    np.testing.assert_array_equal(thesis.make(z, rows)[0, 0], thesis.sample(1)[0])


def test_a_number_goes_through_its_range_and_a_name_through_all_names_at_one_latent(told):
    generator = TrainedGenerator.open(told)
    z, rows = way(generator, "depth", 5, wish=generator.wish(frame="dark"))
    assert torch.equal(z, z[:1].expand(5, -1))
    np.testing.assert_allclose(rows[:, 2], np.linspace(*generator.vocabulary.depth, 5), rtol=1e-6)
    assert (rows[:, 0] == 0).all()
    z, rows = way(generator, "frame", 5)
    assert rows[:, 0].tolist() == [0, 1]
    assert (rows[0, 1:] == rows[1, 1:])[~np.isnan(rows[0, 1:])].all()


def test_what_the_run_does_not_know_or_the_wish_fixes_is_no_way(trained, told):
    with pytest.raises(InputError, match="was not told its slices' depth"):
        way(TrainedGenerator.open(trained), "depth", 5)
    generator = TrainedGenerator.open(told)
    with pytest.raises(InputError, match="leave out --depth"):
        way(generator, "depth", 5, wish=generator.wish(depth=0.5))


def test_a_strip_and_a_movie_say_that_they_are_synthetic(told, tmp_path):
    generator = TrainedGenerator.open(told)
    assert write_interpolation(generator, tmp_path / "out", "lesion", 6, 0) == 6
    with Image.open(tmp_path / "out" / "strip.png") as strip:
        assert strip.size == (6 * 32, 32)
        assert "synthetic" in strip.info["Description"]
    with Image.open(tmp_path / "out" / "interpolation.gif") as movie:
        assert b"synthetic" in movie.info["comment"]
        assert movie.n_frames > 1  # neighbours that are alike become one
    areas = [float(row["lesion_area_mm2"]) for row in read_csv(tmp_path / "out" / "interpolation.csv")]
    assert areas == pytest.approx(np.linspace(*generator.vocabulary.lesion, 6), abs=0.1)
