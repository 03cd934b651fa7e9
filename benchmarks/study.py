"""What a finished study amounts to, in a file: its cells over the training seeds, and the source study's claims.

    braingan study recipes/studies/thesis-small-seeds.toml --data STORE --out STUDY
    python benchmarks/study.py STUDY [--name study]

Nothing is trained or measured here; all is read from the study's folder and written to `benchmarks/results/NAME.json`.
"""

import argparse
from pathlib import Path

from braingan.folders import StudyFolder, read_json, write_json
from braingan.report.study_figures import series_of
from braingan.study.claims import check
from braingan.study.table import by_cell, minutes_of, on_the_way, over_seeds, read_plan, read_rows
from trials import RESULTS

KEPT = ("frechet_distance", "precision_other_subject", "recall_other_subject", "detector_accuracy", "copies")


def summary(folder):
    """Return what a study amounts to."""
    plan, rows = read_plan(folder), read_rows(folder)
    between = on_the_way(rows, plan["protocol"])
    longest = {row.run.root: row.seconds for row in sorted(rows, key=lambda row: row.epochs)}
    measured = {row.snapshot: row.found.get("seconds", 0.0) for row in (*rows, *between) if row.found}
    return {
        "title": plan["title"],
        "store": {key: read_json(Path(plan["store_folder"]) / "store.json")[key] for key in ("source", "fingerprint")},
        "device": sorted({row.device for row in rows}),
        "cells": len(by_cell(rows)),
        "trainings": len(longest),
        "seeds": max(map(len, by_cell(rows))),
        "training_minutes": sum(longest.values()) / 60,
        "evaluation_minutes": sum(measured.values()) / 60,
        "protocol": plan["protocol"],
        "rows": [
            {
                "cell": series_of(cell[0]),
                "measured": sum(row.found is not None for row in cell),
                "minutes": minutes_of(cell),
                "metrics": {name: found for name in KEPT if (found := over_seeds(cell, name))},
            }
            for cell in by_cell(rows)
        ],
        "claims": [{"claim": of.claim, "verdict": of.verdict, "because": of.because} for of in check(rows)],
    }


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("--name", default="study")
    given = parser.parse_args(arguments)
    found = summary(StudyFolder(given.study))
    write_json(RESULTS / f"{given.name}.json", found)
    for row in found["rows"]:
        distance = row["metrics"].get("frechet_distance")
        said = f"{distance['value']:.4g} ({distance['low']:.4g} to {distance['high']:.4g})" if distance else "none yet"
        print(f"{row['cell']}: Fréchet distance {said}, {row['minutes']:.1f} min, {row['measured']} measured")
    for of in found["claims"]:
        print(f"{of['claim']}: {of['verdict']}; {of['because']}")
    print(f"{found['training_minutes']:.0f} min of training, {found['evaluation_minutes']:.0f} of evaluation")


if __name__ == "__main__":
    main()
