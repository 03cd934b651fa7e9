"""Record what Keras computes with the thesis's four networks; the tests hold ours to it.

    python3 benchmarks/keras_parity.py      (makes a virtual environment of its own with tensorflow-cpu)

Each network gets weights from `tests/models/formula.py`. Recorded, in float64: outputs in evaluation mode, and of
one training step of each generator against the discriminator the two losses, all gradients, and the moving
averages afterwards. Large arrays are recorded by their norm and 256 entries.
"""

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
FIXTURE = ROOT / "tests" / "models" / "keras_parity.npz"
BATCH = 4
sys.path.insert(0, str(ROOT / "tests" / "models"))


def layer(kind, output, stride, activation):
    """Make a Keras layer by its name in the table and its output's shape."""
    import keras

    make = {
        "Dense": lambda: keras.layers.Dense(output[0], use_bias=output == (1,)),
        "LeakyReLU": lambda: keras.layers.LeakyReLU(negative_slope=0.01),
        "Reshape": lambda: keras.layers.Reshape(output),
        "Flatten": keras.layers.Flatten,
        "BatchNormalization": keras.layers.BatchNormalization,
        "Conv2D": lambda: keras.layers.Conv2D(output[2], 5, strides=2, padding="same"),
        "Conv2DTranspose": lambda: keras.layers.Conv2DTranspose(
            output[2], 5, strides=stride, padding="same", activation=activation
        ),
    }
    return make[kind]()


def build(name, rows, inputs):
    """Build a network from its table of layers, with weights from the formula."""
    import formula
    import keras

    network, shape = keras.Sequential([keras.Input(inputs)]), inputs
    for number, (kind, output, _) in enumerate(rows):
        output = tuple(output)
        last = number == len(rows) - 1
        network.add(layer(kind, output, output[0] // shape[0] or 1, "tanh" if last else None))
        assert network.layers[-1].output.shape[1:] == output, (name, kind, output)
        shape = output
    for number, made in enumerate(network.layers):
        for variable in made.weights:
            variable.assign(formula.weights(name, number, variable.name, tuple(variable.shape)))
    return network


def named(network):
    """Yield `number/variable` with each trainable variable."""
    for number, made in enumerate(network.layers):
        for variable in made.trainable_weights:
            yield f"{number}/{variable.name}", variable


def record():
    import formula
    import keras
    import tensorflow as tf

    keras.backend.set_floatx("float64")
    thesis = tomllib.loads((ROOT / "src/braingan/thesis.toml").read_text())
    latents, real = tf.constant(formula.latents(BATCH)), tf.constant(formula.real_slices(BATCH)[..., None])
    cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    found = {}
    for name, table in thesis["generator"].items():
        generator = build(name, table["layers"], (100,))
        discriminator = build("discriminator", thesis["discriminator"]["thesis"]["layers"], (112, 112, 1))
        assert generator.count_params() == table["parameters_total"]
        found[f"{name}/output"] = formula.probe(generator(latents, training=False))
        found["discriminator/output"] = formula.probe(discriminator(real, training=False))
        with tf.GradientTape(persistent=True) as tape:
            fake = generator(latents, training=True)
            on_real, on_fake = discriminator(real, training=True), discriminator(fake, training=True)
            loss_d = cross_entropy(tf.ones_like(on_real), on_real) + cross_entropy(tf.zeros_like(on_fake), on_fake)
            loss_g = cross_entropy(tf.ones_like(on_fake), on_fake)
        found[f"{name}/losses"] = np.array([loss_d, loss_g])
        for player, network, loss in (("generator", generator, loss_g), ("discriminator", discriminator, loss_d)):
            for key, variable in named(network):
                gradient = tape.gradient(loss, variable.value)
                found[f"{name}/{player}/gradient/{key}"] = formula.probe(gradient)
            for number, made in enumerate(network.layers):
                for variable in made.non_trainable_weights:
                    found[f"{name}/{player}/moving/{number}/{variable.name}"] = variable.numpy()
        print(name, found[f"{name}/losses"], flush=True)
    np.savez_compressed(
        FIXTURE, versions=np.array([f"tensorflow {tf.__version__}", f"keras {keras.__version__}"]), **found
    )
    print(f"{FIXTURE.relative_to(ROOT)}: {len(found)} arrays, {FIXTURE.stat().st_size} bytes")


if __name__ == "__main__":
    if "--record" in sys.argv:
        record()
    else:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            python = Path(folder) / "bin" / "python"
            subprocess.run([python, "-m", "pip", "install", "-q", "tensorflow-cpu"], check=True)
            subprocess.run([python, __file__, "--record"], check=True)
