"""A store as a torch dataset."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import braingan
import made
import taught
from braingan.errors import InputError


def test_items_are_the_store_s_slices_with_what_is_known_of_them(tmp_path):
    store = taught.taught_store(tmp_path)
    data = braingan.open_store(tmp_path)
    assert len(data) == len(store)
    columns = store.columns
    for number in (0, 40, -1):
        item = data[number]
        index = np.array([number % len(store)])
        assert item["image"].dtype == torch.float32
        assert item["image"].shape == (1, 32, 32)
        np.testing.assert_array_equal(np.rint(item["image"].numpy() * 255), store.images(index))
        for name in ("subject", "frame", "label", "split"):
            assert item[name] == columns[name][index[0]]
        assert item["depth"] == columns["depth"][index[0]]
        if np.isfinite(columns["lesion_area_mm2"][index[0]]):
            np.testing.assert_array_equal(item["mask"].numpy(), store.masks(index))
        else:
            assert np.isnan(item["lesion_area_mm2"])
            assert (item["mask"] == 255).all()
    assert {bool(np.isnan(data[n]["lesion_area_mm2"])) for n in (0, 40)} == {True, False}
    for outside in (len(store), -len(store) - 1):
        with pytest.raises(IndexError):
            data[outside]


def test_a_split_by_name_and_batches_by_torch_s_loader(tmp_path):
    store = taught.taught_store(tmp_path)
    data = braingan.open_store(str(tmp_path), "validation")
    assert [item["split"] for item in data] == ["validation"] * len(store.select("validation"))
    batch = next(iter(DataLoader(data, batch_size=5)))
    assert batch["image"].shape == batch["mask"].shape == (5, 1, 32, 32)
    assert len(batch["subject"]) == len(batch["depth"]) == 5
    with pytest.raises(InputError, match="there are train, validation, test"):
        braingan.open_store(tmp_path, "training")


def test_without_label_maps_there_is_no_mask(tmp_path):
    made.picture_store(tmp_path)
    assert "mask" not in braingan.open_store(tmp_path / "store")[0]
