"""The exercises of section 4.5 both ways: right answers in other styles pass, plausible errors fail."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from xmrlib import checks
from xmrlib.checks import ch04_adv

BEST = {"D at the place": Fraction(3, 4), "D when won": 0.5, "loss when won": math.log(4)}


def modes_by_cdist(fakes, centres, radius, least):
    apart = torch.cdist(torch.tensor(fakes), torch.tensor(centres))
    nearest, number = apart.min(dim=1)
    return int((F.one_hot(number[nearest <= radius], len(centres)).sum(dim=0) >= least).sum())


def modes_by_balls(fakes, centres, radius, least):
    apart = np.linalg.norm(fakes[:, None] - centres, axis=2)
    return ((apart <= radius).sum(axis=0) >= least).sum()


def modes_above(fakes, centres, radius, least):
    apart = np.linalg.norm(fakes[:, None] - centres, axis=2)
    near = apart.argmin(axis=1)[apart.min(axis=1) <= radius]
    return (np.bincount(near, minlength=len(centres)) > least).sum()


def losses_by_torch(real, fake):
    real, fake = torch.tensor(real), torch.tensor(fake)
    bce = F.binary_cross_entropy_with_logits
    judge = bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))
    return judge, bce(fake, torch.ones_like(fake))


def planted(real, fake):
    judge = np.logaddexp(0, -real).mean() + np.logaddexp(0, fake).mean()
    return judge, np.logaddexp(0, fake).mean()


def minimax(real, fake):
    judge = np.logaddexp(0, -real).mean() + np.logaddexp(0, fake).mean()
    return judge, -np.logaddexp(0, fake).mean()


RIGHT = {
    "ex-ch04-adversarial-optimum": [BEST, {key: float(x) for key, x in BEST.items()}],
    "ex-ch04-adversarial-modes": [modes_by_cdist],
    "ex-ch04-adversarial-planted": [losses_by_torch],
    "ex-ch04-adversarial-leak": ["c", "C ", ["c"]],
}
WRONG = {
    "ex-ch04-adversarial-optimum": [BEST | {"D at the place": 3}, BEST | {"loss when won": math.log(2)}],
    "ex-ch04-adversarial-modes": [modes_by_balls, modes_above],
    "ex-ch04-adversarial-planted": [planted, minimax],
    "ex-ch04-adversarial-leak": ["a", "b", "d"],
}


@pytest.mark.parametrize("label, answer", [(label, x) for label in RIGHT for x in RIGHT[label]])
def test_right_answers_in_another_style_pass(label, answer):
    assert checks.exercise(label, answer).state == "right", checks.exercise(label, answer)


@pytest.mark.parametrize("label, answer", [(label, x) for label in WRONG for x in WRONG[label]])
def test_plausible_errors_fail(label, answer):
    assert checks.exercise(label, answer).state == "wrong"


def test_every_graded_exercise_is_tested_both_ways():
    assert RIGHT.keys() == WRONG.keys() == ch04_adv.EXERCISES.keys() - {"ex-ch04-adversarial-open"}
