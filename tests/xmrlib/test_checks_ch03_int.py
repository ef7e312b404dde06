"""The exercises of section 3.3 both ways: right answers in other styles pass, plausible errors fail."""

import math

import numpy as np
import pytest
from scipy.sparse import csr_array, triu

from xmrlib import checks, graph

WEIGHTS = {"end to itself": 0.5, "middle to itself": 1 / 3, "end to middle": math.sqrt(1 / 6)}


def row_mean(A):
    A = A + np.eye(len(A))
    return A / A.sum(axis=1, keepdims=True)


def degrees_without_loops(A):
    roots = 1 / np.sqrt(np.maximum(A.sum(axis=1), 1))
    return roots[:, None] * (A + np.eye(len(A))) * roots


def quality_by_sparse(A, labels):
    edges = triu(csr_array(A)).tocoo()
    return (labels[edges.row] == labels[edges.col]).mean()


def quality_by_weight(A, labels):
    return (A * (labels[:, None] == labels)).sum() / A.sum()


def quality_of_all_pairs(A, labels):
    return (labels[:, None] == labels).mean()


RIGHT = {
    "ex-ch03-interaction-weights": [WEIGHTS],
    "ex-ch03-interaction-planted": [lambda A: graph.normalized(A).toarray()],
    "ex-ch03-interaction-quality": [quality_by_sparse],
    "ex-ch03-interaction-leak": ["c", "C"],
}
WRONG = {
    "ex-ch03-interaction-weights": [WEIGHTS | {"end to middle": 1 / 6}, WEIGHTS | {"end to itself": 1}],
    "ex-ch03-interaction-planted": [row_mean, degrees_without_loops],
    "ex-ch03-interaction-quality": [quality_by_weight, quality_of_all_pairs],
    "ex-ch03-interaction-leak": ["a", "b", "d"],
}


@pytest.mark.parametrize("label, answer", [(label, a) for label, many in RIGHT.items() for a in many])
def test_a_right_answer_passes(label, answer):
    assert checks.exercise(label, answer).state == "right"


@pytest.mark.parametrize("label, answer", [(label, a) for label, many in WRONG.items() for a in many])
def test_a_plausible_error_fails(label, answer):
    assert checks.exercise(label, answer).state == "wrong"
