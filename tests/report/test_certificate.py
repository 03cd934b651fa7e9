"""A gated sample and what is certified of it."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import made
from braingan.data.store import Store
from braingan.errors import InputError
from braingan.folders import RunFolder, read_json, write_json
from braingan.recipe import compose, train_recipe
from braingan.report.certificate import write_gated_pictures
from braingan.report.export import export
from braingan.sampling.generator import TrainedGenerator


class Copying(TrainedGenerator):
    """Every fourth slice is a training slice."""

    def slices(self, seed, count, wish):
        store = Store.open(Path(self.config["store"]))
        copies = store.images(store.select("train"))
        for number, batch in enumerate(super().slices(seed, count, wish)):
            mixed = batch.copy()
            mixed[::4] = copies[number % len(copies)]
            yield mixed


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certified")
    store = made.textured_store(folder, side=112)
    sets = ["model.name=thesis4", "training.epochs=1", "training.batch_size=16", "training.samples=16"]
    run = RunFolder(folder / "run")
    train_recipe(compose(None, sets), store, run)
    return run


@pytest.fixture(scope="module")
def sample(run, tmp_path_factory):
    out = tmp_path_factory.mktemp("sample") / "slices"
    generator = Copying(**vars(TrainedGenerator.open(run)))
    return out, write_gated_pictures(generator, out, 20, 0)


def test_refused_slices_are_skipped_and_their_numbers_missing(sample):
    out, certificate = sample
    with (out / "synthetic.csv").open() as file:
        numbers = [int(row["number"]) for row in csv.DictReader(file)]
    with (out / "refused.csv").open() as file:
        refused = [int(row["number"]) for row in csv.DictReader(file)]
    assert len(numbers) == 20 == certificate["admitted"]
    assert set(refused) >= {0, 4, 8, 12}
    assert not set(numbers) & set(refused)
    assert certificate["drawn"] == len(numbers) + len(refused) == certificate["admitted"] + certificate["refused"]
    assert {path.name for path in out.glob("0*.png")} == {f"{number:06d}.png" for number in numbers}


def test_an_admitted_slice_is_the_one_that_seed_and_number_make(run, sample):
    out, _ = sample
    with Image.open(out / "000001.png") as picture:
        assert (np.asarray(picture) == TrainedGenerator.open(run).sample(2, 0)[1]).all()


def test_the_certificate_says_by_what_rule_and_what_it_does_not_say(sample):
    out, certificate = sample
    assert certificate == read_json(out / "certificate.json")
    gate = certificate["gate"]
    assert certificate["largest_likeness_admitted"] <= gate["threshold"] < certificate["nearest_refused"][0]["likeness"]
    assert gate["validation_subjects"] > 0
    assert any("differential privacy" in limit for limit in certificate["does_not_say"])
    page = (out / "certificate.html").read_text()
    assert "none nearer to a training slice than the gate allows" in page
    assert len(re.findall("data:image/png", page)) == len(
        certificate["nearest_admitted"] + certificate["nearest_refused"]
    )
    assert not re.search('(src|href)="http', page)


def test_it_goes_along_with_the_weights_that_it_is_of_and_no_others(run, sample, tmp_path):
    generator, (out, certificate) = TrainedGenerator.open(run), sample
    assert "certificate.json" in export(generator, tmp_path / "out", sample=out)
    assert read_json(tmp_path / "out" / "certificate.json") == certificate
    said = f"Of {certificate['drawn']} slices of this generator (seed 0) the gate refused {certificate['refused']}"
    assert said in (tmp_path / "out" / "README.md").read_text()
    assert "certificate.json" not in export(generator, tmp_path / "out")
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match=r"has no certificate\.json"):
        export(generator, tmp_path / "new", sample=tmp_path / "other")
    write_json(tmp_path / "other" / "certificate.json", certificate | {"weights_sha256": "0"})
    with pytest.raises(InputError, match="is of another generator"):
        export(generator, tmp_path / "new", sample=tmp_path / "other")
    assert not (tmp_path / "new").exists()


def test_a_sample_without_a_gate_keeps_no_certificate_of_another(run, tmp_path):
    from braingan.sampling.pictures import write_pictures

    generator = TrainedGenerator.open(run)
    write_gated_pictures(generator, tmp_path / "out", 3, 0)
    assert (tmp_path / "out" / "certificate.json").exists()
    write_pictures(generator, tmp_path / "out", 5, 0)
    assert not (tmp_path / "out" / "certificate.json").exists()
    assert len(list((tmp_path / "out").glob("0*.png"))) == 5


def test_a_generator_that_copies_writes_nothing(run, tmp_path):
    class OnlyCopies(Copying):
        def slices(self, seed, count, wish):
            for batch in super().slices(seed, count, wish):
                batch[:] = batch[0]
                yield batch

    generator = OnlyCopies(**vars(TrainedGenerator.open(run)))
    with pytest.raises(InputError, match="this generator copies"):
        write_gated_pictures(generator, tmp_path / "out", 3, 0)
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.iterdir())
