"""Oracles of the exercises of section 3.3, in plain loops. All cases are made by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xmrlib.checks._compare import Result, agrees, choice, value

__all__ = ["EXERCISES"]

PATH = np.array([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]])
STAR = np.array([[0.0, 1, 1, 2], [1, 0, 0, 0], [1, 0, 0, 0], [2, 0, 0, 0]])
ALONE = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 0]])


def _weights(answer: Any) -> Result:
    """The path of three nodes with self-loops: degrees 2, 3, 2."""
    return value(
        answer, {"end to itself": 1 / 2, "middle to itself": 1 / 3, "end to middle": 1 / math.sqrt(6)}
    )


def _normalised(A: np.ndarray) -> np.ndarray:
    n = len(A)
    degrees = [1 + sum(A[i]) for i in range(n)]
    entry = [[(A[i, j] + (i == j)) / math.sqrt(degrees[i] * degrees[j]) for j in range(n)] for i in range(n)]
    return np.array(entry)


def _planted(answer: Any) -> Result:
    return agrees(answer, _normalised, [(PATH,), (STAR,), (ALONE,)])


def _edge_quality(A: np.ndarray, labels: np.ndarray) -> float:
    n = len(A)
    ends = [(i, j) for i in range(n) for j in range(i) if A[i, j] > 0]
    return sum(bool(labels[i] == labels[j]) for i, j in ends) / len(ends)


def _quality(answer: Any) -> Result:
    labels = np.array([0, 0, 1, 0])
    cases = [(PATH, labels[:3]), (STAR, labels), (STAR, np.array([1, 2, 1, 1])), (ALONE, labels[1:])]
    return agrees(answer, _edge_quality, cases)


def _leak(answer: Any) -> Result:
    why = {
        "a": "neighbours by picture need nothing but the new picture.",
        "b": "a caption that comes with the new item is input, and edges from it are fair.",
        "d": "labels among training items are known when the model is trained.",
    }
    return choice(answer, "c", why)


EXERCISES = {
    "ex-ch03-interaction-weights": _weights,
    "ex-ch03-interaction-planted": _planted,
    "ex-ch03-interaction-quality": _quality,
    "ex-ch03-interaction-leak": _leak,
}
