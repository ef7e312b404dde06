"""VGG-19, as published for ImageNet (chapter 2)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from xmrlib import _expect

__all__ = ["VGG", "vgg19"]

CONVOLUTIONS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
"""Width and number of the 3x3 convolutions before each of the five poolings (table 1, column E)."""


class VGG(nn.Module):
    """Simonyan and Zisserman (2015): 3x3 convolutions, poolings and three fully connected layers (chapter 2).

    ``(b, 3, h, w)`` -> ``(b, classes)``; made for pictures of 224 pixels, and from 32 pixels on it runs. Made by
    `vgg19`.

    >>> with torch.device("meta"):  # shapes only: the weights would take half a gigabyte
    ...     VGG()(torch.empty(1, 3, 224, 224)).shape
    torch.Size([1, 1000])
    """

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.features = nn.Sequential(*_layers())
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096), nn.ReLU(), nn.Dropout(),
            nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(),
            nn.Linear(4096, classes),
        )  # fmt: skip

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """The feature: what the last layer reads, (b, 4096), not negative."""
        maps = nn.functional.adaptive_avg_pool2d(self.features(x), 7)
        return self.classifier[:-1](maps.flatten(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier[-1](self.embed(x))


def _layers() -> Iterator[nn.Module]:
    inputs = 3
    for width, number in CONVOLUTIONS:
        for _ in range(number):
            yield from (nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU())
            inputs = width
        yield nn.MaxPool2d(2)


def vgg19(classes: int = 1000) -> VGG:
    """VGG-19 with new weights: 16 convolutions and 3 fully connected layers (chapter 2).

    Names and shapes of its weights are those of torchvision, so that ``load_state_dict`` takes a file of weights made
    there. Under ``torch.device("meta")`` no memory is taken. ValueError unless `classes` is 1 or more.

    >>> with torch.device("meta"):
    ...     sum(weight.numel() for weight in vgg19().parameters())
    143667240
    """
    return VGG(_expect.integer("classes", classes, 1))
