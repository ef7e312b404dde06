"""xmrlib.similarity: exact search against a full sort (heavy ties included), and similarities by definition."""

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata, zscore
from sklearn.metrics.pairwise import cosine_similarity, euclidean_distances

from xmrlib import similarity
from xmrlib.similarity import cosine, neg_sq_euclid, normalize, topk


def full_sort(Q, X, k):
    """The definition: all scores, stable sort, so that equal scores keep the order of their ids."""
    scores = Q @ X.T
    ids = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, ids, axis=1), ids


def assert_exact(Q, X, k):
    """Equal to the last bit: the data are small whole numbers, so every product and sum is exact."""
    scores, ids = topk(Q, X, k)
    expected_scores, expected_ids = full_sort(Q, X, k)
    assert np.array_equal(ids, expected_ids)
    assert np.array_equal(scores, expected_scores)
    assert scores.dtype == np.result_type(Q, X) and ids.dtype == np.int64
    assert scores.flags.c_contiguous and ids.flags.c_contiguous


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("n", "k"),
    [(1, 1), (50, 50), (8192, 10), (8193, 3), (20_000, 1), (30_000, 10), (9000, 4000), (16_389, 2048)],
)
def test_topk_under_heavy_ties(dtype, n, k):
    """Protects the promise "smaller id first" over block borders: 2-dimensional data have a few dozen scores."""
    rng = np.random.default_rng(n)
    X = rng.integers(-3, 4, (n, 2)).astype(dtype)
    Q = rng.integers(-3, 4, (7, 2)).astype(dtype)
    assert_exact(Q, X, k)
    assert_exact(Q, np.ones_like(X), k)  # all equal
    assert_exact(
        Q, X[np.argsort(X @ Q[0], kind="stable")], k
    )  # every block better than the last, for query 0
    assert_exact(Q, X[np.argsort(-X @ Q[0], kind="stable")], k)  # the best first


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 200),
    q=st.integers(1, 9),
    columns=st.integers(1, 40),
    scores=st.integers(1, 200),
    data=st.data(),
)
def test_topk_with_any_block_size(seed, n, q, columns, scores, data):
    """Protects the seams: any number of queries, items, any k, and blocks that divide nothing evenly."""
    rng = np.random.default_rng(seed)
    k = data.draw(st.integers(1, n))
    X, Q = rng.integers(-9, 10, (n, 3)).astype(np.float32), rng.integers(-9, 10, (q, 3)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(similarity, "_BLOCK_COLUMNS", columns)
        patch.setattr(similarity, "_BLOCK_SCORES", scores)
        assert_exact(Q, X, k)


@pytest.mark.parametrize("place", [0, 8191, 8192, 20_000, 40_959])
def test_topk_finds_a_single_best_item_in_any_block(place):
    """Protects the last blocks: a lone better item there is kept although few others wait with it."""
    X = np.zeros((40_960, 1), np.float32)
    X[place] = 1
    scores, ids = topk(np.ones((3, 1), np.float32), X, 2)
    assert ids.tolist() == [[place, int(place == 0)]] * 3 and scores.tolist() == [[1, 0]] * 3


@pytest.mark.parametrize("place", [0, 8191, 8192, 40_959])
@pytest.mark.parametrize("query", [[1e200, 1e200], [-1e200, -1e200], [1e200, -1e200]])
def test_topk_overflow_of_any_item(place, query):
    """Protects the promise that inner products that overflow raise, also far from the top: -infinity, or NaN."""
    X = np.ones((40_960, 2))
    X[place] = 1e200
    with pytest.raises(ValueError, match="products of Q and X overflow float64"):
        topk([[1.0, 0.0], query], X, 1)


def test_topk_of_large_numbers_that_do_not_overflow():
    """Protects large numbers whose products are still finite, up to the largest float."""
    X = np.ones((20_000, 2))
    X[7], X[9999] = 1e300, 1.7e308
    assert topk([[1.0, 0.0]], X, 3)[1].tolist() == [[9999, 7, 0]]


def test_topk_keeps_an_item_that_is_better_by_one_bit():
    """Protects the floor that later items must reach: the next float above the k-th best is enough."""
    X = np.ones((20_000, 1), np.float32)
    X[15_000] = np.nextafter(X[0], np.float32(2))
    assert topk(np.ones((2, 1), np.float32), X, 2)[1].tolist() == [[15_000, 0]] * 2


def test_topk_on_continuous_data():
    """Protects search on real vectors: ids equal a float64 sort wherever neighbours differ by more than rounding
    (1e-5: 128 float32 products of size 1 err by about 1e-6)."""
    rng = np.random.default_rng(0)
    Q, X = (rng.standard_normal((n, 128), dtype=np.float32) for n in (50, 40_000))
    scores, ids = topk(Q, X, 10)
    exact, exact_ids = full_sort(Q.astype(np.float64), X.astype(np.float64), 11)
    clear = np.minimum(-np.diff(exact, axis=1), np.roll(-np.diff(exact, axis=1), 1, axis=1))[:, 1:] > 1e-5
    assert clear.mean() > 0.9 and (ids == exact_ids[:, :10])[:, 1:][clear[:, :9]].all()
    assert np.allclose(scores, exact[:, :10], rtol=0, atol=1e-5 * 128)


def test_topk_copies_neither_side_and_looks_at_few_items():
    """Protects memory: beside the result (under 1 MiB), one block of scores (under 2) and few candidates. A copy of the
    large side takes 15 MiB; a floor that lets all groups through takes 7."""
    rng = np.random.default_rng(0)
    many, few = (rng.standard_normal((n, 64), dtype=np.float32) for n in (60_000, 50))
    for Q, X, k in ((few, many, 10), (many, few, 1)):
        tracemalloc.start()
        topk(Q, X, k)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 4 * 2**20


def test_topk_takes_other_layouts_and_dtypes():
    """Protects readers who pass slices, transposes, lists, integers or two float types."""
    rng = np.random.default_rng(1)
    Q, X = rng.integers(-5, 6, (6, 4)), rng.integers(-5, 6, (500, 4))
    expected = full_sort(Q.astype(float), X.astype(float), 5)
    for q, x in (
        (Q, X),
        (Q.tolist(), X.tolist()),
        (Q.astype(np.float16), np.asfortranarray(X)),
        (Q.astype(np.float32), X.astype(np.float64)),
        (np.repeat(Q, 2, axis=1)[:, ::2], np.repeat(X.astype(np.float32), 2, axis=1)[:, ::2]),
    ):
        scores, ids = topk(q, x, 5)
        assert np.array_equal(scores, expected[0]) and np.array_equal(ids, expected[1])
        assert scores.dtype == np.float64


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("function", [lambda Q, X: topk(Q, X, 1), cosine, neg_sq_euclid])
def test_not_finite(function, bad):
    """Protects against one NaN that would sink, or win, every search."""
    good, spoiled = np.ones((3, 2), np.float32), np.ones((3, 2), np.float32)
    spoiled[2, 1] = bad
    with pytest.raises(ValueError, match=r"Q\[2, 1\] is .*; expected only finite numbers"):
        function(spoiled, good)
    with pytest.raises(ValueError, match=r"X\[2, 1\] is .*; expected only finite numbers"):
        function(good, spoiled)


@pytest.mark.parametrize(
    ("Q", "X", "k", "message"),
    [
        ([[1.0]], [[1.0], [2.0]], 3, "k is 3; expected a whole number from 1 to 2"),
        ([[1.0]], [[1.0], [2.0]], 0, "k is 0; expected"),
        ([[1.0]], [[1.0], [2.0]], 1.0, "k is 1.0; expected"),
        ([[1.0]], [[1.0, 2.0]], 1, "Q and X differ in columns: 1 and 2"),
        ([1.0], [[1.0]], 1, r"Q is an array of shape \(1,\); expected an array of 2 dimension"),
        ([[1.0]], np.empty((0, 1)), 1, r"X is an empty array of shape \(0, 1\)"),
        ([["a"]], [[1.0]], 1, "Q is an array of dtype <U1; expected an array of integers"),
        ([[1e200], [1.0]], [[1e200]], 1, "products of Q and X overflow float64"),
        ([[-1e200], [1.0]], [[1e200]], 1, "products of Q and X overflow float64"),
        ([[1e200, 1e200]], [[1e200, -1e200]], 1, "products of Q and X overflow float64"),
    ],
)
def test_topk_bad_input(Q, X, k, message):
    """Protects the boundary: the message names the argument, its value and what was expected."""
    with pytest.raises(ValueError, match=message):
        topk(Q, X, k)


@pytest.mark.parametrize("function", [lambda Q, X: topk(Q, X, 1), cosine, neg_sq_euclid])
def test_arrays_that_numpy_would_change_in_silence(function):
    """Protects a mask, and a tensor's gradient, from being dropped; and numbers that float64 cannot hold."""
    good = np.ones((3, 2))
    for bad, message in (
        (np.ma.masked_array(good, mask=good > 0), "is a masked array; expected a plain array"),
        ([np.ma.masked_array([1.0, 2.0], mask=[0, 1])], "is a masked array; expected a plain array"),
        (torch.ones(3, 2, requires_grad=True), "is not an array .*requires grad"),
    ):
        with pytest.raises(ValueError, match=f"Q {message}"):
            function(bad, good)
        with pytest.raises(ValueError, match=f"X {message}"):
            function(good, bad)
    if np.finfo(np.longdouble).max > np.finfo(float).max:
        with pytest.raises(ValueError, match=r"X\[1, 0\] is inf; expected only finite"):
            function(good, np.array([[1, 2], [np.longdouble("1e4000"), 1]]))


def test_large_finite_numbers_are_not_taken_for_infinite():
    """Protects the fast check: the sum of squares overflows here, the numbers do not."""
    X = np.full((2, 2), 1e30, np.float32)
    assert np.array_equal(topk(np.full((1, 2), 1e-30, np.float32), X, 1)[1], [[0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_similarities_by_definition(dtype):
    """Protects the formulas, and float32 in, float32 out; tolerances are a few hundred roundings of the dtype."""
    rng = np.random.default_rng(2)
    Q, X = rng.normal(size=(5, 30)).astype(dtype), rng.normal(size=(40, 30)).astype(dtype)
    atol = 500 * np.finfo(dtype).eps
    for values, expected in (
        (cosine(Q, X), cosine_similarity(Q.astype(np.float64), X)),
        (neg_sq_euclid(Q, X), -euclidean_distances(Q.astype(np.float64), X.astype(np.float64), squared=True)),
        (normalize(X), X / np.linalg.norm(X.astype(np.float64), axis=1, keepdims=True)),
    ):
        assert values.dtype == dtype
        assert np.allclose(values, expected, rtol=atol, atol=atol)


def test_normalize_extreme_rows():
    """Protects rows so large or small that their squares overflow or vanish, and names a row without direction."""
    X = np.array([[3e30, 4e30], [3e-30, -4e-30], [0.0, 1e-45]], np.float32)
    assert np.allclose(normalize(X), [[0.6, 0.8], [0.6, -0.8], [0, 1]], atol=1e-6)  # a few float32 roundings
    with pytest.raises(ValueError, match=r"X\[1\] is a row of zeros; expected rows that have a direction"):
        normalize([[1.0, 0.0], [0.0, 0.0]])
    with pytest.raises(ValueError, match=r"Q\[0\] is a row of zeros"):
        cosine([[0, 0]], [[1, 2]])


def test_neg_sq_euclid_of_near_rows_far_from_the_origin():
    """Protects from cancellation: at 10,000 from the origin, float32 would lose a distance of 1 altogether.
    The distance itself is exact in the data; 1e-6 relative is a few roundings of float32."""
    X = np.array([[10_000, 10_000], [10_001, 10_000]], np.float32)
    scores = neg_sq_euclid(X, X)
    assert np.allclose(scores, [[0, -1], [-1, 0]], rtol=1e-6, atol=1e-6)
    assert (scores <= 0).all()


def test_neg_sq_euclid_is_centred_on_the_gallery():
    """Protects the centring itself: at 1e8 from the origin the squares are 1e16, whose neighbours in float64 are 2
    apart, and a distance of 1 is lost. Around the mean everything is exact here."""
    X = np.array([[1e8, -1e8], [1e8 + 1, -1e8], [1e8, -1e8 + 2]])
    assert np.allclose(neg_sq_euclid(X, X), [[0, -1, -4], [-1, 0, -5], [-4, -5, 0]], rtol=0, atol=1e-6)


def test_neg_sq_euclid_is_never_positive():
    """Protects "never above 0": of 500 rows against themselves, rounding lifts many zeros (checked first)."""
    X = np.random.default_rng(0).normal(size=(500, 20))
    centred = X - X.mean(axis=0)
    squares = (centred**2).sum(axis=1)
    assert (2 * centred @ centred.T - squares[:, None] - squares).max() > 0
    scores = neg_sq_euclid(X, X)
    assert scores.max() <= 0 and np.diag(scores).min() > -1e-12  # some hundred roundings of squares near 20


def test_neg_sq_euclid_overflow():
    """Protects from distances of infinity, in float64 and when the result goes back to float32."""
    with pytest.raises(ValueError, match="products of Q and X overflow float64"):
        neg_sq_euclid([[1e200]], [[-1e200], [1.0]])
    with pytest.raises(ValueError, match="products of Q and X overflow float32"):
        neg_sq_euclid(np.full((1, 1), 1e30, np.float32), np.zeros((1, 1), np.float32))


def test_inputs_are_left_alone():
    """Protects the caller's arrays: nothing is normalised or centred in place."""
    Q, X = np.arange(6.0).reshape(2, 3) + 1, np.arange(9.0).reshape(3, 3) + 2
    before = Q.copy(), X.copy()
    topk(Q, X, 2), cosine(Q, X), neg_sq_euclid(Q, X), normalize(X)
    assert np.array_equal(Q, before[0]) and np.array_equal(X, before[1])


# --- CSLS ------------------------------------------------------------------------------------------


def csls_by_loops(scores, to_items, from_queries, k):
    """The definition, pair by pair."""
    result = np.empty(scores.shape)
    for i in range(scores.shape[0]):
        for j in range(scores.shape[1]):
            near_query = np.mean(sorted(to_items[i])[-k:])
            near_item = np.mean(sorted(from_queries[:, j])[-k:])
            result[i, j] = 2 * scores[i, j] - near_query - near_item
    return result


@pytest.mark.parametrize("k", [1, 3, 5])
def test_csls_is_its_definition(k):
    rng = np.random.default_rng(k)
    scores, to_items, from_queries = (rng.uniform(-1, 1, shape) for shape in ((4, 6), (4, 7), (5, 6)))
    expected = csls_by_loops(scores, to_items, from_queries, k)
    np.testing.assert_allclose(
        similarity.csls(scores, to_items, from_queries, k), expected, atol=1e-14
    )  # sums of at most five
    # the other direction is the transposed matrix
    turned = similarity.csls(scores.T, from_queries.T, to_items.T, k)
    np.testing.assert_allclose(turned, expected.T, atol=1e-14)


def test_csls_looks_at_ten_neighbours_unless_told():
    scores = np.random.default_rng(0).random((15, 20))
    usual = similarity.csls(scores, scores, scores)
    assert np.array_equal(usual, similarity.csls(scores, scores, scores, k=10))
    assert not np.array_equal(usual, similarity.csls(scores, scores, scores, k=11))


def test_csls_gives_each_query_an_answer_of_its_own():
    """Protects the fair use: with neighbours from other data, a query's scores do not depend on its company."""
    rng = np.random.default_rng(0)
    scores, to_items, from_queries = (rng.random(shape) for shape in ((9, 6), (9, 7), (5, 6)))
    together = similarity.csls(scores, to_items, from_queries, 3)
    alone = similarity.csls(scores[4:5], to_items[4:5], from_queries, 3)
    assert np.array_equal(together[4:5], alone)


def test_csls_keeps_the_order_of_a_row_where_no_item_is_a_hub():
    scores = np.random.default_rng(0).random((5, 6))
    found = similarity.csls(scores, scores, np.full((4, 6), 0.3), 2)
    assert np.array_equal(np.argsort(-found, axis=1), np.argsort(-scores, axis=1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((2, 3)), np.ones((3, 4)), np.ones((4, 3)), 1), "to_items"),
        ((np.ones((2, 3)), np.ones((2, 4)), np.ones((4, 2)), 1), "from_queries"),
        ((np.ones((2, 3)), np.ones((2, 4)), np.ones((5, 3)), 5), "k"),
        ((np.ones((2, 3)), np.ones((2, 4)), np.ones((5, 3)), 0), "k"),
        ((np.full((2, 3), np.nan), np.ones((2, 4)), np.ones((5, 3)), 1), "scores"),
    ],
)
def test_csls_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        similarity.csls(*arguments)


# --- late fusion ---------------------------------------------------------------------------------


def test_standardised_sum_is_its_definition():
    rng = np.random.default_rng(4)
    scores, weights = rng.normal(5, 3, (3, 4, 6)), rng.random((3, 4))
    expected = sum(w[:, None] * zscore(s, axis=1) for s, w in zip(scores, weights, strict=True))
    np.testing.assert_allclose(similarity.standardised_sum(scores, weights), expected, atol=1e-12)


def test_rank_fusion_is_its_definition_and_ties_share_the_last_rank():
    scores = [np.array([[3.0, 1, 1, 2]]), np.array([[0.0, 0, 0, 0]])]
    expected = sum(w / (7 + rankdata(-s, method="max", axis=1)) for s, w in zip(scores, (1, 2), strict=True))
    found = similarity.reciprocal_rank_fusion(scores, weights=[1, 2], c=7)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("fuse", [similarity.standardised_sum, similarity.reciprocal_rank_fusion])
def test_late_fusion_does_not_see_scale_or_shift_and_a_weight_of_zero_is_absence(fuse):
    first, second = np.random.default_rng(5).standard_normal((2, 3, 7))
    both = fuse([first, second])
    np.testing.assert_allclose(fuse([1000 * first - 5, second]), both, atol=1e-9)
    np.testing.assert_allclose(fuse([second, first]), both, atol=1e-12)
    without = fuse([first, second], weights=[1, [1, 0, 1]])
    np.testing.assert_allclose(without[1], fuse([first])[1], atol=1e-12)
    np.testing.assert_allclose(without[[0, 2]], both[[0, 2]], atol=1e-12)


@pytest.mark.parametrize("fuse", [similarity.standardised_sum, similarity.reciprocal_rank_fusion])
def test_late_fusion_refuses(fuse):
    good = np.array([[1.0, 2.0]])
    for scores, weights in [([], None), ([good, good.T], None), ([good], [1, 1]), ([good * np.nan], None)]:
        with pytest.raises(ValueError):
            fuse(scores, weights)
    with pytest.raises(ValueError, match="scores that differ"):
        similarity.standardised_sum([np.ones((1, 3))])
