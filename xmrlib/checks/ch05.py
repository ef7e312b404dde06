"""Oracles of the exercises of chapter 5. All cases are made by hand; ties occur only where the exercise is about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import log2
from typing import Any

import numpy as np

from xmrlib.checks._compare import Result, agrees, choice, open_question, value

__all__ = ["EXERCISES"]

# Draws of a bootstrap are random. With 10,000 of them an end of the intervals below is within 1 % of its limit;
# an interval at another level or over other units is off by more than 2 %.
_RANDOM = 0.02
_RANDOM_HINT = "The draws are random: with 10,000 of them each end should agree to 2 %."


# --- ranking metrics -----------------------------------------------------------------------------


def _strip(answer: Any) -> Result:
    """Hits at ranks 1, 3 and 6 of ten."""
    return value(answer, {"P@5": 2 / 5, "recall@5": 2 / 3, "RR": 1, "AP": (1 + 2 / 3 + 3 / 6) / 3})


def _hit_rate(first_ranks: np.ndarray, k: int) -> float:
    return sum(rank <= k for rank in first_ranks) / len(first_ranks)


def _hit(answer: Any) -> Result:
    ranks = np.array([1, 4, 2, 11, 3])
    cases = [(ranks, 1), (ranks, 3), (ranks, 10), (np.array([5, 5, 6]), 5), (np.array([30, 2]), 1)]
    return agrees(answer, _hit_rate, cases)


def _ndcg(gains: np.ndarray, k: int) -> float:
    def dcg(g: Sequence[float]) -> float:
        return sum(x / log2(i) for i, x in enumerate(g[:k], 2))

    return dcg(gains.tolist()) / dcg(sorted(gains, reverse=True))


def _planted_ndcg(answer: Any) -> Result:
    lists = [[2.0, 1, 0, 0, 0], [0.0, 0, 2, 1, 2], [1.0, 0, 0, 2, 0], [0.0, 1, 0, 0, 2]]
    return agrees(answer, _ndcg, [(np.array(gains), k) for gains in lists for k in (1, 2, 4)])


def _which(answer: Any) -> Result:
    why = {
        "a": "MRR stops at the first fitting picture, but the visitors see nine and want most of them to fit.",
        "c": "recall needs the number of all fitting pictures of the museum, which no visitor knows.",
        "d": "nDCG pays more for the first places, but the wall shows nine pictures in no order.",
    }
    return choice(answer, "b", why)


def _disagree(answer: Any) -> Result:
    """Two strips of eight with three hits; the first wins on reciprocal rank, the second on average precision."""
    if answer is ... or answer is None or _is_list(answer) and any(x is ... or x is None for x in answer):
        return Result("open", "Fill in both rankings.")
    if not _is_list(answer) or len(answer) != 2:
        return Result("wrong", "two rankings are expected: (a, b)")
    places = [hits for strip in answer if (hits := _places(strip))]
    if len(places) < 2:
        return Result("wrong", "a and b should be eight entries, 0 or 1, of which three are 1")
    (rr_a, ap_a), (rr_b, ap_b) = ((Fraction(1, p[0]), _average_precision(p)) for p in places)
    parts = [
        ("a does not win on reciprocal rank", rr_a <= rr_b),
        ("b does not win on average precision", ap_a >= ap_b),
    ]
    failed = "; ".join(part for part, fails in parts if fails)
    shown = f"reciprocal rank {rr_a} and {rr_b}, average precision {float(ap_a):.3f} and {float(ap_b):.3f}"
    return Result("wrong", f"{failed}: {shown}") if failed else Result("right", shown.capitalize() + ".")


def _is_list(x: Any) -> bool:
    return isinstance(x, list | tuple) or getattr(x, "ndim", 0) > 0


def _places(strip: Any) -> list[int] | None:
    """The ranks of the three hits among eight; None for anything else."""
    try:
        entries = [float(x) for x in strip]
    except Exception:  # not a list, or not of numbers
        return None
    right = len(entries) == 8 and set(entries) == {0, 1} and sum(entries) == 3
    return [rank for rank, x in enumerate(entries, 1) if x] if right else None


def _average_precision(places: list[int]) -> Fraction:
    return sum((Fraction(j, rank) for j, rank in enumerate(places, 1)), Fraction()) / len(places)


def _interval(values: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(0)
    means = rng.choice(values, size=(50_000, len(values))).mean(axis=1)
    return np.quantile(means, [0.025, 0.975])


def _bootstrap(answer: Any) -> Result:
    reciprocal_ranks = np.array([1, 1 / 2, 1, 1 / 3, 1 / 8, 1, 1 / 5, 1 / 2, 1 / 40, 1] * 5)
    hits = np.array([1.0] * 72 + [0.0] * 18)
    return agrees(answer, _interval, [(reciprocal_ranks,), (hits,)], _RANDOM, _RANDOM_HINT)


# --- evaluation pitfalls -------------------------------------------------------------------------


def _argsort(answer: Any) -> Result:
    rows = [[0.9, 0.5, 0.2], [0.2, 0.9, 0.5], [0.3, 0.1, 0.8, 0.6], [-1.0, -3.0, -2.0, 0.0, -4.0]]
    return agrees(answer, _ranks, [(np.array(row),) for row in rows])


def _ranks(row: np.ndarray) -> np.ndarray:
    return np.array([1 + sum(row > x) for x in row])


def _image_to_text(scores: np.ndarray, image_of: np.ndarray, k: int) -> float:
    best = np.argsort(-scores, axis=0)[:k]
    return (image_of[best] == np.arange(scores.shape[1])).any(axis=0).mean()


def _five(answer: Any) -> Result:
    rows = [[2, 9, 1], [8, 3, 5], [7, 6, 4], [1, 7, 3], [3, 1, 2], [4, 2, 6]]
    scores = np.array(rows) / 10  # six captions, three pictures, no two equal in a column
    together, scattered = np.array([0, 0, 1, 1, 2, 2]), np.array([2, 0, 1, 0, 2, 1])
    cases = [(scores, together, 1), (scores, together, 2), (scores, scattered, 1), (scores, scattered, 3)]
    return agrees(answer, _image_to_text, cases)


def _honest_r1(scores: np.ndarray, same_folder: np.ndarray) -> float:
    others = ~np.eye(len(scores), dtype=bool)
    best = np.where(others, scores, -np.inf).argmax(axis=1)
    company = (same_folder & others).any(axis=1)
    return same_folder[np.arange(len(scores)), best][company].mean()


def _self(answer: Any) -> Result:
    above = np.array([[0, 9, 2, 1, 3], [0, 0, 4, 6, 5], [0, 0, 0, 7, 3.5], [0, 0, 0, 0, 2.5], [0] * 5])
    scores = (above + above.T) / 10 + np.eye(5)
    cases = []
    for folders, shift in [("aabcb", 0), ("aabbc", -1.5), ("abacc", -1.5), ("aaabc", 0)]:
        folder = np.array(list(folders))
        cases.append((scores + shift, folder[:, None] == folder))
    return agrees(answer, _honest_r1, cases)


def _interval_by_picture(values: np.ndarray, image_of: np.ndarray) -> np.ndarray:
    return _interval(np.bincount(image_of, weights=values) / np.bincount(image_of))


def _cluster(answer: Any) -> Result:
    """Sixty pictures with five captions each, which mostly succeed or fail together."""
    captions = np.array([[1.0, 1, 1, 1, 1]] * 25 + [[0.0, 0, 0, 0, 0]] * 15 + [[1.0, 1, 0, 1, 0]] * 20)
    together = (captions.ravel(), np.repeat(np.arange(60), 5))
    scattered = (captions.T.ravel(), np.tile(np.arange(60), 5))
    return agrees(answer, _interval_by_picture, [together, scattered], _RANDOM, _RANDOM_HINT)


def _r1(scores: np.ndarray, right: np.ndarray, rule: str, tolerance: float) -> float:
    """R@1 when scores closer than `tolerance` times the largest of the row count as equal."""
    hits = []
    for row, j in zip(scores, right, strict=True):
        slack, others = tolerance * np.abs(row).max(), np.delete(row, j)
        ahead = others > row[j] + slack if rule == "optimistic" else others >= row[j] - slack
        hits.append(not ahead.any())
    return float(np.mean(hits))


def _witness(answer: Any) -> Result:
    """0.1 + 0.2 should be 0.3 and is larger in the last bit."""
    bit = np.array([[0.3, 0.1 + 0.2, 0.1], [0.1 + 0.2, 0.3, 0.1], [0.9, 0.2, 0.1], [0.2, 0.9, 0.1]])
    small = np.array([[1e-8, 3e-8, 2e-9], [-0.3, -0.1 - 0.2, -0.9]])
    first = np.zeros(4, dtype=int)
    cases = [(bit, first, rule, t) for t in (0.0, 1e-6) for rule in ("optimistic", "pessimistic")]
    cases += [(small, first[:2], rule, 1e-6) for rule in ("optimistic", "pessimistic")]
    cases += [
        (np.array([[0.2, 1.005, 1.0]]), np.array([2]), rule, 0.01) for rule in ("optimistic", "pessimistic")
    ]
    return agrees(answer, _r1, cases)


EXERCISES: dict[str, Callable[[Any], Result]] = {
    "ex-ch05-strip": _strip,
    "ex-ch05-hit": _hit,
    "ex-ch05-planted-ndcg": _planted_ndcg,
    "ex-ch05-disagree": _disagree,
    "ex-ch05-which": _which,
    "ex-ch05-bootstrap": _bootstrap,
    "ex-ch05-argsort": _argsort,
    "ex-ch05-five": _five,
    "ex-ch05-self": _self,
    "ex-ch05-cluster": _cluster,
    "ex-ch05-witness": _witness,
    "ex-ch05-open": open_question,
}
