"""The source study's claims, on made studies of which each is known to hold or not."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from braingan.folders import RunFolder
from braingan.study.claims import CHECKS, GENERATORS, Grid, check, source_study
from braingan.study.table import Row

SAMPLES, EPOCHS = (200, 600, 1000), (5, 10)
PROTOCOL = {"store": "s", "split": "test", "count": 200, "subjects": 30}


def flat(name, samples, epoch, random):
    return 1.0 + epoch % 2, 1.0 - epoch % 2


def as_long(name, samples, epoch):
    return samples * epoch / 50


def made(distance, noise=0.5, seeds=3, spread=lambda name: 1.0, losses=flat, seconds=as_long):
    """A study whose distances are a function of layers, slices and epochs, but for noise that all share by halves."""
    random = np.random.default_rng(0)
    shared = random.normal(size=40) * 3
    found = []
    for name, samples, epochs, seed in itertools.product(GENERATORS, SAMPLES, EPOCHS, range(seeds)):
        value = distance(int(name[6:]), samples, epochs) + random.normal() * noise
        of = {"value": value, "low": value - 6, "high": value + 6, "halves": (value + shared).tolist()}
        realism = {"5": 1 - spread(name) / 2, "50": 1.0, "95": 1 + spread(name) / 2 + random.normal() * 0.01}
        rows = []
        for epoch in range(1, epochs + 1):
            discriminator, generator = losses(name, samples, epoch, random)
            rows.append({
                "epoch": str(epoch), "images": str(samples * epoch), "seconds": str(seconds(name, samples, epoch)),
                "discriminator_loss": str(discriminator), "generator_loss": str(generator),
            })  # fmt: skip
        values = {"model.name": name, "training.samples": samples, "training.epochs": epochs, "training.seed": seed}
        metrics = {"protocol": PROTOCOL, "metrics": {"frechet_distance": of}, "realism": {"generated": realism}}
        found.append(Row(values, RunFolder(Path("none")), epochs, samples, 20, "", "", rows, None, metrics))
    return found


def verdict(name, rows):
    return CHECKS[name](Grid.of(rows))[0]


def test_every_claim_is_checked_with_its_numbers():
    claims = source_study()["claims"]
    assert CHECKS.keys() == claims.keys()
    found = check(made(lambda layers, samples, epochs: 300 - 5 * layers - samples / 10 - epochs))
    assert [of.claim for of in found] == list(claims.values())
    assert all(any(letter.isdigit() for letter in of.because) for of in found)


def test_a_fall_along_an_axis_is_found_and_a_rise():
    falls = made(lambda layers, samples, epochs: 300 - 5 * layers - samples / 10 - 2 * epochs)
    rises = made(lambda layers, samples, epochs: 100 + 5 * layers + samples / 10 + 2 * epochs)
    flat = made(lambda layers, samples, epochs: 100)
    for name in ("layers", "samples", "epochs", "four_worst", "fifteen_best"):
        assert verdict(name, falls) == "supported", name
        assert verdict(name, rises) == "not supported", name
        assert verdict(name, flat) == "within noise", name


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
    beaten = made(lambda n, s, e: {4: 150, 7: 100, 15: 50}[n], seconds=layers_take_time)
    assert verdict("cost", better) == "supported"
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


def test_times_are_compared_by_their_ratio():
    assert verdict("time", made(lambda *_: 100)) == "not supported"  # five times as many slices take five times as long
    printed = made(lambda *_: 100, seconds=lambda n, s, e: {200: 59, 600: 152, 1000: 240}[s] * e)
    assert verdict("time", printed) == "supported"


def test_with_one_seed_or_nothing_measured_nothing_is_testable():
    one = check(made(lambda *_: 100, seeds=1))
    assert {of.verdict for of in one} == {"not testable"}
    assert "one seed" in one[0].because
    assert {of.verdict for of in check([])} == {"not testable"}


@pytest.mark.parametrize("name", ["cost", "samples_most", "unstable4", "time"])
def test_a_grid_that_lacks_what_a_claim_speaks_of_is_said(name):
    rows = [row for row in made(lambda *_: 100) if row.model == "thesis7" and row.slices == 200]
    assert verdict(name, rows) == "not testable"
