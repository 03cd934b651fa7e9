"""Checkpoints are whole or passed over."""

import pytest
import torch

from braingan.errors import InputError
from braingan.training.checkpoint import CheckpointWriter, load_checkpoint


def save_checkpoint(folder, images_seen, content):
    writer = CheckpointWriter(folder, 120.0)
    writer.save(images_seen, content)
    writer.wait()


def state(value):
    return {"weights": torch.full((1000,), float(value)), "step": value}


def test_the_last_two_are_kept_and_the_newest_is_read(tmp_path):
    for images in (64, 128, 1280):
        save_checkpoint(tmp_path, images, state(images))
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["000000000128.pt", "000000001280.pt"]
    found, damaged = load_checkpoint(tmp_path)
    assert found["step"] == 1280
    assert damaged == []


@pytest.mark.parametrize("spoil", ["flip", "cut", "empty"])
def test_a_damaged_one_is_passed_over_with_a_word(tmp_path, spoil):
    for images in (64, 128):
        save_checkpoint(tmp_path, images, state(images))
    newest = tmp_path / "000000000128.pt"
    content = bytearray(newest.read_bytes())
    content[2000] ^= 1  # amid the weights, where torch.load sees nothing
    newest.write_bytes({"flip": bytes(content), "cut": bytes(content[:500]), "empty": b""}[spoil])
    found, damaged = load_checkpoint(tmp_path)
    assert found["step"] == 64
    assert damaged == ["checkpoint 000000000128.pt is damaged and was passed over"]
    assert [path.name for path in tmp_path.iterdir()] == ["000000000064.pt"]


def test_whatever_keeps_one_from_being_written_is_said(tmp_path, monkeypatch):
    def fails(*_):
        raise MemoryError

    monkeypatch.setattr(torch, "save", fails)
    with pytest.raises(InputError, match=r"no checkpoint can be written \(MemoryError\)"):
        save_checkpoint(tmp_path, 64, state(64))


def test_all_damaged_is_an_error_and_none_is_a_start(tmp_path):
    assert load_checkpoint(tmp_path) == (None, [])
    (tmp_path / "000000000064.pt").write_bytes(b"x" * 100)
    with pytest.raises(InputError, match="every checkpoint is damaged"):
        load_checkpoint(tmp_path)
