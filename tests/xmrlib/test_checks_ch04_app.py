"""The exercises of section 4.6 both ways: right answers in other styles pass, plausible errors fail."""

import numpy as np
import pytest

from xmrlib import checks


def chance_by_loop(angle, bits, tables):
    missed = 1.0
    for _ in range(tables):
        missed *= 1 - np.prod([1 - angle / 180] * bits)
    return 1 - missed


def greedy_by_recursion(points, links, query, start):
    apart = {item: float(((points[item] - query) ** 2).sum()) for item in [start, *links[start]]}
    best = min(apart, key=apart.get)
    return start if apart[best] == apart[start] else greedy_by_recursion(points, links, query, best)


def one_step(points, links, query, start):
    return min([start, *links[start]], key=lambda item: ((points[item] - query) ** 2).sum())


def everywhere(points, links, query, start):
    return int(((points - query) ** 2).sum(axis=1).argmin())


def never_stops_to_look(points, links, query, start):
    for _ in range(len(points)):  # always to the best neighbour, also when that is worse
        start = min(links[start], key=lambda item: ((points[item] - query) ** 2).sum())
    return start


def of_a_colleague(found, truth):
    shares = []
    for a, b in zip(found, truth, strict=True):
        a = a[a >= 0]
        if len(a):
            shares.append(np.isin(a, b).mean())
    return np.mean(shares)


RIGHT = [
    ("bytes", {"float32": 384 * 4, "256 bits": 32.0, "PQ48": np.int64(48), "HNSW16": 1664}),
    ("tables", chance_by_loop),
    ("tables", lambda a, b, t: 1 - np.exp(t * np.log1p(-((1 - np.radians(a) / np.pi) ** b))) if a else 1.0),
    ("greedy", greedy_by_recursion),
    ("recall", lambda found, truth: np.mean([np.isin(b, a) for a, b in zip(found, truth, strict=True)])),
    ("recall", lambda found, truth: (found[:, :, None] == truth[:, None]).sum() / truth.size),
]

WRONG = [
    ("bytes", {"float32": 384 * 8, "256 bits": 32, "PQ48": 48, "HNSW16": 1664}),
    ("bytes", {"float32": 1536, "256 bits": 256, "PQ48": 48, "HNSW16": 1664}),
    ("bytes", {"float32": 1536, "256 bits": 32, "PQ48": 48, "HNSW16": 128}),
    ("bytes", {"float32": 1536, "256 bits": 32, "PQ48": 48, "HNSW16": 1536 + 64}),
    ("tables", lambda a, b, t: (1 - a / 180) ** (b * t)),
    ("tables", lambda a, b, t: t * (1 - a / 180) ** b),
    ("tables", lambda a, b, t: 1 - (1 - a / 180) ** (b * t)),
    ("tables", lambda a, b, t: 1 - (1 - np.cos(np.radians(a)) ** b) ** t),
    ("greedy", one_step),
    ("greedy", everywhere),
    ("greedy", never_stops_to_look),
    ("recall", of_a_colleague),
    ("recall", lambda found, truth: (found == truth).mean()),
]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_right_answers_in_another_style_pass(name, answer):
    result = checks.exercise(f"ex-ch04-approximate-{name}", answer)
    assert result, result


@pytest.mark.parametrize(("name", "answer"), WRONG)
def test_plausible_errors_fail(name, answer):
    assert checks.exercise(f"ex-ch04-approximate-{name}", answer).state == "wrong"


def test_the_open_question_is_not_graded():
    assert checks.exercise("ex-ch04-approximate-open", "faiss").state == "open"
