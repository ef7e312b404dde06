"""The exercises of 3.1 both ways: right answers in other styles pass, plausible errors fail."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy.stats import rankdata

from xmrlib import checks, similarity


def ranks_by_scipy(scores, c):
    return sum(1 / (c + rankdata(-s, axis=1)) for s in scores)


def ranks_from_zero(scores, c):
    return sum(1 / (c + np.argsort(np.argsort(-s, axis=1), axis=1)) for s in scores if c)


def ranks_by_one_sort(scores, c):
    return sum(1 / (c + 1 + np.argsort(-s, axis=1)) for s in scores)


def worst_first(scores, c):
    return sum(1 / (c + rankdata(s, axis=1)) for s in scores)


def attention_by_torch(Q, K, V, present):
    Q, K, V, present = (torch.from_numpy(x) for x in (Q, K, V, present))
    return torch.nn.functional.scaled_dot_product_attention(Q, K, V, attn_mask=present[None])


def attention_of_those_present(Q, K, V, present):
    weights = np.exp(Q @ K[present].T / np.sqrt(Q.shape[1]))
    return weights / weights.sum(1, keepdims=True) @ V[present]


def attention_planted(Q, K, V, present):
    weights = np.exp(np.where(present, Q @ K.T / np.sqrt(Q.shape[1]), 0))
    return weights / weights.sum(axis=1, keepdims=True) @ V


def attention_without_scale(Q, K, V, present):
    return attention_of_those_present(Q * np.sqrt(Q.shape[1]), K, V, present)


def attention_masked_late(Q, K, V, present):
    weights = np.exp(Q @ K.T / np.sqrt(Q.shape[1]))
    return weights / weights.sum(axis=1, keepdims=True) * present @ V


@pytest.mark.parametrize(
    ("label", "answer"),
    [
        ("lengths", Fraction(9, 50)),
        ("lengths", 0.18),
        ("rrf", lambda scores, c: similarity.reciprocal_rank_fusion(scores, c=c)),
        ("rrf", ranks_by_scipy),
        ("planted", attention_by_torch),
        ("planted", attention_of_those_present),
    ],
)
def test_right(label, answer):
    assert checks.exercise(f"ex-ch03-ind-{label}", answer)


@pytest.mark.parametrize(
    ("label", "answer"),
    [
        ("lengths", 0.5),
        ("lengths", 0.3),
        ("rrf", ranks_from_zero),
        ("rrf", ranks_by_one_sort),
        ("rrf", worst_first),
        ("planted", attention_planted),
        ("planted", attention_without_scale),
        ("planted", attention_masked_late),
    ],
)
def test_wrong(label, answer):
    assert checks.exercise(f"ex-ch03-ind-{label}", answer).state == "wrong"


@pytest.mark.parametrize("label", ["lengths", "rrf", "planted", "weights"])
def test_open(label):
    assert checks.exercise(f"ex-ch03-ind-{label}", ...).state == "open"
