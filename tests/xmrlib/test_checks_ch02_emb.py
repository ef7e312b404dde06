"""The exercises of section 2.2 both ways: right answers in other styles pass, plausible errors fail."""

import math

import numpy as np
import pytest
import torch

from xmrlib import checks
from xmrlib.checks import ch02_emb

PENCIL = {"PMI ice, cold": math.log(8), "PPMI ice, the": 0.0, "PPMI ice, fashion": 0.0}


def gradient_by_numpy(w, c, negatives):
    others, labels = np.vstack([c, negatives]), np.eye(1, len(negatives) + 1)[0]
    return (1 / (1 + np.exp(-others @ w)) - labels) @ others


def gradient_by_torch(w, c, negatives):
    w, c, negatives = (torch.tensor(x, requires_grad=True) for x in (w, c, negatives))
    sigmoid = torch.nn.functional.logsigmoid
    (-sigmoid(w @ c) - sigmoid(-negatives @ w).sum()).backward()
    return w.grad


def gradient_of_one_negative(w, c, negatives):
    return gradient_by_numpy(w, c, negatives[:1])


def ppmi_by_numpy(N):
    with np.errstate(divide="ignore"):
        return np.maximum(0, np.log(N * N.sum() / np.outer(N.sum(axis=1), N.sum(axis=0))))


def ppmi_by_torch(N):
    N = torch.from_numpy(N)
    return (N * N.sum() / N.sum(1, keepdim=True) / N.sum(0)).log().clamp(min=0)


def ppmi_of_rows(N):
    with np.errstate(divide="ignore"):
        return np.maximum(0, np.log(N * N.sum() / np.outer(N.sum(axis=1), N.sum(axis=1))))


def pmi(N):
    with np.errstate(divide="ignore"):
        return np.log(N * N.sum() / np.outer(N.sum(axis=1), N.sum(axis=0)))


def idf_by_average(words, vectors, idf):
    known = [word for word in words if word in vectors]
    if not known:
        return np.zeros(2)
    return np.average([vectors[w] for w in known], axis=0, weights=[idf[w] for w in known])


def idf_by_loop(words, vectors, idf):
    total, weight = np.zeros(2), 0.0
    for word in words:
        if word in vectors:
            total, weight = total + idf[word] * vectors[word], weight + idf[word]
    return list(total / (weight or 1))


def idf_over_the_number_of_words(words, vectors, idf):
    return sum((idf[w] * vectors[w] for w in words if w in vectors), np.zeros(2)) / max(1, len(words))


def idf_with_unknown_in_the_weight(words, vectors, idf):
    total = sum((idf[w] * vectors[w] for w in words if w in vectors), np.zeros(2))
    return total / (sum(idf[w] for w in words) or 1)


@pytest.mark.parametrize(
    ("label", "answer"),
    [
        ("pencil", PENCIL),
        ("pencil", {key: np.float64(x) for key, x in PENCIL.items()}),
        ("pencil", {**PENCIL, "PMI ice, cold": math.log((16 / 1000) / (40 / 1000) / (50 / 1000))}),
        ("gradient", gradient_by_numpy),
        ("gradient", gradient_by_torch),
        ("gradient", lambda *a: gradient_by_numpy(*a).tolist()),
        ("planted", ppmi_by_numpy),
        ("planted", ppmi_by_torch),
        ("idf", idf_by_average),
        ("idf", idf_by_loop),
    ],
)
def test_right_answers_pass(label, answer):
    assert checks.exercise(f"ex-ch02-emb-{label}", answer)


@pytest.mark.parametrize(
    ("label", "answer"),
    [
        ("pencil", {**PENCIL, "PMI ice, cold": math.log2(8)}),
        ("pencil", {**PENCIL, "PMI ice, cold": 8}),
        ("pencil", {**PENCIL, "PPMI ice, fashion": -math.inf}),
        ("gradient", lambda w, c, negatives: -gradient_by_numpy(w, c, negatives)),
        ("gradient", gradient_of_one_negative),
        ("gradient", lambda w, c, negatives: c),
        ("planted", ppmi_of_rows),
        ("planted", pmi),
        ("idf", lambda words, vectors, idf: np.mean([vectors[w] for w in words if w in vectors], axis=0)),
        ("idf", idf_over_the_number_of_words),
        ("idf", idf_with_unknown_in_the_weight),
    ],
)
def test_plausible_errors_fail(label, answer):
    with np.errstate(all="ignore"):
        assert checks.exercise(f"ex-ch02-emb-{label}", answer).state == "wrong"


@pytest.mark.parametrize("label", ch02_emb.EXERCISES)
def test_a_placeholder_is_not_answered_yet(label):
    assert checks.exercise(label).state == "open"
