"""Oracles of the exercises of section 2.2, word embeddings. All cases are made by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import exp, log
from typing import Any

import numpy as np

from xmrlib.checks._compare import Result, agrees, open_question, value

__all__ = ["EXERCISES"]


def _pencil(answer: Any) -> Result:
    """1,000 pairs in all: "ice" 40, "cold" 50, together 16; "ice" and "the" (200) together 8, "fashion" (30) 0."""
    return value(answer, {"PMI ice, cold": log(8), "PPMI ice, the": log(1), "PPMI ice, fashion": 0})


def _step(w: np.ndarray, c: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    def pull(other: np.ndarray, label: int) -> np.ndarray:
        return (1 / (1 + exp(-sum(a * b for a, b in zip(w, other, strict=True)))) - label) * other

    return pull(c, 1) + sum(pull(n, 0) for n in negatives)


def _gradient(answer: Any) -> Result:
    rng = np.random.default_rng(0)
    cases = [(rng.normal(size=d), rng.normal(size=d), rng.normal(size=(k, d))) for d, k in [(2, 1), (3, 5)]]
    return agrees(answer, _step, [*cases, (np.zeros(3), np.ones(3), np.eye(3))])


def _ppmi(N: np.ndarray) -> np.ndarray:
    total = N.sum()
    rows, columns = [sum(row) for row in N], [sum(column) for column in N.T]
    cells = [
        [max(0.0, log(x * total / rows[i] / columns[j])) if x else 0.0 for j, x in enumerate(row)]
        for i, row in enumerate(N)
    ]
    return np.array(cells)


def _planted(answer: Any) -> Result:
    tables = [[[4, 1], [1, 6]], [[8, 2, 0], [1, 5, 3], [4, 0, 9]], [[1, 9], [7, 2]]]
    hint = "Only a table that is not symmetric can show the error."
    return agrees(answer, _ppmi, [np.array(table, dtype=float) for table in tables], hint=hint)


def _weighted(
    words: Sequence[str], vectors: Mapping[str, np.ndarray], idf: Mapping[str, float]
) -> np.ndarray:
    known = [word for word in words if word in vectors]
    total = sum((idf[word] * vectors[word] for word in known), np.zeros(len(next(iter(vectors.values())))))
    return total / sum(idf[word] for word in known) if known else total


def _idf(answer: Any) -> Result:
    vectors = {"a": np.array([1.0, 0.0]), "red": np.array([0.0, 2.0]), "frog": np.array([3.0, 1.0])}
    idf = {"a": 1.0, "red": 3.0, "frog": 4.0, "xqzt": 6.0}
    texts = ["a frog", "a red frog", "a a frog", "a xqzt frog", "xqzt", ""]
    return agrees(answer, _weighted, [(text.split(), vectors, idf) for text in texts])


EXERCISES: dict[str, Callable[[Any], Result]] = {
    "ex-ch02-emb-pencil": _pencil,
    "ex-ch02-emb-gradient": _gradient,
    "ex-ch02-emb-planted": _planted,
    "ex-ch02-emb-idf": _idf,
    "ex-ch02-emb-open": open_question,
}
"""Label of each exercise → its grader."""
