"""Oracles of the exercises of section 3.2, in plain loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from xmrlib.checks._compare import Result, agrees, open_question, value

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


def _choosy(answer: Any) -> Result:
    """Cosines 0.6 and 0.4, temperature 0.2; the third region cancels."""
    return value(answer, math.exp((0.6 - 0.4) / 0.2))


def _score(a: np.ndarray, v: np.ndarray, temperature: float) -> float:
    """The mean cosine of words (t, d) and what they see of the regions (r, d), all of length one."""
    total = 0.0
    for word in a:
        weights = [math.exp(sum(word * region) / temperature) for region in v]
        seen = sum(w / sum(weights) * region for w, region in zip(weights, v, strict=True))
        total += sum(word * seen) / math.sqrt(sum(seen**2))
    return total / len(a)


def _planted(answer: Any) -> Result:
    """Words and regions by hand, in the plane; more words than regions, fewer, and one region only."""

    def unit(*degrees: float) -> np.ndarray:
        return np.array([[math.cos(math.radians(x)), math.sin(math.radians(x))] for x in degrees])

    few, many = unit(0, 100), unit(10, 40, 75, 130, 160)
    return agrees(
        answer, _score, [(few, many, 0.2), (many, few, 0.2), (many, few, 1.0), (few, unit(50), 0.5)]
    )


EXERCISES: dict[str, Callable[[Any], Result]] = {
    "ex-ch03-att-choosy": _choosy,
    "ex-ch03-att-planted": _planted,
    "ex-ch03-att-pointing": _pointing,
    "ex-ch03-att-temperature": open_question,
}
