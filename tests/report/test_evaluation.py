"""What an evaluation found, on the page: all of it where it is there, and no less where some is not."""

import shutil

import numpy as np
import pytest

from braingan.evaluation.evaluate import evaluate
from braingan.evaluation.features.extractor import Extractor
from braingan.folders import RunFolder, read_json, write_json
from braingan.report.evaluation import unreadable
from braingan.report.run import write_report


class Pixels(Extractor):
    name = "efficientnet-lite2"
    fingerprint = description = "every eighth pixel"

    def features(self, images):
        return images[:, ::8, ::8].reshape(len(images), -1).astype(np.float32)


class Others(Pixels):
    name = "anatomy"


@pytest.fixture(scope="module")
def evaluated(trained, tmp_path_factory):
    copy = RunFolder(tmp_path_factory.mktemp("reported") / "run")
    shutil.copytree(trained.root, copy.root)
    with pytest.MonkeyPatch.context() as patch:
        of = {"anatomy": Others}
        patch.setattr("braingan.evaluation.measure.open_extractor", lambda name, *rest: of.get(name, Pixels)())
        evaluate(copy)
    return copy


def test_the_page_shows_every_section(evaluated):
    page = write_report(evaluated).read_text()
    found = read_json(evaluated.snapshots()[-1].metrics)
    for said in ("Fréchet distance", "Precision", "every eighth pixel", "F1/8", "brain area", "is not FID"):
        assert said in page, said
    assert f"{found['metrics']['frechet_distance']['value']:.4g}"[:3] in page
    assert page.count("data:image/png") >= 4
    assert "anatomy" in page


@pytest.mark.parametrize(
    "gone", ["baselines", "curve", "groups", "realism", "anatomy", "detection", "memorisation", "confusion"]
)
def test_a_file_that_lacks_a_section_still_makes_a_page(evaluated, gone):
    path = evaluated.snapshots()[-1].metrics
    whole = read_json(path)
    write_json(path, {name: of for name, of in whole.items() if name != gone})
    try:
        assert "Fréchet distance" in write_report(evaluated).read_text()
    finally:
        write_json(path, whole)


def test_fid_is_said_only_of_fids_network(evaluated):
    path = evaluated.snapshots()[-1].metrics
    whole = read_json(path)
    metrics = whole["metrics"] | {
        "frechet_distance@inception": whole["metrics"]["frechet_distance"] | {"extractor": "inception"}
    }
    assert "is not FID" in write_report(evaluated).read_text()
    write_json(path, whole | {"metrics": metrics})
    try:
        assert ">FID" in write_report(evaluated).read_text().replace("\n", "")
    finally:
        write_json(path, whole)


def test_a_metric_that_is_not_known_is_shown_by_its_name(evaluated):
    path = evaluated.snapshots()[-1].metrics
    whole = read_json(path)
    write_json(
        path, whole | {"metrics": whole["metrics"] | {"new_metric": {"value": 0.5, "values": [0.5], "count": 8}}}
    )
    try:
        assert "new_metric" in write_report(evaluated).read_text()
    finally:
        write_json(path, whole)


def test_what_the_encoder_takes_the_slices_for(evaluated):
    path = evaluated.snapshots()[-1].metrics
    whole = read_json(path)
    real = {"label": {"ill": 0.4, "well": 0.6}, "depth": {"50": 0.5}, "lesion": {"share": 0.25, "mean_area_mm2": 120.0}}
    made = {"label": {"well": 1.0}, "depth": {"50": 0.7}, "lesion": {"share": 0.0, "mean_area_mm2": 0.0}}
    write_json(path, whole | {"encoder": {"scores": {}, "real": real, "generated": made}})
    try:
        page = write_report(evaluated).read_text()
    finally:
        write_json(path, whole)
    assert "label: ill" in page
    assert "slices with a lesion" in page
    assert "below which 50 of 100 lie" in page


def test_what_slices_were_told_their_masks_and_their_use(evaluated):
    snapshot = evaluated.snapshots()[-1]
    whole = read_json(snapshot.metrics)
    obeyed = {"frame_accuracy": {"value": 0.987}, "depth_error_slices": {"value": 1.25}}
    obeyed |= {"lesion_area_correlation in T2w": {"value": 0.913}, "depth_error": {"value": 0.1}}
    encoder = {"scores": {"frame_accuracy": {"value": 0.998}}, "real": {}, "generated": {}, "obeyed": obeyed}
    frames = {"FLAIR": {"real": 60.0, "generated": 55.0, "real_same_sign": 1.0, "generated_same_sign": 0.913}}
    of_lesions = {"area_correlation": 0.71, "area_error_mm2": 31.5, "mean_told_mm2": 250.0}
    masks = {"area_correlation": 0.934, "of_lesions": of_lesions, "count": 90, "frames": frames}
    masks["lesions"] = {
        "FLAIR": {side: {"slices": 90, "with_lesion": n} for side, n in (("real", 61), ("generated", 0))}
    }
    arm = {"value": 0.612, "low": 0.58, "high": 0.64}
    gains = {"gain": 0.041, "gain_low": 0.011, "gain_high": 0.07}
    utility = {
        "task": "segmentation", "score": "mean Dice", "few_subjects": 3, "generator_saw_subjects": 30, "generated": 900,
        "test_subjects": 12, "seeds": 5, "steps": 100, "batch": 16,
        "arms": {"real": arm, "synthetic": arm | gains, "both": arm | gains | {"gain_low": -0.01}},
    }  # fmt: skip
    write_json(snapshot.metrics, whole | {"encoder": encoder, "masks": masks})
    write_json(snapshot.utility, utility)
    try:
        page = write_report(evaluated).read_text()
    finally:
        write_json(snapshot.metrics, whole)
        snapshot.utility.unlink()
    for said in (
        "slices whose frame is right",
        "0.934",
        "correlation of the lesion area, in T2w",
        "FLAIR: lesions whose contrast",
        "61 of 90",
        "0 of 90",
        "+0.041",
        "helps",
        "within noise",
    ):
        assert said in page, said
    assert "harms" not in page


def test_masks_of_slices_that_were_told_no_area(evaluated):
    path = evaluated.snapshots()[-1].metrics
    whole = read_json(path)
    write_json(path, whole | {"masks": {"count": 0, "frames": {}}})
    try:
        assert "area told" not in write_report(evaluated).read_text()
    finally:
        write_json(path, whole)


def test_files_of_other_formats_say_what_to_do():
    assert "run braingan evaluate again" in unreadable({"format": 1})
    assert "update it" in unreadable({"format": 99})
    assert not unreadable({"format": 2})
