"""Weights and pictures that Keras, torch-fidelity and we compute alike, from integer arithmetic alone.

NumPy only: `benchmarks/inception_parity.py` imports this where no braingan is installed.
"""

import numpy as np
from formula import uniform


def convolution(number, shape):
    """The weights of one convolution (output, input, height, width) and its batch norm, by number in Keras's order."""
    outputs = shape[0]
    near_zero = {name: 0.1 * uniform(f"{number}/{name}", (outputs,)) for name in ("bias", "mean")}
    return {
        "conv.weight": uniform(f"{number}/kernel", shape) * np.sqrt(6 / np.prod(shape[1:])),
        "bn.weight": 1 + 0.2 * uniform(f"{number}/scale", (outputs,)),
        "bn.bias": near_zero["bias"],
        "bn.running_mean": near_zero["mean"],
        "bn.running_var": 1 + 0.5 * uniform(f"{number}/variance", (outputs,)),
    }


def classifier():
    """The last layer's matrix and its bias."""
    return {"fc.weight": 0.05 * uniform("classifier", (1008, 2048)), "fc.bias": uniform("classifier/bias", (1008,))}


def pictures():
    """Three pictures of 299 pixels, uint8: coarse blocks, fine blocks, noise."""
    return np.stack([mosaic(side) for side in (13, 23, 299)])


def mosaic(blocks, side=299):
    """A picture of `blocks` squares a row, of grey levels from 0 to 255 (uint8)."""
    levels = (uniform(f"mosaic {blocks}", (blocks, blocks)) * 128 + 128).clip(0, 255).astype(np.uint8)
    return np.kron(levels, np.ones((side // blocks, side // blocks), np.uint8))


def state(network, kind):
    """All of these weights as a state dict for a network of ours, whose convolutions are of a kind."""
    import torch

    arrays, number = classifier(), 0
    for name, module in network.named_modules():
        if isinstance(module, kind):
            made = convolution(number, tuple(module.conv.weight.shape))
            arrays |= {f"{name}.{key}": values for key, values in made.items()}
            number += 1
    return {name: torch.from_numpy(values).float() for name, values in arrays.items()}
