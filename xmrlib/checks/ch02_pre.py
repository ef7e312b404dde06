"""Oracles of the exercises of section 2.5, pretrained networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xmrlib.checks._compare import Result, agrees, open_question, value

__all__ = ["EXERCISES"]


def _count(answer: Any) -> Result:
    """A 3x3 convolution from 64 to 128 channels with biases, and two linear layers."""
    return value(
        answer, {"convolution": 9 * 64 * 128 + 128, "fc1": 25088 * 4096 + 4096, "fc2": 4096 * 4096 + 4096}
    )


def _block_parameters(inputs: int, width: int, stride: int) -> int:
    shortcut = stride != 1 or inputs != width
    convolutions = 9 * inputs * width + 9 * width * width + shortcut * inputs * width
    return convolutions + 2 * width * (2 + shortcut)


def _block(answer: Any) -> Result:
    cases = [(64, 64, 1), (64, 128, 2), (128, 128, 1), (32, 64, 1), (64, 64, 2), (8, 4, 1)]
    return agrees(answer, _block_parameters, cases)


def _prepared(pictures: np.ndarray) -> np.ndarray:
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    return ((pictures / 255 - mean) / std).transpose(0, 3, 1, 2)


def _planted(answer: Any) -> Result:
    rng = np.random.default_rng(0)
    shapes = [(1, 2, 2, 3), (2, 4, 4, 3), (1, 3, 5, 3)]
    cases = [rng.integers(0, 256, size=shape, dtype=np.uint8) for shape in shapes]
    cases.append(np.full((1, 2, 2, 3), [255, 0, 0], dtype=np.uint8))
    return agrees(answer, _prepared, [(case,) for case in cases], tolerance=1e-5)


def _receptive_field(layers: Sequence[tuple[int, int]]) -> int:
    field, jump = 1, 1
    for side, stride in layers:
        field, jump = field + (side - 1) * jump, jump * stride
    return field


def _field(answer: Any) -> Result:
    cases = [[(3, 1)], [(3, 1), (3, 1)], [(7, 2), (3, 2)], [(3, 2), (3, 1), (1, 1), (3, 1)], [(2, 2)] * 3, []]
    return agrees(answer, _receptive_field, [(case,) for case in cases])


EXERCISES: dict[str, Callable[[Any], Result]] = {
    "ex-ch02-pre-count": _count,
    "ex-ch02-pre-block": _block,
    "ex-ch02-pre-planted": _planted,
    "ex-ch02-pre-field": _field,
    "ex-ch02-pre-two": open_question,
}
