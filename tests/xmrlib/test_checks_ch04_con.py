"""The exercises of section 4.4 both ways: right answers in other styles pass, plausible errors fail."""

import numpy as np
import pytest
import torch
from scipy.special import softmax

from xmrlib import checks, losses
from xmrlib.checks import ch04_con

PENCIL = {
    "p of text 0": 0.9525741268224334,
    "p of text 1": 0.5,
    "loss of the texts": (0.04858735157374196 + np.log(2)) / 2,
}


def push_by_scipy(row, right, temperature):
    return (softmax(row / temperature) - np.eye(len(row))[right]) / temperature


def push_by_torch(row, right, temperature):
    row = torch.tensor(row, requires_grad=True)
    torch.nn.functional.cross_entropy(row[None] / temperature, torch.tensor([right])).backward()
    return row.grad


def push_that_overflows(row, right, temperature):
    with np.errstate(all="ignore"):
        p = np.exp(row / temperature)
        return (p / p.sum() - np.eye(len(row))[right]) / temperature


def loss_by_xmrlib(scores, temperature):
    return losses.info_nce(torch.from_numpy(scores), temperature).item()


def loss_of_colleague(scores, temperature):
    logits = np.exp(scores / temperature)
    of_pictures = np.diag(logits.T / logits.sum(axis=1))
    return -(np.log(np.diag(logits) / logits.sum(axis=1)) + np.log(of_pictures)).mean() / 2


def fused(a, b, weight):
    parts = [(s - np.mean(s)) / s.std() if np.ptp(s) else np.zeros(s.shape) for s in (a, b)]
    return weight * parts[0] + (1 - weight) * parts[1]


RIGHT = {
    "ex-ch04-contrastive-pencil": [PENCIL, PENCIL | {"p of text 1": np.float64(1 / 2)}],
    "ex-ch04-contrastive-gradient": [push_by_scipy, push_by_torch],
    "ex-ch04-contrastive-planted": [loss_by_xmrlib],
    "ex-ch04-contrastive-fusion": [fused],
}
WRONG = {
    "ex-ch04-contrastive-pencil": [
        PENCIL | {"p of text 0": 1 / (1 + np.exp(-0.6))},  # the temperature forgotten
        PENCIL | {"loss of the texts": 2 * PENCIL["loss of the texts"]},
    ],
    "ex-ch04-contrastive-gradient": [
        push_that_overflows,
        lambda row, right, t: push_by_scipy(row, right, t) * t,
        lambda row, right, t: -push_by_scipy(row, right, t),
    ],
    "ex-ch04-contrastive-planted": [
        loss_of_colleague,
        lambda scores, t: loss_by_xmrlib(scores, 1 / t),
        lambda scores, t: loss_by_xmrlib(scores, t) * 2,
    ],
    "ex-ch04-contrastive-fusion": [
        lambda a, b, w: fused(b, a, w),
        lambda a, b, w: w * a + (1 - w) * b,
        lambda a, b, w: w * (a - a.mean()) / max(a.std(), 1e-9) + (1 - w) * (b - b.mean()),
    ],
}


@pytest.mark.parametrize(("label", "answer"), [(label, a) for label, many in RIGHT.items() for a in many])
def test_right_answers_pass(label, answer):
    assert checks.exercise(label, answer).state == "right"


@pytest.mark.parametrize(("label", "answer"), [(label, a) for label, many in WRONG.items() for a in many])
def test_plausible_errors_fail(label, answer):
    assert checks.exercise(label, answer).state == "wrong"


def test_all_exercises_are_tested():
    assert set(RIGHT) == set(WRONG) == set(ch04_con.EXERCISES) - {"ex-ch04-contrastive-open"}


def test_the_open_question_is_not_graded():
    assert checks.exercise("ex-ch04-contrastive-open").state == "open"
