"""xmrlib.subspace.kernel_cca: against linear CCA, by its definition, and by the properties of kernels."""

import numpy as np
import pytest
from sklearn.decomposition import KernelPCA
from sklearn.metrics.pairwise import rbf_kernel

from xmrlib.subspace import cca, kernel_cca

EXACT = 1e-8  # kernels here have condition numbers up to about 1e4 on the directions that are kept


def data(seed=0, n=80, d_x=5, d_y=4):
    """Two standardised views of two hidden variables, and 20 more rows by the same means and scales."""
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(n + 20, 2))
    views = (Z @ rng.normal(size=(2, d)) + rng.normal(size=(n + 20, d)) for d in (d_x, d_y))
    views = [(V - V[:n].mean(axis=0)) / V[:n].std(axis=0) for V in views]
    return [V[:n] for V in views], [V[n:] for V in views]


@pytest.mark.parametrize("ridge", [1e-6, 0.1, 10.0])
def test_a_linear_kernel_is_linear_cca(ridge):
    """Protects the whole: correlations, training and new items, up to the sign of each pair."""
    (X, Y), (X_new, Y_new) = data()
    kernel, linear = kernel_cca(X @ X.T, Y @ Y.T, 3, ridge), cca(X, Y, 3, ridge)
    assert np.allclose(kernel.correlations, linear.correlations, atol=EXACT)
    for mine, theirs in [
        (kernel.transform_x(X @ X.T), linear.transform_x(X)),
        (kernel.transform_x(X_new @ X.T), linear.transform_x(X_new)),
        (kernel.transform_y(Y_new @ Y.T), linear.transform_y(Y_new)),
    ]:
        assert np.allclose(np.abs(mine), np.abs(theirs), atol=1e-6)


def test_definition():
    """Protects the formula: A' (K²/n + rK) A = I, B likewise, and A' K L B / n holds the correlations."""
    (X, Y), _ = data()
    K, L, r, n = rbf_kernel(X), rbf_kernel(Y), 0.05, len(X)
    model = kernel_cca(K, L, 4, r)
    J = np.eye(n) - 1 / n
    for kernel, A in ((J @ K @ J, model.x_weights), (J @ L @ J, model.y_weights)):
        assert np.allclose(A.T @ (kernel @ kernel / n + r * kernel) @ A, np.eye(4), atol=EXACT)
    A, B = model.transform_x(K), model.transform_y(L)
    assert np.allclose(A.T @ B / n, np.diag(model.correlations), atol=EXACT)
    assert (np.diff(model.correlations) <= 0).all() and 0 < model.correlations.max() <= 1


def test_centring_as_in_scikit_learn():
    """Protects new items: coordinates by scikit-learn's kernel PCA, then CCA with the same absolute ridge."""
    (X, Y), (X_new, _) = data()
    ridge, sides = 0.1, []
    for V in (X, Y):
        pca = KernelPCA(kernel="rbf", remove_zero_eig=True).fit(V)
        sides.append((pca, pca.transform(V), np.sqrt(pca.eigenvalues_ / len(V) + ridge)))
    (pca, a, s), (_, b, t) = sides
    U, correlations, _ = np.linalg.svd((a / s).T @ (b / t) / len(X))
    gamma = 1 / X.shape[1]
    model = kernel_cca(rbf_kernel(X), rbf_kernel(Y), 3, ridge)
    assert np.allclose(model.correlations, correlations[:3], atol=EXACT)
    expected = pca.transform(X_new) / s @ U[:, :3]
    assert np.allclose(
        np.abs(model.transform_x(rbf_kernel(X_new, X, gamma=gamma))), np.abs(expected), atol=1e-6
    )


def test_a_constant_added_to_a_kernel_changes_nothing():
    """Protects the centring: where the origin of the feature space is does not matter."""
    (X, Y), (X_new, _) = data()
    K, L, K_new = rbf_kernel(X), rbf_kernel(Y), rbf_kernel(X_new, X)
    a, b = kernel_cca(K, L, 3, 0.1), kernel_cca(K + 5, L, 3, 0.1)
    assert np.allclose(a.transform_x(K_new), b.transform_x(K_new + 5), atol=1e-6)


def test_noise_correlates_perfectly_without_a_ridge():
    """Protects the warning of the docstring: with almost no ridge pure noise has correlations of almost 1."""
    rng = np.random.default_rng(0)
    K, L = (rbf_kernel(rng.normal(size=(40, 3))) for _ in range(2))
    assert kernel_cca(K, L, 5, 1e-9).correlations.min() > 0.99
    assert kernel_cca(K, L, 5, 1.0).correlations.max() < 0.5


def test_the_sign_is_fixed():
    """Protects stored coordinates: the largest x weight of each pair is positive."""
    (X, Y), _ = data()
    A = kernel_cca(rbf_kernel(X), rbf_kernel(Y), 3, 0.1).x_weights
    assert (A[np.abs(A).argmax(axis=0), np.arange(3)] > 0).all()


def test_bad_arguments():
    """Protects from kernels of other items, and from the ridge that the method cannot do without."""
    (X, Y), _ = data()
    K, L = X @ X.T, Y @ Y.T
    for arguments, message in [
        ((K[:, 1:], L, 2, 0.1), "K_x"),
        ((K, L[:-1, :-1], 2, 0.1), "items"),
        ((K, L, 5, 0.1), "dim"),
        ((K, L, 0, 0.1), "dim"),
        ((K, L, 2, 0.0), "ridge"),
    ]:
        with pytest.raises(ValueError, match=message):
            kernel_cca(*arguments)
    with pytest.raises(ValueError, match="columns"):
        kernel_cca(K, L, 2, 0.1).transform_x(K[:, :-1])
