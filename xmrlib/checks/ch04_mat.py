"""Oracles of the exercises of section 4.1, matching. All cases are made by hand or seeded, without ties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xmrlib.checks._compare import Result, agrees, value

__all__ = ["EXERCISES"]


def _three(answer: Any) -> Result:
    if isinstance(answer, dict):
        answer = {ruler: x.strip().lower() if isinstance(x, str) else x for ruler, x in answer.items()}
    return value(answer, {"inner product": "a", "cosine": "b", "Euclid": "c"})


def _never_seen(scores: np.ndarray, k: int) -> float:
    seen = {int(item) for row in scores for item in np.argsort(-row)[:k]}
    return 1 - len(seen) / scores.shape[1]


def _never(answer: Any) -> Result:
    """More queries than items and fewer, the last items seen by nobody, and everything seen."""
    rng = np.random.default_rng(0)
    few = np.array([[5.0, 3, 1, 0], [4, 6, 2, 1], [9, 8, 3, 2]])
    cases = [(few, 1), (few, 2), (few, 4), (few.T, 1), (rng.random((7, 30)), 3), (rng.random((40, 9)), 2)]
    return agrees(answer, _never_seen, cases)


def _transductive_csls(scores: np.ndarray, k: int) -> np.ndarray:
    near_query = [np.mean(sorted(row)[-k:]) for row in scores]
    near_item = [np.mean(sorted(column)[-k:]) for column in scores.T]
    return 2 * scores - np.array(near_query)[:, None] - np.array(near_item)


def _planted(answer: Any) -> Result:
    rng = np.random.default_rng(1)
    return agrees(
        answer, _transductive_csls, [(rng.uniform(-1, 1, (n, n)), k) for n, k in ((3, 1), (6, 2), (8, 5))]
    )


def _lift(answer: Any) -> Result:
    """Any lift will do whose inner products order the items as Euclid does."""
    if not callable(answer):
        return agrees(answer, _euclidean_order, [_lift_case(0)])
    return agrees(_order_after(answer), _euclidean_order, [_lift_case(seed) for seed in range(3)])


def _lift_case(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Items of very different lengths, so that the inner product alone gives another order."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((4, 3)), rng.standard_normal((6, 3)) * rng.uniform(0.2, 4, (6, 1))


def _euclidean_order(Q: np.ndarray, X: np.ndarray) -> np.ndarray:
    """For each query the items, nearest first."""
    return np.array([sorted(range(len(X)), key=lambda j: float(((q - X[j]) ** 2).sum())) for q in Q])


def _order_after(lift: Callable) -> Callable:
    def order(Q: np.ndarray, X: np.ndarray) -> Any:
        lifted = lift(Q, X)
        if lifted is None or lifted is ...:
            return lifted
        queries, items = (np.asarray(part, dtype=float) for part in lifted)
        wanted = [(len(Q), Q.shape[1] + 1), (len(X), X.shape[1] + 1)]
        if [queries.shape, items.shape] != wanted:
            raise ValueError(
                f"the shapes are {queries.shape} and {items.shape}; expected {wanted[0]} and {wanted[1]}"
            )
        return np.argsort(-queries @ items.T, axis=1)

    return order


def _cells(answer: Any) -> Result:
    """C + 16 n / C distances for a million items."""
    return value(
        answer, {"distances for 1000 cells": 17_000, "best number of cells": 4000, "distances then": 8000}
    )


def _open(answer: Any) -> Result:
    note = "It is not graded. Compare what you found with the solution, or with somebody else's."
    return Result("open", note, "An open question.")


EXERCISES: dict[str, Callable[[Any], Result]] = {
    "ex-ch04-matching-three": _three,
    "ex-ch04-matching-never": _never,
    "ex-ch04-matching-planted": _planted,
    "ex-ch04-matching-lift": _lift,
    "ex-ch04-matching-cells": _cells,
    "ex-ch04-matching-open": _open,
}
