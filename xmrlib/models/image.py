"""A small CNN for pictures, and the pictures as it takes them (chapter 2)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from .. import _expect

__all__ = ["SmallCNN", "small_pictures"]


class SmallCNN(nn.Module):
    """Blocks of 3 x 3 convolution, ReLU and 2 x 2 max-pooling; their mean over the places; one linear layer (chapter 2).

    The plan is that of LeCun et al. (1998) with three later parts: batch normalisation (Ioffe and Szegedy 2015), ReLU,
    and the mean over all places (Lin et al. 2014) in the place of large fully connected layers. Each of the `widths`
    is the number of maps of one block, and each block halves the sides, so a picture needs at least
    ``2 ** len(widths)`` pixels a side. Initial weights are drawn by torch: make it inside `xmrlib.train.seeded`.
    ValueError for numbers below 1 and for no width.

    >>> network = SmallCNN(channels=3, classes=15)
    >>> network(torch.zeros(2, 3, 32, 32)).shape, network.features(torch.zeros(2, 3, 32, 32)).shape
    (torch.Size([2, 15]), torch.Size([2, 64]))
    """

    def __init__(self, channels: int, classes: int, widths: Sequence[int] = (16, 32, 64)) -> None:
        super().__init__()
        if not widths:
            raise _expect.fail("widths", "empty", "the number of maps of at least one block")
        sizes = [_expect.integer("channels", channels, 1), *(_expect.integer("width", w, 1) for w in widths)]
        self.blocks = nn.Sequential(*(_block(*pair) for pair in itertools.pairwise(sizes)))
        self.head = nn.Linear(sizes[-1], _expect.integer("classes", classes, 1))

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """What the linear layer sees: ``(n, channels, h, w)`` -> ``(n, widths[-1])``, not negative (chapter 2)."""
        return self.blocks(images).mean(dim=(2, 3))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """One score for each class: ``(n, channels, h, w)`` -> ``(n, classes)`` (chapter 2)."""
        return self.head(self.features(images))


def _block(channels: int, width: int) -> nn.Sequential:
    """Padding 1 keeps the sides; the bias is that of the normalisation."""
    convolution = nn.Conv2d(channels, width, 3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2))


def small_pictures(pictures: np.ndarray, side: int = 32) -> torch.Tensor:
    """Pictures for a network: uint8 (n, h, h, 3) -> float32 (n, 3, side, side) from -1 (black) to 1 (chapter 2).

    A pixel is the mean of its square of the picture. ValueError for other arrays, and unless `side` divides h.

    >>> small_pictures(np.full((1, 64, 64, 3), 255, dtype=np.uint8), side=16)[0, :, 0, 0]
    tensor([1., 1., 1.])
    """
    pictures = _expect.array("pictures", pictures, 4, "u")
    n, height, width, channels = pictures.shape
    if pictures.dtype != np.uint8 or height != width or channels != 3:
        shape = f"{pictures.dtype} of shape {pictures.shape}"
        raise _expect.fail("pictures", shape, "uint8 (n, h, h, 3)")
    side = _expect.integer("side", side, 1, height)
    if height % side:
        raise _expect.fail("side", side, f"a divisor of {height}, the side of the pictures")
    square = height // side
    means = pictures.reshape(n, side, square, side, square, 3).mean(axis=(2, 4))
    return torch.from_numpy(np.float32(means / 127.5 - 1)).permute(0, 3, 1, 2)
