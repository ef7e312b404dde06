"""xmrlib.metrics by hand: small rankings one can check on paper, bad input, captions, intervals and tests."""

import numpy as np
import pytest
import torch

from xmrlib import metrics as M

SCORES = np.array([[0.9, 0.8, 0.1], [0.3, 0.2, 0.7]])
RELEVANT = np.array([[False, True, False], [True, False, True]])
EXACT = 1e-12  # a handful of float64 operations


def test_a_ranking_by_hand():
    """Protects each formula on a list one can check on paper: hits at ranks 1, 3 and 6 of 6."""
    r = M.Ranking.from_ranked([[1, 0, 1, 0, 0, 1]])
    assert (r.n_queries, r.n_items, r.n_relevant.tolist()) == (1, 6, [3])
    assert M.accuracy(r) == M.reciprocal_rank(r) == M.hit(r, 1) == 1
    assert M.precision(r, 4) == 2 / 4
    assert M.recall(r, 4) == 2 / 3
    assert M.f1(r, 4) == pytest.approx(2 * (2 / 4) * (2 / 3) / (2 / 4 + 2 / 3), abs=EXACT)
    assert M.average_precision(r) == pytest.approx((1 / 1 + 2 / 3 + 3 / 6) / 3, abs=EXACT)
    assert M.map_at_r(r) == pytest.approx((1 / 1 + 2 / 3) / 3, abs=EXACT)
    assert M.ndcg(r, 3) == pytest.approx((1 + 1 / 2) / (1 + 1 / np.log2(3) + 1 / 2), abs=EXACT)
    # recall 0 to 0.3 is reached at rank 1, 0.4 to 0.6 at rank 3, 0.7 to 1 at rank 6
    assert M.interpolated_average_precision(r) == pytest.approx(
        (4 * 1 + 3 * 2 / 3 + 4 * 1 / 2) / 11, abs=EXACT
    )


def test_the_names_of_evaluate():
    """Protects the meaning of every name, above all that R@k is hit@k and not recall@k."""
    r = M.rank(SCORES, RELEVANT)
    expected = {
        "R@1": M.hit(r, 1),
        "hit@1": M.hit(r, 1),
        "recall@1": M.recall(r, 1),
        "P@2": M.precision(r, 2),
        "F1@2": M.f1(r, 2),
        "accuracy": M.accuracy(r),
        "MAP": M.average_precision(r),
        "mAP@R": M.map_at_r(r),
        "MRR": M.reciprocal_rank(r),
        "nDCG": M.ndcg(r),
        "nDCG@2": M.ndcg(r, 2),
    }
    result = M.evaluate(SCORES, RELEVANT, [*expected, "MedR"])
    assert list(result) == [*expected, "MedR"]
    for name, values in expected.items():
        assert result[name] == values.mean(), name
        assert M.per_query(SCORES, RELEVANT, name).tolist() == values.tolist(), name
        assert type(result[name]) is float
    assert result["R@1"] != result["recall@1"]
    assert result["MedR"] == M.median_rank(r) == 1.5
    assert M.per_query(SCORES, RELEVANT, "MedR").tolist() == [2.0, 1.0]


def test_ties_pass_through_evaluate():
    """Protects that the tie rule and the ids reach the ranking from every entry point."""
    scores, relevant = np.zeros((1, 4)), [[0, 1, 0, 0]]
    for ties, rank in (("pessimistic", 4), ("optimistic", 1), ("trec", 3)):
        assert M.evaluate(scores, relevant, ["MedR"], ties) == {"MedR": rank}
        assert M.per_query(scores, relevant, "MedR", ties).tolist() == [rank]
    assert M.evaluate(scores, relevant, ["MedR"], "trec", ids=["b", "z", "a", "c"]) == {"MedR": 1}
    assert M.per_query(scores, relevant, "MedR", "trec", ids=[5, 1, 7, 9]).tolist() == [4]


def test_cut_off_lists_do_not_find_what_they_miss():
    """Protects the scores of a search engine's short lists: missed items count, and never as found."""
    r = M.Ranking.from_ranked([[0, 2], [0, 0]], missed=[[1, 0], [3, 3]])
    assert r.n_relevant.tolist() == [2, 2]
    assert M.recall(r, 2).tolist() == [0.5, 0]
    assert M.average_precision(r).tolist() == [0.25, 0]
    assert M.map_at_r(r).tolist() == [0.25, 0]
    assert M.reciprocal_rank(r).tolist() == [0.5, 0]
    assert M.first_rank(r).tolist() == [2, np.inf]
    assert M.ndcg(r) == pytest.approx([(2 / np.log2(3)) / (2 + 1 / np.log2(3)), 0], abs=EXACT)
    assert M.interpolated_average_precision(r) == pytest.approx([0.5 * 6 / 11, 0], abs=EXACT)


def test_graded_gains():
    """Protects linear against exponential gains, fractions included; tiny and large gains stay finite."""
    r = M.rank([[3.0, 2.0, 1.0]], [[0.5, 0.0, 2.0]])
    ideal = 2 + 0.5 / np.log2(3)
    assert M.ndcg(r) == pytest.approx((0.5 + 2 / 2) / ideal, abs=EXACT)
    ideal = 3 + (2**0.5 - 1) / np.log2(3)
    assert M.ndcg(r, gain="exponential") == pytest.approx((2**0.5 - 1 + 3 / 2) / ideal, abs=EXACT)
    tiny = M.rank([[1.0, 0.0]], [[0.0, 1e-300]])
    assert M.ndcg(tiny, gain="exponential") == pytest.approx(1 / np.log2(3), abs=EXACT)
    with pytest.raises(ValueError, match="largest gain is 1001.*at most 1000 with gain='exponential'"):
        M.ndcg(M.rank([[1.0]], [[1001]]), gain="exponential")
    assert M.ndcg(M.rank([[1.0, 0.5]], [[1e300, 1e300]])) == 1
    with pytest.raises(
        ValueError, match="largest gain is 1e.308; expected at most 1e.300 with gain='linear'"
    ):
        M.ndcg(M.rank([[1.0, 0.5]], [[1e308, 1e308]]))


def test_memory_stays_below_the_scores():
    """Protects the promise that evaluating needs at most as much again as the score matrix (twice in all)."""
    import tracemalloc

    rng = np.random.default_rng(0)
    scores = rng.random((400, 10_000), dtype=np.float32)
    relevant = rng.random(scores.shape) < 0.01
    relevant[:, 0] = True
    for ties in ("pessimistic", "trec"):
        tracemalloc.start()
        M.evaluate(scores, relevant, ["R@1", "MAP", "nDCG", "mAP@R", "MedR"], ties)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < scores.nbytes, ties


# --- bad input -----------------------------------------------------------------------------------------------

NAN = np.array([[0.1, 0.2, 0.3], [0.1, np.nan, 0.3]])
BAD_RANK = {
    "nan": ((NAN, RELEVANT), r"scores\[1, 1\] is nan; expected only finite"),
    "inf": ((np.where(np.isnan(NAN), np.inf, NAN), RELEVANT), r"scores\[1, 1\] is inf; expected only finite"),
    "-inf": (
        (np.where(np.isnan(NAN), -np.inf, NAN), RELEVANT),
        r"scores\[1, 1\] is -inf; expected only finite",
    ),
    "shape": ((SCORES, RELEVANT[:1]), r"scores and relevant differ in shape: \(2, 3\) and \(1, 3\)"),
    "one dimension": ((SCORES[0], RELEVANT[0]), r"scores is an array of shape \(3,\); expected .* 2 dim"),
    "empty gallery": ((SCORES[:, :0], RELEVANT[:, :0]), r"scores is an empty array of shape \(2, 0\)"),
    "no queries": ((SCORES[:0], RELEVANT[:0]), r"scores is an empty array of shape \(0, 3\)"),
    "text scores": (([["a", "b"]], [[1, 0]]), "scores is an array of dtype <U1; expected .* numbers"),
    "bool scores": ((RELEVANT, RELEVANT), "scores is an array of dtype bool"),
    "complex scores": ((SCORES + 0j, RELEVANT), "scores is an array of dtype complex128"),
    "ragged scores": (([[1.0], [1.0, 2.0]], RELEVANT), "scores is not an array"),
    "text relevant": ((SCORES, RELEVANT.astype(str)), "relevant is an array of dtype <U5"),
    "nothing relevant": (
        (SCORES, [[0, 1, 0], [0, 0, 0]]),
        "query 1 has no relevant item; expected at least one",
    ),
    "negative gain": ((SCORES, [[0, 1, 0], [0, 1, -2]]), r"relevant\[1, 2\] is -2; expected a finite gain"),
    "nan gain": ((SCORES, [[0, 1, 0], [np.nan, 1, 0]]), r"relevant\[1, 0\] is nan; expected a finite gain"),
    "inf gain": ((SCORES, [[0, 1, 0], [np.inf, 1, 0]]), r"relevant\[1, 0\] is inf; expected a finite gain"),
    "masked scores": (
        (np.ma.masked_less(SCORES, 0.15), RELEVANT),
        "scores is a masked array; expected a plain",
    ),
    "masked rows": ((list(np.ma.masked_less(SCORES, 0.15)), RELEVANT), "scores is a masked array; expected"),
    "masked relevant": ((SCORES, np.ma.masked_array(RELEVANT)), "relevant is a masked array; expected"),
    "tensor with grad": ((torch.ones(2, 3, requires_grad=True), RELEVANT), "scores is not an array .*grad"),
    "tie rule": ((SCORES, RELEVANT, "random"), "ties is 'random'; expected one of 'pessimistic', 'opt"),
    "ids twice": ((SCORES, RELEVANT, "trec", ["a", "b", "a"]), "ids holds .*a.* more than once"),
    "ids length": ((SCORES, RELEVANT, "trec", ["a", "b"]), "ids and the gallery differ in length: 2 and 3"),
    "ids unused": ((SCORES, RELEVANT, "optimistic", ["a", "b", "c"]), "ids is given; expected None unless"),
}


@pytest.mark.parametrize("case", BAD_RANK)
def test_bad_scores_or_relevance(case):
    """Protects the reader from a number made of nonsense: the message names the place and what was expected."""
    arguments, message = BAD_RANK[case]
    with pytest.raises(ValueError, match=message):
        M.rank(*arguments)


@pytest.mark.parametrize("case", ["nan", "nothing relevant", "negative gain"])
def test_places_are_named_from_the_first_row_also_in_later_blocks(case, monkeypatch):
    """Protects the query number in messages when the scores are worked on block by block."""
    monkeypatch.setattr(M, "_BLOCK_BYTES", 1)
    arguments, message = BAD_RANK[case]
    with pytest.raises(ValueError, match=message):
        M.rank(*arguments)


@pytest.mark.parametrize("k", [0, -1, 4, 1.0, "1", True])
@pytest.mark.parametrize("measure", [M.precision, M.recall, M.f1, M.hit, M.ndcg])
def test_k_out_of_range(measure, k):
    """Protects against a cut-off beyond the gallery, which would be clamped silently elsewhere."""
    with pytest.raises(ValueError, match="k is .*; expected a whole number from 1 to 3"):
        measure(M.rank(SCORES, RELEVANT), k)


def test_k_of_another_library():
    """Protects the type of a result: a torch number is a whole number too, and gives numpy all the same."""
    r = M.rank(SCORES, RELEVANT)
    for measure in (M.precision, M.recall, M.f1, M.hit, M.ndcg):
        for k in (torch.tensor(2), np.int8(2)):
            values = measure(r, k)
            assert type(values) is np.ndarray and values.tolist() == measure(r, 2).tolist()
        with pytest.raises(ValueError, match="k is .*; expected a whole number from 1 to 3"):
            measure(r, torch.tensor(True))


@pytest.mark.skipif(np.finfo(np.longdouble).max == np.finfo(float).max, reason="longdouble is float64 here")
def test_longdouble_beyond_float64():
    """Protects from infinity and zero in silence: such a gain or value is refused, such a score only compared."""
    huge = np.longdouble("1e4000")
    assert M.rank([[huge, huge * 2]], [[1, 0]]).ranks.tolist() == [2]
    with pytest.raises(
        ValueError, match="relevant is an array of dtype .*; expected gains of at most 64 bits"
    ):
        M.rank([[1.0]], [[1 / huge]])
    with pytest.raises(ValueError, match=r"values\[1\] is inf; expected only finite"):
        M.bootstrap_interval([1.0, huge])


@pytest.mark.parametrize("name", ["map", "R@", "R@x", "R@1.5", "Q@5", "MAP@5", "", "R@1 ", "R@١", None, 5])
def test_unknown_metric(name):
    """Protects against a typo that measures something else."""
    with pytest.raises(ValueError, match="metric is .*; expected one of accuracy, MAP"):
        M.evaluate(SCORES, RELEVANT, ["MAP", name])
    with pytest.raises(ValueError, match="metric is .*; expected one of accuracy, MAP"):
        M.per_query(SCORES, RELEVANT, name)


def test_other_bad_arguments():
    """Protects the remaining arguments: names in a string, a k beyond the gallery, gain, points, missed."""
    r = M.rank(SCORES, RELEVANT)
    with pytest.raises(ValueError, match="metrics is 'MAP'; expected a list of names"):
        M.evaluate(SCORES, RELEVANT, "MAP")
    with pytest.raises(ValueError, match="k is 10; expected a whole number from 1 to 3"):
        M.evaluate(SCORES, RELEVANT, ["R@10"])
    with pytest.raises(ValueError, match="gain is 'log'; expected one of 'linear', 'exponential'"):
        M.ndcg(r, gain="log")
    with pytest.raises(ValueError, match="points is 1; expected a whole number from 2 to 10000"):
        M.interpolated_average_precision(r, points=1)
    with pytest.raises(ValueError, match="points is 1000000000; expected a whole number from 2 to 10000"):
        M.interpolated_average_precision(r, points=10**9)
    for metrics in (None, 5):
        with pytest.raises(ValueError, match=f"metrics is {metrics}; expected a list of names"):
            M.evaluate(SCORES, RELEVANT, metrics)
    with pytest.raises(ValueError, match="query 1 has no relevant item"):
        M.Ranking.from_ranked([[1, 0], [0, 0]])
    with pytest.raises(ValueError, match=r"missed\[0, 0\] is -1; expected"):
        M.Ranking.from_ranked([[1, 0]], missed=[[-1]])
    with pytest.raises(ValueError, match="relevant and missed differ in rows: 1 and 2"):
        M.Ranking.from_ranked([[1, 0]], missed=[[1], [1]])


# --- several captions per image ------------------------------------------------------------------------------


def test_captions_in_both_directions():
    """Protects the protocol with several captions: each caption has one image, each image all its captions."""
    rng = np.random.default_rng(3)
    image_of = rng.permutation(np.repeat(np.arange(6), 5))
    scores = rng.random((30, 6))
    result = M.evaluate_captions(scores, image_of, ["R@1", "R@5", "MedR", "MAP"])
    assert list(result) == ["text→image", "image→text"]
    to_image = [1 + (row > row[i]).sum() for row, i in zip(scores, image_of, strict=True)]
    to_text = [
        1 + min((column > s).sum() for s in column[image_of == j]) for j, column in enumerate(scores.T)
    ]
    for direction, ranks in (("text→image", np.array(to_image)), ("image→text", np.array(to_text))):
        assert result[direction]["R@1"] == (ranks <= 1).mean()
        assert result[direction]["R@5"] == (ranks <= 5).mean()
        assert result[direction]["MedR"] == np.median(ranks)
    assert result["text→image"]["MAP"] == pytest.approx((1 / np.array(to_image)).mean(), abs=EXACT)


def test_one_caption_per_image_is_plain_evaluation():
    """Protects that both directions agree with evaluate() on the scores and their transpose, for every tie rule."""
    scores = np.random.default_rng(4).integers(0, 3, (12, 12))
    reports = {}
    for ties in ("pessimistic", "optimistic", "trec"):
        reports[ties] = M.evaluate_captions(scores, np.arange(12), ties=ties)
        assert reports[ties]["text→image"] == M.evaluate(scores, np.eye(12), ties=ties)
        assert reports[ties]["image→text"] == M.evaluate(scores.T, np.eye(12), ties=ties)
    for direction in ("text→image", "image→text"):  # most scores are tied, so each rule gives its own numbers
        assert len({report[direction]["MAP"] for report in reports.values()}) == 3


@pytest.mark.parametrize(
    ("image_of", "message"),
    [
        ([0, 1], "scores and image_of differ in length: 3 and 2"),
        ([0, 1, 2], r"image_of\[2\] is 2; expected a column of scores, 0 to 1"),
        ([0, -1, 1], r"image_of\[1\] is -1; expected a column"),
        ([0, 0, 0], "image 1 has no caption"),
        ([0.0, 1.0, 1.0], "image_of is an array of dtype float64; expected an array of integers"),
    ],
)
def test_bad_captions(image_of, message):
    """Protects against captions that point nowhere and images that no caption describes."""
    with pytest.raises(ValueError, match=message):
        M.evaluate_captions(np.ones((3, 2)), image_of, ["R@1"])


# --- intervals and tests -------------------------------------------------------------------------------------


def test_bootstrap_interval_matches_theory():
    """Protects the width: for the mean of 400 values it is +-1.96 standard errors, to 5 % for 4,000 resamples
    (a 2.5 % quantile of 4,000 draws is known to about 2 % of its distance from the middle)."""
    values = np.random.default_rng(0).normal(3.0, 2.0, 400)
    low, high = M.bootstrap_interval(values, n_resamples=4000)
    half = 1.96 * values.std() / np.sqrt(400)
    assert (high - low) / 2 == pytest.approx(half, rel=0.05)
    assert (high + low) / 2 == pytest.approx(values.mean(), abs=0.1 * half)


def test_bootstrap_interval_options():
    """Protects level, statistic and seed: wider for a higher level, any statistic, same seed same answer."""
    values = np.random.default_rng(1).random(60)
    narrow, wide = (M.bootstrap_interval(values, level) for level in (0.5, 0.99))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]
    low, high = M.bootstrap_interval(values, statistic=np.median)
    assert low <= np.median(values) <= high and {low, high} != set(M.bootstrap_interval(values))
    assert M.bootstrap_interval(values) == M.bootstrap_interval(values, n_resamples=2000, seed=0)
    assert M.bootstrap_interval(values, seed=1) == M.bootstrap_interval(values, seed=np.random.default_rng(1))
    assert M.bootstrap_interval(values, seed=1) != M.bootstrap_interval(values, seed=2)
    assert M.bootstrap_interval([True, True]) == (1.0, 1.0)


@pytest.mark.parametrize("q", [1, 7, 60])
@pytest.mark.parametrize("block_bytes", [1, 3000, 2**22])
def test_means_computed_together_are_the_means_of_the_resamples(q, block_bytes, monkeypatch):
    """Protects the fast path for means, and the seams between blocks of draws: any other statistic is called once
    per resample, so the mean written by hand sees the same draws."""
    monkeypatch.setattr(M, "_BLOCK_BYTES", block_bytes)
    values, calls = np.random.default_rng(2).random(q), []

    def mean(resample):
        calls.append(resample.shape)
        return sum(resample.tolist()) / len(resample)

    together = M.bootstrap_interval(values, n_resamples=101)
    assert together == pytest.approx(M.bootstrap_interval(values, n_resamples=101, statistic=mean), abs=EXACT)
    assert calls == [(q,)] * 101


def test_intervals_and_tests_need_little_memory():
    """Protects long lists of queries: 2,000 resamples of 20,000 queries at once would take 320 MB."""
    import tracemalloc

    values = np.random.default_rng(3).random(20_000)
    tracemalloc.start()
    M.bootstrap_interval(values)
    M.paired_test(values, values[::-1], n_permutations=2000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6  # blocks of 4 MB, and a few copies of them


def test_paired_test_equals_all_sign_patterns():
    """Protects the p-value: with 8 or 11 queries all sign patterns can be listed; 20,000 draws come within 0.012
    (more than three standard errors of a share, sqrt(p (1 - p) / 20000) <= 0.0035)."""
    rng = np.random.default_rng(5)
    for shift, q in ((0.0, 8), (0.3, 8), (0.8, 8), (0.3, 11)):
        a, b = rng.normal(shift, 1, q), rng.normal(0, 1, q)
        d = a - b
        signs = np.array(np.meshgrid(*[[-1, 1]] * q)).reshape(q, -1).T
        exact = np.mean(np.abs(signs @ d) >= abs(d.sum()) - 1e-12)
        result = M.paired_test(a, b, n_permutations=20_000)
        assert result.p_value == pytest.approx(exact, abs=0.012)
        assert result.difference == d.mean()
        assert result.low <= result.difference <= result.high


def test_paired_test_at_its_ends():
    """Protects p = 1 for equal systems, the smallest p for a constant gain, and the symmetry of a and b."""
    a = np.random.default_rng(6).random(100)
    same = M.paired_test(a, a)
    assert (same.difference, same.p_value, same.low, same.high) == (0, 1, 0, 0)
    better = M.paired_test(a + 0.1, a, n_permutations=999)
    assert better.p_value == 1 / 1000
    assert M.paired_test(a, a + 0.1, n_permutations=999).p_value == 1 / 1000
    assert M.paired_test([1, 1, 0], [0, 0, 1]).p_value > 0.5  # three queries can prove nothing


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: M.bootstrap_interval([]), "values is an empty array"),
        (lambda: M.bootstrap_interval([0.5, np.nan]), r"values\[1\] is nan; expected only finite"),
        (lambda: M.bootstrap_interval([[0.5]]), "values is an array of shape"),
        (lambda: M.bootstrap_interval([0.5], level=95), "level is 95; expected a number strictly between 0"),
        (lambda: M.bootstrap_interval([0.5], n_resamples=0), "n_resamples is 0; expected"),
        (
            lambda: M.bootstrap_interval([0.5], seed=None),
            "seed is None; expected a whole number of at least 0",
        ),
        (lambda: M.bootstrap_interval([0.5], seed="5"), "seed is '5'; expected a whole number"),
        (lambda: M.bootstrap_interval([0.5], statistic=lambda _: np.nan), r"statistic\[0\] is nan; expected"),
        (lambda: M.paired_test([0.5], [0.5], seed=-1), "seed is -1; expected a whole number of at least 0"),
        (lambda: M.paired_test([0.5], [0.5, 0.6]), "a and b differ in length: 1 and 2"),
        (lambda: M.paired_test([0.5], [np.inf]), r"b\[0\] is inf"),
        (lambda: M.paired_test([0.5], [0.5], n_permutations=1.5), "n_permutations is 1.5; expected"),
    ],
)
def test_bad_statistics(call, message):
    """Protects the intervals and tests from input that has no answer."""
    with pytest.raises(ValueError, match=message):
        call()


def test_one_resample_is_allowed_and_has_no_width():
    low, high = M.bootstrap_interval([0.0, 1.0, 1.0], n_resamples=1)
    assert low == high
