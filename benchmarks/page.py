"""How long the page takes to make slices and to show what is there, on this machine.

    python benchmarks/page.py FOLDER [--name page]

FOLDER is a study's, a run's, or one of runs, as for `braingan serve`. Each answer is timed in this process, from the
request to its last byte, the pages of the first run and the overview among them. Slices are made by each run in turn
and other seeds each time, after one call that opens the networks and sets up the gate; medians are printed and written
to `benchmarks/results/NAME.json`.
"""

import argparse
import json
import re
import statistics
import time
from pathlib import Path

from fastapi.testclient import TestClient

from braingan.folders import write_json
from braingan.training.devices import Device
from braingan.web.app import create_app

RESULTS = Path(__file__).resolve().parent / "results"
COUNTS, ROUNDS, BUSY = (8, 16, 64), 5, 429


def seconds(ask):
    """Time a request, whose answer has to be whole."""
    begun = time.perf_counter()
    answer = ask()
    answer.raise_for_status()
    return time.perf_counter() - begun, answer.text


def made(client, run, count, seed):
    """Time slices of a run that the gate has judged."""
    took, text = seconds(lambda: client.post(f"/runs/{run}/slices", data={"count": count, "seed": seed}))
    if text.count("<figure") != count or "could not be looked for" in text:
        raise SystemExit(f"{run}: not {count} slices that were looked at for copies; its store may be gone.")
    return took


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--name", default="page")
    given = parser.parse_args(arguments)
    client = TestClient(create_app(given.folder), base_url="http://127.0.0.1:8765")
    runs = re.findall(r'id="open-([^"]+)"', client.get("/").text)
    found = {"device": Device.choose("float32").describe(), "runs": {}, "pages": {}}
    for run in runs:
        while client.post(f"/runs/{run}/slices", data={"count": 8}).status_code == BUSY:
            time.sleep(2)
        taken = {count: [made(client, run, count, 1 + seed) for seed in range(ROUNDS)] for count in COUNTS}
        found["runs"][run] = {f"{count} slices, s": statistics.median(of) for count, of in taken.items()}
    for page in ("/", "/rows", f"/runs/{runs[0]}", "/readings"):
        found["pages"][page.replace(runs[0], "RUN")] = statistics.median(
            seconds(lambda page=page: client.get(page))[0] for _ in range(ROUNDS)
        )
    write_json(RESULTS / f"{given.name}.json", found)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
