"""The exercises of 2.1 both ways: right answers in other styles pass, plausible errors fail, nothing raises."""

import re
import unicodedata
from fractions import Fraction

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfTransformer

from xmrlib import checks
from xmrlib.checks import ch02_bow


def tokens_by_characters(sentence):
    joined = unicodedata.normalize("NFKC", sentence).casefold()
    return "".join(c if c.isalnum() else " " for c in joined).split()


def tokens_without_normalising(sentence):
    return re.findall(r"[^\W_]+", sentence.lower())


def tokens_of_two(sentence):
    return re.findall(r"\b\w\w+\b", unicodedata.normalize("NFC", sentence).lower())


def tokens_with_underscore(sentence):
    return re.findall(r"\w+", unicodedata.normalize("NFC", sentence).lower())


def tokens_by_spaces(sentence):
    return unicodedata.normalize("NFC", sentence).lower().split()


def by_torch(counts):
    counts = torch.tensor(counts, dtype=torch.float64)
    idf = torch.log((1 + len(counts)) / (1 + (counts > 0).sum(0).double())) + 1
    return torch.nn.functional.normalize(counts * idf)


def by_scikit_learn(counts):
    return TfidfTransformer().fit_transform(counts).toarray()


def by_occurrences(counts):
    idf = np.log((1 + len(counts)) / (1 + counts.sum(axis=0))) + 1
    return counts * idf / np.linalg.norm(counts * idf, axis=1, keepdims=True)


def textbook(counts):
    idf = np.log(len(counts) / np.maximum((counts > 0).sum(axis=0), 1))
    return counts * idf / np.maximum(np.linalg.norm(counts * idf, axis=1, keepdims=True), 1e-9)


def not_normalised(counts):
    return counts * (np.log((1 + len(counts)) / (1 + (counts > 0).sum(axis=0))) + 1)


IDF = {"the": 1.0, "red": np.log(2) + 1, "quokka": np.log(4) + 1, "sofa": np.log(8) + 1}
SATURATION = {"share of one": Fraction(5, 11), "nine tenths": 11, "nine tenths, long text": 27}
ZERO = {"optimistic": 1, "pessimistic": 500, "mean": Fraction(501, 2)}
RIGHT = [
    ("idf", IDF),
    ("idf", {"the": 1, "red": torch.log(torch.tensor(2.0, dtype=torch.float64)) + 1,
             "quokka": 2 * np.log(2) + 1, "sofa": 3 * np.log(2) + 1}),
    ("tokens", tokens_by_characters),
    ("planted", by_torch),
    ("planted", by_scikit_learn),
    ("saturation", SATURATION),
    ("saturation", {"share of one": 1 / 2.2, "nine tenths": 11.0, "nine tenths, long text": np.int64(27)}),
    ("zero", ZERO),
    ("zero", {"optimistic": 1.0, "pessimistic": np.float64(500), "mean": 250.5}),
]  # fmt: skip
WRONG = [
    ("idf", IDF | {"the": 0.0}),
    ("idf", IDF | {"sofa": np.inf}),
    ("idf", IDF | {"red": np.log(7 / 3)}),
    ("idf", IDF | {"quokka": np.log10(4) + 1}),
    ("tokens", tokens_without_normalising),
    ("tokens", tokens_of_two),
    ("tokens", tokens_with_underscore),
    ("tokens", tokens_by_spaces),
    ("planted", by_occurrences),
    ("planted", textbook),
    ("planted", not_normalised),
    ("saturation", SATURATION | {"nine tenths": 10}),
    ("saturation", SATURATION | {"nine tenths": 10.8}),
    ("saturation", SATURATION | {"share of one": 1.0}),
    ("saturation", SATURATION | {"nine tenths, long text": 33}),
    ("zero", ZERO | {"mean": 250}),
    ("zero", ZERO | {"pessimistic": 1}),
]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_right_answers_pass_in_any_style(name, answer):
    assert checks.exercise(f"ex-ch02-bow-{name}", answer)


@pytest.mark.parametrize(("name", "answer"), WRONG)
def test_plausible_errors_fail_and_are_told(name, answer):
    result = checks.exercise(f"ex-ch02-bow-{name}", answer)
    assert result.state == "wrong" and result.detail


@pytest.mark.parametrize("label", ch02_bow.EXERCISES)
@pytest.mark.parametrize("answer", [..., None, lambda *a: None])
def test_placeholders_are_open(label, answer):
    if callable(answer) and label.split("-")[-1] not in ("tokens", "planted", "open"):
        return
    assert checks.exercise(label, answer).state == "open"


@pytest.mark.parametrize("label", ch02_bow.EXERCISES)
@pytest.mark.parametrize("answer", [[], {}, 3, "b", object(), lambda: 1 / 0])
def test_nonsense_is_never_right_and_never_raises(label, answer):
    assert not checks.exercise(label, answer)
