"""Similarity of query rows and gallery rows, and exact search for the nearest items.

Everywhere ``Q (q, d)`` are queries, ``X (n, d)`` is the gallery, and a higher score is better; a distance
enters as its negative. float32 in, float32 out; everything else is computed in float64.
Introduced in chapter 1 (sections 1.3 and 1.4).
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from xmrlib import _expect

__all__ = [
    "cosine",
    "csls",
    "neg_sq_euclid",
    "normalize",
    "reciprocal_rank_fusion",
    "standardised_sum",
    "topk",
]

_BLOCK_COLUMNS = 8192  # gallery items scored at a time
_BLOCK_SCORES = 2**22  # scores held at a time: 16 MB of float32


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
    _expect.equal("columns", "Q", Q.shape[1], "X", X.shape[1])
    return Q @ X.T


def neg_sq_euclid(Q: ArrayLike, X: ArrayLike) -> np.ndarray:
    r"""Negative squared Euclidean distance, :math:`-\lVert q - x \rVert^2 = 2 q^\top x - \lVert q \rVert^2 - \lVert x \rVert^2`.

    Q is (q, d) and X is (n, d); the result is (q, n) and never above 0: the nearest item has the highest score.
    For rows of unit length it ranks as `cosine` does, because it is then :math:`2\cos - 2`. The right-hand side
    subtracts nearly equal numbers when rows are close, so it is computed in float64 around the mean of X, and
    what rounding lifts above 0 is 0. Raises ValueError as `cosine` does (rows of zeros are allowed here), and when
    the squares overflow.
    Introduced in chapter 1.

    >>> neg_sq_euclid([[0.0, 0.0]], [[3.0, 4.0], [0.0, 1.0]])
    array([[-25.,  -1.]])
    """
    queries, items = _pair(Q, X)
    with np.errstate(over="ignore", invalid="ignore"):  # raised below, as an error with a name
        centre = items.mean(axis=0, dtype=np.float64)
        A, B = queries - centre, items - centre
        scores = A @ B.T
        scores *= 2
        scores -= np.einsum("ij,ij->i", A, A)[:, None]
        scores -= np.einsum("ij,ij->i", B, B)
        return _no_overflow(np.minimum(scores, 0, out=scores).astype(queries.dtype, copy=False))


def csls(scores: ArrayLike, to_items: ArrayLike, from_queries: ArrayLike, k: int = 10) -> np.ndarray:
    r"""Scores with the hubs held down: cross-domain similarity local scaling.

    .. math:: \operatorname{csls}(q, x) = 2 s(q, x) - r_X(q) - r_Q(x)

    ``scores (q, n)`` are those of queries and gallery, cosines as a rule. :math:`r_X(q)` is the mean of the k highest
    of ``to_items (q, m)``, scores of the queries and some items; :math:`r_Q(x)` is the mean of the k highest of
    ``from_queries (l, n)``, scores of some queries and the gallery. An item that many queries like loses most. The
    paper takes the scores themselves for all three, so the answer to one query depends on the other queries of the
    test; items and queries of the training data give each query an answer of its own. Computed in float64.
    Conneau, Lample, Ranzato, Denoyer & Jégou (2018), section 2.3.

    Raises ValueError for k outside 1..min(m, l), rows or columns that differ in number, NaN, infinity or an empty
    array. Introduced in chapter 4.

    >>> s = [[0.9, 0.8], [0.9, 0.1], [0.9, 0.2]]  # the first item is near to everybody
    >>> csls(s, s, s, k=1)
    array([[ 0. , -0.1],
           [ 0. , -1.5],
           [ 0. , -1.3]])
    """
    scores = _expect.matrix("scores", scores)
    to_items, from_queries = (
        _expect.matrix("to_items", to_items),
        _expect.matrix("from_queries", from_queries),
    )
    _expect.equal("rows", "to_items", len(to_items), "scores", len(scores))
    _expect.equal("columns", "from_queries", from_queries.shape[1], "scores", scores.shape[1])
    k = _expect.integer("k", k, 1, min(to_items.shape[1], len(from_queries)))
    near_query, near_item = _mean_of_highest(to_items, k), _mean_of_highest(from_queries.T, k)
    return 2 * scores.astype(np.float64) - near_query[:, None] - near_item


def standardised_sum(scores: Sequence[ArrayLike], weights: Sequence[ArrayLike] | None = None) -> np.ndarray:
    r"""Late fusion: the sum of several systems' scores, each row brought to mean 0 and deviation 1 first.

    .. math:: s(q, x) = \sum_m w_m \, \frac{s_m(q, x) - \mu_m(q)}{\sigma_m(q)}

    ``scores`` holds one (q, n) of each system m; :math:`\mu_m(q)` and :math:`\sigma_m(q)` are taken over the gallery. A
    weight is a number, or one for each query, (q,): 0 where that system has nothing to say. By default all are 1.
    Computed in float64. Raises ValueError for no systems, other shapes, NaN, infinity, and a row of equal scores, which
    has no deviation. Introduced in chapter 3.

    >>> standardised_sum([[[1.0, 3.0]], [[50.0, 10.0]]], weights=[2, 1])
    array([[-1.,  1.]])
    """
    return _weighted(_standardised, scores, weights)


def reciprocal_rank_fusion(
    scores: Sequence[ArrayLike], weights: Sequence[ArrayLike] | None = None, c: float = 60
) -> np.ndarray:
    r"""Late fusion by ranks alone, :math:`s(q, x) = \sum_m w_m / (c + r_m(q, x))`.

    ``scores`` and ``weights`` as in `standardised_sum`; :math:`r_m(q, x)` is the rank of item x for the system m, from 1.
    Tied items share the last of their ranks. Cormack, Clarke & Büttcher (2009), who fix c = 60. Raises ValueError for
    no systems, other shapes, c < 0, NaN and infinity. Introduced in chapter 3.

    >>> reciprocal_rank_fusion([[[1.0, 3.0]], [[50.0, 10.0]]], weights=[2, 1], c=1)
    array([[1.16666667, 1.33333333]])
    """
    c = _expect.number("c", c, 0)
    return _weighted(lambda part: 1 / (c + _ranks(part)), scores, weights)


def _weighted(
    change: Callable[[np.ndarray], np.ndarray],
    scores: Sequence[ArrayLike],
    weights: Sequence[ArrayLike] | None,
) -> np.ndarray:
    parts = [_expect.matrix(f"scores[{m}]", part).astype(np.float64) for m, part in enumerate(scores)]
    if not parts:
        raise _expect.fail("scores", "empty", "at least one system")
    weights = [1.0] * len(parts) if weights is None else list(weights)
    _expect.equal("number", "weights", len(weights), "scores", len(parts))
    total = np.zeros_like(parts[0])
    for m, (part, weight) in enumerate(zip(parts, weights, strict=True)):
        _expect.equal("shape", f"scores[{m}]", part.shape, "scores[0]", total.shape)
        total += np.reshape(np.asarray(weight, dtype=np.float64), (-1, 1)) * change(part)
    return total


def _standardised(part: np.ndarray) -> np.ndarray:
    deviation = part.std(axis=1, keepdims=True)
    if not (np.ptp(part, axis=1) > 0).all():
        raise _expect.fail("a row of scores", "the same for all items", "scores that differ")
    return (part - part.mean(axis=1, keepdims=True)) / deviation


def _ranks(part: np.ndarray) -> np.ndarray:
    """The rank of each item in its row, (q, n), from 1; tied items share the last of their ranks."""
    counted = [len(row) - np.searchsorted(np.sort(row), row, side="left") for row in part]
    return np.stack(counted)


def topk(Q: ArrayLike, X: ArrayLike, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k items of largest inner product for every query, exactly, best first.

    Q is (q, d) and X is (n, d). Returns ``scores (q, k)``, float32 when Q and X are, else float64, and
    ``ids (q, k)``, int64 row numbers of X. Equal scores come in the order of their ids, smaller id first.
    The scores are matrix products of blocks, whose last bits may differ from those of ``Q @ X.T`` in one piece;
    the order is exact for the scores as they were computed, so expect the same ids as elsewhere except where
    scores differ by rounding. The scores of a few thousand items are held at a time, never all q x n.

    Raises ValueError for k outside 1..n, columns that differ in number, NaN, infinity, an empty array, and inner
    products that overflow. Introduced in chapter 1.

    >>> scores, ids = topk([[1.0, 0.0]], [[0.2, 0.0], [0.9, 0.0], [0.2, 5.0], [0.5, 0.0]], k=3)
    >>> ids
    array([[1, 3, 0]])
    >>> scores
    array([[0.9, 0.5, 0.2]])
    """
    Q, X = _pair(Q, X)
    k = _expect.integer("k", k, 1, len(X))
    columns = max(_BLOCK_COLUMNS, 4 * k)
    rows = max(1, _BLOCK_SCORES // columns)
    with np.errstate(over="ignore", invalid="ignore"):  # raised below, as an error with a name
        safe = np.sqrt(np.vdot(Q, Q)) * np.sqrt(np.vdot(X, X)) < np.finfo(Q.dtype).max  # Cauchy-Schwarz
        parts = [_topk(Q[i : i + rows], X, k, columns, bool(safe)) for i in range(0, len(Q), rows)]
    scores, ids = (np.concatenate(part) for part in zip(*parts, strict=True))
    return _no_overflow(scores), ids


def _mean_of_highest(scores: np.ndarray, k: int) -> np.ndarray:
    """The mean of the k highest of each row, in float64."""
    return np.partition(scores, -k, axis=1)[:, -k:].mean(axis=1, dtype=np.float64)


def _topk(Q: np.ndarray, X: np.ndarray, k: int, columns: int, safe: bool) -> tuple[np.ndarray, np.ndarray]:
    """Search for a few queries, block after block of the gallery. `best` holds query, score and id.

    Where a product might overflow (not `safe`), all scores are looked at, also those far from the best.
    """
    floor = np.full(len(Q), -np.inf, Q.dtype)  # what an item must reach to matter
    best: tuple[np.ndarray, ...] = np.empty(0, np.int64), np.empty(0, Q.dtype), np.empty(0, np.int64)
    waiting = best
    buffer = np.empty((len(Q), min(columns, len(X))), Q.dtype)
    for start in range(0, len(X), columns):
        block = X[start : start + columns]
        scores = np.matmul(Q, block.T, out=buffer[:, : len(block)])
        query, score, item = _candidates(scores if safe else _no_overflow(scores), floor, k)
        waiting = _join(waiting, (query, score, item + start))
        if start == 0 or len(waiting[0]) > k * len(Q) or start + columns >= len(X):
            best, waiting = _best(_join(best, waiting), k), tuple(part[:0] for part in waiting)
            if len(best[0]) == k * len(Q):  # later items have larger ids: to get in they must be better
                floor = np.nextafter(best[1].reshape(-1, k)[:, -1], np.inf, dtype=Q.dtype)
    return best[1].reshape(-1, k), best[2].reshape(-1, k)


def _candidates(scores: np.ndarray, floor: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Query, score and column of all scores >= floor that can be among the k best of their row.

    Columns are put in groups and most groups are dismissed by their maximum. When the floor is too low to help,
    the k-th largest maximum is a better one, since k items reach it.
    """
    m, n = scores.shape
    size = next(size for size in (16, 8, 4, 2, 1) if n % size == 0 and (size == 1 or n >= 2 * k * size))
    groups = scores.reshape(m, size, n // size)
    maxima = groups.max(axis=1)
    hopeful = maxima >= floor[:, None]
    if np.count_nonzero(hopeful) > 2 * k * m:
        floor = np.maximum(floor, np.partition(maxima, -k, axis=1)[:, -k])
        hopeful = maxima >= floor[:, None]
    query, group = np.divmod(np.flatnonzero(hopeful), n // size)
    members = groups[query, :, group]
    which, member = np.nonzero(members >= floor[query, None])
    return query[which], members[which, member], member * (n // size) + group[which]


def _best(candidates: tuple[np.ndarray, ...], k: int) -> tuple[np.ndarray, ...]:
    """The k best of every query: score descending, then id ascending."""
    query, score, item = candidates
    order = np.lexsort((item, -score, query))
    query = query[order]
    kept = np.arange(len(query)) - np.searchsorted(query, query) < k
    return query[kept], score[order[kept]], item[order[kept]]


def _join(a: tuple[np.ndarray, ...], b: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    return tuple(np.concatenate(pair) for pair in zip(a, b, strict=True))


def _no_overflow(scores: np.ndarray) -> np.ndarray:
    if not np.isfinite(scores).all():
        raise ValueError(f"products of Q and X overflow {scores.dtype}; expected smaller numbers, or float64")
    return scores


def _normalize(name: str, X: Any) -> np.ndarray:
    X = _expect.matrix(name, X)
    largest = np.maximum(X.max(axis=1), -X.min(axis=1))[:, None]
    if not largest.all():
        row = int(np.argmin(largest))
        raise ValueError(f"{name}[{row}] is a row of zeros; expected rows that have a direction")
    X = X / largest
    X /= np.sqrt(np.einsum("ij,ij->i", X, X))[:, None]
    return X


def _pair(Q: Any, X: Any) -> tuple[np.ndarray, np.ndarray]:
    """Queries and gallery, checked, of one float type."""
    Q, X = _expect.matrix("Q", Q), _expect.matrix("X", X)
    _expect.equal("columns", "Q", Q.shape[1], "X", X.shape[1])
    dtype = np.result_type(Q, X)
    return Q.astype(dtype, copy=False), X.astype(dtype, copy=False)
