"""Indexes: collections of vectors that can be searched, changed and kept in a file, behind one protocol.

A score is the inner product of query and item, in float32, higher is better; for rows of unit length (see
`xmrlib.similarity.normalize`) it is the cosine, and the nearest item by Euclidean distance comes first too.
Three back-ends do the same: `Exact` looks at everything; `IVF` looks into a few cells and is written to be read;
`Faiss` wraps any index of the faiss library. Introduced in chapter 4 (section 4.6).
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances_argmin

from xmrlib import _expect
from xmrlib.similarity import topk

__all__ = ["IVF", "Exact", "Faiss", "Index"]

_FORMAT = "xmrlib index 1"
_ROWS_PER_CELL = 64  # k-means learns from at most so many rows for each cell
_ITERATIONS = 20  # of k-means; more move the cells hardly at all
_LONGEST = 1e30  # squared length of a row; float32 ends at 3e38, and k-means sums over many rows
_BLOCK = 4096  # queries searched at a time


class Index(Protocol):
    """What every back-end does (chapter 4). Three promises hold for all of them.

    **Ids** are int64, 0 or more, and unique. Without ``ids``, `add` counts on from the largest id so far. An id stays with
    its vector through other deletes, `save` and `load`, and an id that was deleted is not given again by counting.
    **Search** is best first. It raises ValueError in an empty index and for k > len. A search that finds fewer than
    k items, because it looks into few cells, fills the rest with the id -1 and the score -inf. The order of equal
    scores is the back-end's own.
    **Files** are whole or not there: they are written beside the target and then renamed.

    >>> def nearest(index: Index, q: np.ndarray) -> list[int]:  # asks for no back-end in particular
    ...     return index.search(q, k=1)[1].ravel().tolist()
    >>> X = np.eye(3)
    >>> for index in (Exact(), IVF(cells=1)):
    ...     _ = index.add(X, ids=[7, 8, 9])
    ...     nearest(index, X[1:])
    [8, 9]
    [8, 9]
    """

    def add(self, X: ArrayLike, ids: ArrayLike | None = None) -> np.ndarray:
        """Put the rows of X (n, d) in and return their ids (n,). The first call fixes d, and learns what is to learn."""

    def delete(self, ids: ArrayLike) -> None:
        """Take the items with these ids out. Raises ValueError, and deletes nothing, when one is not there."""

    def search(self, Q: ArrayLike, k: int) -> tuple[np.ndarray, np.ndarray]:
        """``scores (q, k)`` float32 and ``ids (q, k)`` int64 of the best items for each row of Q (q, d)."""

    def __len__(self) -> int:
        """The number of items."""

    def save(self, path: str | os.PathLike) -> None:
        """Write everything to one file."""

    @classmethod
    def load(cls, path: str | os.PathLike) -> Self:
        """The index of such a file; ValueError for any other or damaged file."""


class _Rows:
    """What the back-ends share: checks, ids, files. `_ids` are the ids of the stored rows, -1 for a dead one."""

    def __init__(self) -> None:
        self._ids = np.empty(0, np.int64)
        self._next = 0

    def __len__(self) -> int:
        return int(np.count_nonzero(self._ids >= 0))

    def add(self, X: ArrayLike, ids: ArrayLike | None = None) -> np.ndarray:
        """Put the rows of X (n, d) in and return their ids (n,). Costs a copy of all rows: add many at once."""
        X = self._vectors("X", X)
        new = self._new_ids(ids, len(X))
        self._insert(X, new)
        self._next = max(self._next, int(new.max()) + 1)
        return new

    def delete(self, ids: ArrayLike) -> None:
        """Take the items with these ids out. Raises ValueError, and deletes nothing, when one is not there."""
        gone = _id_array(ids)
        missing = gone[~np.isin(gone, self._ids)]
        if len(missing):
            raise _expect.fail("ids", f"an array with {missing[0]} in it", "ids that are in the index")
        self._remove(np.isin(self._ids, gone))

    def search(self, Q: ArrayLike, k: int) -> tuple[np.ndarray, np.ndarray]:
        """``scores (q, k)`` and ``ids (q, k)`` of the best items for each row of Q (q, d), best first."""
        if not len(self):
            raise ValueError("the index is empty; expected at least one item to search")
        Q, k = self._vectors("Q", Q), _expect.integer("k", k, 1, len(self))
        parts = [self._search(Q[i : i + _BLOCK], k) for i in range(0, len(Q), _BLOCK)]
        scores, ids = (np.concatenate(part) for part in zip(*parts, strict=True))
        return scores, ids

    def save(self, path: str | os.PathLike) -> None:
        """Write everything to one file: beside it first, then renamed, so that it is never half there."""
        path = Path(path)
        kind = [_FORMAT, type(self).__name__]
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
            try:
                np.savez(file, kind=kind, ids=self._ids, next=self._next, **self._state())
                file.close()
                os.replace(file.name, path)
            finally:
                Path(file.name).unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Self:
        """The index of such a file. ValueError for any other or damaged file, FileNotFoundError for none."""
        state = _read(Path(path), cls.__name__)
        loaded = cls._restored(state)
        loaded._ids, loaded._next = state["ids"], int(state["next"])
        return loaded

    def _vectors(self, name: str, value: ArrayLike) -> np.ndarray:
        """The rows as float32, with as many columns as those before, and not so long that products overflow."""
        with np.errstate(over="ignore"):
            rows = _expect.matrix(name, value).astype(np.float32, order="C", copy=False)
            if np.einsum("ij,ij->i", rows, rows).max() > _LONGEST:
                raise _expect.fail(name, "a matrix with a row longer than 1e15", "shorter ones, for float32")
        if len(self._ids):
            _expect.equal("columns", name, rows.shape[1], "the index", self._columns())
        return rows

    def _new_ids(self, ids: ArrayLike | None, n: int) -> np.ndarray:
        if ids is None:
            return np.arange(self._next, self._next + n)
        new = _id_array(ids)
        _expect.equal("length", "ids", len(new), "X", n)
        known = new[np.isin(new, self._ids)]
        if len(known):
            raise _expect.fail("ids", f"an array with {known[0]} in it", "ids that are not in the index yet")
        return new

    def _columns(self) -> int:
        raise NotImplementedError

    def _insert(self, X: np.ndarray, ids: np.ndarray) -> None:
        raise NotImplementedError

    def _remove(self, gone: np.ndarray) -> None:
        raise NotImplementedError

    def _search(self, Q: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        raise NotImplementedError

    def _state(self) -> dict[str, Any]:
        raise NotImplementedError

    @classmethod
    def _restored(cls, state: dict[str, np.ndarray]) -> Self:
        raise NotImplementedError


class Exact(_Rows):
    """Exact search: every query meets every item, by `xmrlib.similarity.topk` (chapter 4). See `Index`.

    >>> gallery = Exact()
    >>> gallery.add([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    array([0, 1, 2])
    >>> gallery.delete([1])
    >>> scores, ids = gallery.search([[0.0, 1.0]], k=2)
    >>> ids
    array([[2, 0]])
    """

    _X: np.ndarray

    def _columns(self) -> int:
        return self._X.shape[1]

    def _insert(self, X: np.ndarray, ids: np.ndarray) -> None:
        self._X = np.concatenate([self._X, X]) if len(self._ids) else X.copy()
        self._ids = np.concatenate([self._ids, ids])

    def _remove(self, gone: np.ndarray) -> None:
        self._X, self._ids = self._X[~gone], self._ids[~gone]

    def _search(self, Q: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        scores, rows = topk(Q, self._X, k)
        return scores, self._ids[rows]

    def _state(self) -> dict[str, Any]:
        return {"X": self._X} if len(self._ids) else {}

    @classmethod
    def _restored(cls, state: dict[str, np.ndarray]) -> Self:
        loaded = cls()
        if "X" in state:
            loaded._X = state["X"]
        return loaded


class IVF(_Rows):
    """An inverted file of vectors: search in the cells whose centroids score best (chapter 4). See `Index`.

    The first `add` cuts space into ``cells`` by k-means (seeded; Lloyd 1982), so it needs at least that many rows, and
    ones that look like those to come. Every item lies in the cell of its nearest centroid, by Euclidean distance
    (Sivic & Zisserman 2003; Jégou, Douze & Schmid 2011). A search scores the items of the ``probes`` cells whose
    centroids have the largest inner product with the query, which is the mean score of the rows they are the mean
    of. All queries that probe a cell meet it in one matrix product. With probes = cells it is exact.

    ``probes`` may be changed at any time; ``centroids`` is (cells, d) after the first `add`. Raises ValueError for
    cells < 1 and probes outside 1..cells.

    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(1000, 8))
    >>> fast = IVF(cells=10, probes=10)
    >>> fast.add(X)[-1]
    np.int64(999)
    >>> bool((fast.search(X, 1)[1][:, 0] == topk(X, X, 1)[1][:, 0]).all())
    True
    """

    centroids: np.ndarray
    _X: np.ndarray  # sorted by cell; cell c holds rows _starts[c] to _starts[c + 1]
    _starts: np.ndarray

    def __init__(self, cells: int, probes: int = 1, seed: int = 0) -> None:
        super().__init__()
        self.cells = _expect.integer("cells", cells, 1)
        self.probes = _expect.integer("probes", probes, 1, cells)
        self.seed = _expect.integer("seed", seed, 0)

    def _columns(self) -> int:
        return self._X.shape[1]

    def _insert(self, X: np.ndarray, ids: np.ndarray) -> None:
        if not hasattr(self, "centroids"):
            self.centroids = self._learn(X)
        cells = pairwise_distances_argmin(X, self.centroids)
        if len(self._ids):
            X, ids = np.concatenate([self._X, X]), np.concatenate([self._ids, ids])
            cells = np.concatenate([self._cell_of_rows(), cells])
        order = np.argsort(cells, kind="stable")
        self._X, self._ids = X[order], ids[order]
        self._starts = np.searchsorted(cells[order], np.arange(self.cells + 1))

    def _learn(self, X: np.ndarray) -> np.ndarray:
        """The centroids of k-means on some of the rows."""
        _expect.integer("the number of rows of the first add", len(X), self.cells)
        rng = np.random.default_rng(self.seed)
        some = rng.permutation(len(X))[: _ROWS_PER_CELL * self.cells]
        means = KMeans(self.cells, init="random", n_init=1, max_iter=_ITERATIONS, random_state=self.seed)
        return means.fit(X[some]).cluster_centers_

    def _cell_of_rows(self) -> np.ndarray:
        return np.repeat(np.arange(self.cells), np.diff(self._starts))

    def _remove(self, gone: np.ndarray) -> None:
        self._starts = np.searchsorted(self._cell_of_rows()[~gone], np.arange(self.cells + 1))
        self._X, self._ids = self._X[~gone], self._ids[~gone]

    def _search(self, Q: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        probes = topk(Q, self.centroids, _expect.integer("probes", self.probes, 1, self.cells))[1]
        floor = np.full(len(Q), -np.inf, np.float32)  # what an item must reach to be among the k best
        found = self._scan(Q, probes[:, :1], floor, k)
        if self.probes > 1:
            others = self._scan(Q, probes[:, 1:], floor)
            found = tuple(np.concatenate(pair) for pair in zip(found, others, strict=True))
        query, score, row = found
        return _best(query, score, self._ids[row], len(Q), k)

    def _scan(
        self, Q: np.ndarray, probes: np.ndarray, floor: np.ndarray, k: int | None = None
    ) -> tuple[np.ndarray, ...]:
        """Query, score and row of the items in the probed cells that reach the floor; with k, raise the floor first."""
        order = np.argsort(probes, axis=None, kind="stable")
        cells, first = np.unique(probes.ravel()[order], return_index=True)
        found = []
        for cell, asking in zip(cells, np.split(order // probes.shape[1], first[1:]), strict=True):
            start, stop = self._starts[cell : cell + 2]
            scores = Q[asking] @ self._X[start:stop].T
            if k is not None and stop - start >= k:
                floor[asking] = np.partition(scores, -k, axis=1)[:, -k]
            hits = np.flatnonzero(scores >= floor[asking, None])
            query, row = np.divmod(hits, max(1, stop - start))
            found.append((asking[query], scores.ravel()[hits], row + start))
        query, score, row = (np.concatenate(part) for part in zip(*found, strict=True))
        return query, score, row

    def _state(self) -> dict[str, Any]:
        state = {"settings": [self.cells, self.probes, self.seed]}
        return state | {name: getattr(self, name) for name in self._learned if hasattr(self, name)}

    _learned = ("centroids", "_X", "_starts")

    @classmethod
    def _restored(cls, state: dict[str, np.ndarray]) -> Self:
        loaded = cls(*map(int, state["settings"]))
        vars(loaded).update({name: state[name] for name in cls._learned if name in state})
        return loaded


class Faiss(_Rows):
    """Any index of the faiss library, named by its factory string (chapter 4). See `Index`.

    ``factory`` is "Flat", "IVF256,Flat", "HNSW32", "PQ16" and so on (Douze et al. 2024, *The Faiss library*), always
    with the inner product. ``settings`` are those of the search, such as "nprobe=16" or "efSearch=64", and may be
    changed at any time. The first `add` learns cells and codebooks from its rows. Rows are added by one thread,
    since the graph of HNSW depends on the order of insertion. faiss cannot delete from every kind of index, so a
    deleted row stays as a tombstone, and a search asks for as many more: build the index anew when many are dead.

    Raises ValueError, at the first `add`, for a factory string that faiss does not know, and at a search for a
    setting that it does not know. faiss reads index files without much care: load only files that you trust.

    >>> quick = Faiss("IVF4,Flat", settings="nprobe=4")
    >>> X = np.random.default_rng(0).normal(size=(400, 8))
    >>> ids = quick.add(X)
    >>> scores, ids = quick.search(X[:2], k=3)
    >>> ids.shape
    (2, 3)
    """

    _index: Any = None

    def __init__(self, factory: str, settings: str = "") -> None:
        super().__init__()
        self.factory, self.settings = factory, settings

    def _columns(self) -> int:
        return self._index.d

    def _insert(self, X: np.ndarray, ids: np.ndarray) -> None:
        import faiss

        if self._index is None:
            with _named("factory", self.factory, "a factory string of faiss that fits the columns"):
                self._index = faiss.index_factory(X.shape[1], self.factory, faiss.METRIC_INNER_PRODUCT)
                self._index.train(X)
        threads = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(1)
        try:
            self._index.add(X)
        finally:
            faiss.omp_set_num_threads(threads)
        self._ids = np.concatenate([self._ids, ids])

    def _remove(self, gone: np.ndarray) -> None:
        self._ids = np.where(gone, -1, self._ids)

    def _search(self, Q: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        import faiss

        if self.settings:
            with _named("settings", self.settings, "search settings of faiss that fit the factory"):
                faiss.ParameterSpace().set_index_parameters(self._index, self.settings)  # type: ignore[arg-type]
        dead = len(self._ids) - len(self)
        scores, rows = self._index.search(Q, k + dead)
        ids = np.where(rows >= 0, self._ids[rows], -1)
        order = np.argsort(ids < 0, axis=1, kind="stable")[:, :k]  # the living first, still best first
        scores, ids = (np.take_along_axis(a, order, axis=1) for a in (scores, ids))
        return np.where(ids >= 0, scores, np.float32(-np.inf)), ids

    def _state(self) -> dict[str, Any]:
        import faiss

        content = {} if self._index is None else {"index": faiss.serialize_index(self._index)}
        return {"settings": [self.factory, self.settings], **content}

    @classmethod
    def _restored(cls, state: dict[str, np.ndarray]) -> Self:
        import faiss

        loaded = cls(*map(str, state["settings"]))
        if "index" in state:
            loaded._index = faiss.deserialize_index(state["index"])
        return loaded


def _best(
    query: np.ndarray, score: np.ndarray, ids: np.ndarray, q: int, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The k best of every query, best first, as two matrices; where fewer were found, -inf and -1."""
    order = np.lexsort((ids, -score, query))
    query = query[order]
    rank = np.arange(len(query)) - np.searchsorted(query, query)
    kept = rank < k
    place = query[kept], rank[kept]
    scores, best = np.full((q, k), -np.inf, np.float32), np.full((q, k), -1)
    scores[place], best[place] = score[order[kept]], ids[order[kept]]
    return scores, best


def _id_array(ids: ArrayLike) -> np.ndarray:
    """Ids as int64, checked: whole numbers of at least 0, none twice."""
    array = _expect.array("ids", ids, 1, "iu")
    if array.min() < 0 or array.max() > np.iinfo(np.int64).max:
        raise _expect.fail(
            "ids", f"an array from {array.min()} to {array.max()}", "whole numbers from 0 to 2**63 - 1"
        )
    if len(np.unique(array)) < len(array):
        raise _expect.fail("ids", "an array with repeated numbers", "every id once")
    return array.astype(np.int64)


def _read(path: Path, kind: str) -> dict[str, np.ndarray]:
    """The arrays of a file that `save` wrote for this kind of index."""
    state: dict[str, np.ndarray] = {}
    with contextlib.suppress(ValueError, EOFError, KeyError, zipfile.BadZipFile), path.open("rb") as file:
        state = dict(np.load(file, allow_pickle=False))
    found = [str(part) for part in state.get("kind", ())]
    if found != [_FORMAT, kind]:
        what = f"a file of {found[1]}" if found[:1] == [_FORMAT] else "not a whole file of an index"
        raise _expect.fail("path", f"{path}, {what}", f"a file that {kind}.save wrote")
    return state


@contextlib.contextmanager
def _named(name: str, value: str, expected: str) -> Any:
    """Errors of faiss as a ValueError that gives the name, the value and what was expected."""
    try:
        yield
    except RuntimeError as error:
        raise _expect.fail(name, repr(value), expected) from error
