"""The Inception network, third version, as two of its ports compute it: FID's of 2015 and Keras's.

Both are Szegedy et al., Rethinking the Inception Architecture for Computer Vision, 2016, without the auxiliary
classifier, and differ in the weights and in the pooling of the last block: the graph of 2015 takes the maximum there,
probably by mistake, and FID is defined with it. Convolutions have no bias, batch norm an epsilon of 0.001, and average
pooling leaves the padding out of the mean, as TensorFlow does. Tensors are named as in torchvision and pytorch-fid; the
order in which convolutions are written here is the order in which Keras makes them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from braingan.errors import InputError

SIDE = 299
WIDTH = 2048
"""Features after pooling."""


class Step(NamedTuple):
    """A convolution, batch norm and ReLU."""

    name: str
    outputs: int
    height: int = 1
    width: int = 1
    stride: int = 1


@final
class ConvolutionNormRelu(nn.Module):
    """What every box of the paper's figures is."""

    def __init__(self, inputs: int, step: Step, padded: bool) -> None:
        super().__init__()
        kernel = (step.height, step.width)
        padding = (step.height // 2, step.width // 2) if padded else 0
        self.conv = nn.Conv2d(inputs, step.outputs, kernel, step.stride, padding, bias=False)
        self.bn: nn.Module = nn.BatchNorm2d(step.outputs, eps=0.001)

    def forward(self, maps: Float[torch.Tensor, "n c h w"]) -> Float[torch.Tensor, "n k i j"]:
        """Return maps, none negative."""
        return F.relu(self.bn(self.conv(maps)), inplace=True)

    def fold(self) -> None:
        """Multiply the norm's statistics into the convolution: the same function to rounding, and faster."""
        if isinstance(self.bn, nn.BatchNorm2d):
            self.conv, self.bn = fuse_conv_bn_eval(self.conv, self.bn), nn.Identity()


@final
class Block(nn.Module):
    """Paths side by side over the same maps, joined by channel; the last one begins by pooling.

    Each path is a chain of steps; a pair in the place of a step forks it. What has a stride of 2 sees whole windows
    only, all else is padded to keep its size.

    Args:
        inputs: channels of the maps.
        pool: of windows of 3×3, `mean`, `max`, or `halving`: the maximum with a stride of 2.
        paths: of which the last may be empty.
    """

    def __init__(self, inputs: int, pool: str, paths: list[list[Step | tuple[Step, Step]]]) -> None:
        super().__init__()
        self.pool = pool
        self.chains: list[list[list[str]]] = []
        for path in paths:
            channels, chain = inputs, []
            for fork in path:
                steps = [fork] if isinstance(fork, Step) else list(fork)
                for step in steps:
                    self.add_module(step.name, ConvolutionNormRelu(channels, step, padded=step.stride == 1))
                chain.append([step.name for step in steps])
                channels = sum(step.outputs for step in steps)
            self.chains.append(chain)

    def forward(self, maps: Float[torch.Tensor, "n c h w"]) -> Float[torch.Tensor, "n k i j"]:
        """Return the paths' outputs in the order of the paths."""
        results = []
        for number, chain in enumerate(self.chains):
            through = self._pooled(maps) if number == len(self.chains) - 1 else maps
            for names in chain:
                forked = [self.get_submodule(name)(through) for name in names]
                through = torch.cat(forked, 1) if len(forked) > 1 else forked[0]
            results.append(through)
        return torch.cat(results, 1)

    def _pooled(self, maps: Float[torch.Tensor, "n c h w"]) -> Float[torch.Tensor, "n c i j"]:
        if self.pool == "halving":
            return F.max_pool2d(maps, 3, 2)
        if self.pool == "max":
            return F.max_pool2d(maps, 3, 1, 1)
        return F.avg_pool2d(maps, 3, 1, 1, count_include_pad=False)


def block_a(inputs: int, pooled: int) -> Block:
    """Return a block at 35×35 (the paper's figure 5)."""
    return Block(inputs, "mean", [
        [Step("branch1x1", 64)],
        [Step("branch5x5_1", 48), Step("branch5x5_2", 64, 5, 5)],
        [Step("branch3x3dbl_1", 64), Step("branch3x3dbl_2", 96, 3, 3), Step("branch3x3dbl_3", 96, 3, 3)],
        [Step("branch_pool", pooled)],
    ])  # fmt: skip


def block_b(inputs: int) -> Block:
    """Return the block from 35×35 to 17×17."""
    return Block(inputs, "halving", [
        [Step("branch3x3", 384, 3, 3, stride=2)],
        [Step("branch3x3dbl_1", 64), Step("branch3x3dbl_2", 96, 3, 3), Step("branch3x3dbl_3", 96, 3, 3, stride=2)],
        [],
    ])  # fmt: skip


def block_c(inputs: int, inner: int) -> Block:
    """Return a block at 17×17, with kernels of 7×7 factorised (figure 6)."""
    return Block(inputs, "mean", [
        [Step("branch1x1", 192)],
        [Step("branch7x7_1", inner), Step("branch7x7_2", inner, 1, 7), Step("branch7x7_3", 192, 7, 1)],
        [
            Step("branch7x7dbl_1", inner), Step("branch7x7dbl_2", inner, 7, 1), Step("branch7x7dbl_3", inner, 1, 7),
            Step("branch7x7dbl_4", inner, 7, 1), Step("branch7x7dbl_5", 192, 1, 7),
        ],
        [Step("branch_pool", 192)],
    ])  # fmt: skip


def block_d(inputs: int) -> Block:
    """Return the block from 17×17 to 8×8."""
    return Block(inputs, "halving", [
        [Step("branch3x3_1", 192), Step("branch3x3_2", 320, 3, 3, stride=2)],
        [
            Step("branch7x7x3_1", 192), Step("branch7x7x3_2", 192, 1, 7), Step("branch7x7x3_3", 192, 7, 1),
            Step("branch7x7x3_4", 192, 3, 3, stride=2),
        ],
        [],
    ])  # fmt: skip


def block_e(inputs: int, pool: str) -> Block:
    """Return a block at 8×8, whose paths fork at their ends (figure 7)."""
    return Block(inputs, pool, [
        [Step("branch1x1", 320)],
        [Step("branch3x3_1", 384), (Step("branch3x3_2a", 384, 1, 3), Step("branch3x3_2b", 384, 3, 1))],
        [
            Step("branch3x3dbl_1", 448), Step("branch3x3dbl_2", 384, 3, 3),
            (Step("branch3x3dbl_3a", 384, 1, 3), Step("branch3x3dbl_3b", 384, 3, 1)),
        ],
        [Step("branch_pool", 192)],
    ])  # fmt: skip


@final
class InceptionV3(nn.Module):
    """From pictures of 299×299 in -1..1 to 2048 features, the means of the last maps.

    Args:
        last_pool: what the last block's pooling takes of each window, `max` (the graph of 2015) or `mean` (Keras).
    """

    def __init__(self, last_pool: str) -> None:
        super().__init__()
        stem = [
            Step("Conv2d_1a_3x3", 32, 3, 3, stride=2), Step("Conv2d_2a_3x3", 32, 3, 3), Step("Conv2d_2b_3x3", 64, 3, 3),
            Step("Conv2d_3b_1x1", 80), Step("Conv2d_4a_3x3", 192, 3, 3),
        ]  # fmt: skip
        for inputs, step in zip([3, *(step.outputs for step in stem)], stem, strict=False):
            self.add_module(step.name, ConvolutionNormRelu(inputs, step, padded=step.name == "Conv2d_2b_3x3"))
        self.Mixed_5b = block_a(192, 32)
        self.Mixed_5c = block_a(256, 64)
        self.Mixed_5d = block_a(288, 64)
        self.Mixed_6a = block_b(288)
        self.Mixed_6b = block_c(768, 128)
        self.Mixed_6c = block_c(768, 160)
        self.Mixed_6d = block_c(768, 160)
        self.Mixed_6e = block_c(768, 192)
        self.Mixed_7a = block_d(768)
        self.Mixed_7b = block_e(1280, "mean")
        self.Mixed_7c = block_e(2048, last_pool)

    def forward(self, pictures: Float[torch.Tensor, "n 3 299 299"]) -> Float[torch.Tensor, "n 2048"]:
        """Return a row of features per picture, none negative."""
        maps = pictures
        for name, module in self.named_children():
            maps = module(maps)
            if name in ("Conv2d_2b_3x3", "Conv2d_4a_3x3"):
                maps = F.max_pool2d(maps, 3, 2)
        return maps.mean(dim=(2, 3))

    def ready(self) -> "InceptionV3":
        """Return it folded, fixed and laid out for speed; its weights' names are others from here on."""
        self.eval().requires_grad_(False)
        for module in list(self.modules()):
            if isinstance(module, ConvolutionNormRelu):
                module.fold()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self


def build(last_pool: str, state: Mapping[str, torch.Tensor], path: Path) -> InceptionV3:
    """Return the network, ready, with weights from a file at `path`.

    Raises:
        InputError: a tensor is absent, or has another shape than the network's.
    """
    with torch.device("meta"):  # where nothing is allocated or drawn at random: all weights come from the file
        network = InceptionV3(last_pool)
    own = {name: tensor for name, tensor in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    for name, tensor in own.items():
        if name not in state:
            raise InputError(f"{path} holds no weights of this Inception network: {name} is absent.")
        if state[name].shape != tensor.shape:
            raise InputError(
                f"{path} holds weights of another network: {name} has shape {list(state[name].shape)}, and should have "
                f"{list(tensor.shape)}."
            )
    network.load_state_dict({name: state[name].float() for name in own}, strict=False, assign=True)
    return network.ready()
