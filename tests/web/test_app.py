"""The page's addresses: what each shows, and hostile requests that get nothing."""

import io
import re
import shutil
import time
import zipfile

import nibabel
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from braingan.evaluation.evaluate import evaluate
from braingan.folders import RunFolder
from braingan.training.run import add_event, read_log, write_log
from braingan.web.app import create_app
from braingan.web.catalogue import Catalogue
from braingan.web.guard import Guard, is_loopback

HOST = "http://127.0.0.1:8765"


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
    return root


@pytest.fixture(scope="module")
def client(root):
    return TestClient(create_app(root), base_url=HOST)


def test_the_overview_shows_every_run_and_sorts_and_filters(client):
    page = client.get("/").text
    assert page.index("measured") != page.index("begun")
    assert "2 of 2 runs" in page
    assert 'hx-trigger="every 5s"' in client.get("/").text or "training" not in page
    assert "1 of 2 runs" in client.get("/?only=begun").text
    up, down = (client.get(f"/?sort=name&down={way}").text for way in ("false", "true"))
    assert (up.index('id="tick-begun"') < up.index('id="tick-measured"')) != (
        down.index('id="tick-begun"') < down.index('id="tick-measured"')
    )
    assert "There is no run here yet" not in page


def test_an_empty_folder_says_so(tmp_path):
    page = TestClient(create_app(tmp_path), base_url=HOST).get("/").text
    assert "There is no run here yet: make one by braingan train" in page


def test_a_run_shows_what_there_is(client):
    page = client.get("/runs/measured").text
    for there in ("Growing", "Generate", "Losses", "Measured", "Confusion", "Download"):
        assert there in page, there
    begun = client.get("/runs/begun").text
    assert "Losses" in begun
    assert "Generate" not in begun
    assert client.get("/runs/measured/epochs/1.png").headers["content-type"] == "image/png"
    assert client.get("/runs/measured/thumbnail.png").status_code == 200
    assert client.get("/runs/measured/files/log.csv").content.startswith(b"epoch,images")


def test_runs_side_by_side(client):
    for too_few in ("/compare", "/compare?run=measured"):
        answer = client.get(too_few)
        assert answer.status_code == 404
        assert "Tick two to 6 runs" in answer.text
    page = client.get("/compare?run=measured&run=begun").text
    assert page.count("<h2>") == 2
    assert page.count("from the same latents") == 1  # the other has no snapshot
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
    assert client.post("/runs/measured/walk", data={"seed": 1}).text.count("<img") == 12


@pytest.mark.parametrize(
    "asked",
    [
        {"count": 0},
        {"count": 65},
        {"count": -1},
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
    ("/", {"sec-fetch-site": "cross-site"}, (403,)),
    ("/docs", {}, (404,)),
    ("/openapi.json", {}, (404,)),
]


@pytest.mark.parametrize(("address", "headers", "answers"), HOSTILE)
def test_hostile_requests_get_nothing(client, address, headers, answers):
    answer = client.get(address, headers=headers)
    assert answer.status_code in answers
    assert "root:" not in answer.text
    assert "<script>alert" not in answer.text
    assert "def create_app" not in answer.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


def test_posts_from_elsewhere_are_refused(client):
    for headers in ({"origin": "http://evil.example"}, {"host": "evil.example"}, {"sec-fetch-site": "same-site"}):
        assert client.post("/runs/measured/slices", data={"count": 1}, headers=headers).status_code == 403


def test_beyond_this_machine_a_token_is_needed(root):
    client = TestClient(create_app(root, "0.0.0.0", 8765, "secret"), base_url="http://192.0.2.1:8765")
    assert client.get("/").status_code == 403
    assert client.get("/?token=wrong").status_code == 403
    answer = client.get("/?token=secret", follow_redirects=False)
    assert answer.status_code == 303
    assert "token" not in answer.headers["location"]
    assert "httponly" in answer.headers["set-cookie"].lower()
    assert client.get("/").status_code == 200


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
        assert "measured" not in page.replace("4 cells are measured", "")
        picture = client.get(f"/readings/a-reading/{number}.png")
        sizes.add(len(picture.content))
        headers.add(tuple(sorted((k, v) for k, v in picture.headers.items() if k != "date")))
        assert client.get("/readings/a-reading/results?reader=Ann").status_code == 404
        client.post("/readings/a-reading/answers", data={
            "reader": "Ann", "number": number, "real": "true", "confidence": 4, "seconds": 1.5})  # fmt: skip
    assert len(sizes) == 1
    assert len(headers) == 1
    assert "All 4 slices are answered" in client.get("/readings/a-reading?reader=Ann").text
    results = client.get("/readings/a-reading/results?reader=Ann").text
    assert "50 % of 4 answers were right" in results
    csv = client.get("/readings/a-reading/answers.csv").text.splitlines()
    assert csv[0] == "reader,number,truth,taken_for,confidence,seconds"
    assert len(csv) == 5
    assert sum(",measured,real," in line for line in csv) == 2
    assert (root / "readings" / "answers.db").exists()


def test_pages_of_a_hundred_runs_take_under_a_tenth_of_a_second(root, tmp_path):
    for number in range(100):
        shutil.copytree(root / "measured", tmp_path / f"run-{number:03d}", ignore=shutil.ignore_patterns("checkpoints"))
    client = TestClient(create_app(tmp_path), base_url=HOST)
    client.post("/readings", data={"title": "A reading", "run": "run-000", "count": 4})
    for path in (
        "/",
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
    assert catalogue.open("begun").state == "training"
    add_event(run, 8, "stopped on request")
    assert catalogue.open("begun").state == "stopped"


def test_slices_of_volumes_are_offered_as_nifti(client):
    answer = client.get("/runs/measured/slices.nii.gz?count=2")
    if answer.status_code == 404:
        assert "does not know how large its slices are" in answer.text
        return
    image = nibabel.Nifti1Image.from_bytes(__import__("gzip").decompress(answer.content))
    assert b"synthetic" in image.header["descrip"].tobytes()
