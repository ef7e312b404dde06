"""The exercises of section 3.2 both ways: right answers in other styles pass, plausible errors fail."""

import numpy as np
import pytest
import torch

from xmrlib import checks
from xmrlib.checks import ch03_att


def by_arrays(weights, boxes):
    row, column = np.divmod(weights.reshape(len(weights), -1).argmax(axis=1), 7)
    x, y = 32 * column + 16, 32 * row + 16
    left, top, right, bottom = boxes.T
    return ((left <= x) & (x < right) & (top <= y) & (y < bottom)).mean()


def by_torch(weights, boxes):
    best = torch.tensor(weights).flatten(1).argmax(dim=1)
    x, y = best % 7 * 32 + 16, best // 7 * 32 + 16
    b = torch.tensor(boxes)
    return ((b[:, 0] <= x) & (x < b[:, 2]) & (b[:, 1] <= y) & (y < b[:, 3])).double().mean()


def corner(weights, boxes):
    row, column = np.divmod(weights.reshape(len(weights), -1).argmax(axis=1), 7)
    left, top, right, bottom = boxes.T
    return ((left <= 32 * column) & (32 * column < right) & (top <= 32 * row) & (32 * row < bottom)).mean()


@pytest.mark.parametrize("answer", [by_arrays, by_torch, lambda w, b: float(by_arrays(w, b))])
def test_right_answers_in_any_style_pass(answer):
    assert checks.exercise("ex-ch03-att-pointing", answer).state == "right"


@pytest.mark.parametrize(
    "answer",
    [
        corner,
        lambda w, b: by_arrays(w.transpose(0, 2, 1), b),  # rows for columns
        lambda w, b: by_arrays(-w, b),
        lambda w, b: 1 - by_arrays(w, b),
        lambda w, b: by_arrays(w, b) * len(w),  # a count
    ],
)
def test_plausible_errors_fail(answer):
    assert checks.exercise("ex-ch03-att-pointing", answer).state == "wrong"


def test_the_ratio_of_two_weights():
    assert checks.exercise("ex-ch03-att-choosy", np.e).state == "right"
    for wrong in (np.exp(0.2), np.exp(-1), 0.6 / 0.4, np.exp(0.04)):
        assert checks.exercise("ex-ch03-att-choosy", wrong).state == "wrong"


def looking(axis=1, cut=True, total="mean"):
    """Cross-attention with the softmax over an axis, with or without cutting what is seen to length one."""

    def score(a, v, temperature):
        weights = np.exp(a @ v.T / temperature)
        seen = weights / weights.sum(axis=axis, keepdims=True) @ v
        seen = seen / np.linalg.norm(seen, axis=1, keepdims=True) if cut else seen
        return getattr((a * seen).sum(axis=1), total)()

    return score


def looking_by_torch(a, v, temperature):
    a, v = torch.tensor(a), torch.tensor(v)
    seen = (a @ v.T / temperature).softmax(dim=1) @ v
    return torch.cosine_similarity(a, seen).mean()


@pytest.mark.parametrize("answer", [looking(), looking_by_torch])
def test_right_scores_pass(answer):
    assert checks.exercise("ex-ch03-att-planted", answer).state == "right"


@pytest.mark.parametrize(
    "answer",
    [looking(axis=0), looking(cut=False), looking(total="sum"), lambda a, v, t: looking()(a, v, 1 / t)],
)
def test_wrong_scores_fail(answer):
    """The first is the colleague's own."""
    assert checks.exercise("ex-ch03-att-planted", answer).state == "wrong"


@pytest.mark.parametrize("answer", [..., None, lambda weights, boxes: ...])
def test_an_empty_answer_is_open(answer):
    assert checks.exercise("ex-ch03-att-pointing", answer).state == "open"


def test_the_open_question_is_not_graded():
    assert checks.exercise("ex-ch03-att-temperature", {0.2: 0.7}).state == "open"


def test_every_exercise_is_tested():
    names = ("choosy", "planted", "pointing", "temperature")
    assert set(ch03_att.EXERCISES) == {f"ex-ch03-att-{name}" for name in names}
