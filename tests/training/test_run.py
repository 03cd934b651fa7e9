"""The log's columns."""

from braingan.folders import RunFolder
from braingan.training.run import LOG_COLUMNS, read_log, write_log


def test_an_architecture_s_own_scalars_are_columns_of_its_log_alone(tmp_path):
    plain, own = RunFolder(tmp_path / "plain"), RunFolder(tmp_path / "own")
    row = {"epoch": "1", "images": "8", "diversity": "1"}
    write_log(plain, [row])
    write_log(own, [row, row | {"flow_loss": "0.5"}])
    assert list(read_log(plain)[0]) == list(LOG_COLUMNS)
    assert [one["flow_loss"] for one in read_log(own)] == ["", "0.5"]
