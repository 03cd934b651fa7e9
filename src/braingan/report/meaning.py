"""What the numbers of an evaluation mean, in a few sentences that claim no more than the intervals allow."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from braingan.report.wording import interval_of, number, side_of_floor, times, value_of, words_of

Said = tuple[str, str]
"""What a sentence is about, and the sentence."""


def meaning(found: Mapping[str, Any]) -> list[Said]:
    """Say what the numbers in `metrics.json` mean; what it does not hold is left out."""
    return [(about, sentence) for about, say in SENTENCES.items() for sentence in say(found)]


def _distance(found: Mapping[str, Any]) -> Iterator[str]:
    if (distance := found["metrics"].get("frechet_distance")) is None:
        return
    protocol, name = found["protocol"], words_of("frechet_distance", distance).name
    name = name if name.startswith("Fréchet") else "distance of the source study"
    value, floor = value_of(distance), number(distance["floor"])
    farther = f"{times(distance['ratio'])} as far" if "ratio" in distance else "farther"
    yield (
        f"Measured by the {name}, {protocol['count']:,} generated slices lie {farther} from the "
        f"{protocol['split']} subjects' slices ({value}) {'as' if 'ratio' in distance else 'than'} the training "
        f"subjects' real slices do ({floor}, the floor: no generator needs to be better). {_doubt(distance)}"
    )


def _doubt(distance: Mapping[str, Any]) -> str:
    if "low" not in distance:
        return "There are too few subjects for an interval: a small difference may be chance."
    means = {
        1: "lies above the floor: beyond reasonable doubt they differ from real slices",
        0: "holds the floor: by this measure they cannot be told from real slices",
        -1: "lies below the floor: nearer than other people's real slices, which should make one look for copies",
    }[side_of_floor(distance)]
    return f"The 95 % interval, {interval_of(distance)}, {means}."


def _yardstick(found: Mapping[str, Any]) -> Iterator[str]:
    """Compare with slices that cost nothing."""
    baselines = found.get("baselines", {})
    distance = found["metrics"].get("frechet_distance")
    names = {"blurred": "blurred real slices", "gaussian": "random mixtures of principal components"}
    rivals = {
        name: baselines[name]["frechet_distance"] for name in names if "frechet_distance" in baselines.get(name, {})
    }
    if distance is None or not rivals:
        return
    low, high = distance.get("low", distance["value"]), distance.get("high", distance["value"])
    said, beaten = [], []
    for name, rival in rivals.items():
        verdict = "nearer than" if high < rival else "farther than" if low > rival else "about as far as"
        beaten.append(high < rival)
        said.append(f"{verdict} {names[name]} ({number(rival)})")
    end = (
        "a generator has to do at least this"
        if all(beaten)
        else "both cost nothing, so a useful generator lies nearer than either"
        if len(rivals) > 1
        else "these cost nothing, so a useful generator lies nearer"
    )
    yield f"By the same distance they lie {' and '.join(said)}: {end}."


def _likeness(found: Mapping[str, Any]) -> Iterator[str]:
    metrics = found["metrics"]
    if not {"precision", "recall"} <= metrics.keys():
        return
    precision, recall = metrics["precision"], metrics["recall"]
    yield (
        f"{precision['value']:.0%} of the generated slices look like some real one (real training slices: "
        f"{precision['floor']:.0%}), and {recall['value']:.0%} of the real ones are like some generated one "
        f"(real training slices: {recall['floor']:.0%}): low precision means wrong pictures, low recall too "
        "little variety."
    )


def _variety(found: Mapping[str, Any]) -> Iterator[str]:
    """Say how different generated slices are from each other, and how bright, beside real ones."""
    metrics = found["metrics"]
    if "ms_ssim" in metrics and metrics["ms_ssim"]["floor"] < 0.99:
        made, real = (1 - metrics["ms_ssim"][which] for which in ("value", "floor"))
        yield (
            f"Two generated slices differ {made / real:.0%} as much as two real training slices do (1 − MS-SSIM: "
            f"{made:.2f} and {real:.2f}): far less is a generator that repeats itself, far more is noise."
        )
    if "brightness" in metrics and metrics["brightness"]["floor"] > 0:
        share = metrics["brightness"]["value"] / metrics["brightness"]["floor"]
        yield f"Their mean brightness is {share:.0%} of real training slices'."


def _groups(found: Mapping[str, Any]) -> Iterator[str]:
    rows = found.get("groups", [])
    judged = [row for row in rows if "missing" in row]
    if not judged:
        return
    missing = [f"{row['by']} {row['group']}" for row in judged if row["missing"]]
    if not any(row["recall"] > 0 for row in rows):
        yield "No real slice of any kind is like a generated one, so nothing can be said of single kinds."
    elif missing:
        yield f"Some kinds of real slice are rarer among the generated ones than chance allows: {', '.join(missing)}."
    else:
        yield "No kind of real slice that was looked at is shown to be missing, which is no proof that none is."


def _anatomy(found: Mapping[str, Any]) -> Iterator[str]:
    rows = [row for row in found.get("anatomy", []) if "low" in row and "floor" in row]
    if not rows:
        return
    off = [row["name"] for row in rows if side_of_floor(row) > 0]
    if off:
        yield f"Beyond doubt unlike real slices in {len(off)} of {len(rows)} measured quantities: {', '.join(off)}."
    else:
        yield f"In none of {len(rows)} measured quantities can generated slices be told from real ones."


def _detector(found: Mapping[str, Any]) -> Iterator[str]:
    if (accuracy := found["metrics"].get("detector_accuracy")) is None:
        return
    control = (
        f", and real slices are told from other real ones in {accuracy['floor']:.0%}" if "floor" in accuracy else ""
    )
    if "low" not in accuracy:
        verdict = ""
    elif accuracy["low"] > max(0.5, accuracy.get("floor", 0.5)):
        verdict = " Beyond doubt, it can tell them."
    else:
        verdict = " It is not shown to do better than it should on real slices alone."
    yield (
        f"A classifier trained for it tells generated from real slices in {accuracy['value']:.0%} of cases "
        f"(50% is guessing{control}).{verdict}"
    )


def _copying(found: Mapping[str, Any]) -> Iterator[str]:
    metrics = found["metrics"]
    if "copies" in metrics:
        yield (
            f"{number(metrics['copies']['value'], share=True)} of the generated slices are nearer to a training slice "
            "than the gate allows; it lets none of these out."
        )
    if "low" in metrics.get("membership_auc", {}):
        value = metrics["membership_auc"]
        trace = "are not shown to betray" if value["low"] <= 0.5 else "betray to some degree"
        yield f"They {trace} whose scans were trained on (membership {value['value']:.2f}; 0.5 is no trace)."
    if "data_copying" in metrics:
        score, copies = metrics["data_copying"]["value"], found.get("baselines", {}).get("copies", {})
        beside = f"; training copies give {number(copies['data_copying'])}" if "data_copying" in copies else ""
        leans = "farther from the training slices than" if score > 0 else "nearer to the training slices than"
        yield f"The test for data copying gives {number(score)}{beside}: generated slices lie {leans} held-out ones do."


SENTENCES: dict[str, Callable[[Mapping[str, Any]], Iterator[str]]] = {
    "Distance": _distance,
    "Yardstick": _yardstick,
    "Likeness": _likeness,
    "Variety": _variety,
    "Kinds": _groups,
    "Anatomy": _anatomy,
    "Telling apart": _detector,
    "Copying": _copying,
}
