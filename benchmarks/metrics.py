"""All measures of a retrieval run at once: xmrlib.metrics against scikit-learn, ranx, pytrec_eval and torchmetrics.

1,000 queries, 10,000 items, 10 relevant items with gains 1 to 3 a query, no tied scores. Every peer computes those
of the measures that it has. Its run is prepared outside the clock in the form that it wants, which favours the
peers. Targets: at least 10 times faster than each; agreement to 1e-12 in float64; memory at most twice the scores.
"""

import tracemalloc

import numpy as np
from _measure import in_turn, installed, options, record, show, target

from xmrlib import metrics

Q, N, R = 1_000, 10_000, 10
NAMES = [
    "accuracy",
    "P@10",
    "recall@10",
    "F1@10",
    "R@1",
    "R@10",
    "MAP",
    "mAP@R",
    "MRR",
    "MedR",
    "nDCG",
    "nDCG@10",
]


def data(seed=0):
    """Graded relevance, and scores 1/N, 2/N, ..., 1 in an order that favours relevant items: positive, and without
    ties in float32 too, for trec_eval keeps scores in float32."""
    rng = np.random.default_rng(seed)
    scores = rng.random((Q, N))
    gains = np.zeros((Q, N), np.int64)
    columns = rng.permuted(np.tile(np.arange(N), (Q, 1)), axis=1)[:, :R]
    np.put_along_axis(gains, columns, rng.integers(1, 4, (Q, R)), axis=1)
    scores[gains > 0] **= 0.2
    return (1 + scores.argsort(axis=1).argsort(axis=1)) / N, gains


def scikit_learn(scores, gains):
    """MAP, nDCG and nDCG@10; scikit-learn has no ranking precision, recall, MRR or median rank."""
    from sklearn.metrics import label_ranking_average_precision_score, ndcg_score

    relevant = gains > 0
    return lambda: {
        "MAP": label_ranking_average_precision_score(relevant, scores),
        "nDCG": ndcg_score(gains, scores, ignore_ties=True),
        "nDCG@10": ndcg_score(gains, scores, k=10, ignore_ties=True),
    }


def ranx(scores, gains):
    """ranx, compiled before the clock starts; its Run is sorted outside the clock too."""
    from ranx import Qrels, Run, evaluate

    names = {
        "precision@10": "P@10",
        "recall@10": "recall@10",
        "f1@10": "F1@10",
        "hit_rate@1": "R@1",
        "hit_rate@10": "R@10",
        "map": "MAP",
        "mrr": "MRR",
        "ndcg": "nDCG",
        "ndcg@10": "nDCG@10",
    }
    queries, ids = [f"q{i}" for i in range(Q)], np.array([f"d{j}" for j in range(N)])
    found = [np.flatnonzero(row) for row in gains]
    qrels = Qrels.from_dict({
        q: dict(zip(ids[f].tolist(), gains[i, f].tolist(), strict=True))
        for i, (q, f) in enumerate(zip(queries, found, strict=True))
    })  # fmt: skip
    run = Run.from_dict(
        {
            q: dict(zip(ids.tolist(), row.tolist(), strict=True))
            for q, row in zip(queries, scores, strict=True)
        }
    )

    def measure():
        values = evaluate(qrels, run, list(names))
        return {names[key]: float(value) for key, value in values.items()}

    return measure


def pytrec_eval(scores, gains):
    """trec_eval's own C code; the run is a dict outside the clock."""
    import pytrec_eval

    names = {
        "P_10": "P@10",
        "recall_10": "recall@10",
        "success_1": "R@1",
        "success_10": "R@10",
        "map": "MAP",
        "recip_rank": "MRR",
        "ndcg": "nDCG",
        "ndcg_cut_10": "nDCG@10",
    }
    ids = [f"d{j}" for j in range(N)]
    qrels = {f"q{i}": {ids[j]: int(row[j]) for j in np.flatnonzero(row)} for i, row in enumerate(gains)}
    run = {f"q{i}": dict(zip(ids, row.tolist(), strict=True)) for i, row in enumerate(scores)}
    wanted = {"P.10", "recall.10", "success.1,10", "map", "recip_rank", "ndcg", "ndcg_cut.10"}
    evaluator = pytrec_eval.RelevanceEvaluator(qrels, wanted)

    def measure():
        rows = list(evaluator.evaluate(run).values())
        return {name: float(np.mean([row[key] for row in rows])) for key, name in names.items()}

    return measure


def torchmetrics(scores, gains):
    """torchmetrics' functions take one query at a time and compute in float32."""
    import torch
    from torchmetrics.functional import retrieval

    rows = [
        (torch.from_numpy(s), torch.from_numpy(g))
        for s, g in zip(scores.astype(np.float32), gains, strict=True)
    ]
    functions = {
        "P@10": lambda s, g, b: retrieval.retrieval_precision(s, b, top_k=10),
        "recall@10": lambda s, g, b: retrieval.retrieval_recall(s, b, top_k=10),
        "R@1": lambda s, g, b: retrieval.retrieval_hit_rate(s, b, top_k=1),
        "R@10": lambda s, g, b: retrieval.retrieval_hit_rate(s, b, top_k=10),
        "MAP": lambda s, g, b: retrieval.retrieval_average_precision(s, b),
        "MRR": lambda s, g, b: retrieval.retrieval_reciprocal_rank(s, b),
        "nDCG": lambda s, g, b: retrieval.retrieval_normalized_dcg(s, g),
        "nDCG@10": lambda s, g, b: retrieval.retrieval_normalized_dcg(s, g, top_k=10),
    }
    return lambda: {
        name: float(np.mean([float(function(s, g, g > 0)) for s, g in rows]))
        for name, function in functions.items()
    }


PEERS = {
    "scikit-learn": ("sklearn", "scikit-learn", scikit_learn),
    "ranx": ("ranx", "ranx", ranx),
    "pytrec_eval": ("pytrec_eval", "pytrec-eval-terrier", pytrec_eval),
    "torchmetrics": ("torchmetrics", "torchmetrics", torchmetrics),
}


def peak_memory(function, *arguments):
    """Bytes that numpy and Python allocate at most while the function runs."""
    tracemalloc.start()
    function(*arguments)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def negative_scores_in_torchmetrics():
    """A relevant item on top of two others, all cosines negative: average precision is 1, whatever the sign."""
    import torch
    from torchmetrics.functional.retrieval import retrieval_average_precision

    scores, relevant = [-0.1, -0.5, -0.9], [True, False, False]
    theirs = float(retrieval_average_precision(torch.tensor(scores), torch.tensor(relevant)))
    return {
        "scores": scores,
        "relevant": relevant,
        "xmrlib": metrics.evaluate([scores], [relevant], ["MAP"])["MAP"],
        "torchmetrics": theirs,
    }


if __name__ == "__main__":
    args = options()
    scores, gains = data()
    ours = metrics.evaluate(scores, gains, NAMES)
    targets, cases = [], []
    for name, (module, package, make) in PEERS.items():
        if not installed(module, package):
            continue
        function = make(scores, gains)
        values = function()  # compiles ranx' functions too
        # a fast pair many times, a slow peer (tens of seconds) a few times; ours runs between the peer's runs
        times = in_turn(
            {"xmrlib": lambda: metrics.evaluate(scores, gains, NAMES), name: function},
            max(3, args.repeats // 3),
        )
        show(f"{Q:,} queries, {N:,} items; {name} computes {len(values)} of {len(NAMES)}", times)
        difference = max(abs(values[key] - ours[key]) for key in values)
        limit = 1e-6 if name == "torchmetrics" else 1e-12  # float32 has seven digits
        targets += [
            target(
                f"wall time of {name} / xmrlib", times[name]["wall_s"] / times["xmrlib"]["wall_s"], 10, False
            ),
            target(f"largest difference to {name}", difference, limit, True),
        ]
        cases.append(
            {"peer": name, "measures": sorted(values), "times": times, "largest_difference": difference}
        )
    if installed("torchmetrics", "torchmetrics"):
        fault = negative_scores_in_torchmetrics()
        print("\ntorchmetrics ignores scores <= 0:", fault)
        cases.append({"torchmetrics_ignores_scores_up_to_zero": fault})
    for ties in ("pessimistic", "optimistic", "trec"):
        for dtype in (np.float64, np.float32):
            typed = scores.astype(dtype)
            extra = peak_memory(metrics.evaluate, typed, gains > 0, NAMES, ties)
            share = (typed.nbytes + extra) / typed.nbytes
            targets.append(
                target(f"memory with the scores / scores, {np.dtype(dtype).name}, {ties}", share, 2, True)
            )
    record(
        "metrics",
        ["xmrlib", "numpy", *(package for _, package, _ in PEERS.values()), "torch", "numba"],
        cases,
        targets,
        not args.no_record,
    )
