"""Oracles of the exercises of section 4.2, shared subspaces. Cases are drawn once with a fixed seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xmrlib.checks._compare import Result, agrees, open_question, value

__all__ = ["EXERCISES"]


def _rank(answer: Any) -> Result:
    """Ten topic shares and 128 visual words of 2,173 articles; 50 pairs with 100 and 80 features."""
    return value(answer, {"Wikipedia": 9, "perfect by accident": 49})


def _coordinates(x: np.ndarray, part: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(part.T, x, rcond=None)[0]


def _planted(answer: Any) -> Result:
    """Parts of a matrix with orthonormal rows, so the parts themselves have none."""
    rng = np.random.default_rng(0)
    cases = []
    for d, whole, own in ((2, 6, 3), (3, 9, 5), (1, 4, 2)):
        H = np.linalg.qr(rng.standard_normal((whole, d)))[0].T
        cases.append((rng.standard_normal(own).round(1), H[:, :own]))
    return agrees(answer, _coordinates, cases)


def _updated(X: np.ndarray, W: np.ndarray, H: np.ndarray) -> np.ndarray:
    above = np.einsum("ij,kj->ik", X, H)
    below = np.einsum("il,lj,kj->ik", W, H, H)
    return W * above / below


def _step(answer: Any) -> Result:
    rng = np.random.default_rng(0)
    shapes = ((3, 4, 2), (5, 3, 1), (2, 6, 3))
    return agrees(
        answer, _updated, [tuple(rng.random(s) + 0.1 for s in ((n, d), (n, k), (k, d))) for n, d, k in shapes]
    )


def _regressed(K: np.ndarray, Y: np.ndarray, K_new: np.ndarray, alpha: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(K)
    return K_new @ vectors @ np.diag(1 / (values + alpha)) @ vectors.T @ Y


def _dual(answer: Any) -> Result:
    rng = np.random.default_rng(0)
    cases = []
    for n, d, c, alpha in ((6, 3, 2, 1.0), (4, 9, 1, 0.1), (5, 5, 3, 10.0)):
        X, new = rng.standard_normal((n, d)), rng.standard_normal((2, d))
        cases.append((X @ X.T, rng.standard_normal((n, c)), new @ X.T, alpha))
    return agrees(answer, _regressed, cases)


EXERCISES: dict[str, Callable[[Any], Result]] = {
    "ex-ch04-subspace-rank": _rank,
    "ex-ch04-subspace-planted": _planted,
    "ex-ch04-subspace-step": _step,
    "ex-ch04-subspace-dual": _dual,
    "ex-ch04-subspace-open": open_question,
}
