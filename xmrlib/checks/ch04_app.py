"""Oracles of the exercises of section 4.6, approximate search. Cases are made by hand or drawn once with a fixed seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xmrlib.checks._compare import Result, agrees, value

__all__ = ["EXERCISES"]


def _bytes(answer: Any) -> Result:
    """One million vectors of 384 numbers."""
    return value(answer, {"float32": 1536, "256 bits": 32, "PQ48": 48, "HNSW16": 1536 + 128})


def _chance(angle: float, bits: int, tables: int) -> float:
    return 1 - (1 - (1 - angle / 180) ** bits) ** tables


def _tables(answer: Any) -> Result:
    return agrees(answer, _chance, [(60, 1, 1), (60, 4, 1), (30, 8, 10), (90, 12, 40), (0, 5, 2)])


def _greedy_end(points: np.ndarray, links: list[list[int]], query: np.ndarray, start: int) -> int:
    apart = np.linalg.norm(points - query, axis=1)
    while apart[links[start]].min() < apart[start]:
        start = links[start][int(apart[links[start]].argmin())]
    return start


def _greedy(answer: Any) -> Result:
    """A line; a trap, where the walk must stop at a local best; a random graph."""
    line = np.array([[0.0, 0], [1, 0], [2, 0], [3, 0]])
    chain = [[1], [0, 2], [1, 3], [2]]
    trap = np.array([[0.0, 0], [2, 0], [1, 3], [3, 1]])
    around = [[1, 2], [0, 2], [0, 1, 3], [2]]
    rng = np.random.default_rng(0)
    many = rng.random((40, 2))
    near = [np.argsort(((many - p) ** 2).sum(axis=1))[1:5].tolist() for p in many]
    cases = [
        (line, chain, np.array([2.9, 0.2]), 0),
        (line, chain, np.array([0.1, 0.2]), 0),
        (trap, around, np.array([3.0, 0.6]), 0),
        *[(many, near, rng.random(2), start) for start in (0, 7, 20)],
    ]
    return agrees(answer, _greedy_end, cases)


def _share(found: np.ndarray, truth: np.ndarray) -> float:
    hits = [len(set(a.tolist()) & set(b.tolist())) / len(b) for a, b in zip(found, truth, strict=True)]
    return float(np.mean(hits))


def _recall(answer: Any) -> Result:
    """Full lists, lists with -1 where nothing was found, and a query that found nothing."""
    truth = np.array([[4, 2, 9], [1, 0, 7]])
    cases = [
        (truth, truth),
        (np.array([[2, 5, 4], [3, 8, 6]]), truth),
        (np.array([[4, -1, -1], [0, 1, -1]]), truth),
        (np.array([[-1, -1, -1], [7, 1, 0]]), truth),
    ]
    return agrees(answer, _share, cases)


def _open(answer: Any) -> Result:
    note = "It is not graded. Compare what you found with the solution, or with somebody else's."
    return Result("open", note, "An open question.")


EXERCISES: dict[str, Callable[[Any], Result]] = {
    "ex-ch04-approximate-bytes": _bytes,
    "ex-ch04-approximate-tables": _tables,
    "ex-ch04-approximate-greedy": _greedy,
    "ex-ch04-approximate-recall": _recall,
    "ex-ch04-approximate-open": _open,
}
