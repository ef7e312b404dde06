"""Canonical correlation analysis: xmrlib.subspace.cca against a plain Cholesky solution and scikit-learn.

n = 5,000 rows, 128 and 300 columns, k = 10. Targets: at most 1.4 times the plain Cholesky solution (which fails
on data of reduced rank), at least 50 times faster than scikit-learn.
"""

import warnings

import numpy as np
from _measure import in_turn, installed, options, record, show, target

from xmrlib.subspace import cca

N, D_X, D_Y, K = 5_000, 128, 300, 10


def data(seed=0):
    """Two noisy views of twenty hidden variables."""
    rng = np.random.default_rng(seed)
    Z = rng.standard_normal((N, 20))
    views = (Z @ rng.standard_normal((20, d)) + 3 * rng.standard_normal((N, d)) for d in (D_X, D_Y))
    return tuple(views)


def cholesky(X, Y):
    """The textbook solution, with no care for rank: whiten by Cholesky factors, then one SVD.

    All in numpy, as ours: with scipy's triangular solves it was slower, because of a second pool of BLAS threads.
    """
    X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    L_x, L_y = (np.linalg.cholesky(A.T @ A / len(A)) for A in (X, Y))
    T = np.linalg.solve(L_x, X.T @ Y / len(X))
    T = np.linalg.solve(L_y, T.T).T
    U, correlations, Vt = np.linalg.svd(T, full_matrices=False)
    weights = (np.linalg.solve(L_x.T, U[:, :K]), np.linalg.solve(L_y.T, Vt[:K].T))
    return weights, correlations[:K]


def scikit_learn(X, Y):
    """scikit-learn's NIPALS iteration, with its default tolerance."""
    from sklearn.cross_decomposition import CCA

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it does not always converge in 500 iterations
        model = CCA(n_components=K, scale=False).fit(X, Y)
    A, B = model.transform(X, Y)
    return np.array([np.corrcoef(A[:, i], B[:, i])[0, 1] for i in range(K)])


if __name__ == "__main__":
    args = options()
    X, Y = data()
    fast = {"xmrlib": lambda: cca(X, Y, K), "plain Cholesky": lambda: cholesky(X, Y)}
    times = in_turn(fast, 3 * args.repeats)
    exact = cca(X, Y, K, ridge=0).correlations
    errors = {"plain Cholesky": float(np.abs(cholesky(X, Y)[1] - exact).max())}
    ours, plain = times["xmrlib"], times["plain Cholesky"]
    targets = [
        target("wall time of xmrlib / plain Cholesky", ours["wall_s"] / plain["wall_s"], 1.4, True),
        target("CPU time of xmrlib / plain Cholesky", ours["cpu_s"] / plain["cpu_s"], 1.4, True),
        target(
            "largest difference of the correlations to plain Cholesky", errors["plain Cholesky"], 1e-9, True
        ),
    ]
    if installed("sklearn", "scikit-learn"):
        found = []  # minutes on a busy machine: once, without a warm-up
        slow = in_turn(
            {"xmrlib": fast["xmrlib"], "scikit-learn": lambda: found.append(scikit_learn(X, Y))}, 1, False
        )
        times["scikit-learn"] = slow["scikit-learn"]
        errors["scikit-learn"] = float(np.abs(found[0] - exact).max())
        ratio = times["scikit-learn"]["cpu_s"] / ours["cpu_s"]
        targets.append(target("CPU time of scikit-learn / xmrlib", ratio, 50, False))
    show(f"{N:,} rows, {D_X} and {D_Y} columns, k={K}", times)
    print("largest difference of the correlations to ours:", errors)

    X[:, -1] = 1 - X[:, :-1].sum(axis=1)  # proportions that sum to one: rank 127 of 128
    reduced = cca(X, Y, K)
    A = reduced.transform_x(X)
    off = float(np.abs(A.T @ A / N - np.eye(K)).max())
    targets.append(target("reduced rank: projections differ from unit variance by", off, 1e-4, True))
    case = {"rows": N, "columns": [D_X, D_Y], "k": K, "times": times, "correlation_differences": errors}
    record("cca", ["xmrlib", "numpy", "scipy", "scikit-learn"], [case], targets, not args.no_record)
