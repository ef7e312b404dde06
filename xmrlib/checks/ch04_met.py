"""The exercises of section 4.3, metric learning: what is right, and how it is told (chapter 4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xmrlib.checks._compare import Result, agrees, value

__all__ = ["EXERCISES"]


def _three(answer: Any) -> Result:
    return value(answer, {"first": 0, "second": 1 / 4, "third": 3 / 4, "semi-hard": 2})


def _hardest_sum(scores: np.ndarray, margin: float) -> float:
    terms = [
        max(0, margin - row[i] + max(s for j, s in enumerate(row) if j != i)) for i, row in enumerate(scores)
    ]
    return float(sum(terms))


def _planted(answer: Any) -> Result:
    """A solved batch, one with hard negatives, negative scores, and pairs that are the smallest of their rows."""
    solved, mixed = np.eye(3), np.array([[0.9, 0.8, 0.1], [0.7, 0.4, 0.2], [0.0, 0.3, 0.5]])
    below, worst = mixed - 2, np.array([[0.1, 0.6], [0.9, 0.2]])
    cases = [(solved, 0.2), (mixed, 0.2), (mixed, 0.0), (below, 0.2), (worst, 0.5)]
    return agrees(answer, _hardest_sum, cases)


def _flat(answer: Any) -> Result:
    b, margin = 32, 1 / 5
    right = {
        "mean, all": margin,
        "sum, all": 2 * b * (b - 1) * margin,
        "sum, hardest": 2 * b * margin,
        "sum, semi-hard": 0,
    }
    return value(answer, right)


def _half(margin: float) -> float:
    return margin / 2


def _cosine(answer: Any) -> Result:
    return agrees(answer, _half, [0.2, 1.0, 0.0, 3.0])


def _open(answer: Any) -> Result:
    note = "It is not graded. Compare what you found with the solution, or with somebody else's."
    return Result("open", note, "An open question.")


EXERCISES: dict[str, Callable[[Any], Result]] = {
    "ex-ch04-metric-three": _three,
    "ex-ch04-metric-planted": _planted,
    "ex-ch04-metric-flat": _flat,
    "ex-ch04-metric-cosine": _cosine,
    "ex-ch04-metric-open": _open,
}
