"""Sets of slices."""

import numpy as np

import made
from braingan.evaluation.sets import SliceSet


def test_real_slices_have_their_subject_and_generated_ones_each_their_own(tmp_path):
    store = made.picture_store(tmp_path)
    indices = store.select("test")
    real = SliceSet.of_store(store, indices)
    np.testing.assert_array_equal(real.images, store.images(indices))
    assert set(real.subjects) <= set(store.columns["subject"])
    generated = SliceSet.generated(real.images)
    assert len(set(generated.subjects)) == len(generated) == len(real)
