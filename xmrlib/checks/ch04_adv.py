"""Oracles of the exercises of section 4.5, in plain loops. All cases are made by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from xmrlib.checks._compare import Result, agrees, choice, value

__all__ = ["EXERCISES"]


def _optimum(answer: Any) -> Result:
    """Densities .3 and .1; then equal ones."""
    return value(answer, {"D at the place": 3 / 4, "D when won": 1 / 2, "loss when won": 2 * math.log(2)})


def _covered(fakes: np.ndarray, centres: np.ndarray, radius: float, least: int) -> int:
    counts = [0] * len(centres)
    for fake in fakes:
        apart = [math.dist(fake, centre) for centre in centres]
        if min(apart) <= radius:
            counts[apart.index(min(apart))] += 1
    return sum(count >= least for count in counts)


def _modes(answer: Any) -> Result:
    """Heaps of 3, 2, 0 and 1; the last centre lies near the first, so that balls of radius 2 overlap."""
    centres = np.array([[0.0, 0], [4, 0], [0, 4], [2, 0]])
    fakes = np.array([[0.0, 0], [0, 0.5], [0.3, 0.4], [4, 0.25], [4.25, 0], [2, 0.5], [9, 9], [0.75, 0]])
    cases = [(0.5, 1), (0.5, 2), (0.5, 3), (0.4, 1), (2.0, 1), (2.0, 2), (2.0, 4)]
    return agrees(answer, _covered, [(fakes, centres, radius, least) for radius, least in cases])


def _two_losses(real: np.ndarray, fake: np.ndarray) -> tuple[float, float]:
    def surprise(odds: float) -> float:
        return math.log1p(math.exp(-odds))  # -log of the logistic function

    judge = np.mean([surprise(a) for a in real]) + np.mean([surprise(-a) for a in fake])
    return float(judge), float(np.mean([surprise(a) for a in fake]))


def _planted(answer: Any) -> Result:
    pairs = [([0.0], [0.0]), ([2.0, 1.0], [-3.0, -1.0]), ([-1.0, 0.5, 2.0], [4.0, -2.0, 0.0])]
    return agrees(answer, _two_losses, [(np.array(real), np.array(fake)) for real, fake in pairs])


def _leak(answer: Any) -> Result:
    why = {
        "a": "more steps go on with the same game; they do not show what the vectors still hold.",
        "b": "a larger weight fools the same adversary harder; it does not show what the vectors still hold.",
        "d": "it does not follow: the classifier lost against towers that moved. Another one may win.",
    }
    return choice(answer, "c", why)


def _open(answer: Any) -> Result:
    note = "It is not graded. Compare what you found with the solution, or with somebody else's."
    return Result("open", note, "An open question.")


EXERCISES: dict[str, Callable[[Any], Result]] = {
    "ex-ch04-adversarial-optimum": _optimum,
    "ex-ch04-adversarial-modes": _modes,
    "ex-ch04-adversarial-planted": _planted,
    "ex-ch04-adversarial-leak": _leak,
    "ex-ch04-adversarial-open": _open,
}
