"""Oracles of the exercises of section 2.9: CTC is summed over all paths here, without the recursion of the notebook."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from xmrlib.checks._compare import Result, agrees, open_question, value

__all__ = ["EXERCISES"]


def _collapsed(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(symbol for symbol, _ in itertools.groupby(path) if symbol)


def _texts(y: np.ndarray) -> dict[tuple[int, ...], float]:
    """The probability of every text, by all paths through ``y (frames, symbols)``; symbol 0 is the blank."""
    found: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(y.shape[1]), repeat=len(y)):
        text = _collapsed(path)
        found[text] = found.get(text, 0.0) + float(np.prod(y[np.arange(len(y)), path]))
    return found


def _collapse(answer: Any) -> Result:
    return value(answer, {"-aa-abb-": "aab", "aabba-a": "abaa", "paths to 'ab'": 5, "paths to 'aa'": 1})


def _frames_needed(text: str) -> int:
    return len(text) + sum(len(list(run)) - 1 for _, run in itertools.groupby(text))


def _shortest(answer: Any) -> Result:
    return agrees(answer, _frames_needed, ["cat", "bee", "a", "", "aaa", "balloon", "abab", "o albină"])


def _probability(y: np.ndarray, labels: list[int]) -> float:
    return _texts(y).get(tuple(labels), 0.0)


def _planted(answer: Any) -> Result:
    rng = np.random.default_rng(2)
    texts = [[1, 2], [1, 1], [1, 2, 2], [2], [1, 2, 1], [2, 2, 2], []]
    return agrees(answer, _probability, [(rng.dirichlet(np.ones(3), size=5), labels) for labels in texts])


def _fool(answer: Any) -> Result:
    """Three frames over blank, a, b that greedy decoding reads as "b" and whose best text is another."""
    if answer is ... or answer is None:
        return Result("open", "Fill in three rows of three probabilities.")
    try:
        y = np.asarray(answer, dtype=float)
    except (TypeError, ValueError, RuntimeError):
        return Result("wrong", "three rows of three numbers are expected")
    if y.shape != (3, 3) or not (y >= 0).all() or not np.allclose(y.sum(axis=1), 1, atol=1e-6):
        return Result("wrong", "three rows of three probabilities are expected, and each row sums to 1")
    return _fooled(y)


def _fooled(y: np.ndarray) -> Result:
    ordered = np.sort(y, axis=1)
    texts, greedy = _texts(y), _collapsed(tuple(int(c) for c in y.argmax(axis=1)))
    best = max(texts, key=lambda text: texts[text])
    if (ordered[:, -1] - ordered[:, -2] < 1e-9).any():
        return Result("wrong", "in one frame two symbols are equally probable; greedy reading needs one best")
    if greedy != (2,):
        return Result("wrong", f"greedy reads {_written(greedy)!r}, and should read 'b'")
    if texts[best] - texts[greedy] < 1e-9:
        return Result("wrong", f"greedy is right: no text has more than the {texts[greedy]:.3f} of 'b'")
    return Result("right", f"{_written(best)!r} has {texts[best]:.3f}, and 'b' has {texts[greedy]:.3f}.")


def _written(text: tuple[int, ...]) -> str:
    return "".join("-ab"[symbol] for symbol in text)


def _word_errors(read: str, said: str) -> float:
    a, b = read.split(), said.split()
    costs = np.zeros((len(a) + 1, len(b) + 1))
    costs[:, 0], costs[0] = range(len(a) + 1), range(len(b) + 1)
    for i, j in itertools.product(range(1, len(a) + 1), range(1, len(b) + 1)):
        changed = costs[i - 1, j - 1] + (a[i - 1] != b[j - 1])
        costs[i, j] = min(changed, costs[i - 1, j] + 1, costs[i, j - 1] + 1)
    return float(costs[-1, -1]) / len(b)


def _wer(answer: Any) -> Result:
    cases = [("a cat", "a cat"), ("a cat", "a bat"), ("", "a red kangaroo"), ("the red the cat", "red cat"),
             ("cat a", "a cat"), ("a b c", "d"), ("two boars", "two wild boars")]  # fmt: skip
    return agrees(answer, _word_errors, cases)


EXERCISES: dict[str, Callable[[Any], Result]] = {
    "ex-ch02-stt-collapse": _collapse,
    "ex-ch02-stt-shortest": _shortest,
    "ex-ch02-stt-planted": _planted,
    "ex-ch02-stt-fool": _fool,
    "ex-ch02-stt-wer": _wer,
    "ex-ch02-stt-open": open_question,
}
