"""The exercises of 4.3 both ways: right answers in other styles pass, plausible errors fail, nothing raises."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from xmrlib import checks, losses
from xmrlib.checks import ch04_met


def by_torch(scores, margin):
    scores = torch.from_numpy(scores)
    others = scores.clone().fill_diagonal_(-torch.inf)
    return torch.relu(margin - scores.diagonal() + others.amax(dim=1)).sum()


def by_deleting(scores, margin):
    rows = range(len(scores))
    return sum(max(0, margin - scores[i, i] + np.delete(scores[i], i).max()) for i in rows)


def the_colleague(scores, margin):
    return np.maximum(0, margin - np.diag(scores) + scores.max(axis=1)).sum()


def zero_on_the_diagonal(scores, margin):
    others = scores * (1 - np.eye(len(scores)))
    return np.maximum(0, margin - np.diag(scores) + others.max(axis=1)).sum()


def columns(scores, margin):
    return by_deleting(scores.T, margin)


def without_the_hinge(scores, margin):
    others = np.where(np.eye(len(scores)) == 1, -np.inf, scores)
    return (margin - np.diag(scores) + others.max(axis=1)).sum()


def both_directions(scores, margin):
    return losses.triplet(torch.from_numpy(scores), margin, "hardest").item()


THREE = {"first": 0, "second": Fraction(1, 4), "third": Fraction(3, 4), "semi-hard": 2}
FLAT = {"mean, all": 0.2, "sum, all": 396.8, "sum, hardest": 12.8, "sum, semi-hard": 0}
RIGHT = [
    ("three", THREE),
    ("three", {"first": 0.0, "second": 0.25, "third": torch.tensor(0.75), "semi-hard": np.int64(2)}),
    ("planted", by_torch),
    ("planted", by_deleting),
    ("flat", FLAT),
    ("flat", {k: Fraction(x).limit_denominator(100) for k, x in FLAT.items()}),
    ("cosine", lambda margin: 0.5 * margin),
    ("cosine", lambda m: np.divide(m, 2)),
]
WRONG = [
    ("three", THREE | {"first": Fraction(-1, 2)}),
    ("three", THREE | {"third": Fraction(1, 4)}),
    ("three", THREE | {"semi-hard": 3}),
    ("planted", the_colleague),
    ("planted", zero_on_the_diagonal),
    ("planted", columns),
    ("planted", without_the_hinge),
    ("planted", both_directions),
    ("flat", FLAT | {"sum, all": 32 * 31 / 5}),
    ("flat", FLAT | {"sum, all": 2 * 32 * 32 / 5}),
    ("flat", FLAT | {"sum, semi-hard": 12.8}),
    ("cosine", lambda margin: margin),
    ("cosine", lambda margin: 1 - margin / 2),
    ("cosine", lambda margin: 2 * margin),
]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_right_answers_pass_in_any_style(name, answer):
    assert checks.exercise(f"ex-ch04-metric-{name}", answer)


@pytest.mark.parametrize(("name", "answer"), WRONG)
def test_plausible_errors_fail_and_are_told(name, answer):
    result = checks.exercise(f"ex-ch04-metric-{name}", answer)
    assert result.state == "wrong" and result.detail


def test_the_flat_batch_is_what_the_losses_give():
    """Protects the exercise against a change of the library: its answers are computed from scores that are equal."""
    flat = torch.zeros(32, 32, dtype=torch.float64)
    computed = {
        "mean, all": losses.triplet(flat, 0.2, "all", "mean"),
        "sum, all": losses.triplet(flat, 0.2, "all"),
        "sum, hardest": losses.triplet(flat, 0.2, "hardest"),
        "sum, semi-hard": losses.triplet(flat, 0.2, "semihard"),
    }
    assert checks.exercise("ex-ch04-metric-flat", computed)


@pytest.mark.parametrize("label", ch04_met.EXERCISES)
@pytest.mark.parametrize("answer", [..., None])
def test_placeholders_are_open(label, answer):
    assert checks.exercise(label, answer).state == "open"


@pytest.mark.parametrize("label", ch04_met.EXERCISES)
@pytest.mark.parametrize("answer", [[], {}, 3, "b", object(), lambda: 1 / 0])
def test_nonsense_is_never_right_and_never_raises(label, answer):
    assert not checks.exercise(label, answer)
