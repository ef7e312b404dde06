"""Similarity of query rows and gallery rows, and exact search for the nearest items.

Everywhere ``Q (q, d)`` are queries, ``X (n, d)`` is the gallery, and a higher score is better; a distance
enters as its negative. float32 in, float32 out; everything else is computed in float64.
Introduced in chapter 1 (sections 1.3 and 1.4).
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from xmrlib import _check

__all__ = ["cosine", "neg_sq_euclid", "normalize", "topk"]


def normalize(X: ArrayLike) -> np.ndarray:
    r"""Rows of unit Euclidean length, :math:`x_i / \lVert x_i \rVert_2`.

    X is (n, d); the result has the same shape, float32 for float32 and float64 otherwise. Each row is first
    divided by its largest absolute value, so that neither huge nor tiny numbers overflow when squared.
    Raises ValueError for a row of zeros (it has no direction), NaN, infinity or an empty array.
    Introduced in chapter 1.

    >>> normalize([[3.0, 4.0], [0.0, -2.0]])
    array([[ 0.6,  0.8],
           [ 0. , -1. ]])
    """
    return _normalize("X", X)


def cosine(Q: ArrayLike, X: ArrayLike) -> np.ndarray:
    r"""Cosine similarity of every query and every item, :math:`q^\top x / (\lVert q \rVert \lVert x \rVert)`.

    Q is (q, d) and X is (n, d); the result is (q, n), from -1 (opposite) to 1 (same direction), up to rounding.
    Raises ValueError when the columns differ in number, for a row of zeros, NaN, infinity or an empty array.
    See Manning, Raghavan & Schütze (2008), section 6.3. Introduced in chapter 1.

    >>> cosine([[1.0, 0.0]], [[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]])
    array([[ 1.,  0., -1.]])
    """
    Q, X = _normalize("Q", Q), _normalize("X", X)
    _check.equal("columns", "Q", Q.shape[1], "X", X.shape[1])
    return Q @ X.T


def neg_sq_euclid(Q: ArrayLike, X: ArrayLike) -> np.ndarray:
    r"""Negative squared Euclidean distance, :math:`-\lVert q - x \rVert^2 = 2 q^\top x - \lVert q \rVert^2 - \lVert x \rVert^2`.

    Q is (q, d) and X is (n, d); the result is (q, n) and never above 0: the nearest item has the highest score.
    For rows of unit length it ranks as `cosine` does, because it is then :math:`2\cos - 2`. The right-hand side
    subtracts nearly equal numbers when rows are close, so it is computed in float64 around the mean of X, and
    what rounding lifts above 0 is 0. Raises ValueError as `cosine` does, except that rows of zeros are allowed.
    Introduced in chapter 1.

    >>> neg_sq_euclid([[0.0, 0.0]], [[3.0, 4.0], [0.0, 1.0]])
    array([[-25.,  -1.]])
    """
    Q, X = _pair(Q, X)
    dtype = Q.dtype
    centre = X.mean(axis=0, dtype=np.float64)
    Q, X = Q - centre, X - centre
    scores = Q @ X.T
    scores *= 2
    scores -= np.einsum("ij,ij->i", Q, Q)[:, None]
    scores -= np.einsum("ij,ij->i", X, X)
    return np.minimum(scores, 0, out=scores).astype(dtype, copy=False)


def topk(Q: ArrayLike, X: ArrayLike, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k items of largest inner product for every query, exactly, best first.

    Q is (q, d) and X is (n, d). Returns ``scores (q, k)`` and ``ids (q, k)``, int64 row numbers of X.
    Equal scores come in the order of their ids, smaller id first.
    Raises ValueError for k outside 1..n, columns that differ in number, NaN, infinity or an empty array.
    Introduced in chapter 1.

    >>> scores, ids = topk([[1.0, 0.0]], [[0.2, 0.0], [0.9, 0.0], [0.2, 5.0], [0.5, 0.0]], k=3)
    >>> ids
    array([[1, 3, 0]])
    >>> scores
    array([[0.9, 0.5, 0.2]])
    """
    Q, X = _pair(Q, X)
    k = _check.integer("k", k, 1, len(X))
    scores = Q @ X.T
    ids = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, ids, axis=1), ids


def _normalize(name: str, X: Any) -> np.ndarray:
    X = _check.matrix(name, X)
    largest = np.maximum(X.max(axis=1), -X.min(axis=1))[:, None]
    if not largest.all():
        row = int(np.argmin(largest))
        raise ValueError(f"{name}[{row}] is a row of zeros; expected rows that have a direction")
    X = X / largest
    X /= np.sqrt(np.einsum("ij,ij->i", X, X))[:, None]
    return X


def _pair(Q: Any, X: Any) -> tuple[np.ndarray, np.ndarray]:
    """Queries and gallery, checked, of one float type."""
    Q, X = _check.matrix("Q", Q), _check.matrix("X", X)
    _check.equal("columns", "Q", Q.shape[1], "X", X.shape[1])
    dtype = np.result_type(Q, X)
    return Q.astype(dtype, copy=False), X.astype(dtype, copy=False)
