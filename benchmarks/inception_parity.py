"""Record what the known implementations make of made weights and pictures; the tests hold our extractors to it.

    python3 benchmarks/inception_parity.py FOLDER     (keeps two virtual environments in FOLDER, and uses them again)

In one: torch-fidelity's Inception of 2015 (its features, and its logits without bias), clean-fid's resizing, and the
pixels that scikit-image's resizing of order 0 takes; in the other: Keras's InceptionV3, and how Keras names its arrays
in a file. All in float64, from weights and pictures of `tests/made_inception.py`. Imported whole, torch-fidelity and
clean-fid need torchvision: so their modules are loaded by themselves.
"""

import importlib.util
import subprocess
import sys
import tempfile
import types
from pathlib import Path
from unittest import mock

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
FIXTURES = ROOT / "tests" / "evaluation" / "features"
NEEDED = {
    "torch": [
        ["torch==2.13.0", "numpy", "pillow", "scikit-image"],
        ["--no-deps", "torch-fidelity==0.4.0", "clean-fid==0.1.35"],
    ],
    "keras": [["tensorflow-cpu"]],
}
NEAREST_SIDES = (28, 64, 96, 112, 128, 160, 192, 224, 240, 256, 299)
RESIZED_BLOCKS = ((14, 112), (64, 64), (320, 320))
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "models")]


def part_of(package, module):
    """Import a module of an installed package without the package's own `__init__`."""
    if package not in sys.modules:
        folder = importlib.util.find_spec(package).submodule_search_locations
        sys.modules[package] = types.ModuleType(package)
        sys.modules[package].__path__ = list(folder)
    return importlib.import_module(f"{package}.{module}")


def record_torch():
    """Record torch-fidelity, clean-fid and scikit-image."""
    import skimage
    import torch
    from skimage.transform import resize

    import made_inception as made

    inception = part_of("torch_fidelity", "feature_extractor_inceptionv3")
    kind = inception.FeatureExtractorInceptionV3
    with mock.patch.object(torch, "load"), mock.patch.object(kind, "load_state_dict"):  # its own are not wanted
        network = kind("made", ["2048", "logits_unbiased"], "none", feature_extractor_internal_dtype="float64")
    state, convolutions = made.classifier(), []
    for name, module in network.named_modules():
        if isinstance(module, inception.BasicConv2d):
            arrays = made.convolution(len(convolutions), tuple(module.conv.weight.shape))
            state |= {f"{name}.{key}": values for key, values in arrays.items()}
            convolutions.append(name)
    state = {key: torch.from_numpy(values) for key, values in state.items()}
    missing, unexpected = network.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    inputs = torch.from_numpy(made.pictures())[:, None].expand(-1, 3, -1, -1)
    with torch.no_grad():
        features, logits = network(inputs)
    resizer = part_of("cleanfid", "resize").build_resizer("clean")
    found = {"features": features.numpy(), "logits": logits.numpy(), "convolutions": np.array(convolutions)}
    for blocks, side in RESIZED_BLOCKS:
        picture = made.mosaic(blocks, side)
        found[f"resized/{blocks}/{side}"] = resizer(np.repeat(picture[..., None], 3, axis=2))[::7, ::7, 1]
    for side in NEAREST_SIDES:
        rows = np.repeat(np.arange(side, dtype=np.float32)[:, None], side, axis=1)
        found[f"nearest/{side}"] = resize(rows, (299, 299), 0)[:, 0].astype(np.int16)
    save("torch_parity.npz", [f"torch {torch.__version__}", f"scikit-image {skimage.__version__}"], found)


def record_keras():
    """Record Keras."""
    import h5py
    import keras
    import tensorflow as tf
    from keras.applications.inception_v3 import InceptionV3, preprocess_input

    import made_inception as made

    keras.backend.set_floatx("float64")
    model = InceptionV3(include_top=False, weights=None, input_shape=(299, 299, 3), pooling="avg")
    for kind, stem in ((keras.layers.Conv2D, "conv2d"), (keras.layers.BatchNormalization, "batch_normalization")):
        layers = [layer for layer in model.layers if isinstance(layer, kind)]
        layers.sort(key=lambda layer: int(layer.name.removeprefix(stem).removeprefix("_") or 0))
        if kind is keras.layers.Conv2D:
            shapes = [tuple(layer.kernel.shape[axis] for axis in (3, 2, 0, 1)) for layer in layers]
        for number, layer in enumerate(layers):
            arrays = made.convolution(number, shapes[number])
            if kind is keras.layers.Conv2D:
                layer.set_weights([arrays["conv.weight"].transpose(2, 3, 1, 0)])
            else:
                layer.set_weights([arrays[f"bn.{name}"] for name in ("bias", "running_mean", "running_var")])
    inputs = np.repeat(made.pictures()[..., None], 3, axis=3).astype("float64")
    found = {"features": model.predict(preprocess_input(inputs), verbose=0), "convolutions": np.array(len(shapes))}
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.h5")
        with h5py.File(Path(folder) / "model.h5") as file:
            names = []
            file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    found["names"] = np.array([name for name in names if not name.startswith("optimizer")])
    save("keras_parity.npz", [f"tensorflow {tf.__version__}", f"keras {keras.__version__}"], found)


def save(name, versions, found):
    small = {key: values.astype(np.float32) if values.dtype == np.float64 else values for key, values in found.items()}
    np.savez_compressed(FIXTURES / name, versions=np.array(versions), **small)
    print(f"{name}: {', '.join(versions)}; {len(found)} arrays, {(FIXTURES / name).stat().st_size} bytes")
    print(f"features from {found['features'].min():.4g} to {found['features'].max():.4g}")


def main(folder):
    for name, installs in NEEDED.items():
        python = Path(folder).resolve() / name / "bin" / "python"
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", python.parents[1]], check=True)
            for install in installs:
                subprocess.run([python, "-m", "pip", "install", "-q", *install], check=True)
        subprocess.run([python, __file__, "--record", name], check=True)


if __name__ == "__main__":
    if sys.argv[1] == "--record":
        {"torch": record_torch, "keras": record_keras}[sys.argv[2]]()
    else:
        main(sys.argv[1])
