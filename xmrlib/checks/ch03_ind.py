"""Oracles of the exercises of section 3.1."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import exp, sqrt
from typing import Any

import numpy as np

from xmrlib.checks._compare import Result, agrees, open_question, value

__all__ = ["EXERCISES"]


def _lengths(answer: Any) -> Result:
    """Blocks of length 1 and 3 on both sides, with cosines 9/10 and 1/10."""
    return value(answer, float(Fraction(1 * 9 + 9 * 1, 10) / 10))


def _fuse_ranks(scores: list[np.ndarray], c: float) -> np.ndarray:
    total = np.zeros(scores[0].shape)
    for part in scores:
        for q, row in enumerate(part):
            for item, score in enumerate(row):
                total[q, item] += 1 / (c + 1 + sum(other > score for other in row))
    return total


def _rrf(answer: Any) -> Result:
    first = np.array([[0.9, 0.1, 0.5, 0.3], [0.2, 0.8, 0.4, 0.6]])
    second = np.array([[10.0, 40, 20, 30], [-1.0, -2, -4, -3]])
    cases = [([first], 60), ([first, second], 60), ([second, first, first], 1), ([second], 0)]
    return agrees(answer, _fuse_ranks, cases)


def _attention(Q: np.ndarray, K: np.ndarray, V: np.ndarray, present: np.ndarray) -> np.ndarray:
    there, out = np.flatnonzero(present), np.zeros((len(Q), V.shape[1]))
    for i, q in enumerate(Q):
        weights = [exp(float(q @ K[j]) / sqrt(len(q))) for j in there]
        out[i] = sum(w * V[j] for w, j in zip(weights, there, strict=True)) / sum(weights)
    return out


def _planted(answer: Any) -> Result:
    rng = np.random.default_rng(3)
    parts = [rng.standard_normal((3, t, 4)) for t in (3, 3, 5, 2)]
    masks = [[True] * 3, [True, False, True], [True, False, False, True, True], [False, True]]
    return agrees(answer, _attention, [(*part, np.array(m)) for part, m in zip(parts, masks, strict=True)])


EXERCISES: dict[str, Callable[[Any], Result]] = {
    "ex-ch03-ind-lengths": _lengths,
    "ex-ch03-ind-rrf": _rrf,
    "ex-ch03-ind-planted": _planted,
    "ex-ch03-ind-weights": open_question,
}
