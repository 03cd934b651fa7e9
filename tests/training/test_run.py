"""The log's columns."""

import pytest

from braingan.errors import InputError
from braingan.folders import RunFolder
from braingan.models.thesis import Thesis4
from braingan.training.run import LOG_COLUMNS, check_run, read_log, write_config, write_log
from braingan.training.settings import TrainingSettings, identity


def test_an_architecture_s_own_scalars_are_columns_of_its_log_alone(tmp_path):
    plain, own = RunFolder(tmp_path / "plain"), RunFolder(tmp_path / "own")
    row = {"epoch": "1", "images": "8", "diversity": "1"}
    write_log(plain, [row])
    write_log(own, [row, row | {"flow_loss": "0.5"}])
    assert list(read_log(plain)[0]) == list(LOG_COLUMNS)
    assert [one["flow_loss"] for one in read_log(own)] == ["", "0.5"]


def test_a_run_from_before_its_model_had_a_setting_had_its_default(tmp_path):
    run, training = RunFolder(tmp_path), identity(TrainingSettings())
    write_config(run, {"identity": {"model": {"name": "thesis4", "leaky_slope": 0.01}, "training": training}})
    check_run(run, {"identity": {"model": Thesis4().model_dump(mode="json"), "training": training}})
    other = Thesis4(discriminator="patches").model_dump(mode="json")
    with pytest.raises(InputError, match=r"model\.discriminator: thesis there, patches now"):
        check_run(run, {"identity": {"model": other, "training": training}})


def test_a_training_on_few_subjects_is_another_one_and_one_on_all_is_as_it_always_was():
    assert "subjects" not in identity(TrainingSettings())
    assert identity(TrainingSettings(subjects=3)) == identity(TrainingSettings()) | {"subjects": 3}
