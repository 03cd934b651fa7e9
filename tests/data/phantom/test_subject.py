"""A subject is a brain: its size, its tissues, its lesions with the contrast that each frame has, and its seed."""

import numpy as np
import pytest
import torch

from braingan.data.phantom.subject import FRAMES, SHAPE, make_phantom

SUBJECTS = 3


@pytest.fixture(scope="module")
def ill():
    return [make_phantom(5, number, lesions=1.0) for number in range(SUBJECTS)]


def medians(phantom, where):
    return {frame: float(np.median(phantom.voxels[..., i][where])) for i, frame in enumerate(FRAMES)}


def test_a_subject_is_a_brain_in_four_frames(ill):
    for phantom in ill:
        assert phantom.voxels.shape == (*SHAPE, 4)
        brain = phantom.voxels[..., 0] > 0
        assert 1.0e6 < brain.sum() < 2.0e6  # mm³; adults have 1.0 to 1.8 litres
        for frame in range(4):
            np.testing.assert_array_equal(phantom.voxels[..., frame] > 0, brain)
        extent = [np.ptp(np.flatnonzero(brain.any(axis=other))) for other in ((1, 2), (0, 2), (0, 1))]
        assert 115 < extent[0] < 160  # mm wide
        assert 145 < extent[1] < 192  # mm long
        assert extent[1] > extent[0]


def test_lesions_lie_within_the_brain_and_have_all_three_parts(ill):
    for phantom in ill:
        assert set(np.unique(phantom.labels)) == {0, 1, 2, 3}
        assert (phantom.voxels[..., 0][phantom.labels > 0] > 0).all()
        core, around = phantom.labels == 2, np.zeros(SHAPE, bool)
        for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1), (2, 1), (2, -1)):
            around |= np.roll(core, step, axis)
        shell = phantom.labels[around & ~core & (phantom.voxels[..., 0] > 0)]
        assert (shell == 3).mean() > 0.75  # the rim is around the core, but for what touches the surface
        assert (shell == 1).mean() < 0.01


def test_each_frame_shows_lesions_as_it_should(ill):
    for phantom in ill:
        brain = (phantom.voxels[..., 0] > 0) & (phantom.labels == 0)
        healthy, (edema, core, rim) = (
            medians(phantom, brain),
            (medians(phantom, phantom.labels == k) for k in (1, 2, 3)),
        )
        assert edema["FLAIR"] > 1.4 * healthy["FLAIR"]
        assert rim["T1gd"] > 1.4 * healthy["T1gd"]
        assert edema["T2w"] > 1.2 * healthy["T2w"]
        assert core["T2w"] > 1.5 * healthy["T2w"]
        assert max(edema["T1w"], core["T1w"], rim["T1w"]) < healthy["T1w"]


def test_seed_and_number_alone_determine_the_voxels():
    first = make_phantom(7, 3, lesions=0.5)
    threads = torch.get_num_threads()
    torch.set_num_threads(2 if threads == 1 else 1)
    again = make_phantom(7, 3, lesions=0.5)
    torch.set_num_threads(threads)
    np.testing.assert_array_equal(first.voxels, again.voxels)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert not np.array_equal(first.voxels, make_phantom(8, 3, lesions=0.5).voxels)


def test_a_subject_without_lesions_has_none():
    assert not make_phantom(5, 0, lesions=0.0).labels.any()


@pytest.mark.gpu
def test_a_gpu_makes_the_same_anatomy():
    cpu, gpu = (make_phantom(5, 0, lesions=1.0, device=device) for device in ("cpu", "cuda"))
    assert (cpu.labels == gpu.labels).mean() > 0.9999
    assert ((cpu.voxels > 0) == (gpu.voxels > 0)).mean() > 0.9999
