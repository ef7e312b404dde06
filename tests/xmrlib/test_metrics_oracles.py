"""xmrlib.metrics against independent answers: trec_eval, scikit-learn, a naive double loop, and properties."""

import json
import math
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, label_ranking_average_precision_score, ndcg_score

from xmrlib import metrics as M

TIES = ("pessimistic", "optimistic", "trec")
EXACT = 1e-12  # float64 sums of at most a few thousand terms in another order differ by some 1e-14
PRINTED = 5.01e-5  # trec_eval prints four decimals; a little more than half a unit of the last one

FIXTURE = Path(__file__).parent / "fixtures" / "trec"
SHARED = Path(os.environ.get("XMRLIB_SHARED_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))
PUBLISHED = SHARED / "trec_eval"


# --- a naive double loop -------------------------------------------------------------------------------------


def naive_order(scores, gains, ties):
    """Gains in rank order, by sorting whole items with an explicit key."""
    tie_key = {
        "pessimistic": lambda i: gains[i],
        "optimistic": lambda i: -gains[i],
        "trec": lambda i: -i,
    }[ties]
    return [gains[i] for i in sorted(range(len(scores)), key=lambda i: (-scores[i], tie_key(i)))]


def naive(measure, ranked, k=None):
    """One measure of one ranked list of gains, by loops and from the definition in words."""
    n_relevant = sum(g > 0 for g in ranked)
    k = len(ranked) if k is None else k
    hits = sum(g > 0 for g in ranked[:k])
    at_hits = [sum(g > 0 for g in ranked[:i]) / i for i in range(1, len(ranked) + 1) if ranked[i - 1] > 0]
    first = next(i for i, g in enumerate(ranked, 1) if g > 0)

    def dcg(gains, transform):
        return sum(transform(g) / math.log2(i + 1) for i, g in enumerate(gains[:k], 1))

    def ndcg(transform):
        return dcg(ranked, transform) / dcg(sorted(ranked, reverse=True), transform)

    def interpolated(points):
        total = 0.0
        for point in range(points):
            reached = [
                sum(g > 0 for g in ranked[:i]) / i
                for i in range(1, len(ranked) + 1)
                if sum(g > 0 for g in ranked[:i]) * (points - 1) >= point * n_relevant
            ]
            total += max(reached)
        return total / points

    return {
        "accuracy": lambda: float(ranked[0] > 0),
        "P": lambda: hits / k,
        "recall": lambda: hits / n_relevant,
        "F1": lambda: 0.0 if hits == 0 else 2 / (k / hits + n_relevant / hits),
        "hit": lambda: float(hits > 0),
        "MAP": lambda: sum(at_hits) / n_relevant,
        "mAP@R": lambda: sum(at_hits[: sum(g > 0 for g in ranked[:n_relevant])]) / n_relevant,
        "MRR": lambda: 1 / first,
        "MedR": lambda: float(first),
        "nDCG": lambda: ndcg(float),
        "nDCG-exponential": lambda: ndcg(lambda g: 2.0**g - 1),
        "11pt": lambda: interpolated(11),
        "4pt": lambda: interpolated(4),
    }[measure]()


def naive_ranks(ranked):
    return [i for i, g in enumerate(ranked, 1) if g > 0]


def library(r, k):
    """Every measure of the library, under the names of `naive`; those of the second dict take k."""
    whole = {
        "accuracy": M.accuracy(r),
        "MAP": M.average_precision(r),
        "mAP@R": M.map_at_r(r),
        "MRR": M.reciprocal_rank(r),
        "MedR": M.first_rank(r),
        "nDCG": M.ndcg(r),
        "nDCG-exponential": M.ndcg(r, gain="exponential"),
        "11pt": M.interpolated_average_precision(r),
        "4pt": M.interpolated_average_precision(r, points=4),
    }
    cut = {
        "P": M.precision(r, k),
        "recall": M.recall(r, k),
        "F1": M.f1(r, k),
        "hit": M.hit(r, k),
        "nDCG": M.ndcg(r, k),
        "nDCG-exponential": M.ndcg(r, k, "exponential"),
    }
    return whole, cut


@st.composite
def problems(draw, levels=4, max_gain=3):
    """Scores with few levels (so mostly ties, sometimes all tied) and graded gains, one relevant item at least."""
    q, n = draw(st.integers(1, 4)), draw(st.integers(1, 12))
    cells = st.lists(st.integers(0, levels), min_size=n, max_size=n)
    scores = np.array([draw(cells) for _ in range(q)], float)
    gains = np.array([draw(st.lists(st.integers(0, max_gain), min_size=n, max_size=n)) for _ in range(q)])
    for row in gains:
        if not row.any():
            row[draw(st.integers(0, n - 1))] = draw(st.integers(1, max_gain))
    return scores, gains


@pytest.mark.parametrize("ties", TIES)
@given(problem=problems(), data=st.data())
def test_every_measure_equals_the_naive_loop(ties, problem, data):
    """Protects every formula and every tie rule at once, ties and all-tied rows included."""
    scores, gains = problem
    k = data.draw(st.integers(1, scores.shape[1]))
    ranked = [naive_order(s, g, ties) for s, g in zip(scores.tolist(), gains.tolist(), strict=True)]
    r = M.rank(scores, gains, ties)
    assert r.ranks.tolist() == [i for row in ranked for i in naive_ranks(row)]
    assert r.gains.tolist() == [g for row in ranked for g in row if g > 0]
    whole, cut = library(r, k)
    for name, values in whole.items():
        assert values == pytest.approx([naive(name, row) for row in ranked], abs=EXACT, rel=EXACT), name
    for name, values in cut.items():
        assert values == pytest.approx([naive(name, row, k) for row in ranked], abs=EXACT, rel=EXACT), name


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8, np.uint8, np.int64])
def test_blocks_of_rows_change_nothing(ties, dtype, monkeypatch):
    """Protects the seams between blocks, and scores of every real dtype (negating int8 or uint8 would wrap)."""
    rng = np.random.default_rng(1)
    scores = rng.integers(0, 100, (37, 53)).astype(dtype) - (np.array(50, dtype) if dtype != np.uint8 else 0)
    gains = rng.integers(0, 4, (37, 53)) * (rng.random((37, 53)) < 0.3)
    gains[:, 5] = 1
    expected = [
        i
        for s, g in zip(scores.tolist(), gains.tolist(), strict=True)
        for i in naive_ranks(naive_order(s, g, ties))
    ]
    assert M.rank(scores, gains, ties).ranks.tolist() == expected
    monkeypatch.setattr(M, "_BLOCK_BYTES", 5 * 53 * scores.itemsize)
    for layout in (np.ascontiguousarray, np.asfortranarray):
        assert M.rank(layout(scores), layout(gains), ties).ranks.tolist() == expected


# --- scikit-learn --------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 2**32 - 1))
def test_scikit_learn_without_ties(seed):
    """Protects the definitions of AP and nDCG against a second reading of the same papers."""
    rng = np.random.default_rng(seed)
    scores = rng.permuted(np.tile(np.arange(40.0), (5, 1)), axis=1)
    gains = rng.integers(0, 4, (5, 40)) * (rng.random((5, 40)) < 0.4)
    gains[:, 0] = 2
    for ties in TIES:
        r = M.rank(scores, gains, ties)
        ap = [average_precision_score(g > 0, s) for g, s in zip(gains, scores, strict=True)]
        assert M.average_precision(r) == pytest.approx(ap, abs=EXACT)
        assert M.average_precision(r).mean() == pytest.approx(
            label_ranking_average_precision_score(gains > 0, scores), abs=EXACT
        )
        for k in (None, 1, 7):
            assert M.ndcg(r, k).mean() == pytest.approx(ndcg_score(gains, scores, k=k), abs=EXACT)
        exponential = M.ndcg(r, 7, gain="exponential").mean()
        assert exponential == pytest.approx(ndcg_score(2.0**gains - 1, scores, k=7), abs=EXACT)


@given(problem=problems())
def test_scikit_learn_with_ties(problem):
    """Protects the tie rules by scikit-learn's own: its nDCG is the mean over all orders of a tie, which cannot
    leave our two bounds, and its AP reads precision at the end of a tie, the pessimistic rank of a lone item."""
    scores, gains = problem
    low, high = (M.rank(scores, gains, ties) for ties in ("pessimistic", "optimistic"))
    alone = np.zeros_like(gains)
    alone[np.arange(len(gains)), gains.argmax(axis=1)] = 1
    one = M.average_precision(M.rank(scores, alone))
    for i, (s, g) in enumerate(zip(scores, gains, strict=True)):
        assert one[i] == pytest.approx(average_precision_score(alone[i], s), abs=EXACT)
        if len(g) > 1:  # ndcg_score refuses a single item
            assert M.ndcg(low)[i] - EXACT <= ndcg_score([g], [s]) <= M.ndcg(high)[i] + EXACT


# --- trec_eval -----------------------------------------------------------------------------------------------


def read_trec(folder, qrels_name, run_name):
    """Judgements {query: {document: gain}} and runs {query: {document: score}}; a negative judgement is 0."""
    qrels, run = defaultdict(dict), defaultdict(dict)
    for line in (folder / qrels_name).read_text(encoding="utf-8").splitlines():
        query, _, document, gain = line.split()
        qrels[query][document] = max(0, int(gain))
    for line in (folder / run_name).read_text(encoding="utf-8").splitlines():
        query, _, document, _, score = line.split()[:5]
        run[query][document] = float(score)
    return qrels, run


def trec_ranking(judged, retrieved):
    """One query's retrieved list as a Ranking with the trec rule; relevant documents not retrieved are missed."""
    ids = list(retrieved)
    gains = [judged.get(d, 0) for d in ids]
    missed = [g for d, g in judged.items() if g > 0 and d not in retrieved]
    r = M.rank([list(retrieved.values())], [gains], "trec", ids)
    row = np.zeros(len(ids))
    row[r.ranks - 1] = r.gains
    return M.Ranking.from_ranked([row], [missed] if missed else None)


def trec_measure(name, r):
    """The value of one of trec_eval's measures, or None for one that we do not have."""
    plain = {
        "map": M.average_precision,
        "recip_rank": M.reciprocal_rank,
        "ndcg": M.ndcg,
        "11pt_avg": M.interpolated_average_precision,
        "num_rel": lambda r: r.n_relevant,
        "num_rel_ret": lambda r: M.recall(r, r.n_items) * r.n_relevant,
        "num_ret": lambda r: np.array([r.n_items]),
        "Rprec": lambda r: M.precision(r, int(r.n_relevant[0])) if r.n_relevant[0] <= r.n_items else None,
    }
    cut = {"P": M.precision, "recall": M.recall, "success": M.hit, "ndcg_cut": M.ndcg}
    if name in plain:
        value = plain[name](r)
        return None if value is None else value[0]
    prefix, _, k = name.rpartition("_")
    if prefix not in cut or int(k) > r.n_items:
        return None
    return cut[prefix](r, int(k))[0]


def test_own_trec_fixture():
    """Protects agreement with trec_eval where the published files are not at hand: ties, gains, missed items."""
    expected = json.loads((FIXTURE / "expected.json").read_text(encoding="utf-8"))
    qrels, run = read_trec(FIXTURE, "qrels", "run")
    assert len(expected) == 4
    for query, values in expected.items():
        r = trec_ranking(qrels[query], run[query])
        for name, value in values.items():
            assert trec_measure(name, r) == pytest.approx(value, abs=EXACT), (query, name)


def rounds_recall_down(n_relevant):
    """Whether trec_eval's int(recall * R + 0.9) misses the ceiling: 0.3 * 77 + 0.9 is 23.999..., not 24."""
    return any(int(i / 10 * n_relevant + 0.9) < -(-i * n_relevant // 10) for i in range(1, 11))


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason=f"trec_eval's published test files are not in {PUBLISHED}")
@pytest.mark.parametrize(
    ("qrels_name", "run_name", "output"),
    [("qrels.test", "results.test", "out.test.aq"), ("qrels.test", "results.trunc", "out.test.aqc")],
)
def test_published_output_of_trec_eval(qrels_name, run_name, output):
    """Protects the claim of the book that our numbers are those of the reference program of the field."""
    qrels, run = read_trec(PUBLISHED, qrels_name, run_name)
    rankings = {query: trec_ranking(qrels[query], run[query]) for query in run}
    compared = defaultdict(int)
    for line in (PUBLISHED / output).read_text(encoding="utf-8").splitlines():
        name, query, value = line.split()
        mine = trec_measure(name, rankings[query]) if query in rankings else None
        if (
            name == "11pt_avg"
            and query in rankings
            and rounds_recall_down(int(rankings[query].n_relevant[0]))
        ):
            assert mine <= float(value)  # trec_eval asks for one relevant item too few
        elif mine is not None:
            assert mine == pytest.approx(float(value), abs=PRINTED), (query, name)
            compared[name] += 1
    assert {"map", "recip_rank", "ndcg", "11pt_avg", "P_10", "recall_10", "ndcg_cut_10", "success_10"} <= set(
        compared
    )
    assert sum(compared.values()) >= 25 * len(run)


# --- properties ----------------------------------------------------------------------------------------------


def all_values(r, k):
    """Every measure, higher is better (MedR with its sign changed), in one dict."""
    whole, cut = library(r, k)
    whole["MedR"] = -whole["MedR"]
    return whole | {f"{name}@k": values for name, values in cut.items()}


@given(problem=problems(), data=st.data())
def test_bounds_and_order_of_the_tie_rules(problem, data):
    """Protects 0 <= value <= 1 and pessimistic <= trec <= optimistic, for every measure."""
    scores, gains = problem
    k = data.draw(st.integers(1, scores.shape[1]))
    low, middle, high = (
        all_values(M.rank(scores, gains, t), k) for t in ("pessimistic", "trec", "optimistic")
    )
    for name in low:
        assert (low[name] <= middle[name] + EXACT).all(), name
        assert (middle[name] <= high[name] + EXACT).all(), name
        if name != "MedR":
            assert (low[name] >= 0).all() and (high[name] <= 1 + EXACT).all(), name


@given(problem=problems(), data=st.data())
def test_a_constant_scorer_gets_the_worst_possible_result(problem, data):
    """Protects the reason for the default rule: a collapsed model must not score."""
    scores, gains = problem
    k = data.draw(st.integers(1, scores.shape[1]))
    constant = all_values(M.rank(np.zeros_like(scores), gains), k)
    worst = all_values(M.rank(-gains, gains), k)  # an adversary who ranks by gain, the wrong way round
    for name in constant:
        assert constant[name].tolist() == worst[name].tolist(), name


@pytest.mark.parametrize("ties", TIES)
@given(problem=problems(), data=st.data())
def test_monotone_maps_change_nothing(ties, problem, data):
    """Protects that only the order of scores counts, not their size or sign (torchmetrics fails here)."""
    scores, gains = problem
    ranks = M.rank(scores, gains, ties).ranks.tolist()
    shift = data.draw(st.integers(-100, 100))
    for mapped in (scores * 3 + shift, np.exp(scores), (scores - 2) ** 3, -1.0 / (1 + scores)):
        assert M.rank(mapped, gains, ties).ranks.tolist() == ranks


@pytest.mark.parametrize("ties", TIES)
@given(problem=problems(), data=st.data())
def test_the_order_of_the_gallery_does_not_matter(ties, problem, data):
    """Protects against a hidden tie rule by column number (ids travel with their columns)."""
    scores, gains = problem
    order = data.draw(st.permutations(range(scores.shape[1])))
    ids = np.array([f"item-{i:03d}" for i in range(scores.shape[1])]) if ties == "trec" else None
    a = M.rank(scores, gains, ties, ids)
    b = M.rank(scores[:, order], gains[:, order], ties, None if ids is None else ids[order])
    assert (a.ranks.tolist(), a.gains.tolist()) == (b.ranks.tolist(), b.gains.tolist())


@given(problem=problems(max_gain=1), data=st.data())
def test_moving_a_relevant_item_up_never_hurts(problem, data):
    """Protects the direction of every measure: a better score for a relevant item cannot lower the value."""
    scores, gains = problem
    k = data.draw(st.integers(1, scores.shape[1]))
    better = scores.copy()
    row = data.draw(st.integers(0, len(scores) - 1))
    better[row, data.draw(st.sampled_from(np.flatnonzero(gains[row]).tolist()))] += data.draw(
        st.integers(1, 5)
    )
    for ties in TIES:
        before, after = (all_values(M.rank(s, gains, ties), k) for s in (scores, better))
        for name in before:
            assert (after[name] >= before[name] - EXACT).all(), (ties, name)


@given(problem=problems())
def test_a_perfect_order_gets_one(problem):
    """Protects the normalisation: ranking by gain gives 1 wherever 1 is the best value."""
    _, gains = problem
    r = M.rank(gains, gains)
    perfect = (M.average_precision, M.map_at_r, M.reciprocal_rank, M.ndcg, M.interpolated_average_precision)
    for measure in perfect:
        assert measure(r) == pytest.approx(np.ones(len(gains)), abs=EXACT)
