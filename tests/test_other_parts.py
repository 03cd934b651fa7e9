"""Other parts of the body go the whole way, from scans to a report; what makes sense for brains alone says so."""

import json

import nibabel
import numpy as np
import pytest
from PIL import Image

import made
from braingan.data.inspect import inspect_store
from braingan.data.prepare import prepare
from braingan.data.settings import DataSettings
from braingan.errors import InputError
from braingan.evaluation.evaluate import evaluate
from braingan.folders import RunFolder
from braingan.recipe import compose, train_recipe
from braingan.report.run import write_report
from braingan.settings import parse


def hippocampi(root, subjects=10):
    """A task shaped like the Decathlon's hippocampus: a frame of 35×51×35 voxels, labels of a front and a rear part."""
    rng = np.random.default_rng(0)
    for folder in ("imagesTr", "labelsTr"):
        (root / folder).mkdir(parents=True)
    entries = []
    grid = np.indices((35, 51, 35)).transpose(1, 2, 3, 0)
    for number in range(subjects):
        part = (((grid - (17, 25, 17)) / (6, 14 + number / 4, 6)) ** 2).sum(axis=-1) < 1
        labels = (part * np.where(grid[..., 1] > 25, 1, 2)).astype(np.uint8)
        voxels = (300 + 250 * part + rng.normal(0, 30, part.shape)).astype(np.float32)
        name = f"hippocampus_{number:03d}.nii.gz"
        nibabel.save(made.as_stored(voxels, "LPS"), root / "imagesTr" / name)
        nibabel.save(made.as_stored(labels, "LPS"), root / "labelsTr" / name)
        entries.append({"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"})
    description = {"name": "Hippocampus", "licence": "CC-BY-SA 4.0", "modality": {"0": "MRI"}, "training": entries}
    (root / "dataset.json").write_text(json.dumps(description))
    return root


def knees(root, subjects=10, each=4):
    """Pictures of a bright rim (skin), a dark one and two grey bones, one above the other."""
    rng = np.random.default_rng(0)
    row, column = np.mgrid[:96, :80]
    for number in range(subjects):
        for position in range(each):
            leg = np.abs(column - 40) < 34 - position
            bone = leg & (np.abs(column - 40) < 18 + number % 3) & (np.abs(row - 48) > 4)
            pixels = 190 * leg - 150 * (leg & (np.abs(column - 40) < 30 - position)) + 90 * bone
            path = root / f"sub-{number:02d}" / f"sub-{number:02d}_z-{position}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((pixels + rng.integers(0, 20, row.shape)).clip(0, 255).astype(np.uint8)).save(path)
    return root


@pytest.mark.parametrize(("make", "part"), [
    (hippocampi, "hippocampus"), pytest.param(knees, "knee", marks=pytest.mark.slow),
])  # fmt: skip
def test_from_scans_to_a_report(tmp_path, make, part):
    pytest.importorskip("efficientnet_lite_pytorch")
    settings = DataSettings(body_part=part, slices="14:18", split_seed=1)
    store = prepare(make(tmp_path / part), tmp_path / "store", settings, "local:2")
    assert len(store) == 40
    found = inspect_store(store, tmp_path / "inspected")
    assert found["volumes_with_skull"] == f"not applicable: {part}"
    assert isinstance(found["lesions"], str) == (part == "knee")
    run = RunFolder(tmp_path / "run")
    sets = ["model.name=thesis4", "training.epochs=1", "training.batch_size=8", "evaluation.seeds=1"]
    sets.append("evaluation.also=[]")
    assert train_recipe(compose(None, sets), store, run)
    evaluate(run)
    page = write_report(run).read_text()
    assert f"Skulls and faces: not applicable: {part}" in page
    assert ("CC-BY-SA 4.0" in page) == (part == "hippocampus")
    assert "head with its skull" not in page


def test_what_makes_sense_for_brains_alone_is_refused_for_another_part():
    for given in ({"brain": "strip"}, {"align": "rigid"}):
        with pytest.raises(InputError, match="not applicable to heart"):
            parse(DataSettings, {"body_part": "heart", **given})
