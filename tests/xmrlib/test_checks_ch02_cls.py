"""The exercises of section 2.3 both ways: right answers in other styles pass, plausible errors fail."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy.special import rel_entr
from scipy.stats import binomtest
from sklearn.naive_bayes import MultinomialNB

from xmrlib import checks
from xmrlib.checks import ch02_cls

BAYES = {"dog, animal": 3 / 8, "dog, food": 1 / 6, "posterior": 27 / 35}


def smooth_by_sklearn(counts, alpha):
    return MultinomialNB(alpha=alpha).fit(counts, np.arange(len(counts))).feature_log_prob_


def smooth_by_torch(counts, alpha):
    smooth = torch.from_numpy(counts).double() + alpha
    return (smooth / smooth.sum(1, keepdim=True)).log()


def wilson(r, n, z=1.96):
    f = r / n
    middle, half = f + z**2 / (2 * n), z * np.sqrt(f * (1 - f) / n + z**2 / (4 * n**2))
    return (middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n)


def wald(r, n):
    half = 1.96 * np.sqrt(r / n * (1 - r / n) / n)
    return r / n - half, r / n + half


def minus_kl_back(P, Q):
    return np.log(P) @ Q.T - (Q * np.log(Q)).sum(axis=1)


RIGHT = {
    "ex-ch02-cls-bayes": [
        BAYES,
        {"dog, animal": Fraction(3, 8), "dog, food": Fraction(1, 6), "posterior": Fraction(27, 35)},
        {name: np.float64(x) for name, x in BAYES.items()},
    ],
    "ex-ch02-cls-planted": [
        smooth_by_sklearn,
        smooth_by_torch,
        lambda counts, alpha: np.log(counts + alpha) - np.log((counts + alpha).sum(axis=1))[:, None],
    ],
    "ex-ch02-cls-wilson": [wilson, lambda r, n: np.array(wilson(r, n)), lambda r, n: list(wilson(r, n))],
    "ex-ch02-cls-kl": [
        minus_kl_back,
        lambda P, Q: -rel_entr(Q[None], P[:, None]).sum(axis=2),
        lambda P, Q: (
            -torch.nn.functional.kl_div(
                torch.from_numpy(P).log()[:, None], torch.from_numpy(Q)[None], reduction="none"
            ).sum(2)
        ),
    ],
}
WRONG = {
    "ex-ch02-cls-bayes": [
        BAYES | {"dog, animal": 2 / 4},
        BAYES | {"dog, food": 0},
        BAYES | {"posterior": 27 / 43},  # without the priors
        BAYES | {"posterior": 0.77},
    ],
    "ex-ch02-cls-planted": [
        lambda c, a: np.log((c + a) / (c.sum(1, keepdims=True) + a)),
        lambda c, a: np.log((c + a) / (c + a).sum()),
        lambda c, a: np.log((c + a) / (c + a).sum(0)),
        lambda c, a: (c + a) / (c + a).sum(1, keepdims=True),
        lambda c, a: smooth_by_sklearn(c, 1.0),
    ],
    "ex-ch02-cls-wilson": [
        wald,
        lambda r, n: wilson(r, n, 1.64),
        lambda r, n: wilson(r, n)[::-1],
        lambda r, n: wilson(r, n)[0],
        lambda r, n: tuple(100 * x for x in wilson(r, n)),
    ],
    "ex-ch02-cls-kl": [
        lambda P, Q: P @ np.log(Q).T - (P * np.log(P)).sum(1, keepdims=True),
        lambda P, Q: -minus_kl_back(P, Q),
        lambda P, Q: np.log(P) @ Q.T,
        lambda P, Q: minus_kl_back(P, Q).T,
    ],
}


@pytest.mark.parametrize("label", RIGHT)
def test_right_answers_in_other_styles_pass(label):
    assert len(RIGHT[label]) >= 3
    for number, answer in enumerate(RIGHT[label]):
        result = checks.exercise(label, answer)
        assert result, f"style {number}: {result.detail}"


@pytest.mark.parametrize("label", WRONG)
def test_plausible_errors_fail_and_say_where(label):
    assert len(WRONG[label]) >= 2
    for number, answer in enumerate(WRONG[label]):
        result = checks.exercise(label, answer)
        assert result.state == "wrong", f"error {number} passes"
        assert "Case" in result.detail or not callable(answer), result.detail


@pytest.mark.parametrize("label", ch02_cls.EXERCISES)
@pytest.mark.parametrize("answer", [3, "a word", [], {}, np.ones((2, 3)), lambda: 1, lambda *a: 1 / 0, int])
def test_nothing_that_a_reader_hands_in_raises_or_passes(label, answer):
    assert checks.exercise(label, answer).state in ("wrong", "open")


@pytest.mark.parametrize("label", ch02_cls.EXERCISES)
@pytest.mark.parametrize("placeholder", [..., None, NotImplemented, lambda *a: ...])
def test_a_placeholder_is_open(label, placeholder):
    expected = ("open", "wrong") if callable(placeholder) and label == "ex-ch02-cls-bayes" else ("open",)
    assert checks.exercise(label, placeholder).state in expected


def test_every_exercise_is_tested_both_ways():
    assert set(RIGHT) == set(WRONG) == set(ch02_cls.EXERCISES) - {"ex-ch02-cls-open"}


def test_the_oracle_of_the_interval_is_that_of_scipy():
    """Up to z, which the exercise rounds to 1.96."""
    for r, n in [(146, 200), (20, 20), (1, 7)]:
        library = binomtest(r, n).proportion_ci(method="wilson")
        np.testing.assert_allclose(ch02_cls._wilson_ends(r, n), (library.low, library.high), atol=1e-4)
