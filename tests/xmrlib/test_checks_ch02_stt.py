"""The exercises of section 2.9, both ways: right answers in other styles pass, plausible errors fail."""

import difflib
import functools

import numpy as np
import pytest
import torch

from xmrlib import checks

COLLAPSE = {"-aa-abb-": "aab", "aabba-a": "abaa", "paths to 'ab'": 5, "paths to 'aa'": 1}
FOOLED = [[0, 0, 1], [0.5, 0.45, 0.05], [0.5, 0.45, 0.05]]


def frames_by_regex(text):
    import re

    return np.int64(len(re.sub(r"(.)(?=\1)", r"\1-", text)))


def probability_by_torch(y, labels):
    log_probs, target = torch.from_numpy(y).log()[:, None], torch.tensor(labels, dtype=torch.long)
    sizes = torch.tensor([len(y)]), torch.tensor([len(labels)])
    return torch.exp(-torch.nn.functional.ctc_loss(log_probs, target[None], *sizes, reduction="sum"))


def forward(y, labels, may_skip):
    places = [0] + [c for label in labels for c in (label, 0)]
    alpha = [y[0][c] if u < 2 else 0.0 for u, c in enumerate(places)]
    for row in y[1:]:
        alpha = [
            row[c]
            * (alpha[u] + (alpha[u - 1] if u else 0) + (alpha[u - 2] if u > 1 and may_skip(places, u) else 0))
            for u, c in enumerate(places)
        ]
    return sum(alpha[-2:])


def skip_rightly(places, u):
    return places[u] != 0 and places[u] != places[u - 2]


def words_recursively(read, said):
    a, b = tuple(read.split()), tuple(said.split())

    @functools.cache
    def d(i, j):
        if not i or not j:
            return i + j
        return min(d(i - 1, j - 1) + (a[i - 1] != b[j - 1]), d(i - 1, j) + 1, d(i, j - 1) + 1)

    return d(len(a), len(b)) / len(b)


@pytest.mark.parametrize(
    ("label", "answer"),
    [
        ("collapse", COLLAPSE),
        ("collapse", COLLAPSE | {"paths to 'ab'": np.int64(5)}),
        ("shortest", frames_by_regex),
        ("planted", probability_by_torch),
        ("planted", lambda y, labels: forward(y, labels, skip_rightly)),
        ("fool", FOOLED),
        ("fool", np.array(FOOLED)),
        ("fool", torch.tensor(FOOLED)),
        ("wer", words_recursively),
    ],
)
def test_right_answers_pass(label, answer):
    assert checks.exercise(f"ex-ch02-stt-{label}", answer)


@pytest.mark.parametrize(
    ("label", "answer", "told"),
    [
        ("collapse", COLLAPSE | {"aabba-a": "aba"}, "aabba-a"),  # blanks dropped first
        ("collapse", COLLAPSE | {"paths to 'aa'": 3}, "paths to 'aa'"),
        ("shortest", len, "bee"),
        ("shortest", lambda text: 2 * len(text) - 1, "cat"),
        ("planted", lambda y, labels: forward(y, labels, lambda p, u: p[u] != 0), "Case 2"),
        ("planted", lambda y, labels: forward(y, labels, lambda p, u: False), "Case 1"),
        ("planted", lambda y, labels: -np.log(float(probability_by_torch(y, labels))), "Case 1"),
        ("fool", [[0, 0, 1], [0.9, 0.1, 0], [0.9, 0.1, 0]], "greedy is right"),
        ("fool", [[0, 1, 0], [1, 0, 0], [1, 0, 0]], "greedy reads 'a'"),
        ("fool", [[0.4, 0.2, 0.4], [1, 0, 0], [1, 0, 0]], "equally"),
        ("fool", [[1, 1, 1]] * 3, "sums to 1"),
        ("fool", "b", "three rows"),
        ("wer", lambda read, said: words_recursively(read, said) * len(said.split()), "differs"),
        ("wer", lambda read, said: words_recursively(said, read) if read else 1.0, "differs"),
        ("wer", lambda read, said: 1 - difflib.SequenceMatcher(None, read, said).ratio(), "differs"),
    ],
)
def test_plausible_errors_fail_with_a_case(label, answer, told):
    result = checks.exercise(f"ex-ch02-stt-{label}", answer)
    assert result.state == "wrong" and told in result.detail


@pytest.mark.parametrize("label", ["collapse", "shortest", "planted", "fool", "wer", "open"])
def test_placeholders_are_open(label):
    assert checks.exercise(f"ex-ch02-stt-{label}").state == "open"


def test_no_answer_to_the_open_question_is_graded():
    assert checks.exercise("ex-ch02-stt-open", 0.3).state == "open"
