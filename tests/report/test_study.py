"""A study's page: balanced, self-contained, the same again, and true to the folders."""

import html
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import made
import runs
import studies
import taught
from braingan.data.store import Store, to_model_range
from braingan.folders import RunFolder, StudyFolder, read_json, write_bytes, write_json
from braingan.report.study import write_study_report
from braingan.report.study_figures import label, pareto
from braingan.sampling.generator import TrainedGenerator
from braingan.study.claims import check, source_study
from braingan.study.reading import Answer, Readings
from braingan.study.table import read_rows
from braingan.training.run import mosaic, read_config
from pages import read


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    file, store, folder = studies.small_study(tmp_path_factory.mktemp("study"))
    studies.do(file, store, folder)
    return folder


@pytest.fixture
def paints(monkeypatch):
    """Let runs that were made without training be opened, with small networks."""

    def let(model):
        def opened(run, images_seen=None):
            config = read_config(run)
            networks = model.build(config["recipe"]["data"]["size"]).eval()
            return TrainedGenerator(run, config, run.snapshots()[-1], model, networks)

        monkeypatch.setattr("braingan.report.study_pictures.TrainedGenerator.open", opened)

    return let


def falls(layers, samples, epochs):
    return 300 - 5 * layers - samples / 10 - 2 * epochs


@pytest.fixture
def thesis(tmp_path, paints):
    """A made study of the source study's grid, with three seeds, and its store."""
    paints(runs.Tiny())
    store = taught.taught_store(tmp_path / "store", subjects=32)
    return studies.made_study(tmp_path / "study", store, studies.made_rows(falls)), store


def table_after(page, heading):
    """The cells of the first table after some words, row by row."""
    text = page.read_text()
    table = re.search(r"<table.*?</table>", text[text.index(heading) :], re.DOTALL).group()
    cells = [re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)]
    return [[html.unescape(re.sub("<.*?>", "", cell)) for cell in row] for row in cells]


def test_a_page_of_all_phases_with_its_files(study):
    path = write_study_report(study)
    page, rows, store = read(path), read_rows(study), Store.open(Path(read_json(study.plan)["store_folder"]))
    assert "4 cells, 2 trainings, 2 seeds each; 4 cells are measured" in page.text
    (every, *_) = table_after(path, "1 Data")[1:]
    assert every[0] == "all"
    assert every[1].startswith(f"{len(store.select('train')):,} (")
    assert "A subject has 12 slices." in page.text
    assert "2 Models" in page.text
    assert page.text.count("latentflow, components 2") == 1
    header, *trained = table_after(path, "3 Training and optimisation")
    assert [row[0] for row in trained] == [
        f"components 2, {epochs}, seed {seed}" for epochs in ("1 epoch", "3 epochs") for seed in (0, 1)
    ]
    assert "Device" not in header  # where all have one
    assert f"All on {rows[0].device}." in page.text
    assert "1 threads, torch " in rows[0].device
    assert [row[header.index("Subjects")] for row in trained] == [str(row.subjects) for row in rows]
    *cells, floor = table_after(path, "4 Results")[1:]
    assert [row[0] for row in cells] == ["components 2, 1 epoch", "components 2, 3 epochs"]
    assert floor[0] == "real training slices"
    assert "Mean over the training seeds" in page.text
    text = path.read_text()
    visual = text[text.index("5 Visual analysis") : text.index("6 Reproduce")]
    assert visual.count('<use href="#real-0"/>') == visual.count("The first slices of seed 0") == 2
    assert visual.count('id="real-0"') == 1
    reproduce = page.text[page.text.index("6 Reproduce") :]
    for said in (
        "braingan prepare SOURCE --out store --recipe recipe.toml",
        "braingan study study.toml --data store --out study braingan report study",
        "[data] size = 32",
        "fingerprint " + store.fingerprint,
        "of training 0, 1; of generation 0; of the subjects' split 1",
        "Python 3.",
    ):
        assert said in reproduce
    assert {path.suffix for path in study.figures.iterdir()} == {".svg", ".png"}
    assert {path.stem for path in study.figures.iterdir()} == {"losses", "over_epochs", "along_axes", "cost", "times"}
    assert study.table.exists()
    assert study.latex.exists()


def test_it_is_made_again_byte_identical_from_the_folders_alone(study):
    write_study_report(study)
    made_files = [study.report, study.table, study.latex, *study.figures.iterdir(), *(study.root / "data").iterdir()]
    first = {path: path.read_bytes() for path in made_files}
    for folder in (study.figures, study.root / "data"):
        shutil.rmtree(folder)
    for path in (study.report, study.table, study.latex):
        path.unlink()
    write_study_report(study)
    assert all(path.read_bytes() == content for path, content in first.items())


def test_table_5_and_the_claims_stand_beside_the_source_study_s(thesis):
    folder, _ = thesis
    path = write_study_report(folder)
    page = read(path)
    assert "54 cells, 27 trainings, 3 seeds each; 54 cells are measured" in page.text
    rows = table_after(path, "Table 5 of the source study beside ours")[1:]
    assert len(rows) == 18
    assert rows[0][:7] == ["thesis4", "10,000, 50", "12", "42.84", "200, 5", "20 to 22", "0.3"]
    assert float(rows[0][7]) == pytest.approx(falls(4, 200, 5), abs=2)
    note = "Not comparable, number by number: its FID is in the features of Keras's Inception; it is of other data"
    assert note in page.text
    claims = table_after(path, "The source study's claims")[1:]
    assert [row[0] for row in claims] == list(source_study()["claims"].values())
    assert [row[1] for row in claims] == [of.verdict for of in check(read_rows(folder))]
    assert {"supported", "not supported"} <= {row[1] for row in claims}
    assert page.text.count("of the source study shows") == 4


def test_what_is_of_the_same_data_in_the_same_features_is_not_called_incomparable(thesis):
    folder, store = thesis
    described = read_json(store.folder.description)
    write_json(store.folder.description, described | {"source": {"kind": "decathlon", "name": "BRATS"}})
    for row in read_rows(folder):
        found = read_json(row.snapshot.metrics)
        found["metrics"]["thesis_distance"] = {"value": 40.0 + row.epochs}
        write_json(row.snapshot.metrics, found)
    path = write_study_report(folder)
    assert "Not comparable" not in read(path).text
    header, first, *_ = table_after(path, "Table 5 of the source study beside ours")
    assert header[-1] == "In the features of its FID, ours"
    assert first[-1] == "45.0"


def test_of_further_lists_the_defaults_stand_in_table_5_and_all_networks_are_shown(tmp_path, thesis):
    _, store = thesis

    def against(name, distance):
        return [
            replace(
                row, values=row.values | {"model.discriminator": name}, run=RunFolder(Path(f"{row.run.root}-{name}"))
            )
            for row in studies.made_rows(distance, seeds=1)
        ]

    rows = against("thesis", falls) + against("patches", lambda *of: falls(*of) + 100)
    path = write_study_report(studies.made_study(tmp_path / "both", store, rows))
    page = read(path)
    assert "Here, of model.discriminator only the default is compared." in page.text
    first = table_after(path, "Table 5 of the source study beside ours")[1]
    assert float(first[7]) == pytest.approx(falls(4, 200, 5), abs=2)
    for name in ("thesis", "patches"):
        assert f"<h3>thesis15, discriminator {name}</h3>" in path.read_text()


def test_where_table_5_is_missing_it_is_said_why(tmp_path, thesis):
    _, store = thesis
    rows = [row for row in studies.made_rows(falls, seeds=1) if row.slices < 1000]
    page = read(write_study_report(studies.made_study(tmp_path / "less", store, rows)))
    assert "It is not set beside ours: there are 2 numbers of slices and 2 lengths here." in page.text


def test_what_was_capped_says_so_wherever_it_stands(tmp_path, thesis):
    _, store = thesis
    note = "1,000 training slices were asked for; the store has 900, all of which were used."
    rows = studies.made_rows(falls, seeds=1)
    rows = [replace(row, note=note, slices=900) if row.slices == 1000 else row for row in rows]
    folder = studies.made_study(tmp_path / "capped", store, rows)
    path = write_study_report(folder)
    text = path.read_text()
    assert "<h3>thesis7, 1,000 slices, capped at 900, 10 epochs</h3>" in text
    assert "--out study --cap\n" in text
    assert "900 (capped), 10" in text
    assert "capped at 900" in (folder.figures / "along_axes.svg").read_text()
    assert "1,000 slices, capped at 900" in (folder.figures / "losses.svg").read_text()


def test_where_all_levels_were_capped_to_one_table_5_stands_and_says_so(tmp_path, thesis):
    _, store = thesis
    note = "more training slices were asked for; the store has 150, all of which were used."
    rows = [replace(row, note=note, slices=150) for row in studies.made_rows(falls, seeds=1)]
    path = write_study_report(studies.made_study(tmp_path / "capped", store, rows))
    table = table_after(path, "Table 5 of the source study beside ours")[1:]
    assert len(table) == 18
    assert {row[4] for row in table} == {"150 (capped), 5", "150 (capped), 10"}
    assert path.read_text().count("of the source study shows") == 4


def test_each_cell_is_seen_by_its_first_seed_that_came_to_its_end_and_each_training_grows_once(tmp_path, thesis):
    folder, _ = thesis
    rows = [row for row in read_rows(folder) if row.model == "thesis4" and row.values["training.samples"] == 200]
    grid = np.zeros((32 * 8, 32 * 8), np.uint8)
    for row in rows:
        row.run.samples.mkdir(exist_ok=True)
        Image.fromarray(grid).save(row.run.samples / "epoch-00001.png")
    for row in rows[:1]:
        shutil.rmtree(row.run.root / "snapshots")
    text = write_study_report(folder).read_text()
    visual = text[text.index("5 Visual analysis") : text.index("6 Reproduce")]
    assert len(re.findall("<h3>thesis.*? epochs</h3>", visual)) == 18
    assert visual.count('class="growth"') == 1  # of the second seed's training, which both lengths share
    assert visual.count('<use href="#made-') == 18 + 4
    assert len(set(re.findall('<image id="(.*?)"', visual))) == visual.count("<image id=")


def test_learning_rates_stand_beside_each_training_where_they_differ(thesis):
    folder, _ = thesis
    for row in read_rows(folder):
        config = read_json(row.run.config)
        config["recipe"]["training"] |= {"batch_size": 16, "learning_rate": 1e-4 if row.model == "thesis4" else 2e-4}
        write_json(row.run.config, config)
    header, *rows = table_after(write_study_report(folder), "How long the stages took")
    assert header[:3] == ["Cell", "Learning rate", "Batch"]
    assert {(row[0].split(",")[0], *row[1:3]) for row in rows} == {
        ("thesis4", "0.0001", "16"), ("thesis7", "0.0002", "16"), ("thesis15", "0.0002", "16"),
    }  # fmt: skip


def test_phantoms_are_made_by_their_own_command(thesis):
    folder, store = thesis
    phantoms = {"kind": "phantom", "name": "phantoms", "subjects": 7, "seed": 3, "lesions": 0.5}
    write_json(store.folder.description, read_json(store.folder.description) | {"source": phantoms})
    command = "braingan phantom --store --out store --subjects 7 --seed 3 --lesions 0.5 --recipe recipe.toml"
    page = read(write_study_report(folder))
    assert command in page.text
    assert "braingan prepare" not in page.text


def test_every_trial_stands_under_its_own_settings_with_why_it_was_pruned(thesis):
    folder, _ = thesis
    usual = {"value": None, "minutes": 2.0, "run": "", "reason": ""}
    trials = [
        usual | {"number": 0, "settings": {"a": 1}, "value": 0.25, "state": "complete"},
        usual | {"number": 1, "settings": {"b": 2, "a": 3}, "state": "pruned", "reason": "the discriminator has won"},
    ]
    write_json(folder.trials, {"metric": "kernel_distance", "trials": trials})
    path = write_study_report(folder)
    assert table_after(path, "3 Training and optimisation") == [
        ["Trial", "a", "b", "kernel_distance", "Minutes", "State"],
        ["0", "1", "", "0.25", "2.0", "complete"],
        ["1", "3", "2", "", "2.0", "pruned: the discriminator has won"],
    ]
    assert "tuning, with its evaluations" in (folder.figures / "times.svg").read_text()


def test_a_metric_that_the_first_row_lacks_is_shown_and_floors_span_what_the_rows_have(thesis):
    folder, _ = thesis
    for number, row in enumerate(read_rows(folder)[1:], 1):
        found = read_json(row.snapshot.metrics)
        found["metrics"]["copies"] = {"value": 0.25, "floor": 0.0}
        found["metrics"]["frechet_distance"]["floor"] = 1.0 + number % 2
        write_json(row.snapshot.metrics, found)
    header, *_, floor = table_after(write_study_report(folder), "4 Results")
    assert header == ["Cell", "Subjects", "Minutes", "Fréchet distance", "Copies"]
    assert floor == ["real training slices", "", "", "1.00 to 2.00", "0%"]


class Painted(runs.Tiny):
    """Makes the slices of a store, each with noise of its own."""

    def sample(self, generator, latents, told):
        chosen = PAINTED[(latents[:, 0].abs() * 1000).long() % len(PAINTED)]
        return (chosen + 0.1 * torch.randn(chosen.shape)).clamp(-1, 1)[:, None]


PAINTED = torch.zeros(0)


@pytest.fixture(scope="module")
def made_page(tmp_path_factory):
    """The page of a made study of 18 cells with every picture that there can be, as noisy as four layers make them."""
    tmp_path = tmp_path_factory.mktemp("made")
    store = made.picture_store(tmp_path, subjects=12, each=8)
    slices = store.images(np.arange(len(store)))
    singled = [{"seed": 0, "number": number, "probability": 0.5} for number in range(8)]
    near = [{"seed": 0, "number": n, "training": n, "likeness": 0.5, "turn": "none"} for n in range(8)]
    more = {"detection": {"most_real": singled, "least_real": singled}, "memorisation": {"closest": near}}
    rows = [replace(row, found=row.found | more) for row in studies.made_rows(falls, seeds=1)]
    folder = studies.made_study(tmp_path / "study", store, rows)
    noise = np.random.default_rng(0).integers(0, 40, (64, 112, 112))
    noisy = np.clip(slices[np.arange(64) % len(slices)] + noise, 0, 255).astype(np.uint8)
    grid = tmp_path / "grid.png"
    Image.fromarray(mosaic(noisy, 8)).save(grid)
    for row in read_rows(folder):
        row.run.samples.mkdir(exist_ok=True)
        for epoch in range(1, 11):
            if not (path := row.run.samples / f"epoch-{epoch:05d}.png").exists():
                path.hardlink_to(grid)
        if row.epochs == 10:
            for way in (1, 5):
                write_bytes(row.run.snapshot(int(row.log[way]["images"])).weights("generator"), b"")

    def opened(run, images_seen=None):
        config, model = read_config(run), Painted()
        networks = model.build(config["recipe"]["data"]["size"]).eval()
        return TrainedGenerator(run, config, run.snapshots()[-1], model, networks)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "PAINTED", torch.from_numpy(to_model_range(slices)))
        patch.setattr("braingan.report.study_pictures.TrainedGenerator.open", opened)
        return write_study_report(folder)


@pytest.mark.slow
def test_a_study_of_18_runs_fits_into_15_megabytes(made_page):
    text = made_page.read_text()
    assert len(re.findall("<h3>thesis.*?epochs</h3>", text)) == 18
    assert text.count('class="growth"') == 9
    appendix = text[text.index("Appendix: snapshots on the way") :]
    assert appendix.count("<figure>") == 18
    assert 8e6 < made_page.stat().st_size < 15e6


@pytest.mark.slow
def test_a_browser_opens_it_in_two_seconds_asks_nobody_and_prints_what_is_folded(made_page):
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no Chromium")
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page, asked, took = browser.new_page(), [], []
        page.on("request", lambda request: asked.append(request.url))
        for _ in range(3):
            page.goto(made_page.as_uri())
            took.append(page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd"))
        assert {url for url in asked if not url.startswith("data:")} == {made_page.as_uri()}
        assert sorted(took)[1] < 2000
        page.emulate_media(media="print")
        assert page.locator("details .gallery").first.is_visible()
        browser.close()


def test_an_unfinished_study_shows_what_is_there(study, tmp_path):
    shutil.copytree(study.root, tmp_path / "half")
    half = StudyFolder(tmp_path / "half")
    for run in sorted((half.root / "runs").iterdir())[1:]:
        if run.is_dir():
            shutil.rmtree(run)
    plan = read_json(half.plan)
    for cell in plan["cells"]:
        cell["failed"] = "no room <on> the disk"
    write_json(half.plan, plan)
    page = read(write_study_report(half))
    assert "2 cells are measured" in page.text
    assert "failed: no room <on> the disk" in page.text
    shutil.rmtree(half.root / "runs")
    assert "Nothing is measured yet" in read(write_study_report(half)).text


def test_readings_appear_with_what_they_amount_to(study, tmp_path):
    shutil.copytree(study.root, tmp_path / "read")
    read_study = StudyFolder(tmp_path / "read")
    runs = {row.run.root.name: TrainedGenerator.open(row.run) for row in read_rows(read_study)}
    store = Store.open(Path(read_json(read_study.plan)["store_folder"]))
    readings = Readings(read_study.readings)
    series = readings.make("First reading", runs, store, 8, 0)
    assert "Blind reading test" not in read(write_study_report(read_study)).text
    for number in range(8):
        readings.answer(series, Answer("Ann", number, True, 3, 1.0))
    assert "Blind reading test" not in read(write_study_report(read_study)).text  # it would be the series' key
    series.end()
    page = read(write_study_report(read_study))
    assert "First reading" in page.text
    assert "50%" in page.text
    assert "taken for real by 1 of 1" in page.text


def test_other_models_than_the_source_study_s_have_no_table_beside_it(study):
    page = read(write_study_report(study))
    assert "Table 5" not in page.text
    assert "claims" not in page.text


def test_the_front_holds_what_nothing_beats():
    assert pareto([(3.0, 1.0), (1.0, 5.0), (2.0, 5.0), (2.0, 3.0), (4.0, 2.0)]) == [(1, 5), (2, 3), (3, 1)]


def test_cells_are_named_by_their_values():
    assert re.fullmatch(r"thesis4, 1,000 slices, 5 epochs, seed 2", label(
        {"model.name": "thesis4", "training.samples": 1000, "training.epochs": 5, "training.seed": 2}))  # fmt: skip
