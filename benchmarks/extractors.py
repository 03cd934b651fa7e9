"""How many slices a second each extractor takes, on this machine's processor.

    python3 benchmarks/extractors.py [--count 64]

Inception gets made weights: they take as long as trained ones. Slices are noise of 112 pixels; each figure is the best
of three rounds in turns, so that other work on the machine falls on all.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from braingan.evaluation.features.efficientnet import EfficientNetLite2
from braingan.evaluation.features.inception import Inception
from braingan.evaluation.features.inception_v3 import ConvolutionNormRelu, InceptionV3
from braingan.evaluation.features.random import RandomNetwork

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "models")]


def main():
    import made_inception as made

    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=64)
    images = np.random.default_rng(0).integers(0, 256, (parser.parse_args().count, 112, 112), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "made.pth"
        torch.save(made.state(InceptionV3("max"), ConvolutionNormRelu), weights)
        extractors = [Inception(weights), EfficientNetLite2(), RandomNetwork()]
    best = dict.fromkeys((extractor.name for extractor in extractors), float("inf"))
    for _ in range(3):
        for extractor in extractors:
            start = time.perf_counter()
            extractor.features(images)
            best[extractor.name] = min(best[extractor.name], time.perf_counter() - start)
    for name, seconds in best.items():
        print(f"{name}: {len(images) / seconds:.1f} slices/s on {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()
