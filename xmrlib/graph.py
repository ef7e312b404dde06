"""Graphs over items: who is next to whom, and networks that pass vectors along the edges (chapter 3).

A graph of n items is a sparse matrix ``A (n, n)`` of non-negative weights: row i holds what item i hears, column j what
item j says. It has no self-loops; `normalized` adds them. ``H (n, d)`` are the vectors of the items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.sparse import csr_array, diags_array, eye_array
from torch import Tensor, nn
from torch.nn.functional import dropout

from xmrlib import _expect, similarity

__all__ = ["GCN", "MessagePassing", "as_tensor", "nearest", "normalized", "same"]


def nearest(X: ArrayLike, k: int, known: ArrayLike | None = None) -> csr_array:
    """Each item and its k nearest others by cosine, an edge in both directions; (n, n) of 0 and 1 (chapter 3).

    With ``known``, item numbers or a mask, the graph is inductive: only known items are anybody's neighbours. Edges
    among them are as before, so an item that comes later hears k of them and changes nothing for them.
    Raises ``ValueError`` unless k is from 1 to the number of known items less one.

    >>> nearest([[1.0, 0], [0.9, 0.1], [0, 1]], k=1).toarray()
    array([[0., 1., 0.],
           [1., 0., 1.],
           [0., 1., 0.]])
    >>> nearest([[1.0, 0], [0.9, 0.1], [0, 1]], k=1, known=[0, 1]).toarray()  # nobody hears the third
    array([[0., 1., 0.],
           [1., 0., 0.],
           [0., 1., 0.]])
    """
    X = similarity.normalize(_expect.matrix("X", X).astype(float))
    n = len(X)
    known = np.arange(n) if known is None else np.unique(_expect.items("known", known, n))
    k = _expect.integer("k", k, 1, len(known) - 1)
    scores = np.where(np.isin(np.arange(n), known), X @ X.T, -np.inf)
    np.fill_diagonal(scores, -np.inf)
    columns = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    A = csr_array((np.ones(n * k), columns.ravel(), np.arange(n + 1) * k), (n, n))
    back = A.T.multiply(np.isin(np.arange(n), known)).tocsr()  # the known hear only each other
    return A.maximum(back)


def same(labels: Sequence[Any]) -> csr_array:
    """An edge between any two items that have the same label, (n, n) of 0 and 1; None is no label (chapter 3).

    >>> same(["bird", None, "bird", None]).toarray()[0]
    array([0., 0., 1., 0.])
    """
    names = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    numbers = np.array([-1 if label is None else names[label] for label in labels])
    A = (numbers[:, None] == numbers) & (numbers[:, None] >= 0)
    np.fill_diagonal(A, False)
    return csr_array(A.astype(float))


def normalized(A: Any, self_loops: bool = True) -> csr_array:
    """The matrix that one layer of a graph convolution multiplies with (Kipf and Welling 2017) (chapter 3).

    ``D^(-1/2) (A + I) D^(-1/2)``, where D holds the row sums of ``A + I``. If A is symmetric, so is the result, and its
    eigenvalues lie in [-1, 1]. Without self-loops ``A`` stands in place of ``A + I``, and the row and the column of
    an item without edges are zero. Raises ``ValueError`` unless A is square, finite and nowhere negative.

    >>> normalized(csr_array([[0.0, 1], [1, 0]])).toarray()
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    A = _adjacency(A)
    A = A + eye_array(A.shape[0], format="csr") if self_loops else A
    degrees = np.asarray(A.sum(axis=1))
    roots = np.zeros(len(degrees))
    np.divide(1, np.sqrt(degrees), out=roots, where=degrees > 0)
    return (diags_array(roots) @ A @ diags_array(roots)).tocsr()


def _adjacency(A: Any) -> csr_array:
    A = csr_array(A, dtype=float)
    _expect.equal("length", "rows of A", A.shape[0], "columns of A", A.shape[1])
    if A.nnz and not (np.isfinite(A.data).all() and A.data.min() >= 0):
        raise _expect.fail("A", "a matrix with a weight below 0 or not finite", "weights of at least 0")
    return A


def as_tensor(A: Any) -> Tensor:
    """A sparse matrix of scipy as a sparse float32 tensor, for the networks of this module (chapter 3).

    >>> as_tensor(csr_array([[0.0, 1], [1, 0]])).to_dense()
    tensor([[0., 1.],
            [1., 0.]])
    """
    A = csr_array(A).tocoo()
    places, weights = torch.from_numpy(np.stack(A.coords)), torch.from_numpy(A.data).float()
    return torch.sparse_coo_tensor(places, weights, A.shape, check_invariants=True).coalesce()


class GCN(nn.Module):
    """Layers ``H <- relu(A H W)`` of a graph convolution (Kipf and Welling 2017), the last without relu (chapter 3).

    ``widths`` (d_0, ..., d_L) are those of the input and of each layer; A is `normalized`, as a tensor.

    >>> GCN([4, 8, 3])(torch.randn(2, 4), as_tensor(normalized(csr_array([[0.0, 1], [1, 0]])))).shape
    torch.Size([2, 3])
    """

    def __init__(self, widths: Sequence[int], dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = _expect.number("dropout", dropout, 0, 1)
        self.maps = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths[:-1], widths[1:], strict=True))

    def forward(self, H: Tensor, A: Tensor) -> Tensor:
        for number, linear in enumerate(self.maps):
            H = H.relu() if number else H
            H = A @ linear(dropout(H, self.dropout, self.training))
        return H


class MessagePassing(nn.Module):
    """A layer with one map for each kind of edge, and one for the item itself: ``H W + sum_r A_r H W_r`` (chapter 3).

    The edge transform of Gilmer et al. (2017) for edges of a few kinds, as Schlichtkrull et al. (2018) use it.
    ``A {kind: (n, n) tensor}``; a kind that is not there says nothing. Raises ``ValueError`` for an unknown kind.

    >>> A = {"caption": as_tensor(normalized(csr_array([[0.0, 1], [1, 0]]), self_loops=False))}
    >>> MessagePassing(4, 3, ["caption", "picture"])(torch.randn(2, 4), A).shape
    torch.Size([2, 3])
    """

    def __init__(self, width: int, out: int, kinds: Sequence[str]) -> None:
        super().__init__()
        self.own = nn.Linear(width, out)
        self.edge = nn.ModuleDict({kind: nn.Linear(width, out, bias=False) for kind in kinds})

    def forward(self, H: Tensor, A: Mapping[str, Tensor]) -> Tensor:
        for kind in A:
            _expect.one_of("kind", kind, tuple(self.edge))
        messages = [A[kind] @ self.edge[kind](H) for kind in A]
        return torch.stack([self.own(H), *messages]).sum(dim=0)
