"""The blind reading test: fixed series, and kept answers."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

import studies
from braingan.errors import InputError
from braingan.evaluation.material import open_store_of
from braingan.report.study import write_study_report
from braingan.sampling.generator import TrainedGenerator
from braingan.study import reading
from braingan.study.reading import MOST_RUNS, REAL, Answer, Readings, _of_many_subjects, name_of_reader


@pytest.fixture(scope="module")
def made(told, tmp_path_factory):
    readings, store = Readings(tmp_path_factory.mktemp("readings")), open_store_of(told, None)
    return readings, readings.make("First reading", {"run": TrainedGenerator.open(told)}, store, 12, 3), store


def test_a_series_is_half_real_and_mixed_by_its_seed(made, told):
    readings, series, store = made
    assert series.id == "first-reading"
    assert sorted(series.truth) == [REAL] * 6 + ["run"] * 6
    assert series.truth != sorted(series.truth)
    test = store.images(store.select("test"))
    for number, truth in enumerate(series.truth):
        assert (series.slice(number) == test).all(axis=(1, 2)).any() == (truth == REAL)
    other = readings.make("Other", {"run": TrainedGenerator.open(told)}, store, 12, 4)
    assert other.truth != series.truth


def test_the_same_folder_name_and_seed_make_the_same_series(made, told, tmp_path):
    _, series, store = made
    again = Readings(tmp_path).make("First reading", {"run": TrainedGenerator.open(told)}, store, 12, 3)
    assert again.id == series.id
    assert again.truth == series.truth
    assert all((again.slice(number) == series.slice(number)).all() for number in range(12))


def test_series_of_one_seed_tell_nothing_of_each_other(made, told, tmp_path):
    """Else one is a key to another: by the places of what is real, or by slices that it shows as generated."""
    _, _, store = made
    readings, generators = Readings(tmp_path), {"run": TrainedGenerator.open(told)}
    series = [readings.make(title, generators, store, 12, 3) for title in ("A", "A", "B")]
    assert [of.id for of in series] == ["a", "a-1", "b"]
    assert len({tuple(of.truth) for of in series}) == 3
    generated = [{of.slice(n).tobytes() for n in range(12) if of.truth[n] != REAL} for of in series]
    assert len(set.union(*generated)) == 3 * 6


def test_no_two_runs_of_a_series_share_a_latent(made, told, tmp_path):
    """Pictures of one latent by alike runs are alike, which tells that they are generated."""
    _, _, store = made
    generators = {name: TrainedGenerator.open(told) for name in ("one", "other", "third")}
    series = Readings(tmp_path).make("Three", generators, store, 36, 3)
    generated = [series.slice(n).tobytes() for n in range(36) if series.truth[n] != REAL]
    assert len(set(generated)) == len(generated) == 18


def test_a_series_has_bounds(made, told, tmp_path, monkeypatch):
    _, _, store = made
    readings, generators = Readings(tmp_path), {"run": TrainedGenerator.open(told)}
    many = dict.fromkeys(map(str, range(MOST_RUNS + 1)), generators["run"])
    with pytest.raises(InputError, match="at most 8 runs: choose fewer"):
        readings.make("Many", many, store, 36)
    with pytest.raises(InputError, match="took too long: ask for fewer slices"):
        readings.make("Late", generators, store, 2, 0, time.monotonic() - 1)
    assert not readings.series()
    monkeypatch.setattr(reading, "MOST_SERIES", 2)
    for _ in range(2):
        readings.make("Full", generators, store, 2)
    with pytest.raises(InputError, match="2 series already: move some folders out of"):
        readings.make("Full", generators, store, 2)


def test_a_damaged_series_hides_no_other(made, told, tmp_path):
    _, _, store = made
    readings, generators = Readings(tmp_path), {"run": TrainedGenerator.open(told)}
    whole = readings.make("Whole", generators, store, 2)
    for name, content in (("empty", "{}"), ("cut", '{"title": '), ("other", '{"title": 1, "truth": ["real"]}')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "series.json").write_text(content)
    assert readings.series() == [whole]
    assert sorted(readings.damaged()) == ["cut", "empty", "other"]
    assert "series.json is damaged" in readings.damaged()["cut"]
    slices = (whole.root / "slices.npy").read_bytes()
    for content in (b"", slices[:20], slices[:-1]):
        (whole.root / "slices.npy").write_bytes(content)
        assert "slices.npy is damaged" in readings.damaged()["whole"]
        assert readings.open_to_readers  # it may be mended, and reports would be its key
    (whole.root / "slices.npy").write_bytes(slices)
    whole.end()
    assert readings.key_to(whole) == whole.truth


def test_without_a_seed_nobody_can_make_the_series_again(made, told):
    readings, _, store = made
    generators = {"run": TrainedGenerator.open(told)}
    seeds = {readings.make("Unknown", generators, store, 4).description["seed"] for _ in range(3)}
    assert len(seeds) == 3


def test_real_slices_are_of_as_many_subjects_as_can_be(made):
    """Two slices of one brain would be told as real."""
    _, _, store = made
    held_out = store.select("test")
    subjects = np.unique(store.columns["subject"][held_out])
    assert len(held_out) > len(subjects)
    for seed in range(20):
        few = _of_many_subjects(store, held_out, len(subjects), seed)
        assert set(store.columns["subject"][few]) == set(subjects)
        assert set(_of_many_subjects(store, held_out, len(held_out), seed)) == set(held_out)


def test_real_slices_are_such_as_no_other_series_shows(made, told, tmp_path):
    _, _, store = made
    readings, generators = Readings(tmp_path), {"run": TrainedGenerator.open(told)}
    half = len(store.select("test")) // 2
    series = [readings.make("Same", generators, store, 2 * half, 1) for _ in range(3)]
    assert not series[0].real & series[1].real
    assert len(series[2].real) == half  # where there are not enough, any


def test_a_series_is_told_once_it_and_all_that_share_its_slices_are_ended(made, told, tmp_path):
    _, _, store = made
    readings, generators = Readings(tmp_path), {"run": TrainedGenerator.open(told)}
    every = 2 * len(store.select("test"))
    first, other = (readings.make(title, generators, store, every, seed) for title, seed in (("A", 1), ("B", 2)))
    with pytest.raises(InputError, match="once the series is ended"):
        readings.key_to(first)
    first.end()
    with pytest.raises(InputError, match="B is still open and has some of the same slices"):
        readings.key_to(first)
    other.end()
    assert readings.key_to(first) == first.truth
    assert readings.key_to(other) == other.truth


def test_real_slices_are_of_the_runs_own_frames_and_store(made, told):
    """Else a frame that the generators never saw would tell."""
    readings, _, store = made
    generator = TrainedGenerator.open(told)
    identity = generator.config["identity"] | {"frames": ["dark"]}
    dark = replace(generator, config=generator.config | {"identity": identity})
    series = readings.make("Dark", {"dark": dark}, store, 8, 0)
    images = store.images(store.select("test", ("dark",)))
    for number, truth in enumerate(series.truth):
        assert truth != REAL or (series.slice(number) == images).all(axis=(1, 2)).any()
    with pytest.raises(InputError, match="different stores or frames"):
        readings.make("Both", {"dark": dark, "all": generator}, store, 8, 0)
    elsewhere = replace(generator, config=generator.config | {"identity": identity | {"store": "other"}})
    with pytest.raises(InputError, match="different stores or frames"):
        readings.make("Elsewhere", {"run": elsewhere}, store, 8, 0)


def test_answers_are_kept_the_first_one_counts_and_a_reader_goes_on(made):
    readings, series, _ = made
    assert readings.next_of(series, "Ann") == 0
    readings.answer(series, Answer("Ann", 0, True, 5, 1.5))
    readings.answer(series, Answer("Ann", 0, False, 1, 9.0))
    readings.answer(series, Answer("Ann", 2, False, 1, 9.0))
    assert readings.answers(series, "Ann")[0] == Answer("Ann", 0, True, 5, 1.5)
    assert readings.next_of(series, "Ann") == 1
    assert readings.next_of(series, "Bob") == 0
    assert Readings(readings.root).next_of(series, "Ann") == 1


def test_what_makes_no_sense_is_refused(made, told):
    readings, series, store = made
    generators = {"run": TrainedGenerator.open(told)}
    for title, chosen, count in (("", generators, 12), ("a/b", generators, 12), ("a", {}, 12), ("a", generators, 1),
                                 ("a", generators, 501), ("a", generators, 400)):  # fmt: skip
        with pytest.raises(InputError):
            readings.make(title, chosen, store, count, 0)
    for answer in (Answer("", 0, True, 3, 1.0), Answer("A", 12, True, 3, 1.0), Answer("A", 0, True, 6, 1.0),
                   Answer("<b>", 0, True, 3, 1.0)):  # fmt: skip
        with pytest.raises(InputError):
            readings.answer(series, answer)
    with pytest.raises(InputError, match="can't be told from real slices"):
        readings.make("a", {REAL: generators["run"]}, store, 4, 0)
    with pytest.raises(InputError, match="no series"):
        readings.open("../first-reading")


def test_an_ended_series_takes_no_more_answers_and_a_new_one_of_its_name_has_none(made, told):
    readings, _, store = made
    series = readings.make("Short", {"run": TrainedGenerator.open(told)}, store, 4, 3)
    readings.answer(series, Answer("Ann", 0, True, 5, 1.5))
    series.end()
    assert readings.open("short").ended
    with pytest.raises(InputError, match="is ended"):
        readings.answer(series, Answer("Ann", 1, True, 5, 1.5))
    shutil.rmtree(series.root)
    again = readings.make("Short", {"run": TrainedGenerator.open(told)}, store, 4, 3)
    assert again.id == "short"
    assert readings.answers(again) == []


def test_readers_answer_at_once(made, told):
    readings, _, store = made
    series = readings.make("Crowded", {"run": TrainedGenerator.open(told)}, store, 4, 3)
    with ThreadPoolExecutor(8) as pool:
        given = [Answer(f"reader {n}", number, True, 3, 1.0) for n in range(8) for number in range(4)]
        list(pool.map(lambda of: readings.answer(series, of), given))
    assert readings.answers(series) == given


@pytest.mark.parametrize("linked", [".", "series.json", "slices.npy"])
def test_a_link_is_no_series(made, tmp_path, linked):
    _, series, _ = made
    shutil.copytree(series.root, tmp_path / "other")
    assert [of.id for of in Readings(tmp_path).series()] == ["other"]
    link = tmp_path / "other" / linked
    shutil.rmtree(link) if linked == "." else link.unlink()
    link.symlink_to(series.root / linked)
    assert Readings(tmp_path).series() == []


def test_a_report_gives_no_share_of_slices_that_nobody_answered(made, told, tmp_path):
    _, _, store = made
    folder = studies.made_study(tmp_path, store, studies.made_rows(lambda *of: 1.0)[:1])
    shutil.rmtree(folder.root / "runs")
    readings = Readings(folder.readings)
    series = readings.make("Half read", {"run": TrainedGenerator.open(told)}, store, 4)
    readings.answer(series, Answer("Ann", series.truth.index("run"), True, 3, 1.0))
    series.end()
    page = write_study_report(folder).read_text()
    assert "Half read" in page
    assert "nan%" not in page
    assert 'data-label="Real ones taken for real">–</td>' in page


@pytest.mark.parametrize(
    ("given", "name"),
    [(" Ann ", "Ann"), ("Jürgen", "Jürgen"), ("Ju\u0308rgen", "Jürgen"), ("अनीता", "अनीता"), ("O'Neil-2", "O'Neil-2")],
)
def test_names_of_readers(given, name):
    assert name_of_reader(given) == name


@pytest.mark.parametrize("given", ["", "  ", "a/b", "<b>", "x" * 61])
def test_names_that_can_not_be_one(given):
    with pytest.raises(InputError, match="reader's name"):
        name_of_reader(given)
