"""Oracles of the exercises of section 4.4. All cases are made by hand."""

from __future__ import annotations

from math import exp, fsum, log
from typing import Any

import numpy as np

from xmrlib.checks._compare import Result, agrees, open_question, value

__all__ = ["EXERCISES"]

_GRIDS = (
    np.array([[0.9, 0.1], [0.3, 0.8]]),
    np.array([[0.5, 0.7, -0.2], [0.1, 0.6, 0.6], [0.4, -0.9, 0.2]]),
    np.array([[0.2, 0.9, 0.9], [0.0, 0.1, 0.9], [0.0, 0.0, 0.3]]),
)
_ROUND_OFF = 1e-7  # relative; sums of a few exponentials in another order differ far less


def _pencil(answer: Any) -> Result:
    """Differences of 0.6 and 0 at temperature 0.2."""
    p = 1 / (1 + exp(-3))
    return value(
        answer, {"p of text 0": p, "p of text 1": 0.5, "loss of the texts": -(log(p) + log(0.5)) / 2}, 1e-9
    )


def _push(row: np.ndarray, right: int, temperature: float) -> np.ndarray:
    top = max(row)
    weights = [exp((x - top) / temperature) for x in row]
    return np.array([(w / fsum(weights) - (j == right)) / temperature for j, w in enumerate(weights)])


def _gradient(answer: Any) -> Result:
    rows = [np.array([0.6, 0.5, 0.1, -0.2]), np.array([-0.3, 0.4]), np.array([0.2, 0.9, 0.9])]
    cases = [(row, right, tau) for row in rows for right in (0, 1) for tau in (0.1, 1.0)]
    return agrees(answer, _push, [*cases, (np.array([0.9, 0.2, 0.5]), 0, 0.001)], _ROUND_OFF)


def _info_nce(scores: np.ndarray, temperature: float) -> float:
    def row_losses(grid: np.ndarray) -> list[float]:
        return [
            log(fsum(exp((x - row[i]) / temperature) for x in row)) for i, row in enumerate(grid.tolist())
        ]

    return fsum(row_losses(scores) + row_losses(scores.T)) / (2 * len(scores))


def _planted(answer: Any) -> Result:
    return agrees(answer, _info_nce, [(grid, tau) for grid in _GRIDS for tau in (0.1, 0.5)], _ROUND_OFF)


def _fused(a: np.ndarray, b: np.ndarray, weight: float) -> np.ndarray:
    def standardised(s: np.ndarray) -> np.ndarray:
        centred = s - fsum(s.flat) / s.size
        spread = (fsum(x * x for x in centred.flat) / s.size) ** 0.5
        return centred / spread if spread > 0 else np.zeros_like(centred)

    return weight * standardised(a) + (1 - weight) * standardised(b)


def _fusion(answer: Any) -> Result:
    a, b, c = _GRIDS
    flat = np.zeros((3, 3))
    cases = [(a, 10 * a.T + 3, 0.5), (b, c, 0.25), (b, c, 1.0), (flat, c, 0.5), (b, flat, 0.5)]
    return agrees(answer, _fused, cases, _ROUND_OFF)


EXERCISES = {
    "ex-ch04-contrastive-pencil": _pencil,
    "ex-ch04-contrastive-gradient": _gradient,
    "ex-ch04-contrastive-planted": _planted,
    "ex-ch04-contrastive-fusion": _fusion,
    "ex-ch04-contrastive-open": open_question,
}
