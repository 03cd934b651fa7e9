"""Ways between latents and through conditions."""

import itertools
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from braingan.errors import InputError
from braingan.folders import read_csv
from braingan.sampling.generator import TrainedGenerator
from braingan.sampling.interpolate import way, write_interpolation


def seed_where(generator, fits):
    """The first seed whose slices 0 and 1 are told what fits."""
    return next(seed for seed in range(1000) if fits(*generator.told(seed, [0, 1])))


def test_between_latents_every_point_is_as_long_as_a_latent_and_the_ends_are_slices_0_and_1(trained, told):
    generator = TrainedGenerator.open(told)
    seed = seed_where(generator, lambda a, b: (a[:2] != b[:2]).all() and not np.isnan([a, b]).any())
    z, rows = way(generator, "latents", 9, seed)
    assert torch.equal(z[0], generator.latents(seed, [0])[0])
    torch.testing.assert_close(z[-1], generator.latents(seed, [1])[0], atol=1e-6, rtol=0)
    lengths = z.norm(dim=1) / z.shape[1] ** 0.5
    assert 0.85 < lengths.min() <= lengths.max() < 1.15
    first, last = generator.told(seed, [0, 1])
    for number in (2, 3):
        np.testing.assert_allclose(rows[:, number], np.linspace(first[number], last[number], 9), rtol=1e-5, atol=1e-5)
    assert (rows[:, :2] == first[:2]).all()
    np.testing.assert_array_equal(generator.make(z, rows)[0, 0], generator.some(seed, [0])[0])
    thesis = TrainedGenerator.open(trained)
    z, rows = way(thesis, "latents", 3)
    np.testing.assert_array_equal(thesis.make(z, rows)[0, 0], thesis.sample(1)[0])


@pytest.mark.parametrize("unknown", [0, 1])
def test_what_either_end_does_not_know_stays_the_first_s(told, unknown):
    generator = TrainedGenerator.open(told)
    seed = seed_where(generator, lambda *ends: [bool(np.isnan(of[3])) for of in ends] == [unknown == 0, unknown == 1])
    first = generator.told(seed, [0])[0]
    rows = way(generator, "latents", 5, seed)[1]
    np.testing.assert_array_equal(rows[:, 3], np.full(5, first[3]))
    assert not np.isnan(rows[:, 2]).any()


def test_a_number_goes_through_its_range_and_a_name_through_all_names_at_one_latent(told):
    generator = TrainedGenerator.open(told)
    z, rows = way(generator, "depth", 5, wish=generator.wish(frame="dark"))
    assert torch.equal(z, z[:1].expand(5, -1))
    np.testing.assert_allclose(rows[:, 2], np.linspace(*generator.vocabulary.depth, 5), rtol=1e-6)
    assert (rows[:, 0] == 0).all()
    z, rows = way(generator, "frame", 5)
    assert rows[:, 0].tolist() == [0, 1]
    assert (rows[0, 1:] == rows[1, 1:])[~np.isnan(rows[0, 1:])].all()


def test_no_way_leads_to_a_lesion_larger_than_any_at_its_depth(told):
    generator = TrainedGenerator.open(told)
    words = generator.vocabulary
    most = tuple(np.linspace(4, 100, len(words.lesion_at)))
    generator = TrainedGenerator(
        **vars(generator) | {"vocabulary": replace(words, lesion=(0.0, 100.0), lesion_at=most)}
    )
    low = float(words.depth[0])
    assert way(generator, "lesion", 5, wish=generator.wish(depth=low))[1][:, 3].tolist() == [0, 1, 2, 3, 4]
    rows = way(generator, "depth", 9, wish=generator.wish(lesion=80.0))[1]
    np.testing.assert_allclose(
        rows[:, 3], [min(80, generator.vocabulary.lesions(float(at))[1]) for at in rows[:, 2]], rtol=1e-6
    )
    assert rows[0, 3] == 4
    assert rows[-1, 3] == 80


def test_what_the_run_does_not_know_or_the_wish_fixes_is_no_way(trained, told):
    with pytest.raises(InputError, match="was not told its slices' depth"):
        way(TrainedGenerator.open(trained), "depth", 5)
    generator = TrainedGenerator.open(told)
    with pytest.raises(InputError, match="leave out --depth"):
        way(generator, "depth", 5, wish=generator.wish(depth=0.5))


def test_a_strip_and_a_movie_say_that_they_are_synthetic(told, tmp_path):
    generator = TrainedGenerator.open(told)
    assert write_interpolation(generator, tmp_path / "out", "lesion", 6, 0)["slices"] == 6
    with Image.open(tmp_path / "out" / "strip.png") as strip:
        assert strip.size == (6 * 32, 32)
        assert "synthetic" in strip.info["Description"]
    with Image.open(tmp_path / "out" / "interpolation.gif") as movie:
        assert b"synthetic" in movie.info["comment"]
        assert movie.n_frames > 1  # neighbours that are alike become one
    rows = read_csv(tmp_path / "out" / "interpolation.csv")
    areas = [float(row["lesion_area_mm2"]) for row in rows]
    assert areas == pytest.approx(np.linspace(*generator.vocabulary.lesion, 6), abs=0.1)
    assert {row["synthetic"] for row in rows} == {"yes"}


def test_a_way_says_how_smoothly_it_moves_and_finer_steps_move_less(told, tmp_path):
    generator, means = TrainedGenerator.open(told), {}
    for count in (3, 33):
        found = write_interpolation(generator, tmp_path / "out", "latents", count, 0)
        with Image.open(tmp_path / "out" / "strip.png") as strip:
            tiles = np.asarray(strip).reshape(32, count, 32).swapaxes(0, 1).reshape(count, -1)
        pairs = [np.corrcoef(one, other)[0, 1] for one, other in itertools.pairwise(tiles)]
        assert found["neighbour_correlation"] == pytest.approx(np.mean(pairs))
        assert found["least_correlation"] == pytest.approx(min(pairs))
        means[count] = found["neighbour_correlation"]
    assert means[3] < means[33]
    first = generator.told(0, [0])[0]
    others = generator.make(generator.latents(0, range(16)), np.tile(first, (16, 1)))[:, 0].reshape(16, -1)
    pairs = [np.corrcoef(one, other)[0, 1] for one, other in itertools.pairwise(others)]
    assert found["unrelated_correlation"] == pytest.approx(np.mean(pairs))


def test_the_command_says_it_and_writes_into_the_run_s_folder(told, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(told.root, run)
    call = [sys.executable, "-m", "braingan", "sample", run, "--interpolate", "depth", "--count", "3"]
    said = subprocess.run(call, capture_output=True, text=True, check=True).stdout
    number = r"-?[01]\.\d{4}"
    assert re.search(rf"3 synthetic slices along depth.*neighbouring slices {number}, at least {number}", said)
    assert re.search(rf"of slices of different latents {number}\n", said)
    assert len(read_csv(run / "interpolation" / "interpolation.csv")) == 3
