"""Oracles of the exercises of chapter 1. All cases are made by hand and free of ties."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import comb
from typing import Any

import numpy as np

from xmrlib.checks._compare import Result, agrees, choice

__all__ = ["EXERCISES"]


def _direction(answer: Any) -> Result:
    why = {
        "a": "the query is a sound, not a text.",
        "c": "that is the way back, with a picture as the query.",
        "d": "query and items are of two modalities, and the app looks items up.",
    }
    return choice(answer, "b", why)


def _chance_hit(n: int, k: int, r: int) -> Fraction:
    """One minus the share of the choices of k places that miss all r right pictures."""
    return 1 - Fraction(comb(n - r, k), comb(n, k))


def _chance(answer: Any) -> Result:
    cases = [(20, 1, 1), (20, 10, 1), (139, 5, 1), (20, 10, 2), (6, 2, 3), (5, 4, 2)]
    return agrees(answer, _chance_hit, cases)


def _mixed_vector(picture: np.ndarray, sentence: np.ndarray, weight: float) -> np.ndarray:
    vector = (1 - weight) * picture + weight * sentence
    return vector / np.linalg.norm(vector)


def _mixed(answer: Any) -> Result:
    east, north, steep = np.eye(2)[0], np.eye(2)[1], np.array([0.6, 0.8])
    space = np.array([0.6, 0.0, 0.8]), np.array([0.0, 1.0, 0.0])
    cases = [(east, north, 0.5), (east, north, 0.2), (steep, east, 0.9), (*space, 0.25), (east, steep, 0.0)]
    return agrees(answer, _mixed_vector, cases)


def _first_by_cosine(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(gallery, axis=1)
    return (queries @ gallery.T / lengths).argmax(axis=1)


def _planted(answer: Any) -> Result:
    one_is_long = np.array([[2.0, 0.2], [10.0, 9.0], [0.1, 2.0]])
    one_is_opposite = np.array([[-5.0, 0.1], [1.0, 1.0], [0.2, 3.0]])
    cases = [(np.array([[1.0, 0], [0, 1], [3, 4]]), one_is_long), (np.array([[1.0, 0.0]]), one_is_opposite)]
    return agrees(answer, _first_by_cosine, cases)


def _missed(scores: np.ndarray, k: int) -> list[int]:
    """The rows whose own column is not among their k highest scores."""
    return [i for i, row in enumerate(scores) if sum(row > row[i]) >= k]


def _translations(answer: Any) -> Result:
    scores = np.array([[9, 1, 2, 3], [4, 3, 8, 1], [1, 2, 7, 5], [6, 7, 5, 2]]) / 10
    return agrees(answer, _missed, [(scores, k) for k in (1, 2, 3, 4)])


EXERCISES: dict[str, Callable[[Any], Result]] = {
    "ex-ch01-direction": _direction,
    "ex-ch01-chance": _chance,
    "ex-ch01-mixed": _mixed,
    "ex-ch01-planted": _planted,
    "ex-ch01-translations": _translations,
}
