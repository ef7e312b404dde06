"""Oracles of the exercises of section 2.6, image coding. Cases are made by hand or drawn once with a fixed seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xmrlib.checks._compare import Result, agrees, open_question, value

__all__ = ["EXERCISES"]


def _dims(answer: Any) -> Result:
    """200 pictures of 8 classes with 1,000 features."""
    return value(answer, {"PCA": 199, "LDA": 7, "rank of scatter within": 192})


def _rebuilt(x: np.ndarray, mean: np.ndarray, W: np.ndarray) -> np.ndarray:
    return mean + sum(((x - mean) @ w) * w for w in W.T)


def _rebuild(answer: Any) -> Result:
    rng = np.random.default_rng(0)
    cases = []
    for d, dim in ((4, 1), (5, 2), (6, 6)):
        W = np.linalg.qr(rng.standard_normal((d, dim)))[0]
        cases.append((rng.standard_normal(d).round(1), rng.standard_normal(d).round(1), W))
    return agrees(answer, _rebuilt, cases)


def _nearest(train: np.ndarray, new: np.ndarray, dim: int) -> np.ndarray:
    mean = train.mean(axis=0)
    _, lengths, axes = np.linalg.svd(train - mean, full_matrices=False)
    scaled = axes[:dim].T / lengths[:dim]
    apart = [((train - x) @ scaled) ** 2 for x in new]
    return np.array([each.sum(axis=1).argmin() for each in apart])


def _planted(answer: Any) -> Result:
    """New pictures one at a time, and some that all lie to one side of the training pictures."""
    rng = np.random.default_rng(0)
    train = rng.standard_normal((12, 5)) * (5, 3, 2, 1, 0.5)
    beside = train[[2, 7, 9]] + 0.01
    cases = [(train, train[[4]] + 0.01, 2), (train, beside, 2), (train, beside[1:], 3), (train, train, 5)]
    return agrees(answer, _nearest, cases)


def _bits(patch: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    return np.array([int(int(patch[y1, x1]) < int(patch[y2, x2])) for x1, y1, x2, y2 in pairs.tolist()])


def _brief(answer: Any) -> Result:
    rng = np.random.default_rng(0)
    steps = np.array([[10, 20, 30], [40, 250, 30]], dtype=np.uint8)
    pairs = np.array([[0, 0, 1, 0], [1, 0, 0, 0], [2, 0, 2, 1], [0, 1, 1, 1], [1, 1, 0, 0]])
    patch, more = rng.integers(256, size=(9, 12), dtype=np.uint8), rng.integers(9, size=(32, 4))
    return agrees(answer, _bits, [(steps, pairs), (patch, more)])


def _voted(descriptors: np.ndarray) -> np.ndarray:
    bits = np.unpackbits(descriptors, axis=1)
    return np.packbits([2 * column.sum(dtype=int) > len(column) for column in bits.T])


def _majority(answer: Any) -> Result:
    rng = np.random.default_rng(0)
    lists = [rng.integers(256, size=(m, 32), dtype=np.uint8) for m in (1, 3, 5)]
    edge = np.repeat(np.array([[127], [128], [128]], dtype=np.uint8), 32, axis=1)
    return agrees(answer, _voted, [(descriptors,) for descriptors in (*lists, edge)])


EXERCISES: dict[str, Callable[[Any], Result]] = {
    "ex-ch02-cod-dims": _dims,
    "ex-ch02-cod-rebuild": _rebuild,
    "ex-ch02-cod-planted": _planted,
    "ex-ch02-cod-brief": _brief,
    "ex-ch02-cod-majority": _majority,
    "ex-ch02-cod-open": open_question,
}
