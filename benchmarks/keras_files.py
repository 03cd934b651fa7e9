"""Write the small files of Keras that the tests read: the four networks, narrow, with what Keras makes of them.

    python benchmarks/keras_files.py OUT      with Keras installed: 2.15 with TensorFlow, or 3 with any backend

Each network is saved as `NAME-keras<version>.h5` and `.keras`, its moving averages away from where they begin, and
`keras<version>.npz` holds inputs and Keras's outputs. The files are under 1 MB together.
"""

import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers

LATENT, BASE = 100, 4


def leaky(slope=0.01):
    return layers.LeakyReLU(**{"alpha" if keras.__version__.startswith("2") else "negative_slope": slope})


def up(filters, strides, **more):
    return layers.Conv2DTranspose(filters, 5, strides=strides, padding="same", **more)


def beginning(filters, *between):
    dense = layers.Dense(BASE * BASE * filters, use_bias=False)
    return [keras.Input((LATENT,)), dense, *between, layers.Reshape((BASE, BASE, filters))]


def normed(layer):
    return [layer, layers.BatchNormalization(), leaky()]


def networks():
    """The source study's tables 1 to 4, narrow."""
    down = [layers.Conv2D(filters, 5, strides=2, padding="same") for filters in (2, 3, 4)]
    return {
        "thesis4": [*beginning(4, leaky()), up(1, 2, activation="tanh")],
        "thesis7": [*beginning(4), *normed(up(3, 2)), *normed(up(2, 1)), up(1, 2, activation="tanh")],
        "thesis15": [
            *beginning(4), *normed(up(4, 2)), *normed(up(3, 1)), *normed(up(3, 2)), *normed(up(2, 1)),
            up(1, 2, activation="tanh"),
        ],
        "discriminator": [
            keras.Input((16, 16, 1)), down[0], leaky(), *normed(down[1]), *normed(down[2]), layers.Flatten(),
            layers.Dense(1, activation="sigmoid"),
        ],
    }  # fmt: skip


def main(out):
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    version, random, arrays = f"keras{keras.__version__.partition('.')[0]}", np.random.default_rng(0), {}
    for name, of in networks().items():
        model = keras.Sequential(of)
        model.set_weights([
            weights + np.abs(random.normal(0, 0.1, weights.shape)) if weights.ndim == 1 else weights
            for weights in model.get_weights()
        ])  # fmt: skip
        inputs = random.normal(size=(2, *model.input_shape[1:])).astype(np.float32)
        arrays[name], arrays[f"{name} made"] = inputs, np.asarray(model.predict(inputs, verbose=0))
        for kind in ("h5", "keras"):
            model.save(out / f"{name}-{version}.{kind}")
    np.savez_compressed(out / f"{version}.npz", **arrays)


if __name__ == "__main__":
    main(sys.argv[1])
