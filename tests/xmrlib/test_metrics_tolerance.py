"""xmrlib.metrics with a tie tolerance: a naive oracle, and what must not change between processors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmrlib import metrics as M

BOUNDS = ("pessimistic", "optimistic")
NAMES = ("accuracy", "R@1", "recall@2", "P@2", "F1@2", "MAP", "mAP@R", "MRR", "MedR", "nDCG", "nDCG@2")


@st.composite
def problems(draw, low=-4, high=4):
    """Scores that are small whole numbers (as floats, mostly tied), and gains with at least one above 0."""
    q, n = draw(st.integers(1, 4)), draw(st.integers(2, 12))
    rows = st.lists(st.integers(low, high), min_size=n, max_size=n)
    gains = st.lists(st.integers(0, 3), min_size=n, max_size=n).filter(any)
    scores = np.array([draw(rows) for _ in range(q)], np.float64)
    return scores, np.array([draw(gains) for _ in range(q)])


def naive_rank(scores, gains, ties, tolerance):
    """Ranks and gains of one query by the rule in words, with loops over plain Python numbers."""
    slack = tolerance * max(abs(s) for s in scores)
    relevant = sorted((s for s, g in zip(scores, gains, strict=True) if g > 0), reverse=True)
    runs = [[relevant[0]]]
    for score in relevant[1:]:
        if runs[-1][-1] - score <= slack:
            runs[-1].append(score)
        else:
            runs.append([score])
    ranks, ordered = [], []
    for run in runs:
        inside = [g for s, g in zip(scores, gains, strict=True) if g > 0 and run[-1] <= s <= run[0]]
        ordered += sorted(inside, reverse=ties == "optimistic")
        for _ in run:
            others = [s for s, g in zip(scores, gains, strict=True) if g == 0]
            if ties == "pessimistic":
                ahead = sum(s >= run[-1] - slack for s in others)
            else:
                ahead = sum(s > run[0] + slack for s in others)
            ranks.append(len(ranks) + 1 + ahead)
    return ranks, ordered


@pytest.mark.parametrize("ties", BOUNDS)
@given(problem=problems(), steps=st.integers(0, 3))
def test_naive_rule(ties, problem, steps):
    """Protects the rule itself, chains of near scores included: the slack is 0 to 3 whole steps of the scores.
    A power of two as the largest score makes every slack exact, so oracle and library see the same borders."""
    scores, gains = problem
    scores, gains = np.c_[scores, np.full(len(scores), 8.0)], np.c_[gains, np.zeros(len(gains), int)]
    r = M.rank(scores, gains, ties, tolerance=steps / 8)
    expected = [
        naive_rank(s, g, ties, steps / 8) for s, g in zip(scores.tolist(), gains.tolist(), strict=True)
    ]
    assert r.ranks.tolist() == [rank for ranks, _ in expected for rank in ranks]
    assert r.gains.tolist() == [gain for _, ordered in expected for gain in ordered]


@pytest.mark.parametrize("ties", BOUNDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(problem=problems(), seed=st.integers(0, 2**32 - 1))
def test_rounding_changes_nothing(ties, dtype, problem, seed):
    """Protects the promise between processors: noise of a tenth of the slack either way (rounding of float32 is
    less) leaves every measure as exact scores have it, graded gains included."""
    scores, gains = problem
    largest = np.abs(scores).max(axis=1, keepdims=True)
    noise = np.random.default_rng(seed).uniform(-1, 1, scores.shape) * largest * M.TOLERANCE / 10
    noisy = (scores + noise).astype(dtype)
    exact = M.evaluate(scores, gains, NAMES, ties, tolerance=0)
    assert M.evaluate(noisy, gains, NAMES, ties) == exact
    assert M.evaluate(scores.astype(dtype), gains, NAMES, ties) == exact
    for name in ("nDCG", "MedR"):
        assert np.array_equal(
            M.per_query(noisy, gains, name, ties), M.per_query(scores, gains, name, ties, tolerance=0)
        )


def test_equal_items_that_rounding_splits():
    """Protects the case it was made for: each picture stands ten times in the gallery, and every column is summed in
    an order of its own, as processors do. Compared exactly, the two results differ (checked first)."""
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(6, 200)), 10, axis=0).astype(np.float32)
    Q = X[rng.integers(60, size=100)] + rng.normal(size=(100, 200)).astype(np.float32)
    relevant = rng.integers(0, 3, (100, 60)) * (rng.random((100, 60)) < 0.2)
    relevant[:, 0] = 1

    def one_processor():
        orders = rng.permuted(np.tile(np.arange(200), (60, 1)), axis=1)
        columns = [np.ascontiguousarray(Q[:, o]) @ x[o] for o, x in zip(orders, X, strict=True)]
        return np.stack(columns, axis=1)

    a, b = one_processor(), one_processor()
    for ties in BOUNDS:
        assert M.evaluate(a, relevant, NAMES, ties, tolerance=0) != M.evaluate(
            b, relevant, NAMES, ties, tolerance=0
        )
        assert M.evaluate(a, relevant, NAMES, ties) == M.evaluate(b, relevant, NAMES, ties)


@pytest.mark.parametrize("ties", BOUNDS)
@given(problem=problems(), tolerance=st.sampled_from([0, 1e-6, 0.1, 0.25, 1]), data=st.data())
def test_ranks_are_ranks(ties, problem, tolerance, data):
    """Protects 1..n, ascending within each query, for any tolerance; the order of the columns does not matter."""
    scores, gains = problem
    order = data.draw(st.permutations(range(scores.shape[1])))
    r, s = (
        M.rank(a, b, ties, tolerance=tolerance)
        for a, b in ((scores, gains), (scores[:, order], gains[:, order]))
    )
    for low, high in zip(r.offsets[:-1], r.offsets[1:], strict=True):
        assert (np.diff(r.ranks[low:high]) > 0).all()
    assert r.ranks.min() >= 1 and r.ranks.max() <= scores.shape[1]
    assert (r.ranks.tolist(), r.gains.tolist()) == (s.ranks.tolist(), s.gains.tolist())


@given(problem=problems(), small=st.floats(0, 0.5), large=st.floats(0.5, 1))
def test_bounds_widen_with_the_tolerance(problem, small, large):
    """Protects pessimistic <= optimistic for every measure, and that a larger tolerance widens the two bounds."""
    scores, gains = problem
    order = [("pessimistic", large), ("pessimistic", small), ("optimistic", small), ("optimistic", large)]
    reports = [M.evaluate(scores, gains, NAMES, ties, tolerance=t) for ties, t in order]
    for name in NAMES:
        sign = -1 if name == "MedR" else 1  # a lower rank is better
        values = [sign * report[name] for report in reports]
        assert (np.diff(values) >= -1e-12).all(), name  # sums of at most 12 terms in another order


@given(problem=problems(), tolerance=st.floats(0, 1))
def test_whole_numbers_and_trec_ignore_the_tolerance(problem, tolerance):
    """Protects counts and votes, which are exact (unsigned ones too), and agreement with trec_eval."""
    scores, gains = problem
    for dtype in (np.int8, np.uint8, np.int64):
        whole = (scores + 4).astype(dtype)
        for ties in BOUNDS:
            a, b = M.rank(whole, gains, ties, tolerance=tolerance), M.rank(whole, gains, ties)
            assert (a.ranks.tolist(), a.gains.tolist()) == (b.ranks.tolist(), b.gains.tolist())
    a, b = (M.rank(scores, gains, "trec", tolerance=t).ranks.tolist() for t in (tolerance, 0))
    assert a == b


def test_defaults():
    """Protects where the tolerance holds: in published measures (either direction of captions), not in rank()."""
    scores, relevant = np.array([[1.0, 1.0 - 1e-9]]), [[1, 0]]
    assert M.rank(scores, relevant).ranks.tolist() == [1]
    assert M.evaluate(scores, relevant, ["MedR"]) == {"MedR": 2}
    assert M.per_query(scores, relevant, "MedR").tolist() == [2]
    assert M.evaluate(scores, relevant, ["MedR"], tolerance=0) == {"MedR": 1}
    assert M.per_query(scores, relevant, "MedR", tolerance=0).tolist() == [1]
    square = np.array([[1.0, 1 - 1e-9], [1 - 1e-9, 1.0]])
    for tolerance, rank in ((1e-6, 2.0), (0, 1.0)):
        report = M.evaluate_captions(square, [0, 1], ["MedR"], tolerance=tolerance)
        assert report == {"text→image": {"MedR": rank}, "image→text": {"MedR": rank}}
    assert M.evaluate_captions(square, [0, 1], ["MedR"])["image→text"] == {"MedR": 2.0}


def test_slack_is_relative_to_the_largest_absolute_score_of_the_row():
    """Protects the size of the slack: negative scores count by their size, other rows do not count."""
    scores = np.array([[-10.0, 1.0, 0.5], [2.0, 1.0, 0.5]])
    relevant = [[0, 1, 0], [0, 1, 0]]
    assert M.rank(scores, relevant, tolerance=0.06).ranks.tolist() == [2, 2]
    assert M.rank(scores[:, ::-1], [[0, 1, 0]] * 2, tolerance=0.04).ranks.tolist() == [1, 2]


def test_slack_at_the_ends_of_the_numbers():
    """Protects the largest and smallest floats: an edge beyond them is no error, and no warning."""
    for dtype in (np.float16, np.float32, np.float64):
        top, tiny = np.finfo(dtype).max, np.finfo(dtype).smallest_subnormal
        for row in ([-top, -top], [top, 0], [tiny, 0], [0, 0]):
            scores = np.array([row], dtype)
            for ties, rank in (("pessimistic", 2), ("optimistic", 1)):
                assert M.rank(scores, [[0, 1]], ties, tolerance=1).ranks.tolist() == [rank]


@pytest.mark.parametrize("tolerance", [-1e-9, 1.1, np.nan, "0", None, True, 1j])
def test_bad_tolerance(tolerance):
    """Protects against a tolerance in per cent, and against nonsense."""
    with pytest.raises(ValueError, match="tolerance is .*; expected a number from 0 to 1"):
        M.evaluate([[1.0, 0.5]], [[1, 0]], ["R@1"], tolerance=tolerance)
