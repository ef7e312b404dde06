"""The picture encoder: an ImageNet CNN (chapter 1)."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np

from .. import _expect, store
from ._encoder import Encoder, describe, inference
from .weights import CNN, NAMES, weight_files

__all__ = ["ImageEncoder", "image_encoder"]


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
