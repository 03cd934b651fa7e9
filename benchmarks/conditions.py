"""Whether a generator does as it is told: frames, depths, lesion areas, labels and masks; what that costs; if it helps.

    python benchmarks/conditions.py OUT [--data STORE] [--subjects 400] [--slices 60:100/155] [--minutes 20]
            [--lesions 0.9] [--encoder thorough] [--at-once 1] [--set KEY=VALUE] [--name conditions]

Takes a store, or makes one of phantoms of four frames (extra `align`); trains `latentflow` told all, with and without
masks, and told nothing for equal time; proves the store's encoder on held-out slices; evaluates all on all test
subjects; wishes for slices of every frame and label at depths and with lesions in between, and has the encoder look at
them; says by paired intervals what being told and masks cost; and asks `braingan utility` whether slices help those who
have few subjects: of the told run that makes masks, or knows labels, and of one like it that saw no others than these
few. What the store cannot have is left out, and where the encoder does not prove itself, what it says of generated
slices is printed, but counts for nothing; of lesions it is proven frame by frame as well, since not every frame shows
them. Trainings at once share the machine, so that their minutes are not those of one alone, nor quite the same images;
the results say how many each saw. Stopped anywhere, the same command goes on. Each line says what was wanted and
whether it holds; all of it is written to `benchmarks/results/NAME.json`, part by part as it is found.
"""

import argparse
import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from braingan.data.conditions import names, why_no_masks
from braingan.data.store import Store
from braingan.evaluation.differences import difference
from braingan.evaluation.encoder import EFFORTS, open_encoder
from braingan.evaluation.encoder.scores import depth_spacing
from braingan.folders import RunFolder, read_csv, read_json, write_json
from braingan.sampling.generator import TrainedGenerator
from braingan.training.devices import accelerator
from trials import RESULTS, braingan

MASKS, FEW = "told, with masks", "of few subjects"
MODELS = {"told": [], MASKS: ["model.masks=true"], "untold": ["model.conditions=[]"]}
FEW_SHARE = 0.1
"""Of the training subjects, of a generator that is to help those who have no more."""
AREAS = ("area_error_mm2_of_lesions", "mean_area_mm2_of_lesions", "mean_told_mm2_of_lesions")
KEPT = (
    "frechet_distance", "kernel_distance", "precision_other_subject", "recall_other_subject", "detector_accuracy",
    "copies",
)  # fmt: skip
COMPARED = (("told", "untold"), (MASKS, "told"))
PROVEN = {"frame_accuracy": 0.995, "depth_error_slices": 1.5, "lesion_area_correlation": 0.95}
"""What an encoder has to reach on held-out slices before it may judge; an error at most."""
MATCHING = {"area_correlation": 0.9, "area_correlation_of_lesions": 0.9}
"""What masks have to show of the areas told, all and those of lesions alone."""
SIGN, SIGN_OF_REAL = 0.9, 0.9
"""Share of the lesions whose contrast is to have the sign of real ones', in frames where real ones mostly agree."""
DEPTHS, SHARES, EACH = 12, (0.0, 0.15, 0.3, 0.5), 2
"""Wishes: so many depths, lesions as shares of the largest there, and latents of each."""
OBEYED = {"frame_accuracy": 0.98, "depth_error_slices": 3.0, "lesion_area_correlation": 0.9}
"""What generated slices have to show of what they were told."""


def folder_of(name, out):
    """Return where a model is trained."""
    return RunFolder(out / name.replace(", ", "-").replace(" ", "-"))


def wished(run, encoder, spacing):
    """Return how far slices show wishes that lie between the training slices' values, as the encoder sees them."""
    generator = TrainedGenerator.open(run, device=accelerator())
    words = generator.vocabulary
    wishes = []
    for frame, label in itertools.product(words.frames or (None,), words.labels or (None,)):
        for depth in np.linspace(*words.depth, DEPTHS) if words.depth else [None]:
            most = words.lesions(depth)
            for area in [most[0] + share * (most[1] - most[0]) for share in SHARES] if most else [None]:
                wishes += [words.row(frame, label, depth, area)] * EACH
    if not wishes or np.isnan(wishes).all():
        return {}
    z = generator.latents(0, range(len(wishes)))
    rows = generator.drawn(z, np.stack(wishes))
    images, told = generator.make(z, rows)[:, 0], words.columns(rows)
    found = encoder.obeyed(images, told, spacing)
    ill = told["lesion_area_mm2"] > 0
    if ill.any():
        of_lesions = encoder.obeyed(images[ill], {name: of[ill] for name, of in told.items()}, spacing)
        found["lesion_area_correlation_of_lesions"] = of_lesions["lesion_area_correlation"]
    return found


def train(name, sets, store, out):
    """Train one model, unless that is done."""
    braingan("train", "--data", store, "--out", folder_of(name, out).root, *(
        part for one in sets for part in ("--set", one)
    ))  # fmt: skip


def measured(name, store, out, encoder, proven):
    """Evaluate one model, unless that is done."""
    run = folder_of(name, out)
    snapshot = run.snapshots()[-1]
    if not snapshot.metrics.exists():
        braingan("evaluate", run.root)
    found = read_json(snapshot.metrics)
    return {
        "images": snapshot.images_seen,
        "device": read_csv(run.events)[0]["event"].partition(" on ")[2],
        "metrics": {key: found["metrics"][key] for key in KEPT if key in found["metrics"]},
        "obeyed": judged(found["encoder"].get("obeyed", {}), OBEYED, proven),
        "wished": judged(wished(run, encoder, spacing_of(Store.open(store))), OBEYED, proven),
        "masks": matching(found.get("masks", {})),
    }


def drawn(store, subjects):
    """Return the slices of so many training subjects, as `training.subjects` draws them."""
    return store.select("train", tuple(store.description["settings"]["frames"]), subjects=subjects)


def spacing_of(store):
    """Return the change of depth from slice to slice, NaN where none is known."""
    spacing = depth_spacing(store, np.arange(len(store)))
    known = spacing[np.isfinite(spacing)]
    return float(np.median(known)) if len(known) else np.nan


def matching(masks):
    """Return how masks fit, with what is wanted and whether it holds; by frame where real lesions have a sign."""
    values = masks | {f"{name}_of_lesions": value for name, value in masks.get("of_lesions", {}).items()}
    scores = {name: {"value": values[name]} for name in (*MATCHING, *AREAS) if values.get(name) is not None}
    found = judged(scores, MATCHING)
    for frame, of in masks.get("frames", {}).items():
        score = {"value": of["generated_same_sign"], "real": of["real_same_sign"]}
        if of["real_same_sign"] >= SIGN_OF_REAL:
            score |= {"wanted": f"at least {SIGN:g}", "holds": score["value"] >= SIGN}
        found[f"same sign in {frame or 'its frame'}"] = score
    return found


def judged(scores, bounds, proven=None):
    """Return scores, those of which something is wanted with that and whether it holds.

    Args:
        scores: by name.
        bounds: what is wanted of them.
        proven: of an encoder, which of its answers count; where one does not, neither does a verdict that rests on it.
    """
    found = dict(scores)
    for name in scores:
        of = name.partition(" in ")[0]  # a frame
        if of not in bounds:
            continue
        error, value, bound = "error" in of, scores[name]["value"], bounds[of]
        wanted = f"at {'most' if error else 'least'} {bound:g}"
        holds = value <= bound if error else value >= bound
        found[name] = scores[name] | {"wanted": wanted, "holds": holds if proven is None or proven.get(name) else None}
    return found


def paired(one, other, out):
    """Return the differences of two models' metrics, with intervals; being told is to make nothing worse."""
    ones, others = ([read_json(folder_of(name, out).snapshots()[-1].metrics)] for name in (one, other))
    found = {}
    for metric in KEPT:
        if "halves" in ones[0]["metrics"].get(metric, {}):
            of = difference(ones, others, metric)
            found[metric] = {"value": of.value, "low": of.low, "high": of.high}
            if other == "untold":
                holds = of.high >= 0 if metric.startswith(("precision", "recall")) else of.low <= 0
                found[metric] |= {"wanted": "an interval that reaches 0, or better", "holds": holds}
    return found


def helps(name, out, share):
    """Return what `braingan utility` found of a run, on a share of its subjects; nothing if it teaches nothing."""
    run = folder_of(name, out)
    words = read_json(run.config)["vocabulary"]
    if not words["masks"] and len(words["labels"]) < 2:
        return {}
    utility = run.snapshots()[-1].utility
    if not utility.exists():
        braingan("utility", run.root, "--share", share)
    return {"run": name, **read_json(utility)}


VERDICTS = {True: "holds", False: "does not hold", None: "not judged, since the encoder has not proven itself"}


def said(what, scores):
    """Return a line for each score: value, interval, verdict."""
    for name, of in scores.items():
        interval = f" ({of['low']:.4g} to {of['high']:.4g})" if "low" in of else ""
        verdict = f"; wanted {of['wanted']}: {VERDICTS[of['holds']]}" if "wanted" in of else ""
        yield f"{what}: {name} {of['value']:.4g}{interval}{verdict}"


def lines(results):
    """Return all results in lines."""
    yield from said("encoder on held-out slices", results["encoder_on_test_subjects"])
    for name, of in results["models"].items():
        yield from said(f"{name}, quality", of["metrics"])
        yield from said(f"{name}, as the encoder sees it", of["obeyed"])
        yield from said(f"{name}, wishes as the encoder sees them", of["wished"])
        yield from said(f"{name}, masks", of["masks"])
    for name, of in results["differences"].items():
        yield from said(name, of)
    for utility in filter(None, results.get("utility", [])):
        few, seen = utility["few_subjects"], utility["generator_saw_subjects"]
        yield f"generator {utility['run']}: {few} real subjects, it saw {seen}"
        yield from said(f"{utility['task']} by a small network", utility["arms"])
        for arm in ("synthetic", "both"):
            of = utility["arms"][arm]
            yield f"{arm} - real: {of['gain']:+.4g} ({of['gain_low']:+.4g} to {of['gain_high']:+.4g})"


def asked(arguments):
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, help="a store, instead of phantoms")
    parser.add_argument("--subjects", type=int, default=400)
    parser.add_argument("--slices", default="60:100/155")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--lesions", type=float, default=0.9, help="share of the phantoms that have some")
    parser.add_argument("--encoder", choices=EFFORTS, default="thorough")
    parser.add_argument("--at-once", type=int, default=1, help="trainings or evaluations side by side")
    parser.add_argument("--set", action="append", default=[], help="a setting of all trainings")
    parser.add_argument("--name", default="conditions")
    return parser.parse_args(arguments)


def teachable(store):
    """Return the models that a store can teach, by their settings, and on which shares of subjects utility is asked."""
    no_masks = why_no_masks(store.columns["lesion_area_mm2"][store.select("train")])
    models = {name: sets for name, sets in MODELS.items() if name != MASKS or not no_masks}
    teaching = MASKS if MASKS in models else "told"
    subjects = len(np.unique(store.columns["subject"][store.select("train")]))
    few = max(round(FEW_SHARE * subjects), 1)
    taught = MASKS in models or len(names(store.columns["label"])) > 1
    if taught and not (MASKS in models and why_no_masks(store.columns["lesion_area_mm2"][drawn(store, few)])):
        models[FEW] = [*models[teaching], f"training.subjects={few}"]
    return models, {name: share for name, share in ((teaching, FEW_SHARE), (FEW, 1)) if name in models}


def main(arguments=None):
    given = asked(arguments)
    path = given.data or given.out / "store"
    if given.data is None:
        sets = ("--set", f"data.slices={given.slices}", "--set", "data.align=rigid")  # else no slice shows its depth
        braingan("phantom", "--subjects", given.subjects, "--lesions", given.lesions, "--store", *sets, "--out", path)
    store = Store.open(path)
    models, shares = teachable(store)
    frames = tuple(store.description["settings"]["frames"])  # as the runs have them: the same encoder
    every = [f"training.minutes={given.minutes}", "training.epochs=100000", "evaluation.also=['encoder']"]
    every += [f"evaluation.encoder={given.encoder}", *given.set]
    results = {
        "store": {key: store.description[key] for key in ("source", "count", "subjects", "fingerprint")},
        "minutes": given.minutes,
        "at_once": given.at_once,
        "set": given.set,
        "models": {},
        "utility": [],
    }

    def keep():
        write_json(RESULTS / f"{given.name}.json", results)

    side_by_side = ThreadPoolExecutor(given.at_once)
    try:
        trainings = [
            side_by_side.submit(train, name, [*sets, *every], path, given.out) for name, sets in models.items()
        ]
        judge = side_by_side.submit(open_encoder, store, frames, effort=EFFORTS[given.encoder])
        for training in trainings:
            training.result()
        encoder = judge.result()
        proof = judged(encoder.score(store, store.select("test", frames)), PROVEN)
        results["encoder"] = {key: encoder.record[key] for key in ("identity", "training_slices", "device")}
        results["encoder_on_test_subjects"] = proof
        keep()
        proven = {name: score.get("holds", False) for name, score in proof.items()}
        found = {name: side_by_side.submit(measured, name, path, given.out, encoder, proven) for name in models}
        helpful = [side_by_side.submit(helps, name, given.out, share) for name, share in shares.items()]
        for name, model in found.items():
            results["models"][name] = model.result()
            keep()
        results["differences"] = {
            f"{one} - {other}": paired(one, other, given.out) for one, other in COMPARED if one in models
        }
        keep()
        results["utility"] = [utility.result() for utility in helpful]
        keep()
    finally:
        side_by_side.shutdown(cancel_futures=True)
    print("\n".join(lines(results)))
    for name in models:
        braingan("report", folder_of(name, given.out).root)


if __name__ == "__main__":
    main()
