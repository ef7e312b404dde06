"""The exercises of section 3.4 both ways: right answers in other styles pass, plausible errors fail."""

import numpy as np
import pytest
import torch

from xmrlib import checks, losses
from xmrlib.checks import ch03_lrn

FATES = {"masks": 2400, "guessed": 3000, "unchanged": 300}


def margin_by_xmrlib(h, r, t, margin):
    return losses.triplet(-torch.cdist(torch.as_tensor(h + r), torch.as_tensor(t)), margin).item()


def margin_of_tails_only(h, r, t, margin):
    d = np.linalg.norm(h[:, None] + r - t[None], axis=2)
    return np.maximum(0, margin + np.diag(d)[:, None] - d)[~np.eye(len(h), dtype=bool)].sum()


def margin_with_itself(h, r, t, margin):
    return margin_by_xmrlib(h, r, t, margin) + 2 * len(h) * margin


def margin_without_r(h, r, t, margin):
    return margin_by_xmrlib(h, 0 * r, t, margin)


def nt_xent_by_xmrlib(first, second, temperature):
    return losses.nt_xent(torch.as_tensor(first), torch.as_tensor(second), temperature).item()


def nt_xent_of_colleague(first, second, temperature):
    z = np.concatenate([first, second])
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    e = np.exp(z @ z.T / temperature)
    p = e[np.arange(len(z)), np.roll(np.arange(len(z)), len(first))] / e.sum(axis=1)
    return -np.log(p).mean()


def nt_xent_across_only(first, second, temperature):
    u, v = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (first, second))
    return losses.info_nce(torch.as_tensor(u @ v.T), temperature).item()


RIGHT = {
    "ex-ch03-learned-pencil": [{"r": [1, 1], "sum": 2}, {"r": np.ones(2), "sum": 2.0}],
    "ex-ch03-learned-margin": [margin_by_xmrlib],
    "ex-ch03-learned-fates": [FATES, {k: float(v) for k, v in FATES.items()}],
    "ex-ch03-learned-planted": [nt_xent_by_xmrlib],
}
WRONG = {
    "ex-ch03-learned-pencil": [{"r": [3, 3], "sum": 2}, {"r": [-1, -1], "sum": 2}, {"r": [1, 1], "sum": 5}],
    "ex-ch03-learned-margin": [margin_of_tails_only, margin_with_itself, margin_without_r],
    "ex-ch03-learned-fates": [FATES | {"guessed": 2400}, FATES | {"masks": 16000}],
    "ex-ch03-learned-planted": [nt_xent_of_colleague, nt_xent_across_only],
}


@pytest.mark.parametrize(("label", "answer"), [(k, a) for k, answers in RIGHT.items() for a in answers])
def test_right_answers_pass(label, answer):
    assert checks.exercise(label, answer)


@pytest.mark.parametrize(("label", "answer"), [(k, a) for k, answers in WRONG.items() for a in answers])
def test_plausible_errors_fail(label, answer):
    assert checks.exercise(label, answer).state == "wrong"


@pytest.mark.parametrize("label", ch03_lrn.EXERCISES)
def test_a_placeholder_is_open(label):
    assert checks.exercise(label, ...).state == "open"
