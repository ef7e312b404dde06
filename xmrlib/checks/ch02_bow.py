"""The exercises of section 2.1, bags of words: what is right, and how it is told (chapter 2)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from math import ceil, log, sqrt
from typing import Any

import numpy as np

from xmrlib.checks._compare import Result, agrees, open_question, value

__all__ = ["EXERCISES"]


def _idf(answer: Any) -> Result:
    texts = {"the": 7, "red": 3, "quokka": 1, "sofa": 0}
    return value(answer, {word: log((1 + 7) / (1 + df)) + 1 for word, df in texts.items()})


def _runs(sentence: str) -> list[str]:
    return re.findall(r"[^\W_]+", unicodedata.normalize("NFC", sentence).lower())


def _tokens(answer: Any) -> Result:
    cases = [
        "A green apple.",
        "x_ray, 7 up",
        "Café CAFE\u0301 café",
        "",
        "?!",
        "don't",
        "Ö l, O\u0308 l",
        "一只狗。two",
    ]
    return agrees(answer, _runs, cases)


def _tfidf(counts: np.ndarray) -> np.ndarray:
    n, rows = len(counts), []
    idf = [log((1 + n) / (1 + sum(1 for x in column if x > 0))) + 1 for column in counts.T]
    for row in counts:
        weights = [x * y for x, y in zip(row, idf, strict=True)]
        rows.append([w / sqrt(sum(v * v for v in weights)) for w in weights])
    return np.array(rows)


def _planted(answer: Any) -> Result:
    tables = [
        [[1, 0, 1], [1, 1, 0]],
        [[3, 1, 0], [1, 0, 2], [0, 0, 4]],
        [[9, 1, 0, 0], [7, 0, 2, 0]],
        [[2, 1], [0, 5], [1, 1], [4, 0]],
    ]
    return agrees(answer, _tfidf, [(np.array(table),) for table in tables])


def _saturation(answer: Any) -> Result:
    """tf / (tf + c) >= 9/10 from tf = 9 c on, with c = 1.2 or 1.2 (1/4 + 3/4 * 3) = 3."""
    expected = {"share of one": 1 / 2.2, "nine tenths": ceil(9 * 1.2), "nine tenths, long text": 27}
    return value(answer, expected)


def _zero(answer: Any) -> Result:
    return value(answer, {"optimistic": 1, "pessimistic": 500, "mean": 501 / 2})


EXERCISES: dict[str, Callable[[Any], Result]] = {
    "ex-ch02-bow-idf": _idf,
    "ex-ch02-bow-tokens": _tokens,
    "ex-ch02-bow-planted": _planted,
    "ex-ch02-bow-saturation": _saturation,
    "ex-ch02-bow-zero": _zero,
    "ex-ch02-bow-open": open_question,
}
