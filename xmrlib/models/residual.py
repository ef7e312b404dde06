"""Residual networks, as published for ImageNet (chapter 2)."""

from __future__ import annotations

import torch
from torch import nn

from xmrlib import _expect

__all__ = ["Basic", "Bottleneck", "ResNet", "resnet"]


class Basic(nn.Module):
    """Two 3x3 convolutions and a way round them: ``relu(f(x) + shortcut(x))`` (chapter 2).

    He et al. (2016), figure 2. ``(b, inputs, h, w)`` -> ``(b, width, h / stride, w / stride)``. The shortcut is the
    identity; where the shape changes, it is a 1x1 convolution.

    >>> Basic(8, 16, stride=2)(torch.zeros(1, 8, 6, 6)).shape
    torch.Size([1, 16, 3, 3])
    """

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv(inputs, width, 3, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = _conv(width, width, 3), nn.BatchNorm2d(width)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = self.bn1(self.conv1(x)).relu()
        return (self.bn2(self.conv2(inner)) + self.downsample(x)).relu()


class Bottleneck(nn.Module):
    """1x1 down, 3x3, 1x1 up to four times the width, and a way round them (chapter 2).

    He et al. (2016), figure 5; the stride is in the 3x3 convolution, as in torchvision and in later papers.
    ``(b, inputs, h, w)`` -> ``(b, 4 * width, h / stride, w / stride)``.

    >>> Bottleneck(8, 16, stride=2)(torch.zeros(1, 8, 6, 6)).shape
    torch.Size([1, 64, 3, 3])
    """

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv(inputs, width, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = _conv(width, width, 3, stride), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = _conv(width, 4 * width, 1), nn.BatchNorm2d(4 * width)
        self.downsample = _shortcut(inputs, 4 * width, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = self.bn1(self.conv1(x)).relu()
        inner = self.bn2(self.conv2(inner)).relu()
        return (self.bn3(self.conv3(inner)) + self.downsample(x)).relu()


def _conv(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(_conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))


STAGES: dict[int, tuple[type[Basic] | type[Bottleneck], tuple[int, ...]]] = {
    18: (Basic, (2, 2, 2, 2)),
    34: (Basic, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
}  # He et al. (2016), table 1: blocks in each of the four stages


class ResNet(nn.Module):
    """A residual network for colour pictures; made by `resnet` (chapter 2).

    A 7x7 convolution and a pooling make the picture four times smaller; four stages of blocks follow, each but the
    first halving the side and doubling the channels; then the mean over all places, and one linear layer.
    ``(b, 3, h, w)`` -> ``(b, classes)``.

    >>> ResNet(Basic, (1, 1, 1, 1), classes=10)(torch.zeros(2, 3, 64, 64)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self, block: type[Basic] | type[Bottleneck], stages: tuple[int, ...], classes: int = 1000
    ) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False), nn.BatchNorm2d(64)
        inputs = 64
        for number, blocks in enumerate(stages):
            width, stride = 64 * 2**number, 1 if number == 0 else 2
            self.add_module(f"layer{number + 1}", _stage(block, inputs, width, blocks, stride))
            inputs = width * block.expansion
        self.stages = len(stages)
        self.fc = nn.Linear(inputs, classes)

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """The feature: the mean over all places of the last map, (b, 512) or, of a `Bottleneck`, (b, 2048)."""
        x = nn.functional.max_pool2d(self.bn1(self.conv1(x)).relu(), 3, 2, padding=1)
        for number in range(self.stages):
            x = self.get_submodule(f"layer{number + 1}")(x)
        return x.mean(dim=(2, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.embed(x))


def _stage(
    block: type[Basic] | type[Bottleneck], inputs: int, width: int, blocks: int, stride: int
) -> nn.Sequential:
    rest = [block(width * block.expansion, width) for _ in range(blocks - 1)]
    return nn.Sequential(block(inputs, width, stride), *rest)


def resnet(depth: int, classes: int = 1000) -> ResNet:
    """ResNet of 18, 34 or 50 layers (He et al. 2016, table 1), with new weights (chapter 2).

    Names and shapes of its weights are those of torchvision, so that ``load_state_dict`` takes a file of weights made
    there. Raises ``ValueError`` for another depth.

    >>> sum(weight.numel() for weight in resnet(18).parameters())
    11689512
    """
    block, stages = STAGES[_expect.one_of("depth", depth, STAGES)]
    return ResNet(block, stages, _expect.integer("classes", classes, 1))
