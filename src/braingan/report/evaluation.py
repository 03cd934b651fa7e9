"""The evaluation's part of a run's page, from `metrics.json`: what a file of fewer sections lacks is left out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from braingan.data.store import Store
from braingan.evaluation.measure import FORMAT
from braingan.report.charted import Charted, anatomy, kinds, realism
from braingan.report.figures import trade_off
from braingan.report.meaning import Said, meaning
from braingan.report.pictures import Pair, Picture, pairs, taken
from braingan.report.wording import (
    BASELINES,
    GROUPS,
    OBEYED,
    WORDS,
    Words,
    beside_real,
    interval_of,
    number,
    value_of,
    words_of,
)
from braingan.sampling.generator import TrainedGenerator

Found = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """A metric in the main table."""

    words: Words
    value: str
    interval: str
    floor: str
    beside: str
    baselines: list[str]


@dataclass(frozen=True)
class Evaluation:
    """What the page shows."""

    meaning: list[Said]
    baselines: list[str]
    groups: dict[str, list[Row]]
    protocol: dict[str, str]
    notes: list[str]
    is_fid: bool
    extractors: dict[str, str]
    """The further ones, with their descriptions."""
    others: list[tuple[str, list[dict[str, str]]]]
    curve: str = ""
    curve_says: str = ""
    realism: Charted | None = None
    kinds: Charted | None = None
    anatomy: Charted | None = None
    encoder: list[dict[str, str]] = field(default_factory=list)
    obeyed: list[dict[str, str]] = field(default_factory=list)
    masks: list[dict[str, str]] = field(default_factory=list)
    confusion: Found | None = None
    detection: Found | None = None
    most_real: list[Picture] = field(default_factory=list)
    least_real: list[Picture] = field(default_factory=list)
    memorisation: Found | None = None
    pairs: list[Pair] = field(default_factory=list)


def unreadable(found: Found) -> str:
    """Say why a `metrics.json` can't be shown; nothing if it can."""
    written = found.get("format")
    if written == FORMAT:
        return ""
    if isinstance(written, int) and written > FORMAT:
        return (
            f"The evaluation is of format {written}, this braingan reads {FORMAT}: update it and make the report again."
        )
    return (
        f"The evaluation is of an older format ({written or 'none'}; now {FORMAT}): run braingan evaluate again, then "
        "make this report again."
    )


def evaluation_of(found: Found, generator: TrainedGenerator, store: Store) -> Evaluation:
    """Prepare what `metrics.json` holds for the page.

    Args:
        found: of the format that is written now.
        generator: what made the slices that were measured; some are shown.
        store: the one it was trained on.
    """
    metrics, detection, memorisation = found["metrics"], found.get("detection"), found.get("memorisation")
    main = {name: entry for name, entry in metrics.items() if "@" not in name}
    extractors, others = _others(metrics, found["protocol"].get("extractors", {}))
    curve = found.get("curve")
    return Evaluation(
        meaning=meaning(found),
        baselines=[BASELINES.get(name, name) for name in found.get("baselines", {})],
        groups=_grouped(main, found.get("baselines", {})),
        protocol=_protocol(found["protocol"]),
        notes=found["protocol"].get("notes", []),
        is_fid=main.get("frechet_distance", {}).get("extractor") == "inception",
        extractors=extractors,
        others=others,
        curve=trade_off(curve["generated"], curve["floor"]) if curve else "",
        curve_says=_curve_says(main),
        realism=realism(found["realism"]) if "realism" in found else None,
        kinds=kinds(found["groups"]) if found.get("groups") else None,
        anatomy=anatomy(found["anatomy"]) if found.get("anatomy") else None,
        encoder=_encoder(found["encoder"]) if "encoder" in found else [],
        obeyed=obeyed_rows(found["encoder"]) if "encoder" in found else [],
        masks=mask_rows(found["masks"]) if "masks" in found else [],
        confusion=found.get("confusion"),
        detection=detection,
        most_real=taken(detection.get("most_real", []), generator) if detection else [],
        least_real=taken(detection.get("least_real", []), generator) if detection else [],
        memorisation=memorisation,
        pairs=pairs(memorisation, generator, store) if memorisation else [],
    )


def _grouped(metrics: Found, baselines: Found) -> dict[str, list[Row]]:
    """Put the metrics into the groups of the table, unknown ones into a last one."""
    names = {title: [name for name in of_group if name in metrics] for title, of_group in GROUPS.items()}
    names["Further"] = [name for name in metrics if name not in WORDS]
    return {
        title: [_row(name, metrics[name], baselines) for name in of_group]
        for title, of_group in names.items()
        if of_group
    }


def _row(name: str, entry: Found, baselines: Found) -> Row:
    words = words_of(name, entry)
    of_baselines = [number(of[name], share=words.share) if name in of else "" for of in baselines.values()]
    floor = number(entry["floor"], share=words.share) if "floor" in entry else ""
    interval = interval_of(entry, words.share)
    return Row(words, value_of(entry, words.share), interval, floor, beside_real(entry), of_baselines)


def _protocol(protocol: Found) -> dict[str, str]:
    """Say how it was measured."""
    seeds, uses = protocol["generation_seeds"], protocol.get("test_uses")
    said = {
        "Slices": f"{protocol['count']:,} generated ones of each of {seeds} seed{'s' * (seeds > 1)}, beside as "
        f"many real ones of {protocol['subjects']} {protocol['split']} subjects, which the training never saw; real "
        f"training slices: as many of {protocol['training_subjects']} subjects"
        + (f"; {protocol['side']}×{protocol['side']} pixels of {protocol['bits']} bits" if "bits" in protocol else ""),
        "Features": protocol["extractor"],
        "Near": f"within the distance to a slice's {protocol['neighbours']} nearest neighbours (k)",
        "Intervals": protocol.get("intervals", "none"),
    }
    if uses is not None:
        said["Test subjects"] = (
            f"used to measure {uses} snapshot{'s' * (uses > 1)} so far"
            + (": the more, the likelier that the best one was lucky" * (uses > 1))
        )  # fmt: skip
    return said


def _others(metrics: Found, described: Found) -> tuple[dict[str, str], list[tuple[str, list[dict[str, str]]]]]:
    """Return the further extractors, and a row per metric with a cell for each of them."""
    parts = {full: full.partition("@")[::2] for full in metrics if "@" in full}
    names = list(dict.fromkeys(extractor for _, extractor in parts.values()))
    rows = []
    for metric in dict.fromkeys(metric for metric, _ in parts.values()):
        share = WORDS[metric].share if metric in WORDS else False
        cells = []
        for extractor in names:
            entry = metrics.get(f"{metric}@{extractor}")
            cells.append(_cell(metric, entry, share) if entry else {})
        rows.append((WORDS[metric].name if metric in WORDS else metric, cells))
    return {name: described.get(name, "") for name in names}, rows


def _cell(metric: str, entry: Found, share: bool) -> dict[str, str]:
    return {
        "name": "FID" if (metric, entry.get("extractor")) == ("frechet_distance", "inception") else "",
        "value": value_of(entry, share),
        "interval": interval_of(entry, share),
        "floor": number(entry["floor"], share=share) if "floor" in entry else "",
    }


def _encoder(found: Found) -> list[dict[str, str]]:
    """Return what the store's encoder takes real and generated slices for, a row per answer."""
    real, generated = found["real"], found["generated"]
    rows = [
        {
            "what": f"{by}: {name}",
            "real": number(share, share=True),
            "generated": number(made.get(name, 0.0), share=True),
        }
        for by in ("frame", "label")
        for made in [generated.get(by, {})]
        for name, share in real.get(by, {}).items()
    ]
    if "depth" in real:
        for share, depth in real["depth"].items():
            rows.append(
                {
                    "what": f"depth (0 to 1 along the axis) below which {share} of 100 lie",
                    "real": number(depth),
                    "generated": number(generated["depth"][share]),
                }
            )
    if "lesion" in real:
        for key, what, share in (
            ("share", "slices with a lesion", True),
            ("mean_area_mm2", "their mean area, mm²", False),
        ):
            made = generated["lesion"][key]
            rows.append(
                {"what": what, "real": number(real["lesion"][key], share=share), "generated": number(made, share=share)}
            )
    return rows


def obeyed_rows(found: Found) -> list[dict[str, str]]:
    """Return how far generated slices show what they were told, beside how well real ones are told apart."""
    rows = []
    for name, of in found.get("obeyed", {}).items():
        score, _, frame = name.partition(" in ")
        if score in OBEYED:
            what, share = OBEYED[score]
            real = found["scores"].get(name, {}).get("value")
            value = "" if real is None else number(real, share=share)
            what = f"{what}, in {frame}" if frame else what
            rows.append({"what": what, "real": value, "generated": number(of["value"], share=share)})
    return rows


def mask_rows(found: Found) -> list[dict[str, str]]:
    """Return how lesion masks fit, a row per frame; the first rows are of all."""
    words = {
        "area_correlation": "the same of masks that were told a lesion",
        "mean_told_mm2": "mean area told of these, mm²",
        "area_error_mm2": "mean difference of the areas of these, mm²",
    }
    values = [("correlation of a mask's area with the area told", found.get("area_correlation"))]
    values += [(what, found.get("of_lesions", {}).get(name)) for name, what in words.items()]
    rows = [{"what": what, "real": "", "generated": number(value)} for what, value in values if value is not None]
    for frame, of in found.get("lesions", {}).items():
        counts = {side: f"{of[side]['with_lesion']} of {of[side]['slices']}" for side in ("real", "generated")}
        rows.append({"what": f"{frame}: slices with a lesion" if frame else "slices with a lesion", **counts})
    for frame, of in found["frames"].items():
        name = f"{frame}: " if frame else ""
        for what, key, share in (
            ("contrast of lesions to what is around them, grey levels", "", False),
            ("lesions whose contrast has the sign of real ones", "_same_sign", True),
        ):
            real, made = (number(of[f"{side}{key}"], share=share) for side in ("real", "generated"))
            rows.append({"what": f"{name}{what}", "real": real, "generated": made})
    return rows


def _curve_says(metrics: Found) -> str:
    if not {"f8", "f1_8"} <= metrics.keys():
        return ""
    said = [
        f"{name} {number(metrics[key]['value'])} (real training slices {number(metrics[key]['floor'])})"
        for name, key in (("F8", "f8"), ("F1/8", "f1_8"))
    ]
    return ", ".join(said)
