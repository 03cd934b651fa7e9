"""Where a training runs."""

import torch

from braingan.training.devices import Device


def test_precision_is_settled_and_said():
    device = Device.choose("float32", threads=1)
    assert torch.get_num_threads() == 1
    assert "float32, 1 threads, torch" in device.describe()
    assert Device.choose("auto").precision in ("float32", "bf16")


def test_bf16_multiplies_in_bf16_and_keeps_float32_weights():
    layer = torch.nn.Linear(4, 4)
    with Device.choose("bf16").autocast():
        assert layer(torch.ones(1, 4)).dtype is torch.bfloat16
    assert layer.weight.dtype is torch.float32
    with Device.choose("float32").autocast():
        assert layer(torch.ones(1, 4)).dtype is torch.float32
