"""The page's addresses: what each shows, and hostile requests that get nothing."""

import base64
import gzip
import io
import json
import os
import re
import shutil
import socket
import threading
import time
import zipfile
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import nibabel
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

import made
from braingan.data.slices import stacked
from braingan.errors import InputError
from braingan.evaluation.evaluate import evaluate
from braingan.evaluation.gate import Gate, plant
from braingan.evaluation.material import open_store_of
from braingan.folders import RunFolder, StudyFolder, write_json
from braingan.recipe import compose, train_recipe
from braingan.report.export import export
from braingan.sampling.generator import MICRO_BATCH, TrainedGenerator
from braingan.study.reading import FRESH_SEED, Readings
from braingan.training.run import add_event, read_log, write_log
from braingan.web import generation
from braingan.web.app import create_app
from braingan.web.catalogue import PATIENCE, Catalogue
from braingan.web.generation import QUEUE, Asked, Busy, Workshop
from braingan.web.guard import Guard, is_loopback
from braingan.web.overview import SHOWN
from braingan.web.run import slider

HOST = "http://127.0.0.1:8765"
GEOMETRY = {"axis": "axial", "pixel_mm": 2.0, "slice_mm": 3.0, "slice_depth": 0.25}


@pytest.fixture(scope="module")
def root(told, tmp_path_factory):
    """A folder with a measured run and one that has only begun."""
    root = tmp_path_factory.mktemp("web")
    shutil.copytree(told.root, root / "measured")
    evaluate(
        RunFolder(root / "measured"), sets=["evaluation.seeds=1", "evaluation.also=[]", "evaluation.extractor='random'"]
    )
    shutil.copytree(told.root, root / "begun")
    shutil.rmtree(root / "begun" / "snapshots")
    (root / "measured" / "secret.txt").write_text("kept to oneself")
    config = root / "measured" / "config.json"  # as of a store of volumes, and of another seed
    said = json.loads(config.read_text()) | {"geometry": GEOMETRY}
    said["recipe"]["training"]["seed"] = 7
    config.write_text(json.dumps(said))
    return root


@pytest.fixture(scope="module")
def client(root):
    return TestClient(create_app(root), base_url=HOST)


def test_the_overview_shows_every_run_and_sorts_and_filters(client):
    page = client.get("/").text
    assert {"measured", "begun"} == set(re.findall(r'id="open-(\w+)"', page))
    assert "2 of 2 runs" in page
    assert 'hx-trigger="every 5s"' in client.get("/rows").text
    assert "1 of 2 runs" in client.get("/?only=seed+7").text  # a setting of one of them
    assert "1 of 2 runs" in client.get("/?only=begun").text
    up, down = (client.get(f"/?sort=name&down={way}").text for way in ("false", "true"))
    assert (up.index('id="tick-begun"') < up.index('id="tick-measured"')) != (
        down.index('id="tick-begun"') < down.index('id="tick-measured"')
    )
    assert "There is no run here yet" not in page


def test_the_overview_has_real_slices_own_under_each_number(client, root):
    said = Catalogue(root).open("measured").said
    shown = [said[name] for name in SHOWN if name in said]
    page = client.get("/").text
    assert len(shown) > 3
    for of in shown:
        assert of["floor"]
        assert f"<b>{of['value']}</b><small>{of['floor']}</small>" in page


def test_what_is_not_measured_comes_last_either_way(root, tmp_path):
    for name, value in (("low", 1.0), ("high", 9.0)):
        shutil.copytree(root / "measured", tmp_path / name)
        path = RunFolder(tmp_path / name).snapshots()[-1].metrics
        found = json.loads(path.read_text())
        found["metrics"]["frechet_distance"]["value"] = value
        write_json(path, found)
    shutil.copytree(root / "begun", tmp_path / "begun")
    client = TestClient(create_app(tmp_path), base_url=HOST)
    for down, order in (("false", ["low", "high", "begun"]), ("true", ["high", "low", "begun"])):
        page = client.get(f"/?sort=frechet_distance&down={down}").text
        assert re.findall(r'id="open-(\w+)"', page) == order


def test_a_study_that_is_only_planned_shows_what_will_be(tmp_path):
    cell = {"values": {"model.name": "thesis4", "training.epochs": 5}, "run": "planned", "epochs": 5, "slices": 8,
            "subjects": 2, "note": "", "failed": ""}  # fmt: skip
    write_json(StudyFolder(tmp_path).plan, {"format": 1, "title": "To come", "store": "", "cells": [cell]})
    client = TestClient(create_app(tmp_path), base_url=HOST)
    page = client.get("/").text
    assert "1 of 1 runs" in page
    assert "<span>waiting</span>" in page
    run = client.get("/runs/planned").text
    assert "model.name" in run
    assert "Generate" not in run
    assert "No run has slices yet" in client.get("/readings").text


def test_an_empty_folder_says_so(tmp_path):
    page = TestClient(create_app(tmp_path), base_url=HOST).get("/").text
    assert "There is no run here yet: make one by braingan train" in page


def test_a_run_shows_what_there_is(client):
    page = client.get("/runs/measured").text
    assert re.search(r"What happened.*<td>started on .*<td>finished</td>", page, re.DOTALL)
    for there in ("Growing", "Generate", "Losses", "Measured", "Confusion", "training.batch_size", "Download"):
        assert there in page, there
    assert "generator.safetensors" in page
    kept = client.get("/runs/measured/files/generator.safetensors")
    assert kept.headers["content-disposition"] == "attachment; filename*=UTF-8''measured-generator.safetensors"
    begun = client.get("/runs/begun").text
    assert "Losses" in begun
    assert "Generate" not in begun
    assert client.get("/runs/measured/epochs/1.png").headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(client.get("/runs/measured/thumbnail.png").content)) as thumbnail:
        assert thumbnail.size == (4 * 16, 2 * 16)
    assert client.get("/runs/measured/files/log.csv").content.startswith(b"epoch,images")


def test_runs_side_by_side(client):
    for too_few in ("/compare", "/compare?run=measured"):
        answer = client.get(too_few)
        assert answer.status_code == 404
        assert "Tick two to 6 runs" in answer.text
    page = client.get("/compare?run=measured&run=begun").text
    assert page.count("<h2>") == 2
    assert re.findall(r'hx-get="/runs/(\w+)/first" hx-trigger="load"', page) == ["measured", "begun"]
    assert "from the same latents" in client.get("/runs/measured/first").text
    assert "There are no slices yet: they come with the first snapshot" in client.get("/runs/begun/first").text
    assert "Fréchet distance" in page


def test_slices_are_made_as_asked_and_the_same_again(client):
    asked = {"count": 3, "seed": 2, "frame": "dark", "depth": "0.4"}
    page = client.post("/runs/measured/slices", data=asked).text
    assert page == client.post("/runs/measured/slices", data=asked).text
    assert page.count("<img") == 3
    link = re.search(r'href="(/runs/measured/slices\.zip[^"]*)"', page).group(1).replace("&amp;", "&")
    with zipfile.ZipFile(io.BytesIO(client.get(link).content)) as files:
        assert len(files.namelist()) == 3
        with Image.open(files.open(files.namelist()[0])) as picture:
            assert "synthetic" in picture.text["Description"]
            assert picture.size == (32, 32)
    walk = client.post("/runs/measured/slices", data={"seed": 1, "count": 5, "walk": "true"}).text
    assert walk.count("<img") == 5
    assert "on the way from the first latent of seed 1" in walk
    first = client.post("/runs/measured/slices", data={"seed": 1, "count": 1}).text
    pictures = [re.findall(r'src="(data:[^"]+)"', page) for page in (walk, first)]
    assert pictures[0][0] == pictures[1][0]
    assert len(set(pictures[0])) == 5


def test_near_copies_are_marked_on_the_page_and_in_what_is_kept(root, monkeypatch):
    gate = SimpleNamespace(nearest=lambda made: made, refuses=lambda made: np.arange(len(made)) == 1)
    monkeypatch.setattr(Workshop, "gate", lambda self, run, end: gate)
    client = TestClient(create_app(root), base_url=HOST)
    page = client.post("/runs/measured/slices", data={"count": 3}).text
    assert page.count("near-copy") == 1
    assert "1 of them are nearer to a training slice" in page
    with zipfile.ZipFile(io.BytesIO(client.get("/runs/measured/slices.zip?count=3").content)) as files:
        assert [name for name in files.namelist() if "near-copy" in name] == ["synthetic_000001_near-copy.png"]
    volume = client.get("/runs/measured/slices.nii.gz?count=3").content
    assert nibabel.Nifti1Image.from_bytes(gzip.decompress(volume)).shape[2] == 2


def test_a_planted_copy_is_marked_by_the_gate_itself(tmp_path, monkeypatch):
    store, run = made.textured_store(tmp_path), RunFolder(tmp_path / "runs" / "run")
    sets = ["model.flow_widths=[8,8]", "model.widths=[8,8,8]", "training.epochs=1"]
    train_recipe(compose(None, sets), store, run)
    stranger, copy = store.images(store.select("test")[:1])[0], plant(Gate.of_store(store).training, 1)[0]
    shown = np.stack([stranger, copy, stranger])[:, None]
    monkeypatch.setattr(TrainedGenerator, "make", lambda self, z, told: shown[: len(told)])
    page = TestClient(create_app(tmp_path / "runs"), base_url=HOST).post("/runs/run/slices", data={"count": 3}).text
    assert re.findall(r'alt="generated slice (\d), too near', page) == ["1"]
    assert "1 of them are nearer to a training slice" in page


def test_the_look_through_training_slices_is_bounded_and_made_once(root, monkeypatch):
    begun, ready = [], threading.Event()

    def of_store(store, frames):
        begun.append(frames)
        ready.wait()
        raise InputError("too few")

    monkeypatch.setattr(generation.Gate, "of_store", of_store)
    shop, run = Workshop(), RunFolder(root / "measured")
    with pytest.raises(Busy, match="for the first time: try again soon"):
        shop.gate(run, time.monotonic() + 0.05)
    ready.set()
    shop.begin_gate(run).result(10)
    assert shop.gate(run, time.monotonic()) is None
    assert len(begun) == 1


def test_a_fault_of_the_look_through_is_not_kept(root, monkeypatch):
    def fails(store, frames):
        raise OSError("a disk that went away")

    monkeypatch.setattr(generation.Gate, "of_store", fails)
    shop, run = Workshop(), RunFolder(root / "measured")
    for _ in range(2):
        with pytest.raises(OSError, match="went away"):
            shop.gate(run, time.monotonic() + 10)


def test_a_full_queue_and_too_slow_a_generator_are_said(root, monkeypatch):
    shop = Workshop()
    run, asked = RunFolder(root / "measured"), Asked(count=MICRO_BATCH + 1)
    with ExitStack() as queue:
        for _ in range(QUEUE):
            queue.callback(shop.places.release)
            shop.places.acquire()
        with pytest.raises(Busy, match="Others wait"):
            shop.slices(run, asked)
        assert "Others wait" in shop.first(run)["said"]
        assert "Others wait" in shop.nearest(run)[1]
    with shop.lock:
        monkeypatch.setattr(generation, "SECONDS", 0.05)
        with pytest.raises(Busy, match="took too long"):
            shop.slices(run, asked)
    monkeypatch.setattr(generation, "SECONDS", 0.0)
    with pytest.raises(InputError, match="ask for fewer slices"):
        shop.slices(run, asked)


@pytest.mark.parametrize(
    "asked",
    [
        {"count": 0},
        {"count": 65},
        {"count": -1},
        {"count": 1, "walk": "true"},
        {"seed": FRESH_SEED},
        {"count": "many"},
        {"seed": -1},
        {"seed": 2**70},
        {"frame": "FLAIR"},
        {"depth": "7"},
        {"depth": "deep"},
        {"depth": "nan"},
        {"lesion": "inf"},
    ],
)
def test_what_was_not_trained_or_is_too_much_is_said_in_a_sentence(client, asked):
    answer = client.post("/runs/measured/slices", data=asked, headers={"HX-Request": "true"})
    assert answer.text.startswith('<p class="said"')
    assert "Traceback" not in answer.text


HOSTILE = [
    ("/runs/..%2f..%2fetc", {}, (404,)),
    ("/runs/%2e%2e/files/config.json", {}, (404,)),
    ("/runs/measured/files/..%2fconfig.json", {}, (404,)),
    ("/runs/measured/files/%2fetc%2fpasswd", {}, (404,)),
    ("/runs/measured/epochs/..%2f1.png", {}, (404, 422)),
    ("/runs/measured/epochs/99.png", {}, (404,)),
    ("/readings/..%2f..%2fetc", {}, (404,)),
    ("/static/..%2fapp.py", {}, (404,)),
    ("/static/%2e%2e/app.py", {}, (404,)),
    ("/compare?run=../../etc", {}, (404,)),
    ("/?only=<script>alert(1)</script>", {}, (200,)),
    ("/runs/<script>", {}, (404,)),
    ("/", {"host": "evil.example"}, (403,)),
    ("/", {"host": "127.0.0.1:9999"}, (403,)),
    ("/", {"origin": "http://evil.example"}, (403,)),
    ("/", {"origin": "null"}, (403,)),
    ("/files/..%2fconfig.json", {}, (404,)),
    ("/files/measured", {}, (404,)),
    ("/runs/measured/files/checkpoints", {}, (404,)),
    ("/runs/measured/files/secret.txt", {}, (404,)),
    ("/", {"host": "127.0.0.1:8765junk"}, (403,)),
    ("/", {"sec-fetch-site": "cross-site"}, (403,)),
    ("/docs", {}, (404,)),
    ("/openapi.json", {}, (404,)),
]


@pytest.mark.parametrize(("address", "headers", "answers"), HOSTILE)
def test_hostile_requests_get_nothing(client, address, headers, answers):
    answer = client.get(address, headers=headers)
    assert answer.status_code in answers
    assert "root:" not in answer.text
    assert "kept to oneself" not in answer.text
    assert "<script>alert" not in answer.text
    assert "def create_app" not in answer.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


def test_posts_from_elsewhere_are_refused(client):
    for headers in ({"origin": "http://evil.example"}, {"host": "evil.example"}, {"sec-fetch-site": "same-site"}):
        assert client.post("/runs/measured/slices", data={"count": 1}, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "sent",
    [
        {"title": "<script>alert(1)</script>", "run": "measured"},
        {"title": "../../etc", "run": "measured"},
        {"title": "A", "run": "../../etc"},
        {"title": "A", "run": "measured", "count": 10**9},
        {"title": "A", "run": ["measured"] * 200, "count": 20},
        {"title": "A" * 10**6, "run": "measured"},
    ],
)
def test_hostile_series_are_not_made(client, root, sent):
    there = sorted((root / "readings").glob("*/series.json"))
    answer = client.post("/readings", data=sent)
    assert answer.status_code == 404
    assert "<script>alert" not in answer.text
    assert sorted((root / "readings").glob("*/series.json")) == there


def test_links_out_of_a_run_lead_nowhere(root, tmp_path):
    shutil.copytree(root / "measured", tmp_path / "runs" / "measured")
    (tmp_path / "secret").write_text("kept to oneself")
    client = TestClient(create_app(tmp_path / "runs"), base_url=HOST)
    for folder, address in (("measured", "/runs/measured/files"), (".", "/files")):
        link = tmp_path / "runs" / folder / "report.html"
        link.symlink_to(tmp_path / "secret")
        assert client.get(f"{address}/report.html").status_code == 404
    for grid in RunFolder(tmp_path / "runs" / "measured").samples.glob("epoch-*.png"):
        shutil.copy(grid, tmp_path / "secret")
        grid.unlink()
        grid.symlink_to(tmp_path / "secret")
    for address in ("epochs/1.png", "thumbnail.png"):
        assert client.get(f"/runs/measured/{address}").status_code == 404


def test_nothing_is_read_that_a_plan_or_a_link_names_elsewhere(root, tmp_path):
    shutil.copytree(root / "measured", tmp_path / "outside")
    shutil.copytree(root / "measured", tmp_path / "study" / "runs" / "measured")
    (tmp_path / "study" / "runs" / "linked").symlink_to(tmp_path / "outside")
    cell = {"values": {}, "run": "../../outside", "epochs": 2, "slices": 8, "subjects": 2, "note": "", "failed": ""}
    write_json(StudyFolder(tmp_path / "study").plan, {"format": 1, "title": "T", "store": "", "cells": [cell]})
    client = TestClient(create_app(tmp_path / "study"), base_url=HOST)
    page = client.get("/").text
    assert set(re.findall(r'id="open-(\w+)"', page)) == {"measured", "linked"}
    assert "unreadable: config.json leads out of the folder" in page
    for address in ("files/config.json", "files/log.csv", "epochs/1.png", "thumbnail.png", "slices.zip?count=1"):
        assert client.get(f"/runs/outside/{address}").status_code == 404
        assert client.get(f"/runs/linked/{address}").status_code == 404
    assert client.get("/runs/linked").status_code == 200
    inner = RunFolder(tmp_path / "study" / "runs" / "measured")
    inner.events.unlink()
    inner.events.symlink_to(tmp_path / "outside" / "events.csv")
    other = TestClient(create_app(tmp_path / "study"), base_url=HOST)
    assert "What happened" not in other.get("/runs/measured").text


def test_beyond_this_machine_a_token_is_needed(root):
    client = TestClient(create_app(root, "0.0.0.0", 8765, "secret"), base_url="http://192.0.2.1:8765")
    assert client.get("/").status_code == 403
    assert client.get("/?token=wrong").status_code == 403
    answer = client.get("/?token=secret", follow_redirects=False)
    assert answer.status_code == 303
    assert "token" not in answer.headers["location"]
    assert "httponly" in answer.headers["set-cookie"].lower()
    assert client.get("/").status_code == 200
    assert client.get("/", headers={"host": "evil.example:8765"}).status_code == 403
    assert client.get("/", headers={"host": "192.0.2.1:8765junk"}).status_code == 403
    for host in ("localhost:8765", f"{socket.gethostname().upper()}:8765", f"{socket.gethostname().lower()}:8765"):
        assert client.get("/", headers={"host": host}).status_code == 200


def test_one_address_answers_to_its_own_name_alone(root):
    client = TestClient(create_app(root, "192.0.2.1", 8765, "secret"), base_url="http://192.0.2.1:8765")
    assert client.get("/?token=secret").status_code == 200
    for host in ("evil.example", "192.0.2.2:8765", "localhost:8765"):
        assert client.get("/", headers={"host": host}).status_code == 403


def test_which_addresses_only_this_machine_reaches():
    assert all(map(is_loopback, ("127.0.0.1", "::1", "localhost", "127.0.0.2")))
    assert not any(map(is_loopback, ("0.0.0.0", "192.168.1.2", "example.org", "")))
    assert "localhost:1" in Guard("127.0.0.1", 1).hosts


def test_the_readings_are_listed_and_a_new_one_offered(client):
    page = client.get("/readings").text
    assert "A new series" in page
    assert 'value="measured"' in page
    assert 'value="begun"' not in page


def test_a_reading_from_its_making_to_its_results(client, root):
    made = client.post("/readings", data={"title": "A reading", "run": "measured", "count": 4, "seed": 1})
    assert made.status_code == 200
    assert "Your name" in made.text
    sizes, headers = set(), set()
    for number in range(4):
        page = client.get("/readings/a-reading?reader=Ann").text
        assert f"slice {number + 1} of 4" in page
        assert "measured" not in page
        assert "/readings/a-reading/results" not in page
        picture = client.get(f"/readings/a-reading/{number}.png")
        sizes.add(len(picture.content))
        headers.add(tuple(sorted((k, v) for k, v in picture.headers.items() if k != "date")))
        said = {"reader": " Ann ", "number": number, "real": "true", "confidence": 4, "seconds": 1.5}
        assert client.post("/readings/a-reading/answers", data=said | {"seconds": "nan"}).status_code == 422
        assert client.post("/readings/a-reading/answers", data=said | {"reader": "/"}).status_code == 404
        client.post("/readings/a-reading/answers", data=said)
    assert len(sizes) == 1
    assert len(headers) == 1
    assert "All 4 slices are answered" in client.get("/readings/a-reading?reader=Ann").text
    open_still = client.get("/readings/a-reading/results").text
    assert "Ann: 4 of 4 slices" in open_still
    assert "were right" not in open_still
    assert client.get("/readings/a-reading/answers.csv").status_code == 404
    assert "50 % of 4 answers were right" in client.post("/readings/a-reading/end", data={"sure": "true"}).text
    assert client.post("/readings/a-reading/answers", data=said | {"reader": "Bob"}).status_code == 404
    csv = client.get("/readings/a-reading/answers.csv").text.splitlines()
    assert csv[0] == "reader,slice,truth,taken_for,confidence,seconds"
    assert [line.split(",")[1] for line in csv[1:]] == ["1", "2", "3", "4"]
    assert sum(",measured,real," in line for line in csv) == 2
    assert (root / "readings" / "answers.db").exists()


def test_names_of_any_alphabet(client, root):
    made = client.post("/readings", data={"title": "Серия 1", "run": "measured", "count": 2, "seed": 3})
    assert made.status_code == 200
    assert "Jürgen" in client.get("/readings/серия-1?reader=Jürgen").text
    client.post("/readings/серия-1/end", data={"sure": "true"})
    assert client.get("/readings/серия-1/answers.csv").status_code == 200
    assert client.post("/readings", data={"title": "A", "run": "measured", "seed": -1}).status_code == 422


def test_a_run_is_served_from_within_its_folder(root, monkeypatch):
    monkeypatch.chdir(root / "measured")
    page = TestClient(create_app(Path()), base_url=HOST).get("/").text
    assert re.findall(r'href="/runs/(\w+)"', page) == ["measured"]


def test_a_grid_that_comes_after_its_row_is_seen(root, tmp_path):
    shutil.copytree(root / "measured", tmp_path / "run")
    catalogue, samples = Catalogue(tmp_path), RunFolder(tmp_path / "run").samples
    seen = set(catalogue.open("run").grids)
    shutil.copy(next(samples.glob("epoch-*.png")), samples / "epoch-00009.png")
    assert set(catalogue.open("run").grids) == seen | {9}


def test_what_a_run_exported_is_no_run(told, tmp_path):
    shutil.copytree(told.root, tmp_path / "run")
    export(TrainedGenerator.open(RunFolder(tmp_path / "run")), tmp_path / "run" / "export")
    assert list(Catalogue(tmp_path / "run").entries()) == ["run"]


def test_pages_of_a_hundred_runs_take_under_a_tenth_of_a_second(root, tmp_path):
    study, cells = StudyFolder(tmp_path), []
    for number in range(100):
        name = f"run-{number:03d}"
        shutil.copytree(root / "measured", study.run(name).root, ignore=shutil.ignore_patterns("checkpoints"))
        cells.append({"values": {"training.seed": number}, "run": name, "epochs": 2, "slices": 8, "subjects": 2,
                      "note": "", "failed": ""})  # fmt: skip
    plan = {"format": 1, "title": "A hundred", "store": "", "store_folder": "", "cells": cells}
    write_json(study.plan, plan)
    client = TestClient(create_app(tmp_path), base_url=HOST)
    client.post("/readings", data={"title": "A reading", "run": "run-000", "count": 4})
    for number in range(4):
        client.post("/readings/a-reading/answers", data={
            "reader": "Bob", "number": number, "real": "true", "confidence": 4})  # fmt: skip
    client.post("/readings", data={"title": "Ended", "run": "run-000", "count": 4, "seed": 1})
    client.post("/readings/ended/answers", data={"reader": "Ann", "number": 0, "real": "true", "confidence": 4})
    client.post("/readings/ended/end", data={"sure": "true"})
    for path in (
        "/",
        "/rows?sort=minutes",
        "/runs/run-007/thumbnail.png",
        "/readings/a-reading/0.png",
        "/readings/ended/results",
        "/runs/run-007",
        "/compare?run=run-001&run=run-002",
        "/readings",
        "/readings/a-reading?reader=Ann",
    ):
        client.get(path)
        took = []
        for _ in range(9):
            begun = time.perf_counter()
            assert client.get(path).status_code == 200
            took.append(time.perf_counter() - begun)
        assert sorted(took)[4] < 0.1, path


def test_a_run_that_was_stopped_is_not_shown_as_training(root, tmp_path):
    shutil.copytree(root / "begun", tmp_path / "begun")
    run = RunFolder(tmp_path / "begun")
    catalogue = Catalogue(tmp_path)
    write_log(run, read_log(run)[:1])
    assert catalogue.open("begun").state == "waiting"  # it was finished, for fewer epochs
    add_event(run, 8, "continued on a made processor")
    assert catalogue.open("begun").state == "training"
    add_event(run, 8, "stopped on request")
    assert catalogue.open("begun").state == "stopped"


def test_a_run_in_its_first_epoch_trains_and_one_that_was_killed_is_silent(root, tmp_path):
    shutil.copytree(root / "begun", tmp_path / "begun")
    run, catalogue = RunFolder(tmp_path / "begun"), Catalogue(tmp_path)
    run.log.unlink()
    run.events.unlink()
    add_event(run, 0, "started on a made processor")
    page = TestClient(create_app(tmp_path), base_url=HOST).get("/").text
    assert "training, its first epoch" in page
    add_event(run, 0, "the generator paints one picture")  # trouble, with which it goes on
    assert catalogue.open("begun").state == "training"
    old = time.time() - 2 * PATIENCE
    for path in (run.events, run.samples, run.checkpoints):
        os.utime(path, (old, old))
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(old))
    assert catalogue.open("begun").state == f"silent since {when}"
    os.utime(run.checkpoints)
    assert catalogue.open("begun").state == "training"


def test_a_run_of_long_epochs_is_given_longer(root, tmp_path):
    shutil.copytree(root / "begun", tmp_path / "begun")
    run = RunFolder(tmp_path / "begun")
    write_log(run, [read_log(run)[0] | {"seconds": f"{PATIENCE}"}])
    add_event(run, 0, "continued on a made processor")
    for age, state in ((2.5, "training"), (3.5, "silent")):
        then = time.time() - age * PATIENCE
        for path in (run.events, run.log, run.samples, run.checkpoints):
            os.utime(path, (then, then))
        assert Catalogue(tmp_path).open("begun").state.startswith(state)


def test_a_training_that_diverged_is_shown_as_failed(tmp_path):
    run, sets = RunFolder(tmp_path / "runs" / "run"), ["training.learning_rate=1e30", "training.batch_size=8"]
    with pytest.raises(InputError, match="no longer finite"):
        train_recipe(compose(None, [*sets, "model.name=thesis4"]), made.picture_store(tmp_path), run)
    state = Catalogue(tmp_path / "runs").open("run").state
    assert re.fullmatch(r"failed: losses, gradients or weights are no longer finite at image \d+", state)
    assert "lower training.learning_rate" in Catalogue(tmp_path / "runs").open("run").events[-1]["event"]


def test_a_run_that_can_not_be_read_is_said_and_hides_no_other(root, tmp_path):
    shutil.copytree(root / "measured", tmp_path / "measured")
    for name, content in (("other", "{}"), ("damaged", "{"), ("foreign", '{"format": 1, "recipe": null}')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(content)
    page = TestClient(create_app(tmp_path), base_url=HOST).get("/").text
    assert page.count("unreadable: ") == 3
    assert "4 of 4 runs" in page
    metrics = next((tmp_path / "measured").glob("snapshots/*/metrics.json"))
    for content in ("{}", '{"metrics": {"copies": {}}}', '{"metrics": []}'):
        metrics.write_text(content)
        assert Catalogue(tmp_path).open("measured").state.startswith("unreadable")
    answer = TestClient(create_app(tmp_path), base_url=HOST).post("/runs/measured/slices", data={"count": 1})
    assert "has no weights that can be read" in answer.text


@pytest.mark.parametrize(
    "content", ["{", "{}", '{"cells": [{}]}', '{"cells": 1}', '{"cells": [{"run": "../measured"}]}', '{"cells": ["a"]}']
)
def test_a_damaged_plan_hides_no_run(root, tmp_path, content):
    shutil.copytree(root / "measured", tmp_path / "runs" / "measured")
    (tmp_path / "study.json").write_text(content)
    client = TestClient(create_app(tmp_path), base_url=HOST)
    page = client.get("/").text
    assert re.search(r'class="said">[^<]*study\.json (is damaged|names)', page)
    assert "1 of 1 runs" in page
    assert f"<title>Runs: {tmp_path.name}</title>" in page
    for path in ("/runs/measured", "/readings", "/rows"):
        assert client.get(path).status_code == 200


def test_a_damaged_series_hides_no_other_and_is_said(root, tmp_path):
    shutil.copytree(root / "measured", tmp_path / "measured")
    client = TestClient(create_app(tmp_path), base_url=HOST)
    for title in ("Whole", "Damaged"):
        client.post("/readings", data={"title": title, "run": "measured", "count": 2})
    (tmp_path / "readings" / "damaged" / "series.json").write_text("{")
    page = client.get("/readings").text
    assert "Not shown: " in page
    assert "/readings/whole" in page
    assert client.get("/readings/damaged").status_code == 404
    assert client.post("/readings/whole/end", data={"sure": "true"}).status_code == 200


def test_an_epoch_without_losses_is_left_out_of_the_curves(root, tmp_path):
    shutil.copytree(root / "measured", tmp_path / "run")
    run, client = RunFolder(tmp_path / "run"), TestClient(create_app(tmp_path), base_url=HOST)
    rows = read_log(run)
    write_log(run, [rows[0], *(row | {"discriminator_loss": ""} for row in rows[1:])])
    assert "<h2>Losses" in client.get("/runs/run").text
    write_log(run, [row | {"discriminator_loss": ""} for row in rows])
    page = client.get("/runs/run")
    assert page.status_code == 200
    assert "<h2>Losses" not in page.text


def test_a_fault_is_said_with_the_headers_of_every_answer(root, monkeypatch):
    def fails(self):
        raise OSError("a disk that went away")

    monkeypatch.setattr(Catalogue, "entries", fails)
    answer = TestClient(create_app(root), base_url=HOST, raise_server_exceptions=False).get("/")
    assert answer.status_code == 500
    assert "could not be shown (OSError: a disk that went away)" in answer.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


def test_who_comes_after_others_is_told_so(root, monkeypatch):
    def fails(self, run):
        raise Busy("Others wait")

    monkeypatch.setattr(Workshop, "generator", fails)
    client = TestClient(create_app(root), base_url=HOST)
    assert client.post("/readings", data={"title": "A", "run": "measured", "count": 2}).status_code == 429
    assert client.post("/runs/measured/slices", data={"count": 2}, headers={"hx-request": "true"}).status_code == 200


@pytest.fixture
def looked_for(root, tmp_path):
    """The measured run, with slices near to training slices in its metrics, which so small ones have not."""
    shutil.copytree(root / "measured", tmp_path / "near" / "measured")
    path = RunFolder(tmp_path / "near" / "measured").snapshots()[-1].metrics
    near = {"seed": 0, "turn": "none", "likeness": 0.8}
    found = {"threshold": 0.9, "closest": [near | {"number": n, "training": n + 3} for n in range(2)]}
    found["closest"][0]["likeness"] = 0.95
    write_json(path, json.loads(path.read_text()) | {"memorisation": found})
    return TestClient(create_app(tmp_path / "near"), base_url=HOST)


def test_a_page_waits_for_nobody_else(looked_for, monkeypatch):
    """What takes the generator comes once the page is there, or what is said in its place."""

    def fails(self):
        raise Busy("Others' slices took too long")

    monkeypatch.setattr(Workshop, "turn", fails)
    assert 'hx-get="/runs/measured/nearest" hx-trigger="load"' in looked_for.get("/runs/measured").text
    for part in ("nearest", "first"):
        said = looked_for.get(f"/runs/measured/{part}", headers={"hx-request": "true"})
        assert said.status_code == 200
        assert 'class="said">Others&#39; slices took too long' in said.text


def test_a_runs_nearest_slices_are_shown_beside_training_slices(looked_for, told):
    page = looked_for.get("/runs/measured/nearest").text
    made = TrainedGenerator.open(told).some(0, (0, 1))
    training = open_store_of(told, None).images(np.array([3, 4]))
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    shown = [np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))) for content in pictures]
    np.testing.assert_array_equal(shown, [made[0], training[0], made[1], training[1]])
    assert page.count("too near, refused") == 1


def test_a_mistake_in_rows_leaves_them_where_they_are(client, monkeypatch):
    """htmx puts no answer with an error's status in place, and asks again."""

    def fails(self):
        raise InputError("study.json: damaged")

    monkeypatch.setattr(Catalogue, "entries", fails)
    assert client.get("/rows", headers={"hx-request": "true"}).status_code == 404


def test_a_study_says_how_far_a_run_is_and_why_it_failed(root, tmp_path):
    study = StudyFolder(tmp_path)
    shutil.copytree(root / "measured", study.run("run").root)
    cell = {"values": {"training.seed": 0}, "run": "run", "slices": 8, "subjects": 2, "note": "", "failed": ""}
    epochs = int(read_log(study.run("run"))[-1]["epoch"])
    for wanted, failed, state in ((epochs, "", "measured"), (epochs + 1, "", "waiting"),
                                  (epochs + 1, "no memory", "failed: no memory")):  # fmt: skip
        cells = [cell | {"epochs": epochs}, cell | {"epochs": wanted, "failed": failed}]
        plan = {"format": 1, "title": "T", "store": "", "store_folder": "", "cells": cells}
        write_json(study.plan, plan)
        assert Catalogue(tmp_path).open("run").state == state


def test_a_training_that_the_clock_ended_is_trained(root, tmp_path):
    shutil.copytree(root / "measured", tmp_path / "run")
    run = RunFolder(tmp_path / "run")
    config = json.loads(run.config.read_text())
    config["recipe"]["training"]["epochs"] = 100_000
    run.config.write_text(json.dumps(config))
    run.snapshots()[-1].metrics.unlink()
    assert Catalogue(tmp_path).open("run").state == "trained"


def test_a_run_of_any_name_can_be_opened(root, tmp_path):
    shutil.copytree(root / "measured", tmp_path / "a#2 50%")
    client = TestClient(create_app(tmp_path), base_url=HOST)
    (link,) = re.findall(r'href="(/runs/[^"]+)"', client.get("/").text)
    page = client.get(link).text
    for address in re.findall(r'(?:src|href|hx-post|hx-get)="(/runs/[^"]+)"', page):
        answer = client.post(address) if address.endswith("/slices") else client.get(address)
        assert answer.status_code == 200, address


def test_reports_are_kept_back_while_a_series_is_open(root, tmp_path):
    """They show test slices, and call them real."""
    shutil.copytree(root / "measured", tmp_path / "measured")
    (tmp_path / "measured" / "report.html").write_text("<p>real</p>")
    (tmp_path / "report.html").write_text("<p>real</p>")
    client = TestClient(create_app(tmp_path), base_url=HOST)
    client.post("/readings", data={"title": "Open", "run": "measured", "count": 2})
    for address in ("/files/report.html", "/runs/measured/files/report.html"):
        answer = client.get(address)
        assert answer.status_code == 404
        assert "once all series of slices are ended" in answer.text
    client.post("/readings/open/end", data={"sure": "true"})
    for address in ("/files/report.html", "/runs/measured/files/report.html"):
        assert client.get(address).status_code == 200


def test_what_fooled_is_called_synthetic_only_if_it_is(root, tmp_path):
    shutil.copytree(root / "measured", tmp_path / "measured")
    client = TestClient(create_app(tmp_path), base_url=HOST)
    client.post("/readings", data={"title": "A", "run": "measured", "count": 4})
    truth = Readings(tmp_path / "readings").open("a").truth
    for number, of in enumerate(truth):  # always wrong
        said = {"reader": "Ann", "number": number, "real": str(of != "real").lower(), "confidence": 3}
        client.post("/readings/a/answers", data=said)
    page = client.post("/readings/a/end", data={"sure": "true"}).text
    shown = re.findall(r'src="data:image/png;base64,([^"]+)" alt="slice \d+: (\w+)"', page)
    assert sorted(made_by for _, made_by in shown) == ["measured"] * 2 + ["real"] * 2
    for content, made_by in shown:
        with Image.open(io.BytesIO(base64.b64decode(content))) as picture:
            assert ("synthetic" in picture.text.get("Description", "")) == (made_by != "real")


def test_slices_of_volumes_are_offered_as_nifti_and_others_are_not(client, root, told, tmp_path):
    assert "slices.nii.gz" in client.post("/runs/measured/slices", data={"count": 2}).text
    answer = client.get("/runs/measured/slices.nii.gz?count=2&seed=5")
    image = nibabel.Nifti1Image.from_bytes(gzip.decompress(answer.content))
    assert image.header["descrip"].tobytes().rstrip(b"\0") == b"synthetic, separate slices, measured seed 5"
    with zipfile.ZipFile(io.BytesIO(client.get("/runs/measured/slices.zip?count=2&seed=5").content)) as files:
        first = np.asarray(Image.open(files.open("synthetic_000000.png")))
    assert (np.asarray(image.dataobj)[:, :, 0] == stacked(first[None], "axial")[:, :, 0]).all()
    assert image.shape == (32, 32, 2)
    assert image.header.get_zooms() == (2.0, 2.0, 3.0)
    shutil.copytree(told.root, tmp_path / "flat")
    other = TestClient(create_app(tmp_path), base_url=HOST)
    assert "slices.nii.gz" not in other.post("/runs/flat/slices", data={"count": 2}).text
    assert "does not know how large its slices are" in other.get("/runs/flat/slices.nii.gz?count=2").text


def test_a_long_name_leaves_room_for_the_seed_in_nifti(root, tmp_path):
    shutil.copytree(root / "measured", tmp_path / ("серия" * 12))
    client = TestClient(create_app(tmp_path), base_url=HOST)
    content = client.get(f"/runs/{'серия' * 12}/slices.nii.gz?count=2&seed=7").content
    said = nibabel.Nifti1Image.from_bytes(gzip.decompress(content)).header["descrip"].tobytes().rstrip(b"\0")
    assert re.fullmatch(r"synthetic, separate slices, (серия)+[серия]* seed 7", said.decode())


@pytest.mark.parametrize(
    ("bounds", "shown"),
    [
        ((0.0123, 0.9876), {"min": "0.02", "max": "0.98", "step": "0.01"}),
        ((4.0, 64.0), {"min": "4", "max": "64", "step": "1"}),
        ((3.2, 4870.5), {"min": "10", "max": "4870", "step": "10"}),
        ((0.5, 0.5), {}),
    ],
)
def test_sliders_have_round_numbers_within_the_bounds(bounds, shown):
    assert slider(*bounds) == shown


def test_a_name_that_can_not_be_one_is_asked_for_again(client):
    client.post("/readings", data={"title": "Names", "run": "measured", "count": 2})
    answer = client.get("/readings/names?reader=Smith,+Ann")
    assert answer.status_code == 422
    assert 'value="Smith, Ann"' in answer.text
    assert "at most 60 letters" in answer.text
    assert "pattern=" in answer.text


def test_a_series_is_ended_by_who_says_so_and_sees_who_has_not_finished(client):
    client.post("/readings", data={"title": "Two readers", "run": "measured", "count": 2})
    for reader, number in (("Ann", 0), ("Ann", 1), ("Bob", 0)):
        said = {"reader": reader, "number": number, "real": "true", "confidence": 3}
        client.post("/readings/two-readers/answers", data=said)
    page = client.get("/readings/two-readers/results").text
    assert "Bob has not finished" in page
    assert "Ann has" not in page
    assert "Tick that nobody is to answer" in client.post("/readings/two-readers/end").text
    assert "were right" not in client.get("/readings/two-readers/results").text
    assert "were right" in client.post("/readings/two-readers/end", data={"sure": "true"}).text
