"""How fast a training is on a CPU, beside what the hardware gives and beside how such trainings are usually written.

    python benchmarks/train.py [--repeats 3] [--steps 6]

Both players of each of the thesis's networks are updated on batches of 64 random slices of 112×112. The ways take
turns, each in a process of its own, since other work disturbs a machine; a row is the median over all repeats' steps,
the first of a process left out.

- *ours*: the training's own step, averaged weights and health included, in the precision that `auto` takes.
- *plain*: the same networks as PyTorch users write them: float32, contiguous, the library's transposed convolutions.
- *Keras*: the same networks in Keras 3 on TensorFlow, a `tf.function` with two gradient tapes, float32; in a virtual
  environment of its own (kept in the folder that `--keras` names), left out where that can't be made.
- *convolutions*: each convolution of such a step by itself, in bf16, with the gradients that the step needs of it: no
  step can be faster than the sum of these.
- *matrix product*: 2048×2048, in bf16 and in float32: what the processor gives.

Then what a checkpoint costs: a state is saved while steps go on, and the time that these take longer is its cost. A
table is printed; `benchmarks/results/train.json` has all of it.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "train.json"
MODELS = ("thesis4", "thesis7", "thesis15")
BATCH, SIDE, LATENT = 64, 112, 100
CHECKPOINT_SECONDS = 120

# The ways, each in a process of its own: they print what they measured as JSON.


def timed(step, steps):
    """Seconds of each step but the first."""
    found = []
    for _ in range(steps + 1):
        begun = time.perf_counter()
        step()
        found.append(time.perf_counter() - begun)
    return found[1:]


def inputs():
    import torch

    torch.manual_seed(0)
    return torch.rand(BATCH, 1, SIDE, SIDE) * 2 - 1, torch.randn(BATCH, LATENT)


def our_training(name):
    from braingan.executor import keep_freed_memory
    from braingan.models import MODELS
    from braingan.models.architecture import Real
    from braingan.training.devices import Device
    from braingan.training.objectives import OBJECTIVES
    from braingan.training.settings import TrainingSettings
    from braingan.training.state import initial_state
    from braingan.training.step import Step

    keep_freed_memory()
    settings, device = TrainingSettings(batch_size=BATCH), Device.choose("auto")
    slices, latents = inputs()
    real = Real.alone(slices)
    state = initial_state(MODELS[name](), settings, real, BATCH, device)
    step = Step(state, OBJECTIVES["non_saturating"], settings, device)

    def train():
        state.epoch.add(step(real, latents))
        state.step += 1
        state.averaged.update(state.networks["generator"], BATCH, state.step * BATCH)

    return state, train, device


def ours(name, steps):
    _, train, device = our_training(name)
    return {"seconds": timed(train, steps), "device": device.describe()}


def checkpoint(name, steps):
    """What a checkpoint costs: how much longer the steps take from its beginning until it is written."""
    from braingan.training.checkpoint import CheckpointWriter

    state, train, _ = our_training(name)
    usual = statistics.median(timed(train, steps))
    with tempfile.TemporaryDirectory() as folder:
        writer = CheckpointWriter(Path(folder), CHECKPOINT_SECONDS)
        begun, done = time.perf_counter(), 0
        writer.save(1, state.to_dict())
        blocked = time.perf_counter() - begun
        while writer.writing:
            train()
            done += 1
        taken = time.perf_counter() - begun
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
    return {"cost": taken - done * usual, "blocked": blocked, "writing": taken, "bytes": size, "step": usual}


def plain(name, steps):
    """As usually written; the networks are the thesis's, their layers PyTorch's own."""
    import torch
    import torch.nn.functional as F

    from braingan.models import MODELS, keras

    class Transposed(keras.Conv2DTranspose):
        def forward(self, input):
            if self.stride[0] == 1:
                return F.conv_transpose2d(input, self.weight, self.bias, padding=2)
            return F.conv_transpose2d(input, self.weight, self.bias, 2, padding=1)[:, :, :-1, :-1]

    networks = MODELS[name]().build(SIDE)
    for layer in networks.modules():
        if isinstance(layer, keras.Conv2DTranspose):
            layer.__class__ = Transposed
    generator, discriminator = networks["generator"], networks["discriminator"]
    adam_g, adam_d = (torch.optim.Adam(n.parameters(), 2e-4, (0.5, 0.999)) for n in (generator, discriminator))
    real, latents = inputs()
    bce, ones, zeros = F.binary_cross_entropy_with_logits, torch.ones(BATCH, 1), torch.zeros(BATCH, 1)

    def train():
        fake = generator(latents)
        adam_d.zero_grad()
        (bce(discriminator(real), ones) + bce(discriminator(fake.detach()), zeros)).backward()
        adam_d.step()
        adam_g.zero_grad()
        bce(discriminator(fake), ones).backward()
        adam_g.step()

    return {"seconds": timed(train, steps)}


def keras_step(name, steps):
    import keras
    import numpy as np
    import tensorflow as tf

    from keras_parity import build

    thesis = tomllib.loads((ROOT / "src" / "braingan" / "thesis.toml").read_text())
    generator = build(name, thesis["generator"][name]["layers"], (LATENT,))
    discriminator = build("discriminator", thesis["discriminator"]["thesis"]["layers"], (SIDE, SIDE, 1))
    adam_g, adam_d = (keras.optimizers.Adam(2e-4, 0.5) for _ in range(2))
    cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    rng = np.random.default_rng(0)
    real = tf.constant(rng.uniform(-1, 1, (BATCH, SIDE, SIDE, 1)).astype(np.float32))
    latents = tf.constant(rng.standard_normal((BATCH, LATENT), np.float32))

    @tf.function
    def train():
        with tf.GradientTape() as tape_g, tf.GradientTape() as tape_d:
            fake = generator(latents, training=True)
            on_real, on_fake = discriminator(real, training=True), discriminator(fake, training=True)
            loss_d = cross_entropy(tf.ones_like(on_real), on_real) + cross_entropy(tf.zeros_like(on_fake), on_fake)
            loss_g = cross_entropy(tf.ones_like(on_fake), on_fake)
        for tape, loss, network, adam in (
            (tape_g, loss_g, generator, adam_g), (tape_d, loss_d, discriminator, adam_d)
        ):  # fmt: skip
            variables = network.trainable_variables
            adam.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss_d

    return {
        "seconds": timed(lambda: train().numpy(), steps),
        "versions": f"tensorflow {tf.__version__}, keras {keras.__version__}",
    }


def convolutions(name, steps):
    """Each convolution by itself, with the gradients that a step needs of it."""
    import torch

    from braingan.executor import keep_freed_memory
    from braingan.models import MODELS
    from braingan.models.architecture import channels_last
    from braingan.models.keras import Conv2D, Conv2DTranspose

    keep_freed_memory()
    networks = MODELS[name]().build(SIDE)
    channels_last(networks)
    seconds, operations = 0.0, 0
    for player, start in (("generator", inputs()[1]), ("discriminator", inputs()[0])):
        values = start
        for layer in networks[player]:
            with torch.no_grad():
                given, values = values, layer(values)
            if not isinstance(layer, Conv2D | Conv2DTranspose):
                continue
            given = given.bfloat16()
            area = (
                min(given.shape[2], values.shape[2]) ** 2
            )  # of the smaller side: each kernel entry is used there once
            multiplications = BATCH * area * layer.weight.numel()
            first = given.shape[1] == 1
            to_weight, to_input = [layer.weight, layer.bias], [given.requires_grad_()]
            # A generator's: forwards, and the gradients of both. A discriminator's: forwards on real and on generated
            # slices, the gradients of both for its own loss, twice, and by the input alone for the generator's.
            passes = [to_weight + to_input] if player == "generator" else [
                to_weight + ([] if first else to_input), to_weight + ([] if first else to_input), to_input
            ]  # fmt: skip
            forwards = 1 if player == "generator" else 2
            with torch.autocast("cpu", torch.bfloat16):
                seconds += forwards * statistics.median(timed(lambda: layer(given), steps))  # noqa: B023
                output = layer(given)
            gradient = torch.randn_like(output)
            operations += 2 * forwards * multiplications
            for wanted in passes:
                seconds += statistics.median(
                    timed(lambda: torch.autograd.grad(output, wanted, gradient, retain_graph=True), steps)  # noqa: B023
                )
                operations += 2 * multiplications * ((layer.weight in set(wanted)) + (given in set(wanted)))
    return {"seconds": [seconds], "operations": operations}


def matrices(_, steps):
    import torch

    found = {}
    for kind in (torch.bfloat16, torch.float32):
        one, other = (torch.randn(2048, 2048).to(kind) for _ in range(2))
        found[str(kind).removeprefix("torch.")] = 2 * 2048**3 / min(timed(lambda: one @ other, 2 * steps))  # noqa: B023
    return found


WAYS = {"ours": ours, "plain": plain, "keras": keras_step, "convolutions": convolutions, "matrices": matrices,
        "checkpoint": checkpoint}  # fmt: skip

# The comparison.


def run(way, name, steps, python=sys.executable):
    call = [python, __file__, "--way", way, "--model", name, "--steps", str(steps)]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(call, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{way}, {name}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def keras_python(folder):
    """Make Keras's virtual environment, unless it is there; None, with a word, where it can't be made."""
    python = folder / "bin" / "python"
    try:
        if subprocess.run([python, "-c", "import tensorflow"], capture_output=True).returncode == 0:
            return python
    except OSError:
        pass
    try:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "tensorflow-cpu"], check=True, stderr=subprocess.DEVNULL)
    except subprocess.CalledProcessError:
        print("Keras: not measured, TensorFlow can't be installed here", file=sys.stderr)
        return None
    return python


def measure(repeats, steps, keras):
    python = keras_python(keras)
    ways = ["ours", "plain", "convolutions", *(["keras"] if python else [])]
    seconds = {(way, name): [] for way in ways for name in MODELS}
    once, notes = {}, {}
    rates = {"bfloat16": 0.0, "float32": 0.0}
    for repeat in range(repeats):
        found = run("matrices", "thesis4", steps)
        rates = {kind: max(rate, found[kind]) for kind, rate in rates.items()}
        for name in MODELS:
            for way in ways:
                found = run(way, name, steps, python if way == "keras" else sys.executable)
                seconds[way, name].append(found.pop("seconds"))
                notes |= {key: value for key, value in found.items() if key in ("device", "versions")}
                if "operations" in found:
                    once[name] = {"operations_an_image": found["operations"] / BATCH}
                print(
                    f"{repeat + 1}/{repeats} {name} {way}: {per_second(seconds[way, name][-1:]):.1f}", file=sys.stderr
                )
    return {
        **notes, "machine": platform.platform(), "batch": BATCH, "repeats": repeats,
        "matrix_product_gflops": {kind: rate / 1e9 for kind, rate in rates.items()},
        "models": {
            name: once[name] | {
                "images_per_second": {way: per_second(seconds[way, name]) for way in ways},
                "of_each_repeat": {way: [per_second([each]) for each in seconds[way, name]] for way in ways},
                "checkpoint": run("checkpoint", name, steps),
            } for name in MODELS
        },
    }  # fmt: skip


def per_second(repeats):
    """Images a second, by the median step of all repeats."""
    return BATCH / statistics.median([step for steps in repeats for step in steps])


def show(result):
    gflops = result["matrix_product_gflops"]
    print(result["device"], result.get("versions", "Keras: not measured"), sep="; ")
    print(f"matrix product: bf16 {gflops['bfloat16']:.0f}, float32 {gflops['float32']:.0f} GFLOP/s")
    for name, row in result["models"].items():
        rates, saved = row["images_per_second"], row["checkpoint"]
        ratios = "".join(f", {rates['ours'] / rates[way]:.2f} × {way}" for way in rates if way != "ours")
        print(
            f"{name}: " + ", ".join(f"{way} {rate:.1f}" for way, rate in rates.items()) + f" images/s{ratios}; "
            f"{row['operations_an_image'] / 1e9:.1f} GFLOP an image; a checkpoint of {saved['bytes'] / 2**20:.0f} MiB "
            f"costs {saved['cost']:.2f} s ({saved['blocked']:.2f} s blocked), "
            f"{saved['cost'] / CHECKPOINT_SECONDS:.1%} of {CHECKPOINT_SECONDS} s"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--keras", type=Path, default=Path(tempfile.gettempdir()) / "braingan-keras")
    parser.add_argument("--way", choices=WAYS)
    parser.add_argument("--model", choices=MODELS)
    chosen = parser.parse_args()
    if chosen.way:
        print(json.dumps(WAYS[chosen.way](chosen.model, chosen.steps)))
        return
    result = measure(chosen.repeats, chosen.steps, chosen.keras)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    show(result)


if __name__ == "__main__":
    main()
