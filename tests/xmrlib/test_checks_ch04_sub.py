"""The exercises of section 4.2 both ways: right answers in other styles pass, plausible errors fail."""

import numpy as np
import pytest
from scipy.optimize import nnls
from sklearn.kernel_ridge import KernelRidge

from xmrlib import checks


def fold_in_by_pinv(x, part):
    return (x @ np.linalg.pinv(part)).tolist()


def fold_in_by_gradient(x, part):
    w, step = np.zeros(len(part)), 1 / np.linalg.norm(part @ part.T, 2)
    for _ in range(20_000):
        w = w + step * part @ (x - w @ part)
    return w


def step_by_loop(X, W, H):
    new, guess = W.copy(), W @ H
    for i in range(W.shape[0]):
        for k in range(W.shape[1]):
            new[i, k] *= (X[i] * H[k]).sum() / (guess[i] * H[k]).sum()
    return new


def dual_by_sklearn(K, T, K_new, alpha):
    return KernelRidge(alpha=alpha, kernel="precomputed").fit(K, T).predict(K_new)


RIGHT = [
    ("rank", {"Wikipedia": 9.0, "perfect by accident": np.int64(49)}),
    ("planted", fold_in_by_pinv),
    ("planted", fold_in_by_gradient),
    ("planted", lambda x, part: np.linalg.lstsq(part.T, x, rcond=None)[0]),
    ("step", step_by_loop),
    ("step", lambda X, W, H: np.multiply(W, np.divide(X @ H.T, (W @ H) @ H.T))),
    ("dual", dual_by_sklearn),
    ("dual", lambda K, T, K_new, alpha: K_new @ np.linalg.inv(K + alpha * np.eye(len(K))) @ T),
]

WRONG = [
    ("rank", {"Wikipedia": 10, "perfect by accident": 49}),
    ("rank", {"Wikipedia": 9, "perfect by accident": 50}),
    ("rank", {"Wikipedia": 9, "perfect by accident": 80}),
    ("planted", lambda x, part: x @ part.T),
    ("planted", lambda x, part: x @ part.T / np.linalg.norm(part, axis=1) ** 2),
    ("planted", lambda x, part: nnls(part.T, x)[0]),
    ("step", lambda X, W, H: W * (W @ H @ H.T) / (X @ H.T)),
    ("step", lambda X, W, H: W + (X @ H.T - W @ H @ H.T)),
    ("step", lambda X, W, H: X @ H.T / (W @ H @ H.T)),
    ("dual", lambda K, T, K_new, alpha: K_new @ np.linalg.inv(K + alpha) @ T),
    ("dual", lambda K, T, K_new, alpha: K_new @ np.linalg.pinv(K) @ T),
    ("dual", lambda K, T, K_new, alpha: np.linalg.solve(K + alpha * np.eye(len(K)), T)),
]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_right_answers_in_another_style_pass(name, answer):
    assert checks.exercise(f"ex-ch04-subspace-{name}", answer), checks.exercise(
        f"ex-ch04-subspace-{name}", answer
    )


@pytest.mark.parametrize(("name", "answer"), WRONG)
def test_plausible_errors_fail(name, answer):
    assert checks.exercise(f"ex-ch04-subspace-{name}", answer).state == "wrong"
