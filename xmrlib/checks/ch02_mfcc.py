"""Oracles of the exercises on MFCC (chapter 2). All cases are made by hand."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, log10, pi, sqrt
from typing import Any

import numpy as np

from xmrlib.checks._compare import Result, agrees, value

__all__ = ["EXERCISES"]


def _gain(answer: Any) -> Result:
    """Half the amplitude; the text says 6.02 dB, so answers from the rounded number are right too."""
    return value(answer, {"c0": 8 * 20 * log10(0.5), "c1": 0}, tolerance=0.02)


def _transform(frame: np.ndarray, coefficients: int) -> np.ndarray:
    bands = len(frame)
    sums = [
        sum(e * cos(pi * m / bands * (b + 0.5)) for b, e in enumerate(frame)) for m in range(coefficients)
    ]
    return np.array([s * sqrt((1 if m == 0 else 2) / bands) for m, s in enumerate(sums)])


def _planted(answer: Any) -> Result:
    flat, step, uneven = (
        np.full(8, 3.0),
        np.array([1.0, 1, 1, 0, 0, 0]),
        np.array([-20.0, -35, -31, -60, -42]),
    )
    return agrees(answer, _transform, [(flat, 4), (step, 6), (uneven, 3), (uneven, 1)])


def _path_cost(d: np.ndarray) -> float:
    """The cheapest of all paths, each followed to its end."""
    i, j = d.shape
    before = [d[: i - a, : j - b] for a, b in ((1, 0), (0, 1), (1, 1)) if i > a and j > b]
    return d[-1, -1] + (min(map(_path_cost, before)) if before else 0.0)


def _path(answer: Any) -> Result:
    tables = [
        [[2, 1, 4], [7, 3, 1]],
        [[1, 9, 9], [9, 1, 9], [9, 9, 1], [1, 1, 5]],
        [[3, 0, 2]],
        [[1], [2]],
        [[4]],
    ]
    return agrees(answer, _path_cost, [(np.array(table, dtype=float),) for table in tables])


def _chance(answer: Any) -> Result:
    return value(answer, {"all queries": 22 / 56, "without the drum": 22 / 49})


def _own(answer: Any) -> Result:
    return Result("open", "It is not graded; what you hear is the judge.", "An open question.")


EXERCISES: dict[str, Callable[[Any], Result]] = {
    "ex-ch02-mfcc-gain": _gain,
    "ex-ch02-mfcc-planted": _planted,
    "ex-ch02-mfcc-path": _path,
    "ex-ch02-mfcc-chance": _chance,
    "ex-ch02-mfcc-own": _own,
}
