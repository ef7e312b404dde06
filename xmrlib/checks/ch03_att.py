"""Oracles of the exercises of section 3.1 on cross-attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xmrlib.checks._compare import Result, agrees

__all__ = ["EXERCISES"]


def _pointing_accuracy(weights: np.ndarray, boxes: np.ndarray) -> float:
    right = []
    for grid, (left, top, width_end, bottom) in zip(weights, boxes, strict=True):
        row, column = np.unravel_index(grid.argmax(), grid.shape)
        x, y = 32 * column + 16, 32 * row + 16
        right.append(left <= x < width_end and top <= y < bottom)
    return float(np.mean(right))


def _pointing(answer: Any) -> Result:
    """One map with its strongest place in each case; boxes that tell rows from columns and middles from corners."""
    places = np.array([[1, 5], [5, 1], [3, 3], [0, 6], [2, 4]])  # row, column
    maps = np.full((5, 7, 7), 0.01)
    maps[np.arange(5), places[:, 0], places[:, 1]] = 0.5
    wide = np.array(
        [[160, 32, 200, 70], [10, 10, 60, 60], [112, 112, 150, 150], [192, 0, 224, 15], [100, 60, 155, 90]]
    )
    thin = np.array(
        [[170, 40, 180, 60], [40, 170, 56, 190], [97, 97, 111, 111], [200, 8, 210, 20], [128, 64, 144, 96]]
    )
    return agrees(answer, _pointing_accuracy, [(maps, wide), (maps, thin), (maps[:1], wide[:1]), (maps[3:], thin[3:])])  # fmt: skip


EXERCISES: dict[str, Callable[[Any], Result]] = {"ex-ch03-att-pointing": _pointing}
