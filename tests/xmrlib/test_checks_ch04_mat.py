"""The exercises of 4.1 both ways: right answers in other styles pass, plausible errors fail, nothing raises."""

import numpy as np
import pytest
import torch

from xmrlib import checks, similarity
from xmrlib.checks import ch04_mat


def never_by_topk(scores, k):
    best = torch.topk(torch.tensor(scores), k, dim=1).indices
    return 1 - len(torch.unique(best)) / scores.shape[1]


def never_by_ranks(scores, k):
    ranks = (scores[:, None, :] > scores[:, :, None]).sum(axis=2)
    return np.mean((ranks >= k).all(axis=0))


def never_without_places(scores, k):
    counts = np.bincount(np.argsort(-scores, axis=1)[:, :k].ravel())  # the last items may be missing
    return (counts == 0).mean()


def never_by_the_worst(scores, k):
    return (np.bincount(np.argsort(scores, axis=1)[:, :k].ravel(), minlength=scores.shape[1]) == 0).mean()


def never_of_queries(scores, k):
    return never_by_ranks(scores.T, k) if k <= len(scores) else 0.0


def csls_by_xmrlib(scores, k):
    return similarity.csls(scores, scores, scores, k)


def csls_by_torch(scores, k):
    s = torch.tensor(scores)
    return 2 * s - s.topk(k, 1).values.mean(1)[:, None] - s.topk(k, 0).values.mean(0)[None]


def csls_planted(scores, k):
    near = np.sort(scores, axis=1)[:, -k:].mean(axis=1)
    return 2 * scores - near[:, None] - near


def csls_of_the_lowest(scores, k):
    return 2 * scores - np.sort(scores, 1)[:, :k].mean(1)[:, None] - np.sort(scores, 0)[:k].mean(0)


def csls_once(scores, k):
    return (csls_by_xmrlib(scores, k)) - scores


def lift_as_solved(Q, X):
    return np.c_[Q, np.ones(len(Q))], np.c_[X, -(X**2).sum(1) / 2]


def lift_the_other_way(Q, X):
    return np.c_[np.full(len(Q), -1.0), 2 * Q], np.c_[(X**2).sum(1), X]


def lift_in_torch(Q, X):
    Q, X = torch.tensor(Q), torch.tensor(X)
    return torch.hstack([Q, torch.full((len(Q), 1), -0.5)]), torch.hstack([X, (X**2).sum(1, keepdim=True)])


def lift_without_half(Q, X):
    return np.c_[Q, np.ones(len(Q))], np.c_[X, -(X**2).sum(1)]


def lift_with_length(Q, X):
    return np.c_[Q, np.ones(len(Q))], np.c_[X, -np.linalg.norm(X, axis=1)]


def lift_with_sign(Q, X):
    return np.c_[Q, np.ones(len(Q))], np.c_[X, (X**2).sum(1) / 2]


def lift_to_the_sphere(Q, X):
    return similarity.normalize(Q), similarity.normalize(X)


def lift_nothing(Q, X):
    return np.c_[Q, np.zeros(len(Q))], np.c_[X, np.zeros(len(X))]


WINNERS = {"inner product": "a", "cosine": "b", "Euclid": "c"}
COSTS = {"distances for 1000 cells": 17_000, "best number of cells": 4000, "distances then": 8000}
RIGHT = [
    ("three", WINNERS),
    ("three", {"inner product": " A", "cosine": "B", "Euclid": "c "}),
    ("never", never_by_topk),
    ("never", never_by_ranks),
    ("planted", csls_by_xmrlib),
    ("planted", csls_by_torch),
    ("lift", lift_as_solved),
    ("lift", lift_the_other_way),
    ("lift", lift_in_torch),
    ("cells", COSTS),
    ("cells", {name: float(x) for name, x in COSTS.items()}),
]
WRONG = [
    ("three", WINNERS | {"Euclid": "b"}),
    ("three", WINNERS | {"inner product": "c"}),
    ("never", never_without_places),
    ("never", never_by_the_worst),
    ("never", never_of_queries),
    ("planted", csls_planted),
    ("planted", csls_of_the_lowest),
    ("planted", csls_once),
    ("lift", lift_without_half),
    ("lift", lift_with_length),
    ("lift", lift_with_sign),
    ("lift", lift_to_the_sphere),
    ("lift", lift_nothing),
    ("lift", lambda Q, X: Q),
    ("cells", COSTS | {"best number of cells": 1000}),
    ("cells", COSTS | {"distances for 1000 cells": 16_000}),
]


def name(case):
    return getattr(case, "__name__", str(case)[:40])


@pytest.mark.parametrize(("exercise", "answer"), RIGHT, ids=name)
def test_right_answers_in_another_style_pass(exercise, answer):
    assert checks.exercise(f"ex-ch04-matching-{exercise}", answer)


@pytest.mark.parametrize(("exercise", "answer"), WRONG, ids=name)
def test_plausible_errors_fail(exercise, answer):
    result = checks.exercise(f"ex-ch04-matching-{exercise}", answer)
    assert result.state == "wrong" and result.detail


@pytest.mark.parametrize("label", ch04_mat.EXERCISES)
@pytest.mark.parametrize("answer", [..., None, lambda *_: ...], ids=["dots", "none", "function"])
def test_what_is_not_answered_is_open(label, answer):
    if callable(answer) and label.rpartition("-")[2] in ("three", "cells"):
        pytest.skip("no function is asked for")
    assert checks.exercise(label, answer).state == "open"


@pytest.mark.parametrize("label", ch04_mat.EXERCISES)
@pytest.mark.parametrize("answer", [3, "x", [1, 2], {}, object(), lambda: 1, np.zeros((2, 2))])
def test_nonsense_never_raises(label, answer):
    assert checks.exercise(label, answer).state in ("wrong", "open")
