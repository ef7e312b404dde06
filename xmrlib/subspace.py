"""Subspaces shared by two modalities: canonical correlation analysis, of features and of kernels."""

import contextlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from xmrlib import _expect

__all__ = ["CCA", "KernelCCA", "cca", "kernel_cca"]

_SMALLEST = 1e-10  # a variance below this share of the largest is known to less than six of sixteen digits
_CONSTANT = 4  # a column that varies by less than this many roundings of its largest value is constant
_ZERO_CORRELATION = 1e-8  # a direction without variance has a correlation of rounding size, about 1e-13


@dataclass(frozen=True)
class CCA:
    """A fitted canonical correlation analysis, made by `cca`.

    ``x_mean (d_x,)``, ``y_mean (d_y,)``; ``x_weights (d_x, dim)``, ``y_weights (d_y, dim)``; ``correlations (dim,)``
    from large to small, in [0, 1]. All float64. Introduced in chapter 1.
    """

    x_mean: np.ndarray
    y_mean: np.ndarray
    x_weights: np.ndarray
    y_weights: np.ndarray
    correlations: np.ndarray

    def transform_x(self, X: ArrayLike) -> np.ndarray:
        """Rows of the first modality in the shared space: (n, d_x) to (n, dim). ValueError for other columns."""
        return _project("X", X, self.x_mean, self.x_weights)

    def transform_y(self, Y: ArrayLike) -> np.ndarray:
        """Rows of the second modality in the shared space: (n, d_y) to (n, dim). ValueError for other columns."""
        return _project("Y", Y, self.y_mean, self.y_weights)


def cca(X: ArrayLike, Y: ArrayLike, dim: int, ridge: float = 1e-6) -> CCA:
    r"""Canonical correlation analysis: the ``dim`` pairs of directions along which X and Y correlate most.

    X is (n, d_x) and Y is (n, d_y); row i of both describes the same thing. With the covariances
    :math:`C_{xx}, C_{yy}, C_{xy}` of the data and the diagonals :math:`D_{xx}, D_{yy}` of the first two it solves

    .. math:: \max_{A, B} \operatorname{tr}(A^\top C_{xy} B), \quad
              A^\top (C_{xx} + r D_{xx}) A = B^\top (C_{yy} + r D_{yy}) B = I

    (Hotelling 1936; with the ridge of Hardoon, Szedmak & Shawe-Taylor 2004): both sides are whitened, and the
    singular vectors of the whitened :math:`C_{xy}` are the directions, its singular values the correlations.
    ``ridge`` r is relative to the variance of each column: the columns are standardised, and r is added to their
    correlation matrices. So no unit matters: a column times any factor changes neither the correlations nor the
    projections, and a column of large numbers cannot raise the ridge of the others. (A rotation of the columns
    does matter, unless r = 0.) With r = 0 the projected training data have unit variance and exactly these
    correlations; with few rows (n below d_x + d_y) r = 0 finds perfect correlations in pure noise, so use a ridge
    that you choose by validation. Whitening is by Cholesky; when the correlation matrix is (nearly) singular, by
    eigenvectors without the directions whose variance is below 1e-10 of the largest. So repeated columns are
    harmless, and constant ones (up to the rounding of their dtype) get the weight 0. The sign of each pair is fixed: its largest x weight, times the
    standard deviation of the column, is positive. Computed in float64.

    Raises ValueError when the rows differ in number, n < 2, dim is not between 1 and the number of directions
    that correlate at all (at most the smaller rank), ridge is negative, or for NaN and infinity.
    Introduced in chapter 1.

    >>> rng = np.random.default_rng(0)
    >>> shared = rng.normal(size=(1000, 1))
    >>> X = np.hstack([shared + rng.normal(size=(1000, 1)), rng.normal(size=(1000, 2))])
    >>> Y = np.hstack([rng.normal(size=(1000, 2)), shared + rng.normal(size=(1000, 1))])
    >>> model = cca(X, Y, dim=1)
    >>> model.correlations.round(1)
    array([0.5])
    >>> model.transform_x(X).shape
    (1000, 1)
    """
    X, x_mean, x_scale = _standardised("X", X)
    Y, y_mean, y_scale = _standardised("Y", Y)
    _expect.equal("rows", "X", len(X), "Y", len(Y))
    dim = _expect.integer("dim", dim, 1, min(X.shape[1], Y.shape[1]))
    ridge = _expect.number("ridge", ridge, 0)
    x_whitener, y_whitener = _whitener(X, ridge), _whitener(Y, ridge)
    U, correlations, Vt = np.linalg.svd(x_whitener.T @ (X.T @ Y / len(X)) @ y_whitener, full_matrices=False)
    rank = int(np.sum(correlations > _ZERO_CORRELATION))
    if dim > rank:
        raise _expect.fail("dim", dim, f"at most {rank}, the number of directions in which X and Y correlate")
    A, B = x_whitener @ U[:, :dim], y_whitener @ Vt[:dim].T
    sign = np.sign(A[np.abs(A).argmax(axis=0), np.arange(dim)])
    A, B = A * sign * x_scale[:, None], B * sign * y_scale[:, None]
    return CCA(x_mean, y_mean, A, B, np.minimum(correlations[:dim], 1.0))


@dataclass(frozen=True)
class KernelCCA:
    """A fitted kernel CCA of n training pairs, made by `kernel_cca`.

    ``x_means (n,)``, ``y_means (n,)``: the means of the columns of the training kernels; ``x_weights (n, dim)``,
    ``y_weights (n, dim)``: one weight for each training item; ``correlations (dim,)`` from large to small, in [0, 1].
    All float64. Introduced in chapter 4.
    """

    x_means: np.ndarray
    y_means: np.ndarray
    x_weights: np.ndarray
    y_weights: np.ndarray
    correlations: np.ndarray

    def transform_x(self, K: ArrayLike) -> np.ndarray:
        """Items of the first modality in the shared space, from K (m, n), their kernel with the n training items."""
        return _centred("K", K, self.x_means) @ self.x_weights

    def transform_y(self, K: ArrayLike) -> np.ndarray:
        """Items of the second modality in the shared space, from K (m, n), their kernel with the n training items."""
        return _centred("K", K, self.y_means) @ self.y_weights


def kernel_cca(K_x: ArrayLike, K_y: ArrayLike, dim: int, ridge: float) -> KernelCCA:
    r"""CCA of what two kernels see: directions in their feature spaces along which the pairs correlate most.

    ``K_x`` and ``K_y`` are (n, n), symmetric and positive semidefinite: entry (i, j) compares the training items i
    and j. A direction is a weighted sum of the training items. With the centred kernels K and L it solves

    .. math:: \max_{A, B} \operatorname{tr}(A^\top K L B) / n, \quad
              A^\top (K^2 / n + r K) A = B^\top (L^2 / n + r L) B = I

    (Hardoon, Szedmak & Shawe-Taylor 2004, section 4; their penalty in units of the variance). ``ridge`` r is added to
    the variance of every direction of the feature space, so its unit is that of the kernel; choose it by validation.
    It must be positive: n items have n directions, and without a ridge every pair of kernels of full rank correlates
    perfectly. With linear kernels of standardised columns it is `cca` with the same ridge. New items come in by their
    kernel with the training items. The sign of each pair is fixed: its largest x weight is positive.

    Raises ValueError for kernels that are not square or differ in size, when dim is not between 1 and the number of
    directions that correlate, ridge is not positive, or for NaN and infinity. Introduced in chapter 4.

    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.normal(size=(2, 50, 3))
    >>> Y[:, 0] = X[:, 0]
    >>> model = kernel_cca(X @ X.T, Y @ Y.T, dim=2, ridge=0.01)
    >>> model.transform_x(X[:4] @ X.T).shape
    (4, 2)
    """
    ridge = _expect.number("ridge", ridge, np.finfo(float).tiny)
    (x_means, X, x_dual), (y_means, Y, y_dual) = (_dual(*k, ridge) for k in (("K_x", K_x), ("K_y", K_y)))
    _expect.equal("items", "K_x", len(X), "K_y", len(Y))
    U, correlations, Vt = np.linalg.svd(X.T @ Y / len(X), full_matrices=False)
    dim = _expect.integer("dim", dim, 1, int(np.sum(correlations > _ZERO_CORRELATION)))
    A, B = x_dual @ U[:, :dim], y_dual @ Vt[:dim].T
    sign = np.sign(A[np.abs(A).argmax(axis=0), np.arange(dim)])
    return KernelCCA(x_means, y_means, A * sign, B * sign, np.minimum(correlations[:dim], 1.0))


def _dual(name: str, K: ArrayLike, ridge: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means of the columns; the whitened training items (n, rank); the weights (n, rank) that whiten a centred row."""
    K = _expect.matrix(name, K)
    _expect.equal("rows", name, len(K), "its columns", K.shape[1])
    means = K.mean(axis=0)
    values, vectors = np.linalg.eigh(_centred(name, K, means))
    kept = values > _SMALLEST * values[-1]
    values, vectors = values[kept], vectors[:, kept]
    scale = 1 / np.sqrt(values / len(K) + ridge)
    return means, vectors * np.sqrt(values) * scale, vectors / np.sqrt(values) * scale


def _centred(name: str, K: ArrayLike, means: np.ndarray) -> np.ndarray:
    """The kernel of the items about the mean of the training items in the feature space."""
    K = _expect.matrix(name, K)
    _expect.equal("columns", name, K.shape[1], "the kernels of kernel_cca()", len(means))
    return K - K.mean(axis=1, keepdims=True) - means + means.mean()


def _whitener(X: np.ndarray, ridge: float) -> np.ndarray:
    """W of shape (d, rank) with W' C W = I, where C is the correlation matrix of X plus the ridge."""
    # numpy throughout: scipy has BLAS threads of its own, and the two get in each other's way
    C = X.T @ X / len(X)
    C.flat[:: len(C) + 1] += ridge
    with contextlib.suppress(np.linalg.LinAlgError):  # not positive definite: go on to the eigenvalues
        W = np.linalg.inv(np.linalg.cholesky(C)).T
        if 1 / (np.linalg.norm(C, 1) * np.linalg.norm(W @ W.T, 1)) > _SMALLEST:
            return W
    values, vectors = np.linalg.eigh(C)
    kept = values > _SMALLEST * values[-1]
    return vectors[:, kept] / np.sqrt(values[kept])


def _standardised(name: str, value: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns of mean 0 and variance 1; their means, and 1 / their standard deviation (0 for constant columns)."""
    X = _expect.matrix(name, value)
    _expect.integer(f"the number of rows of {name}", len(X), 2)
    constant = _CONSTANT * np.finfo(X.dtype).eps
    largest = np.maximum(X.max(axis=0), -X.min(axis=0)).astype(np.float64)
    largest[largest == 0] = 1
    X = X / largest
    mean = X.mean(axis=0)
    X -= mean
    deviation = np.sqrt(np.einsum("ij,ij->j", X, X) / len(X))
    scale = np.divide(1, deviation, out=np.zeros_like(mean), where=deviation > constant)
    X *= scale
    return X, mean * largest, scale / largest


def _project(name: str, X: ArrayLike, mean: np.ndarray, weights: np.ndarray) -> np.ndarray:
    X = _expect.matrix(name, X)
    _expect.equal("columns", name, X.shape[1], "the data of cca()", len(mean))
    return (X - mean) @ weights
