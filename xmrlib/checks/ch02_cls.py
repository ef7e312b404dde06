"""Oracles of the exercises of section 2.3, text classification and sentiment."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import log, sqrt
from typing import Any

import numpy as np

from xmrlib.checks._compare import Result, agrees, open_question, value

__all__ = ["EXERCISES"]


def _bayes(answer: Any) -> Result:
    """Two texts of animals with two dogs, one of food without; a vocabulary of four words."""
    animal = Fraction(2, 3) * Fraction(2, 8) * Fraction(3, 8)
    food = Fraction(1, 3) * Fraction(2, 6) * Fraction(1, 6)
    right = {"dog, animal": 3 / 8, "dog, food": 1 / 6, "posterior": float(animal / (animal + food))}
    return value(answer, right)


def _log_smooth(counts: np.ndarray, alpha: float) -> np.ndarray:
    rows = counts.tolist()
    return np.array([[log((n + alpha) / (sum(row) + alpha * len(row))) for n in row] for row in rows])


def _planted(answer: Any) -> Result:
    counts = np.array([[2, 1, 1, 0], [0, 1, 0, 1]])
    uneven = np.array([[40.0, 0, 3, 7, 0], [0, 1, 0, 0, 0], [2, 2, 2, 2, 2]])
    return agrees(answer, _log_smooth, [(counts, 1.0), (counts, 0.1), (uneven, 0.5)])


def _wilson_ends(r: int, n: int) -> tuple[float, float]:
    """The shares at which f is 1.96 standard errors away: the roots of (f - x)^2 = z^2 x (1 - x) / n."""
    z2 = 1.96**2
    a, b, c = n + z2, -(2 * r + z2), r * r / n
    root = sqrt(b * b - 4 * a * c)
    return (-b - root) / (2 * a), (-b + root) / (2 * a)


def _wilson(answer: Any) -> Result:
    return agrees(answer, _wilson_ends, [(146, 200), (10, 20), (20, 20), (1, 7), (199, 200)], 1e-7)


def _minus_kl_back(P: np.ndarray, Q: np.ndarray) -> np.ndarray:
    return np.array(
        [[-sum(x * log(x / q) for q, x in zip(one, other, strict=True)) for other in Q] for one in P]
    )


def _kl(answer: Any) -> Result:
    P = np.array([[0.7, 0.2, 0.1], [0.2, 0.3, 0.5]])
    Q = np.array([[0.6, 0.3, 0.1], [0.1, 0.1, 0.8], [1 / 3, 1 / 3, 1 / 3]])
    return agrees(answer, _minus_kl_back, [(P, Q), (Q, P)])


EXERCISES: dict[str, Callable[[Any], Result]] = {
    "ex-ch02-cls-bayes": _bayes,
    "ex-ch02-cls-planted": _planted,
    "ex-ch02-cls-wilson": _wilson,
    "ex-ch02-cls-kl": _kl,
    "ex-ch02-cls-open": open_question,
}
