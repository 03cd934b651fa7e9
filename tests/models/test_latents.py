"""A latent depends on its seed and number alone."""

import torch

from braingan.models.latents import latent_batch, latents


def test_a_latent_is_the_same_whatever_is_made_with_it():
    torch.testing.assert_close(latents(3, "slice", [5], 100), latents(3, "slice", range(8), 100)[5:6], rtol=0, atol=0)
    assert not torch.equal(latents(3, "slice", [5], 100), latents(4, "slice", [5], 100))


def test_latents_are_standard_normal():
    drawn = latent_batch(0, "training latents", 0, 2000, 100)
    assert abs(drawn.mean()) < 0.01
    assert abs(drawn.std() - 1) < 0.01
