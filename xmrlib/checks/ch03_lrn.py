"""Oracles of the exercises of section 3.3. All cases are made by hand."""

from __future__ import annotations

from math import exp, fsum, hypot, log
from typing import Any

import numpy as np

from xmrlib.checks._compare import Result, agrees, open_question, value

__all__ = ["EXERCISES"]

_H = np.array([[0.6, 0.8], [1.0, 0.0], [-0.8, 0.6]])
_T = np.array([[0.0, 1.0], [0.8, -0.6], [-1.0, 0.0]])
_ROUND_OFF = 1e-7  # relative; sums of a few terms in another order differ far less


def _pencil(answer: Any) -> Result:
    return value(answer, {"r": [1.0, 1.0], "sum": 2}, 1e-9)


def _margin_loss(h: np.ndarray, r: np.ndarray, t: np.ndarray, margin: float) -> float:
    def apart(i: int, j: int) -> float:
        return hypot(*(h[i] + r - t[j]))

    b = range(len(h))
    wrong = [(i, j) for i in b for j in b if i != j]
    tails = [max(0.0, margin + apart(i, i) - apart(i, j)) for i, j in wrong]
    return fsum(tails + [max(0.0, margin + apart(i, i) - apart(j, i)) for i, j in wrong])


def _margin(answer: Any) -> Result:
    shifts = np.array([[0.0, 0.0], [0.3, -0.2], [-1.0, 0.5]])
    cases = [(_H, r, _T, margin) for r in shifts for margin in (0.2, 1.0)]
    return agrees(answer, _margin_loss, [*cases, (_H[:2], shifts[1], _H[:2] + shifts[1], 0.1)], _ROUND_OFF)


def _fates(answer: Any) -> Result:
    return value(answer, {"masks": 2400, "guessed": 3000, "unchanged": 300}, 1e-9)


def _nt_xent(first: np.ndarray, second: np.ndarray, temperature: float) -> float:
    z = [row / hypot(*row) for row in (*first, *second)]
    n, b, losses = len(z), len(first), []
    for i in range(n):
        e = [exp(float(z[i] @ z[j]) / temperature) for j in range(n)]
        losses.append(-log(e[(i + b) % n] / fsum(e[:i] + e[i + 1 :])))
    return fsum(losses) / n


def _planted(answer: Any) -> Result:
    pairs = ((_H, _T), (_H, _H), (2 * _T, _H[::-1]), (_H[:2], _T[1:]))
    return agrees(answer, _nt_xent, [(*pair, tau) for pair in pairs for tau in (0.1, 0.5)], _ROUND_OFF)


EXERCISES = {
    "ex-ch03-learned-pencil": _pencil,
    "ex-ch03-learned-margin": _margin,
    "ex-ch03-learned-fates": _fates,
    "ex-ch03-learned-planted": _planted,
    "ex-ch03-learned-open": open_question,
}
