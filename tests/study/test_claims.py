"""The source study's claims, on made studies of which each is known to hold or not."""

from dataclasses import replace

import pytest

from braingan.study.claims import CHECKS, Grid, check, source_study
from studies import flat
from studies import made_rows as made


def falls(layers, samples, epochs):
    return 300 - 5 * layers - samples / 10 - 2 * epochs


def verdict(name, rows):
    return CHECKS[name](Grid.of(rows))[0]


def test_every_claim_is_checked_with_its_numbers():
    claims = source_study()["claims"]
    assert CHECKS.keys() == claims.keys()
    found = check(made(lambda layers, samples, epochs: 300 - 5 * layers - samples / 10 - epochs))
    assert [of.claim for of in found] == list(claims.values())
    assert all(any(letter.isdigit() for letter in of.because) for of in found)


def test_a_fall_along_an_axis_is_found_and_a_rise():
    fall, rise = made(falls), made(lambda layers, samples, epochs: 100 + 5 * layers + samples / 10 + 2 * epochs)
    level = made(lambda layers, samples, epochs: 100)
    for name in ("layers", "samples", "epochs", "four_worst", "fifteen_best"):
        assert verdict(name, fall) == "supported", name
        assert verdict(name, rise) == "not supported", name
        assert verdict(name, level) == "within noise", name


def test_what_other_subjects_might_give_is_noise_too():
    assert verdict("samples", made(falls, noise=0.01)) == "supported"
    assert verdict("samples", made(falls, noise=0.01, subjects=300.0)) == "within noise"


def test_a_claim_of_all_cases_is_not_supported_by_some():
    some = made(lambda layers, samples, epochs: 100 - 20 * (layers > 4 and samples > 200))
    assert verdict("four_worst", some) == "within noise"
    assert verdict("layers", some) == "supported"


def test_what_matters_most_is_the_largest_fall():
    assert verdict("samples_most", made(lambda n, s, e: 300 - n - s / 5 - e)) == "supported"
    assert verdict("samples_most", made(lambda n, s, e: 300 - 10 * n - s / 100 - e)) == "not supported"
    assert verdict("samples_most", made(lambda n, s, e: 100, noise=2)) == "within noise"


def test_the_best_balance_is_better_than_the_cheap_and_not_worse_than_the_dear():
    def layers_take_time(name, samples, epoch):
        return int(name[6:]) * samples * epoch / 500

    better = made(lambda n, s, e: {4: 150, 7: 100, 15: 100}[n], seconds=layers_take_time)
    endless = [{"epoch": "1", "images": "9", "seconds": "1e9"}]
    unfinished = [
        replace(row, found=None, log=endless) if (row.model, row.slices) == ("thesis7", 1000) else row for row in better
    ]
    beaten = made(lambda n, s, e: {4: 150, 7: 100, 15: 50}[n], seconds=layers_take_time)
    assert verdict("cost", better) == "supported"
    assert verdict("cost", unfinished) == "supported"
    assert verdict("cost", beaten) == "not supported"


def test_quality_varies_where_realism_spreads():
    assert verdict("unstable4", made(lambda *_: 100, spread=lambda n: 1.5 if n == "thesis4" else 0.5)) == "supported"
    assert (
        verdict("unstable4", made(lambda *_: 100, spread=lambda n: 0.5 if n == "thesis4" else 1.5)) == "not supported"
    )


def test_claims_of_losses_are_judged_by_the_curves():
    def rising_and_opposite(name, samples, epoch, random):
        wobble = random.normal() * 30 / samples
        return 1 - 0.05 * epoch - wobble, 1 + 0.5 * epoch + wobble

    rows = made(lambda *_: 100, losses=rising_and_opposite)
    assert verdict("loss4", rows) == "supported"
    assert verdict("opposite", rows) == "supported"
    assert verdict("loss_data", rows) == "supported"
    falling = made(lambda *_: 100, losses=lambda n, s, e, r: (1 - 0.05 * e, 2 - 0.1 * e + r.normal() * s / 1e5))
    assert verdict("loss4", falling) == "not supported"
    assert verdict("opposite", falling) == "not supported"
    assert verdict("loss_data", falling) == "not supported"


def test_losses_mirror_each_other_only_if_those_of_7_and_of_15_layers_do():
    def seven_alone(name, samples, epoch, random):
        return flat(name, samples, epoch, random) if name == "thesis7" else tuple(1 + random.normal(size=2) / 10)

    assert verdict("opposite", made(lambda *_: 100)) == "supported"
    assert verdict("opposite", made(lambda *_: 100, losses=seven_alone)) == "within noise"


def test_losses_grow_steadier_by_generators_that_are_there_with_few_and_with_many_slices():
    def wobble(name, samples, epoch, random):
        size = {"thesis4": 0.01, "thesis7": 80 / samples, "thesis15": 2.0}[name]
        return 1.0, 1 + size * (epoch % 2) + random.normal() / 1000

    rows = made(lambda *_: 100, losses=wobble)
    shared = [row for row in rows if (row.model, row.slices) not in (("thesis15", 200), ("thesis4", 1000))]
    assert verdict("loss_data", shared) == "supported"


def test_times_are_compared_by_their_ratio():
    assert verdict("time", made(lambda *_: 100)) == "not supported"  # five times as many slices take five times as long
    printed = made(lambda *_: 100, seconds=lambda n, s, e: {200: 59, 600: 152, 1000: 240}[s] * e)
    assert verdict("time", printed) == "supported"
    scattered = [  # 1, 4 and 7 times as long
        replace(row, log=[one | {"seconds": str(40 + 120 * row.values["training.seed"])} for one in row.log])
        if row.slices == 1000 else row for row in made(lambda *_: 100)
    ]  # fmt: skip
    assert verdict("time", scattered) == "within noise"


def test_with_one_seed_or_nothing_measured_nothing_is_testable():
    one = check(made(lambda *_: 100, seeds=1))
    assert {of.verdict for of in one} == {"not testable"}
    assert "one seed" in one[0].because
    none = check([replace(row, found=None) for row in made(lambda *_: 100)])
    assert {of.verdict for of in none} == {"not testable"}
    assert "no cell is measured yet" in none[0].because
    capped = check([replace(row, note="fewer") for row in made(lambda *_: 100)])
    assert {of.verdict for of in capped} == {"not testable"}
    assert "no cell has as many slices as the grid asks for" in capped[0].because


def with_value(rows, name, value):
    return [replace(row, values=row.values | {name: value}) for row in rows]


def test_of_further_lists_the_default_alone_is_compared():
    rises = made(lambda layers, samples, epochs: 100 + 5 * layers)
    rows = with_value(made(falls), "model.discriminator", "thesis")
    both = rows + with_value(rises, "model.discriminator", "patches")
    assert [of.verdict for of in check(both)] == [of.verdict for of in check(made(falls))]
    assert verdict("layers", with_value(made(falls), "training.batch_size", 16)) == "supported"  # one is no list
    slopes = with_value(rises, "model.leaky_slope", 0.2) + with_value(rises, "model.leaky_slope", 0.3)
    found = check(slopes)
    assert {of.verdict for of in found} == {"not testable"}
    assert found[0].because == "of model.leaky_slope the default is not among the values"


@pytest.mark.parametrize("name", ["cost", "samples_most", "unstable4", "time"])
def test_a_grid_that_lacks_what_a_claim_speaks_of_is_said(name):
    rows = [row for row in made(lambda *_: 100) if row.model == "thesis7" and row.slices == 200]
    assert verdict(name, rows) == "not testable"
