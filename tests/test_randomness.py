"""Streams depend on seed, purpose and index alone."""

from braingan.randomness import draws


def test_streams_repeat_and_differ_by_each_of_their_names():
    def first(*key):
        return draws(*key).integers(2**62)

    assert first(1, "order", 5) == first(1, "order", 5)
    assert len({first(1, "order", 5), first(2, "order", 5), first(1, "latents", 5), first(1, "order", 6)}) == 4
