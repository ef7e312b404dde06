"""xmrlib.subspace: CCA against scikit-learn and a dense generalised eigenproblem, and its defining properties."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg
from sklearn.cross_decomposition import CCA as SklearnCCA

from xmrlib.subspace import cca

EXACT = 1e-8  # covariances here have condition numbers up to about 1e6, which cost that many of 16 digits


def data(seed=0, n=500, d_x=8, d_y=6, shared=3):
    """Two views of the same hidden variables, with noise."""
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(n, shared))
    X = Z @ rng.normal(size=(shared, d_x)) + rng.normal(size=(n, d_x)) + 5
    Y = Z @ rng.normal(size=(shared, d_y)) + rng.normal(size=(n, d_y)) - 2
    return X, Y


def eigen_oracle(X, Y, k):
    """Correlations as the largest eigenvalues of [[0, Cxy], [Cyx, 0]] v = rho [[Cxx, 0], [0, Cyy]] v."""
    X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    d, n = X.shape[1], len(X)
    left, right = np.zeros((2, d + Y.shape[1], d + Y.shape[1]))
    left[:d, d:], right[:d, :d], right[d:, d:] = X.T @ Y / n, X.T @ X / n, Y.T @ Y / n
    left[d:, :d] = left[:d, d:].T
    return linalg.eigh(left, right, eigvals_only=True)[::-1][:k]


def assert_is_cca(model, X, Y, tolerance=EXACT):
    """What defines CCA: unit variance, no correlation between components, the stated correlations across."""
    A, B = model.transform_x(X), model.transform_y(Y)
    k = len(model.correlations)
    assert np.allclose(A.T @ A / len(X), np.eye(k), atol=tolerance)
    assert np.allclose(B.T @ B / len(Y), np.eye(k), atol=tolerance)
    assert np.allclose(A.T @ B / len(X), np.diag(model.correlations), atol=tolerance)
    assert np.allclose(A.mean(axis=0), 0, atol=tolerance)


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**32 - 1),
    d_x=st.integers(1, 8),
    d_y=st.integers(1, 8),
    shared=st.integers(1, 4),
    pick=st.data(),
)
def test_definition_and_eigen_oracle(seed, d_x, d_y, shared, pick):
    """Protects the solution itself, for any shape, against another way to solve the same problem."""
    X, Y = data(seed, 200, d_x, d_y, shared)
    k = pick.draw(st.integers(1, min(d_x, d_y)))
    model = cca(X, Y, k, ridge=0)
    assert_is_cca(model, X, Y)
    assert np.allclose(model.correlations, eigen_oracle(X, Y, k), atol=EXACT)
    assert (np.diff(model.correlations) <= 0).all()
    assert (model.correlations >= 0).all() and (model.correlations <= 1).all()


def test_scikit_learn():
    """Protects agreement with the library readers know; it stops iterating at 1e-9, and errs by about that."""
    X, Y = data()
    theirs = SklearnCCA(n_components=3, scale=False, tol=1e-9, max_iter=10_000).fit(X, Y)
    A, B = theirs.transform(X, Y)
    expected = [np.corrcoef(A[:, i], B[:, i])[0, 1] for i in range(3)]
    model = cca(X, Y, 3, ridge=0)
    assert np.allclose(model.correlations, expected, atol=1e-6)
    for i in range(3):
        assert abs(np.corrcoef(model.transform_x(X)[:, i], A[:, i])[0, 1]) == pytest.approx(1, abs=1e-6)


def test_invertible_maps_change_nothing():
    """Protects the invariance that sets CCA apart: any rotation, scaling or shift of either view."""
    X, Y = data()
    rng = np.random.default_rng(1)
    M, N = rng.normal(size=(8, 8)), rng.normal(size=(6, 6)) * 1000
    a, b = cca(X, Y, 3, ridge=0), cca(X @ M + 3, Y @ N - 1, 3, ridge=0)
    assert np.allclose(a.correlations, b.correlations, atol=EXACT)
    assert np.allclose(np.abs(a.transform_x(X)), np.abs(b.transform_x(X @ M + 3)), atol=1e-6)


def test_default_ridge_is_relative_and_small():
    """Protects the default: on easy data within 1e-5 of no ridge (r is 1e-6), and free of the data's unit."""
    X, Y = data()
    assert_is_cca(cca(X, Y, 3), X, Y, tolerance=1e-5)
    a, b = cca(X, Y, 3, ridge=0.1), cca(X * 1e-6, Y * 1e6, 3, ridge=0.1)
    assert np.allclose(a.correlations, b.correlations, atol=EXACT)
    assert (a.correlations < cca(X, Y, 3, ridge=0).correlations).all()


@pytest.mark.parametrize("ridge", [0, 1e-6, 1.0])
@pytest.mark.parametrize("power", [8, 150])
def test_units_change_nothing(ridge, power):
    """Protects the scale-free ridge and rank test: each column in a unit of its own, from 1e-8 to 1e8 of the first
    (or 1e-150 to 1e150, whose squares overflow), gives the same correlations and projections, signs included."""
    X, Y = data()
    units = 10.0 ** np.linspace(-power, power, X.shape[1])
    a, b = cca(X, Y, 3, ridge), cca(X * units, Y / units[: Y.shape[1]], 3, ridge)
    assert np.allclose(a.correlations, b.correlations, atol=EXACT)
    assert np.allclose(a.transform_x(X), b.transform_x(X * units), atol=1e-6)
    assert np.allclose(a.transform_y(Y), b.transform_y(Y / units[: Y.shape[1]]), atol=1e-6)


def test_a_loud_noise_column_changes_nothing():
    """Protects from a ridge that one column of large numbers raises for all others: a noise column times 1e4 took
    the first correlation from .49 to .10."""
    X, Y = data()
    noise = np.random.default_rng(1).normal(size=(len(X), 1))
    quiet, loud = (cca(np.hstack([X, noise * size]), Y, 3, ridge=0.1) for size in (1, 1e4))
    assert np.allclose(quiet.correlations, loud.correlations, atol=EXACT)
    without = cca(X, Y, 3, ridge=0.1).correlations
    assert np.allclose(
        quiet.correlations, without, atol=0.02
    )  # one more column of 500 values fits a little noise


def test_ridge_by_definition():
    """Protects the formula: A' (Cxx + r Dxx) A = I, and the same for Y, with D the diagonal of C."""
    X, Y = data()
    X, Y = X * np.geomspace(0.1, 10, X.shape[1]), Y * 3
    model = cca(X, Y, 3, ridge=0.7)
    for C, A in ((np.cov(X.T, bias=True), model.x_weights), (np.cov(Y.T, bias=True), model.y_weights)):
        assert np.allclose(A.T @ (C + 0.7 * np.diag(np.diag(C))) @ A, np.eye(3), atol=EXACT)
    A, B = model.transform_x(X), model.transform_y(Y)
    assert np.allclose(A.T @ B / len(X), np.diag(model.correlations), atol=EXACT)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("ridge", [0, 1e-6, 1.0])
def test_constant_columns_have_no_weight(dtype, ridge):
    """Protects from rounding noise made large: 0.1 is no exact number, and the mean of 500 of them is another."""
    X, Y = (side.astype(dtype) for side in data())
    constant = np.repeat(np.array([[0.0, 0.1, -1e6, 1e-30]], dtype), len(X), axis=0)
    constant[::2, 1] = np.nextafter(constant[::2, 1], 1, dtype=dtype)  # constant but for the last bit
    model, clean = cca(np.hstack([constant, X]), Y, 3, ridge), cca(X, Y, 3, ridge)
    assert (model.x_weights[:4] == 0).all()
    assert np.allclose(model.x_weights[4:], clean.x_weights, atol=1e-6)


@pytest.mark.parametrize("ridge", [0, 1e-6])
@pytest.mark.parametrize("spoil", ["constant", "repeated", "sum to one", "tiny"])
def test_reduced_rank(spoil, ridge):
    """Protects topic proportions (they sum to one), constant and repeated columns: same answer as without them."""
    X, Y = data()
    spoiled = {
        "constant": lambda: np.hstack([X, np.full((len(X), 1), 7.0)]),
        "repeated": lambda: np.hstack([X, X[:, :2]]),
        "sum to one": lambda: np.hstack([X, 1 - X.sum(axis=1, keepdims=True)]),
        "tiny": lambda: X * np.geomspace(1, 1e-5, X.shape[1]) if ridge == 0 else np.hstack([X, X * 1e-12]),
    }[spoil]()
    model, clean = cca(spoiled, Y, 3, ridge), cca(X, Y, 3, ridge)
    assert np.allclose(model.correlations, clean.correlations, atol=1e-5)  # the ridge acts on other columns
    assert_is_cca(model, spoiled, Y, tolerance=1e-5)
    assert_is_cca(cca(Y, spoiled, 3, ridge), Y, spoiled, tolerance=1e-5)
    assert np.isfinite(model.x_weights).all()


@pytest.mark.parametrize("noise", [3e-7, 1e-7, 1e-8])
def test_nearly_repeated_columns(noise):
    """Protects where Cholesky still works but its answer is off by 2 to 14 %: unit variance and the stated
    correlations hold to a few roundings, and the copies add nothing."""
    X, Y = data()
    doubled = np.hstack([X, X + noise * np.random.default_rng(0).normal(size=X.shape)])
    model = cca(doubled, Y, 3, ridge=0)
    assert_is_cca(model, doubled, Y)
    assert np.allclose(model.correlations, cca(X, Y, 3, ridge=0).correlations, atol=1e-6)


def test_fewer_rows_than_columns():
    """Protects n < d: finite, perfect correlations without a ridge (pure noise!), lower ones with a ridge."""
    rng = np.random.default_rng(2)
    X, Y = rng.normal(size=(30, 50)), rng.normal(size=(30, 40))
    model = cca(X, Y, 5, ridge=0)
    assert np.allclose(model.correlations, 1) and (model.correlations <= 1).all()
    assert_is_cca(model, X, Y, tolerance=1e-6)
    assert (cca(X, Y, 5, ridge=1.0).correlations < 0.9).all()


def test_k_beyond_the_rank():
    """Protects from directions made of rounding noise: Y has 3 columns but 2 directions."""
    X, Y = data(d_y=2)
    Y = np.hstack([Y, Y.sum(axis=1, keepdims=True)])
    for ridge in (0, 1e-6, 0.1):
        assert len(cca(X, Y, 2, ridge).correlations) == 2
        with pytest.raises(ValueError, match="dim is 3; expected at most 2, the number of directions"):
            cca(X, Y, 3, ridge)


def test_the_rank_is_told_from_the_largest_variance():
    """Protects the yardstick: variances of 1, 1e-6 and 1e-12 are two directions; beside the second one the third would
    count."""
    rng = np.random.default_rng(0)
    shared, Y = rng.normal(size=(200, 1)), rng.normal(size=(200, 3))
    X = shared + rng.normal(size=(200, 3)) * [0, 1e-3, 1e-6]
    assert len(cca(X, Y, 2, ridge=0).correlations) == 2
    with pytest.raises(ValueError, match="dim is 3; expected at most 2"):
        cca(X, Y, 3, ridge=0)


def test_sign_is_fixed():
    """Protects that runs and machines agree: the largest x weight, in standard deviations, is positive."""
    X, Y = data()
    for model in (cca(X, Y, 3), cca(-X, Y, 3), cca(X, -Y, 3)):
        largest = np.abs(model.x_weights * X.std(axis=0)[:, None]).argmax(axis=0)
        assert (model.x_weights[largest, range(3)] > 0).all()
        assert (np.diag(model.transform_x(X).T @ model.transform_y(Y)) != 0).all()
    assert np.allclose(cca(X, Y, 3).x_weights, -cca(-X, -Y, 3).x_weights * -1, atol=EXACT)


def test_transforms_and_types():
    """Protects shapes, new rows, float32 and integer input, and the caller's arrays."""
    X, Y = data()
    before = X.copy()
    model = cca(X.astype(np.float32), np.round(Y * 100).astype(int), 2)
    assert model.x_weights.shape == (8, 2) and model.y_weights.shape == (6, 2)
    assert model.transform_x(X[:1]).shape == (1, 2)
    assert np.allclose(model.transform_x(X[:5]), model.transform_x(X)[:5])
    assert np.array_equal(X, before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, Y: (X[:-1], Y, 2), "X and Y differ in rows: 499 and 500"),
        (
            lambda X, Y: (X[:1], Y[:1], 1),
            "the number of rows of X is 1; expected a whole number of at least 2",
        ),
        (lambda X, Y: (X, Y, 0), "dim is 0; expected a whole number from 1 to 6"),
        (lambda X, Y: (X, Y, 7), "dim is 7; expected a whole number from 1 to 6"),
        (lambda X, Y: (X, Y, 2, -1), "ridge is -1; expected a number of at least 0"),
        (lambda X, Y: (X, Y, 2, float("nan")), "ridge is nan; expected"),
        (lambda X, Y: (X, Y, 2, "0.1"), "ridge is '0.1'; expected"),
        (lambda X, Y: (X, Y, 2, 1 + 0j), r"ridge is \(1\+0j\); expected a number of at least 0"),
        (lambda X, Y: (X, Y, 2, 10**400), "ridge is 1000.*; expected a number of at least 0"),
        (lambda X, Y: (np.ma.masked_less(X, 5), Y, 2), "X is a masked array; expected a plain array"),
        (lambda X, Y: (X, torch.tensor(Y, requires_grad=True), 2), "Y is not an array .*grad"),
        (lambda X, Y: (np.where(X[3, 2] == X, np.nan, X), Y, 2), r"X\[3, 2\] is nan; expected only finite"),
        (lambda X, Y: (X[:, 0], Y, 2), r"X is an array of shape \(500,\)"),
        (lambda X, Y: (np.ones_like(X), Y, 1), "dim is 1; expected at most 0"),
    ],
)
def test_bad_input(change, message):
    """Protects the boundary: the message names the argument, its value and what was expected."""
    with pytest.raises(ValueError, match=message):
        cca(*change(*data()))


def test_bad_rows_to_transform():
    """Protects from projecting the other modality by mistake."""
    X, Y = data()
    model = cca(X, Y, 2)
    with pytest.raises(ValueError, match=r"X and the data of cca\(\) differ in columns: 6 and 8"):
        model.transform_x(Y)
