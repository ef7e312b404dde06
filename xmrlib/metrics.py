"""Measures of retrieval quality. Rank once, then every measure is a function of the ranks.

``scores (q, n)``: one row a query, one column a gallery item, higher is better. ``relevant (q, n)``: True or a
gain above 0 for the items that answer the query. `rank` turns the two into a `Ranking`, which holds the 1-based
ranks of the relevant items and nothing else; the measures take it from there and return one float64 a query.
`evaluate` does both steps. Introduced in chapter 5.

>>> scores = [[0.9, 0.8, 0.1], [0.3, 0.2, 0.7]]
>>> relevant = [[0, 1, 0], [1, 0, 1]]
>>> r = rank(scores, relevant)
>>> reciprocal_rank(r)
array([0.5, 1. ])
>>> evaluate(scores, relevant, ["R@1", "MRR"])
{'R@1': 0.5, 'MRR': 0.75}
"""

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from xmrlib import _expect

__all__ = [
    "PairedTest",
    "Ranking",
    "accuracy",
    "average_precision",
    "bootstrap_interval",
    "evaluate",
    "evaluate_captions",
    "f1",
    "first_rank",
    "hit",
    "interpolated_average_precision",
    "map_at_r",
    "median_rank",
    "ndcg",
    "paired_test",
    "per_query",
    "precision",
    "rank",
    "recall",
    "reciprocal_rank",
]

Ties = Literal["pessimistic", "optimistic", "trec"]
TOLERANCE = (
    1e-6  # of published numbers: some ten times what rounding differs by between processors in float32
)
_BLOCK_BYTES = 2**22  # of scores sorted at a time: small beside the scores, and fits the cache


@dataclass(frozen=True)
class Ranking:
    """Where the relevant items of every query came out: all that a measure needs.

    ``ranks (m,)`` int64, 1 is best, ascending inside each query, over all queries one after the other;
    ``gains (m,)`` float64 above 0, of the same items; ``offsets (q + 1,)`` int64, query i owns the slice
    ``offsets[i]:offsets[i + 1]``; ``n_items`` the length of the ranked lists. A rank above ``n_items`` is a
    relevant item that the list does not hold, and earns nothing. Made by `rank` or `Ranking.from_ranked`.
    Introduced in chapter 5.
    """

    ranks: np.ndarray
    gains: np.ndarray
    offsets: np.ndarray
    n_items: int

    @classmethod
    def from_ranked(cls, relevant: ArrayLike, missed: ArrayLike | None = None) -> "Ranking":
        """A Ranking from lists that are ranked already: column 0 of ``relevant (q, n)`` is each query's best hit.

        Entries are bool or gains, as in `rank`. For lists that were cut off (the answers of a search engine),
        ``missed (q, any)`` gives the gains of the relevant items that are not in the list; they count in recall,
        average precision and nDCG as never found. Raises ValueError as `rank` does. Introduced in chapter 5.

        >>> Ranking.from_ranked([[True, False, True]]).ranks
        array([1, 3])
        >>> recall(Ranking.from_ranked([[1, 0]], missed=[[1, 1, 1]]), k=2)
        array([0.25])
        """
        found = gains = _gains("relevant", relevant)
        if missed is not None:
            missed = _gains("missed", missed)
            _expect.equal("rows", "relevant", len(found), "missed", len(missed))
            gains = np.hstack([found, missed])
        query, column = np.nonzero(gains)
        offsets = _offsets(np.bincount(query, minlength=len(gains)))
        return cls(column + 1, gains[query, column].astype(np.float64), offsets, found.shape[1])

    @property
    def n_queries(self) -> int:
        """The number of queries q."""
        return len(self.offsets) - 1

    @property
    def n_relevant(self) -> np.ndarray:
        """The number of relevant items of each query, (q,) int64."""
        return np.diff(self.offsets)


def rank(
    scores: ArrayLike,
    relevant: ArrayLike,
    ties: Ties = "pessimistic",
    ids: ArrayLike | None = None,
    tolerance: float = 0.0,
) -> Ranking:
    """The 1-based ranks of the relevant items of every query: sort each row once, look up the relevant scores.

    ``scores`` is (q, n) of any real dtype, finite, higher is better. ``relevant`` is (q, n): bool, or gains of at
    least 0 where a gain above 0 is relevant. ``ties`` says who goes first among items of equal score:

    - ``"pessimistic"`` (default): irrelevant before relevant, lower gain before higher. The j-th best relevant
      item has the rank j + the number of irrelevant items tied or above, so that a scorer that gives everything
      the same score gets the worst possible result.
    - ``"optimistic"``: relevant before irrelevant, higher gain first. An upper bound, never to be reported alone.
    - ``"trec"``: the larger document id first, as trec_eval does; ``ids (n,)`` are numbers or strings, all
      different, and by default the column numbers.

    ``tolerance``, from 0 to 1, makes scores tied that are nearly equal: scores that differ by at most the slack,
    tolerance times the largest absolute score of the row. The j-th relevant item has the rank j + the irrelevant
    items of at least its score - slack (pessimistic), or above its score + slack (optimistic). Relevant items
    within the slack of their neighbour share one score, the lowest (or highest) of them, and go by gain. With 0
    only equal scores are tied. Whole numbers are exact, so they have no slack; ``"trec"`` ignores the tolerance.
    See `evaluate` for what it is good for.

    Needs a few MB beside its input, and 16 bytes a relevant item for the result.
    Raises ValueError for shapes that differ, an empty gallery, NaN or infinite scores, gains that are negative or
    not finite, a query without a relevant item (all name the place), an unknown ``ties`` and a tolerance outside
    0..1. Introduced in chapter 5.

    >>> scores, relevant = [[0.5, 0.5, 0.5, 0.1]], [[False, True, False, True]]
    >>> rank(scores, relevant).ranks
    array([3, 4])
    >>> rank(scores, relevant, ties="optimistic").ranks
    array([1, 4])
    >>> rank(scores, relevant, ties="trec").ranks
    array([2, 4])
    >>> rank([[1.0, 0.9999999]], [[True, False]], tolerance=1e-6).ranks
    array([2])
    """
    scores = _expect.array("scores", scores, 2)
    relevant = _expect.array("relevant", relevant, 2, "biuf")
    _expect.equal("shape", "scores", scores.shape, "relevant", relevant.shape)
    _expect.one_of("ties", ties, ("pessimistic", "optimistic", "trec"))
    tolerance = _expect.number("tolerance", tolerance, 0, 1)
    order = _id_order(ids, scores.shape[1], ties)
    rows = max(1, _BLOCK_BYTES // (scores.shape[1] * scores.itemsize))
    blocks = [
        _rank_block(scores[i : i + rows], relevant[i : i + rows], ties, order, tolerance, i)
        for i in range(0, len(scores), rows)
    ]
    ranks, gains, counts = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return Ranking(ranks, gains, _offsets(counts), scores.shape[1])


def accuracy(r: Ranking) -> np.ndarray:
    """Accuracy@1: 1 where the best-ranked item is relevant, else 0; (q,) float64. The mean is the share of
    queries answered correctly at the first place. Introduced in chapter 5.

    >>> accuracy(Ranking.from_ranked([[1, 0], [0, 1]]))
    array([1., 0.])
    """
    return hit(r, 1)


def precision(r: Ranking, k: int) -> np.ndarray:
    """Precision@k: the share of the first k items that are relevant, hits / k; (q,) float64.

    Manning, Raghavan & Schütze (2008), section 8.4. ValueError for k outside 1..n_items. Introduced in chapter 5.

    >>> precision(Ranking.from_ranked([[1, 0, 1, 0]]), k=4)
    array([0.5])
    """
    return _hits(r, k) / operator.index(k)


def recall(r: Ranking, k: int) -> np.ndarray:
    """Recall@k: the share of a query's relevant items that are among the first k, hits / R; (q,) float64.

    Not what CLIP papers call R@k: that is `hit`. The two agree when every query has one relevant item.
    Manning, Raghavan & Schütze (2008), section 8.4. ValueError for k outside 1..n_items. Introduced in chapter 5.

    >>> recall(Ranking.from_ranked([[1, 0, 1, 1]]), k=2).round(2)
    array([0.33])
    """
    return _hits(r, k) / r.n_relevant


def f1(r: Ranking, k: int) -> np.ndarray:
    """F1@k: the harmonic mean of precision@k and recall@k, 2 hits / (k + R); (q,) float64.

    van Rijsbergen (1979), chapter 7, with both weighted alike. ValueError for k outside 1..n_items.
    Introduced in chapter 5.

    >>> f1(Ranking.from_ranked([[1, 0, 1, 1]]), k=2)
    array([0.4])
    """
    return 2 * _hits(r, k) / (operator.index(k) + r.n_relevant)


def hit(r: Ranking, k: int) -> np.ndarray:
    """hit@k: 1 where at least one relevant item is among the first k, else 0; (q,) float64.

    Its mean is what papers on image-text retrieval report as R@k, for example Radford et al. (2021).
    ValueError for k outside 1..n_items. Introduced in chapter 5.

    >>> hit(Ranking.from_ranked([[0, 1, 1], [0, 0, 1]]), k=2)
    array([1., 0.])
    """
    return (_hits(r, k) > 0).astype(np.float64)


def average_precision(r: Ranking) -> np.ndarray:
    r"""Average precision :math:`\frac{1}{R} \sum_{j=1}^{R} j / \mathrm{rank}_j`; (q,) float64. Its mean is MAP.

    The precision at the rank of every relevant item, averaged over all R of them; a gain above 0 is relevant.
    Manning, Raghavan & Schütze (2008), section 8.4; the same as trec_eval's ``map``. Introduced in chapter 5.

    >>> average_precision(Ranking.from_ranked([[1, 0, 1, 0]])).round(3)
    array([0.833])
    """
    return _sums(r, _precisions(r)) / r.n_relevant


def map_at_r(r: Ranking) -> np.ndarray:
    r"""mAP@R: average precision cut off at R, :math:`\frac{1}{R} \sum_{j: \mathrm{rank}_j \le R} j / \mathrm{rank}_j`.

    R is the query's own number of relevant items, so 1 needs all of them first; (q,) float64.
    Musgrave, Belongie & Lim (2020), section 3.2. Introduced in chapter 5.

    >>> map_at_r(Ranking.from_ranked([[1, 0, 1, 0]]))
    array([0.5])
    """
    inside = r.ranks <= np.repeat(r.n_relevant, r.n_relevant)
    return _sums(r, _precisions(r) * inside) / r.n_relevant


def reciprocal_rank(r: Ranking) -> np.ndarray:
    """Reciprocal rank, 1 / rank of the first relevant item; (q,) float64. Its mean is MRR.

    0 when a cut-off list holds none. Voorhees (1999). Introduced in chapter 5.

    >>> reciprocal_rank(Ranking.from_ranked([[0, 1, 1], [1, 0, 0]]))
    array([0.5, 1. ])
    """
    return 1 / first_rank(r)


def first_rank(r: Ranking) -> np.ndarray:
    """The rank of the first relevant item; (q,) float64, infinite when a cut-off list holds none.
    Introduced in chapter 5.

    >>> first_rank(Ranking.from_ranked([[0, 1, 1], [1, 0, 0]]))
    array([2., 1.])
    """
    first = r.ranks[r.offsets[:-1]]
    return np.where(first <= r.n_items, first, np.inf)


def median_rank(r: Ranking) -> float:
    """MedR: the median over queries of the rank of the first relevant item. Lower is better, 1 is best.

    With an even number of queries the mean of the middle two; some papers round it down. Introduced in chapter 5.

    >>> median_rank(Ranking.from_ranked([[1, 0, 0], [0, 1, 0], [0, 0, 1]]))
    2.0
    """
    return float(np.median(first_rank(r)))


def ndcg(r: Ranking, k: int | None = None, gain: Literal["linear", "exponential"] = "linear") -> np.ndarray:
    r"""Normalised discounted cumulative gain, :math:`\mathrm{DCG} / \mathrm{DCG}_{\mathrm{ideal}}`; (q,) float64.

    .. math:: \mathrm{DCG@}k = \sum_{j: \mathrm{rank}_j \le k} \frac{G(g_j)}{\log_2(1 + \mathrm{rank}_j)}

    with :math:`G(g) = g` (``"linear"``: what trec_eval and scikit-learn compute; the gains of Järvelin & Kekäläinen
    2002, who divide by :math:`\log_2 \mathrm{rank}` and from rank 2 on) or :math:`G(g) = 2^g - 1` (``"exponential"``:
    Burges et al. 2005, who divide by :math:`\log(1 + \mathrm{rank})` too; the base cancels).
    The ideal list has the query's largest gains first, cut off at k too. ``k=None`` is the whole list.
    Raises ValueError for k outside 1..n_items, an unknown gain, and gains whose sum could overflow: linear above
    1e300, exponential above 1000.
    Introduced in chapter 5.

    >>> r = Ranking.from_ranked([[1, 0, 2]])
    >>> ndcg(r).round(3), ndcg(r, gain="exponential").round(3)
    (array([0.76]), array([0.689]))
    """
    _expect.one_of("gain", gain, ("linear", "exponential"))
    k = r.n_items if k is None else _expect.integer("k", k, 1, r.n_items)
    ideal = r.gains[np.lexsort((-r.gains, np.repeat(np.arange(r.n_queries), r.n_relevant)))]
    limit = 1000 if gain == "exponential" else 1e300
    if ideal.max() > limit:
        raise _expect.fail("the largest gain", ideal.max(), f"at most {limit} with gain={gain!r}")
    return _dcg(r, r.gains, r.ranks, k, gain) / _dcg(r, ideal, _places(r), k, gain)


def interpolated_average_precision(r: Ranking, points: int = 11) -> np.ndarray:
    r"""Interpolated average precision: the mean of :math:`\max_{\text{recall} \ge t} \text{precision}` over evenly spaced t.

    With 11 points t = 0, 0.1, ..., 1: the measure of older tables, and higher than `average_precision` as a rule;
    (q,) float64. Manning, Raghavan & Schütze (2008), section 8.4. The recall asked for is exact here; trec_eval
    computes it in floating point, and so asks for 23 of 77 items at recall 0.3 where 24 are needed.
    ValueError for points outside 2..10,000. Introduced in chapter 5.

    >>> interpolated_average_precision(Ranking.from_ranked([[0, 1, 1, 0]])).round(3)
    array([0.667])
    """
    points = _expect.integer("points", points, 2, 10_000)
    values = _precisions(r)
    means = np.empty(r.n_queries)
    for i, (low, high) in enumerate(zip(r.offsets[:-1], r.offsets[1:], strict=True)):
        best = np.maximum.accumulate(values[low:high][::-1])[::-1]
        needed = -(
            -np.arange(points) * (high - low) // (points - 1)
        )  # relevant items at recall t, rounded up
        means[i] = best[np.maximum(needed, 1) - 1].mean()
    return means


def per_query(
    scores: ArrayLike,
    relevant: ArrayLike,
    metric: str,
    ties: Ties = "pessimistic",
    ids: ArrayLike | None = None,
    tolerance: float = TOLERANCE,
) -> np.ndarray:
    """One measure of every query, (q,) float64: what `bootstrap_interval` and `paired_test` take.

    ``metric`` is a name of `evaluate`, ``tolerance`` is as there; ``"MedR"`` gives the first ranks, whose median is
    MedR.
    Raises ValueError as `rank` and `evaluate` do. Introduced in chapter 5.

    >>> per_query([[0.9, 0.8], [0.9, 0.8]], [[1, 0], [0, 1]], "MRR")
    array([1. , 0.5])
    """
    measure = _measure(metric)
    return measure(rank(scores, relevant, ties, ids, tolerance))


def evaluate(
    scores: ArrayLike,
    relevant: ArrayLike,
    metrics: Sequence[str] = ("R@1", "R@5", "R@10", "MedR", "MAP"),
    ties: Ties = "pessimistic",
    ids: ArrayLike | None = None,
    tolerance: float = TOLERANCE,
) -> dict[str, float]:
    """Several measures at once, averaged over the queries (MedR is the median). Ranks once.

    ``scores (q, n)``, ``relevant (q, n)``, ``ties`` and ``ids`` are as in `rank`. Names, with any whole number k:
    ``"R@k"`` and ``"hit@k"`` (`hit`: what image-text papers call R@k), ``"recall@k"``, ``"P@k"``, ``"F1@k"``,
    ``"accuracy"``, ``"MAP"``, ``"mAP@R"``, ``"MRR"``, ``"MedR"``, ``"nDCG"`` and ``"nDCG@k"`` (linear gains).
    Shares are between 0 and 1, not per cent.

    Scores that differ by at most ``tolerance`` times the largest absolute score of their row count as tied (see
    `rank`). Two pictures with one caption have scores that should be equal; in floating point each processor
    rounds them in its own way, and an exact comparison turns that into other ranks. Rounding errors grow with the
    terms of a sum and not with its result, so the slack is relative to the row's largest score and not to each
    score. Promised: scores in float32 or float64 that differ between two processors by much less than the slack
    give the same measures there, unless two scores happen to lie almost exactly one slack apart. ``tolerance=0``
    compares exactly.

    Raises ValueError as `rank` does, for an unknown name, and for k outside 1..n.
    Introduced in chapter 1, explained in chapter 5.

    >>> evaluate([[0.9, 0.8], [0.9, 0.8]], [[1, 0], [0, 1]], ["R@1", "MedR", "MAP"])
    {'R@1': 0.5, 'MedR': 1.5, 'MAP': 0.75}
    """
    measures = _measures(metrics)
    r = rank(scores, relevant, ties, ids, tolerance)
    return {name: _summary(name, measure(r)) for name, measure in measures.items()}


def evaluate_captions(
    scores: ArrayLike,
    image_of: ArrayLike,
    metrics: Sequence[str] = ("R@1", "R@5", "R@10", "MedR", "MAP"),
    ties: Ties = "pessimistic",
    tolerance: float = TOLERANCE,
) -> dict[str, dict[str, float]]:
    """Both directions when every image has one or more captions, as in Flickr8k with five.

    ``scores (n_captions, n_images)`` compares caption i with image j; ``image_of (n_captions,)`` is the column
    of each caption's image. text→image: a caption has one relevant image. image→text: an image has all its
    captions relevant, and hit@k (R@k) asks for any of them. ``tolerance`` is as in `evaluate`. Returns ``{"text→image": {...}, "image→text": {...}}``.
    Raises ValueError as `evaluate` does, for a column outside 0..n_images - 1, and for an image without captions.
    Introduced in chapter 5.

    >>> scores = [[0.9, 0.1], [0.2, 0.3], [0.4, 0.5]]
    >>> evaluate_captions(scores, image_of=[0, 0, 1], metrics=["R@1"])
    {'text→image': {'R@1': 0.6666666666666666}, 'image→text': {'R@1': 1.0}}
    """
    scores = _expect.array("scores", scores, 2)
    image_of = _expect.array("image_of", image_of, 1, "iu")
    n_captions, n_images = scores.shape
    _expect.equal("length", "scores", n_captions, "image_of", len(image_of))
    if image_of.min() < 0 or image_of.max() >= n_images:
        place = int(np.argmax((image_of < 0) | (image_of >= n_images)))
        raise _expect.fail(f"image_of[{place}]", image_of[place], f"a column of scores, 0 to {n_images - 1}")
    captions = np.bincount(image_of, minlength=n_images)
    if not captions.all():
        raise ValueError(f"image {captions.argmin()} has no caption; expected every image in image_of")
    relevant = image_of[:, None] == np.arange(n_images)
    return {
        "text→image": evaluate(scores, relevant, metrics, ties, tolerance=tolerance),
        "image→text": evaluate(scores.T, relevant.T, metrics, ties, tolerance=tolerance),
    }


def bootstrap_interval(
    values: ArrayLike,
    level: float = 0.95,
    n_resamples: int = 2000,
    seed: int | np.random.Generator = 0,
    statistic: Callable[[np.ndarray], float] = np.mean,
) -> tuple[float, float]:
    """The percentile bootstrap interval (low, high) of the mean over queries, or of another statistic.

    ``values (q,)`` are one measure of every query (`per_query`). Queries are drawn again with replacement,
    ``n_resamples`` times; the interval holds the middle ``level`` of the means. It answers "what if other
    queries of the same kind had been asked", with the model and the gallery as they are. ``statistic`` is any
    function from the values of one resample (q,) to a number, such as ``np.median``; it is called once per
    resample, while means are computed together, a few MB of draws at a time. Efron & Tibshirani (1993),
    chapter 13; Sakai (2006) for retrieval. Raises ValueError for values or statistics that are not finite,
    no values, level outside (0, 1), n_resamples below 1 and a seed that is no whole number from 0 on or generator.
    Introduced in chapter 5.

    >>> bootstrap_interval([0.0, 1.0] * 50)
    (0.4, 0.6)
    """
    values = _expect.vector("values", values)
    level = _expect.fraction("level", level)
    n_resamples = _expect.integer("n_resamples", n_resamples, 1)
    rng = _expect.generator("seed", seed)
    resamples = (values[rng.integers(len(values), size=shape)] for shape in _blocks(n_resamples, len(values)))
    if statistic is np.mean:
        draws = np.concatenate([block.mean(axis=1) for block in resamples])
    else:
        draws = np.array([statistic(resample) for block in resamples for resample in block], np.float64)
    low, high = np.quantile(_expect.finite("statistic", draws), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@dataclass(frozen=True)
class PairedTest:
    """What `paired_test` found: mean ``difference`` a - b, two-sided ``p_value``, and the 95 % bootstrap
    interval ``low`` to ``high`` of the difference. Introduced in chapter 5."""

    difference: float
    p_value: float
    low: float
    high: float


def paired_test(
    a: ArrayLike, b: ArrayLike, n_permutations: int = 10_000, seed: int | np.random.Generator = 0
) -> PairedTest:
    """Do two systems differ on the same queries? The sign-flip permutation test on the differences a - b.

    ``a (q,)`` and ``b (q,)`` are one measure of every query of either system. If the systems were alike, each
    difference could as well have the other sign: p is the share of random sign patterns whose mean is as far
    from 0 as the observed one, (1 + count) / (1 + n_permutations), so never 0. Fisher (1935); Smucker, Allan &
    Carterette (2007) for retrieval. Raises ValueError for lengths that differ, values that are not finite or
    empty, and n_permutations below 1. Introduced in chapter 5.

    >>> paired_test([0.9, 0.8, 0.7, 0.9, 0.8, 0.6], [0.5, 0.4, 0.6, 0.5, 0.7, 0.5]).p_value < 0.05
    True
    """
    a, b = _expect.vector("a", a), _expect.vector("b", b)
    _expect.equal("length", "a", len(a), "b", len(b))
    n_permutations = _expect.integer("n_permutations", n_permutations, 1)
    rng = _expect.generator("seed", seed)
    differences = a - b
    total = differences.sum()
    # sums of the same numbers in another order differ by rounding: count those as reached
    reached = abs(total) - 1e-12 * np.abs(differences).sum()
    count = 0
    for rows, q in _blocks(n_permutations, len(differences)):
        bits = np.unpackbits(rng.integers(256, size=(rows, -(-q // 8)), dtype=np.uint8), axis=1, count=q)
        count += int(np.count_nonzero(np.abs(2 * (bits @ differences) - total) >= reached))
    low, high = bootstrap_interval(differences, seed=rng)
    return PairedTest(float(differences.mean()), (1 + count) / (1 + n_permutations), low, high)


def _blocks(n: int, columns: int) -> Iterator[tuple[int, int]]:
    """Shapes of arrays of some MB of float64 that have n rows together."""
    rows = max(1, _BLOCK_BYTES // (8 * columns))
    return ((min(rows, n - start), columns) for start in range(0, n, rows))


def _rank_block(
    scores: np.ndarray,
    relevant: np.ndarray,
    ties: Ties,
    order: np.ndarray | None,
    tolerance: float,
    start: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ranks, gains and number of the relevant items of some rows, the first of which is query `start`."""
    relevant = _gains("relevant", relevant, start)
    scores = np.ascontiguousarray(scores)
    ascending = np.sort(scores, axis=1)
    if not np.isfinite(ascending[:, [0, -1]]).all():  # infinities are sorted to the ends, NaN to the last
        _raise_not_finite(scores, start)
    query, column = np.nonzero(relevant)
    gains, counts = relevant[query, column].astype(np.float64), np.bincount(query, minlength=len(scores))
    if order is None:
        slack = _slack(ascending, tolerance)
        return *_tied_ranks(ascending, query, scores[query, column], gains, slack, ties), counts
    rows = zip(scores, ascending, np.split(column, np.cumsum(counts)[:-1]), strict=True)
    ranks = np.concatenate([_trec_ranks(row, sorted_row, found, order) for row, sorted_row, found in rows])
    by = np.lexsort((ranks, query))
    return ranks[by], gains[by], counts


def _slack(ascending: np.ndarray, tolerance: float) -> np.ndarray:
    """By how much scores of a row may differ and still be tied, (q,) of their own dtype; integers are exact."""
    if ascending.dtype.kind != "f":
        return np.zeros(len(ascending), ascending.dtype)
    return np.maximum(-ascending[:, 0], ascending[:, -1]) * ascending.dtype.type(tolerance)


def _tied_ranks(
    ascending: np.ndarray,
    query: np.ndarray,
    found: np.ndarray,
    gains: np.ndarray,
    slack: np.ndarray,
    ties: Ties,
) -> tuple[np.ndarray, np.ndarray]:
    """Ranks and gains of the relevant items, each query's best first.

    Relevant items within the slack of their neighbour make one tie. It ends one slack below its lowest score
    (pessimistic) or begins one slack above its highest: its edge. The j-th relevant item has the rank
    j + items ahead of the edge - relevant items ahead of the edge.
    """
    bounds = np.searchsorted(query, np.arange(len(ascending) + 1))
    for low, high in zip(bounds[:-1], bounds[1:], strict=True):
        by = low + np.argsort(found[low:high])[::-1]
        found[low:high], gains[low:high] = found[by], gains[by]
    down = ties == "pessimistic"
    with np.errstate(over="ignore"):  # an edge at infinity is beyond all scores, as it should be
        edge = found - slack[query] if down else found + slack[query]
    first = np.ones(len(query), bool)
    first[1:] = (found[1:] < edge[:-1] if down else found[:-1] > edge[1:]) | (query[1:] != query[:-1])
    start, tie = np.flatnonzero(first), np.cumsum(first) - 1
    stop = np.append(start, len(query))[1:] if down else start
    items = _items_ahead(ascending, query[start], edge[stop - down], "left" if down else "right")
    ranks = np.arange(1, len(query) + 1) + (items - stop)[tie]
    return ranks, gains[np.lexsort((gains if down else -gains, tie))]


def _items_ahead(
    ascending: np.ndarray, query: np.ndarray, edge: np.ndarray, side: Literal["left", "right"]
) -> np.ndarray:
    """How many items of the query reach the edge (side "left") or pass it ("right"); `query` ascends."""
    bounds = np.searchsorted(query, np.arange(len(ascending) + 1))
    behind = np.empty(len(edge), np.int64)
    for row, low, high in zip(ascending, bounds[:-1], bounds[1:], strict=True):
        behind[low:high] = row.searchsorted(edge[low:high], side)
    return ascending.shape[1] - behind


def _trec_ranks(
    scores: np.ndarray, ascending: np.ndarray, columns: np.ndarray, order: np.ndarray
) -> np.ndarray:
    """Ranks of `columns` by score, then by `order`, both descending. Only tied items are put in order."""
    found = scores[columns]
    stop = np.searchsorted(ascending, found, "right")
    ranks = 1 + len(scores) - stop
    tied = np.unique(found[stop - np.searchsorted(ascending, found, "left") > 1])
    if len(tied):
        nearest = tied[np.minimum(np.searchsorted(tied, scores), len(tied) - 1)]
        items = np.flatnonzero(nearest == scores)
        items = items[np.lexsort((order[items], scores[items]))]
        ahead = np.zeros(len(scores), np.int64)
        ahead[items] = np.searchsorted(scores[items], scores[items], "right") - np.arange(1, len(items) + 1)
        ranks += ahead[columns]
    return ranks


def _id_order(ids: ArrayLike | None, n: int, ties: Ties) -> np.ndarray | None:
    """The place of each column's id among the sorted ids, or None where ids do not matter."""
    if ids is None:
        return np.arange(n) if ties == "trec" else None
    if ties != "trec":
        raise _expect.fail("ids", "given", f'None unless ties="trec"; ties is {ties!r}')
    ids = _expect.array("ids", ids, 1, "iuUS")
    _expect.equal("length", "ids", len(ids), "the gallery", n)
    values, order = np.unique(ids, return_inverse=True)
    if len(values) < n:
        twice = values[np.bincount(order) > 1][0]
        raise ValueError(f"ids holds {twice!r} more than once; expected {n} different ids")
    return order


def _gains(name: str, relevant: Any, start: int = 0) -> np.ndarray:
    """Relevance checked: finite, at least 0. Rows are named from `start` on."""
    a = _expect.array(name, relevant, 2, "biuf")
    if a.dtype.itemsize > 8:
        raise _expect.fail(name, f"an array of dtype {a.dtype}", "gains of at most 64 bits")
    if a.dtype.kind in "if":
        good = (a >= 0) & np.isfinite(a)
        if not good.all():
            row, column = (int(i) for i in np.argwhere(~good)[0])
            raise _expect.fail(
                f"{name}[{start + row}, {column}]", a[row, column], "a finite gain of at least 0"
            )
    return a


def _raise_not_finite(scores: np.ndarray, start: int) -> None:
    row, column = (int(i) for i in np.argwhere(~np.isfinite(scores))[0])
    raise _expect.fail(f"scores[{start + row}, {column}]", scores[row, column], "only finite scores")


def _offsets(counts: np.ndarray) -> np.ndarray:
    if not counts.all():
        raise ValueError(
            f"query {int(np.argmin(counts))} has no relevant item; expected at least one for every query"
        )
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _sums(r: Ranking, values: np.ndarray) -> np.ndarray:
    """The sum of `values (m,)` within each query."""
    return np.add.reduceat(values, r.offsets[:-1], dtype=np.float64)


def _places(r: Ranking) -> np.ndarray:
    """1, 2, ..., R within each query."""
    return np.arange(1, len(r.ranks) + 1) - np.repeat(r.offsets[:-1], r.n_relevant)


def _precisions(r: Ranking) -> np.ndarray:
    """Precision at the rank of each relevant item; 0 for those that the list does not hold."""
    return np.where(r.ranks <= r.n_items, _places(r) / r.ranks, 0.0)


def _hits(r: Ranking, k: int) -> np.ndarray:
    """The number of relevant items among the first k."""
    return _sums(r, r.ranks <= _expect.integer("k", k, 1, r.n_items))


def _dcg(r: Ranking, gains: np.ndarray, ranks: np.ndarray, k: int, gain: str) -> np.ndarray:
    G = np.expm1(gains * np.log(2)) if gain == "exponential" else gains
    return _sums(r, np.where(ranks <= k, G / np.log2(1.0 + ranks), 0.0))


_PLAIN = {
    "accuracy": accuracy,
    "MAP": average_precision,
    "mAP@R": map_at_r,
    "MRR": reciprocal_rank,
    "MedR": first_rank,
    "nDCG": ndcg,
}
_AT_K = {"R": hit, "hit": hit, "recall": recall, "P": precision, "F1": f1, "nDCG": ndcg}


def _measure(name: str) -> Callable[[Ranking], np.ndarray]:
    """The function behind a name of `evaluate`."""
    if isinstance(name, str):
        if name in _PLAIN:
            return _PLAIN[name]
        at_k = re.fullmatch(r"(\w+)@(\d+)", name, re.ASCII)
        if at_k and at_k[1] in _AT_K:
            return lambda r: _AT_K[at_k[1]](r, int(at_k[2]))
    known = [*_PLAIN, *(f"{prefix}@k" for prefix in _AT_K)]
    raise _expect.fail("metric", repr(name), "one of " + ", ".join(known) + " with a whole number for k")


def _measures(names: Iterable[str]) -> dict[str, Callable[[Ranking], np.ndarray]]:
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise _expect.fail("metrics", repr(names), "a list of names, such as ['R@1', 'MAP']")
    return {name: _measure(name) for name in names}


def _summary(name: str, values: np.ndarray) -> float:
    return float(np.median(values) if name == "MedR" else np.mean(values))
