"""The exercises of section 2.6 both ways: right answers in other styles pass, plausible errors fail."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from xmrlib import checks


def rebuild_by_torch(x, mean, W):
    x, mean, W = map(torch.from_numpy, (x, mean, W))
    return mean + W @ (W.T @ (x - mean))


def rebuild_by_row(x, mean, W):
    return ((x - mean)[None] @ W @ W.T + mean)[0].tolist()


def nearest_by_sklearn(train, new, dim):
    model = PCA(dim, whiten=True, svd_solver="full").fit(train)
    library, asked = model.transform(train), model.transform(new)
    return [int(np.linalg.norm(library - z, axis=1).argmin()) for z in asked]


def nearest_of_a_colleague(train, new, dim):
    model = PCA(dim, whiten=True, svd_solver="full").fit(train)
    library, asked = model.transform(train), (new - new.mean(axis=0)) @ model.components_.T
    asked = asked / np.sqrt(model.explained_variance_)
    return ((asked[:, None] - library) ** 2).sum(axis=2).argmin(axis=1)


def brief_by_loop(patch, pairs):
    return [bool(patch[y1, x1] < patch[y2, x2]) * 1 for x1, y1, x2, y2 in pairs]


def majority_by_search(descriptors):
    """Each bit chosen by trying both."""
    bits = np.unpackbits(descriptors, axis=1)
    return np.packbits([(bits[:, i] != 1).sum() < (bits[:, i] != 0).sum() for i in range(256)])


RIGHT = [
    ("dims", {"PCA": 199.0, "LDA": 7, "rank of scatter within": np.int64(192)}),
    ("rebuild", rebuild_by_torch),
    ("rebuild", rebuild_by_row),
    ("planted", nearest_by_sklearn),
    ("brief", brief_by_loop),
    ("brief", lambda patch, pairs: np.less(patch[pairs[:, 1], pairs[:, 0]], patch[pairs[:, 3], pairs[:, 2]]) + 0),
    ("majority", majority_by_search),
    ("majority", lambda D: np.packbits(np.median(np.unpackbits(D, axis=1), axis=0).astype(bool))),
]  # fmt: skip

WRONG = [
    ("dims", {"PCA": 200, "LDA": 7, "rank of scatter within": 192}),
    ("dims", {"PCA": 199, "LDA": 8, "rank of scatter within": 192}),
    ("dims", {"PCA": 199, "LDA": 7, "rank of scatter within": 200}),
    ("rebuild", lambda x, mean, W: W @ (W.T @ (x - mean))),
    ("rebuild", lambda x, mean, W: mean + W @ (W.T @ x)),
    ("rebuild", lambda x, mean, W: x),
    ("planted", nearest_of_a_colleague),
    ("planted", lambda train, new, dim: ((new[:, None] - train) ** 2).sum(axis=2).argmin(axis=1) * 0),
    ("brief", lambda patch, pairs: (patch[pairs[:, 1], pairs[:, 0]] > patch[pairs[:, 3], pairs[:, 2]]) + 0),
    ("brief", lambda patch, pairs: (patch[pairs[:, 1], pairs[:, 0]] - patch[pairs[:, 3], pairs[:, 2]] > 127) + 0),
    ("brief", lambda patch, pairs: (patch[pairs[:, 0], pairs[:, 1]] < patch[pairs[:, 2], pairs[:, 3]]) + 0),
    ("majority", lambda D: D.mean(axis=0).astype(np.uint8)),
    ("majority", lambda D: np.median(D, axis=0).astype(np.uint8)),
    ("majority", lambda D: np.unpackbits(D, axis=1).mean(axis=0) > 0.5),
]  # fmt: skip


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_right_answers_in_another_style_pass(name, answer):
    assert checks.exercise(f"ex-ch02-cod-{name}", answer), checks.exercise(f"ex-ch02-cod-{name}", answer)


@pytest.mark.parametrize(("name", "answer"), WRONG)
def test_plausible_errors_fail(name, answer):
    assert checks.exercise(f"ex-ch02-cod-{name}", answer).state == "wrong"


@pytest.mark.parametrize("name", ["dims", "rebuild", "planted", "brief", "majority", "open"])
def test_a_placeholder_is_open(name):
    assert checks.exercise(f"ex-ch02-cod-{name}", ...).state == "open"


def test_the_open_question_is_not_graded():
    assert checks.exercise("ex-ch02-cod-open", [0.1, 0.9]).state == "open"
