"""Exact search by inner product: xmrlib.similarity.topk against faiss, scikit-learn, torch and usearch.

d = 128 float32, k = 10; 100,000 items with 1,000 queries, and 1,000,000 items with 100 queries.
Targets: at most 1.35 times the CPU time of faiss' fastest setting, and never slower than the others.
"""

import numpy as np
from _measure import in_turn, installed, options, record, show, target

from xmrlib.similarity import topk

CASES = ((100_000, 1_000), (1_000_000, 100))
D, K = 128, 10
TUNED = "faiss, BLAS threshold 1"


def peers(Q, X):
    """The same search by each installed peer; every function returns the ids (q, k)."""
    functions = {"xmrlib": lambda: topk(Q, X, K)[1]}
    if installed("faiss", "faiss-cpu"):
        import faiss

        index = faiss.IndexFlatIP(D)
        index.add(X)
        default = faiss.cvar.distance_compute_blas_threshold

        def search(threshold):
            faiss.cvar.distance_compute_blas_threshold = threshold
            return index.search(Q, K)[1]

        functions |= {TUNED: lambda: search(1), "faiss, default": lambda: search(default)}
    if installed("sklearn", "scikit-learn"):
        from sklearn.neighbors import NearestNeighbors

        # brute force has no inner product: Euclidean distance on rows of unit length ranks alike
        neighbours = NearestNeighbors(n_neighbors=K, algorithm="brute").fit(X)
        functions["scikit-learn, brute"] = lambda: neighbours.kneighbors(Q, return_distance=False)
    if installed("torch", "torch"):
        import torch

        Qt, Xt = torch.from_numpy(Q), torch.from_numpy(X)
        functions["torch, matmul + topk"] = lambda: torch.topk(Qt @ Xt.T, K).indices.numpy()
    if installed("usearch", "usearch"):
        from usearch.index import MetricKind
        from usearch.index import search as exact_search

        functions["usearch, exact"] = lambda: exact_search(X, Q, K, MetricKind.IP, exact=True).keys
    return functions


def compare(n, q, repeats):
    """Times of one case, agreement of the ids with ours, and the targets."""
    rng = np.random.default_rng(0)
    X, Q = (rng.standard_normal((rows, D), dtype=np.float32) for rows in (n, q))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    functions = peers(Q, X)
    ids = functions["xmrlib"]()
    same = {name: float((np.asarray(function()) == ids).mean()) for name, function in functions.items()}
    times = in_turn(functions, repeats)
    title = f"{n:,} items, {q:,} queries, d={D}, k={K}"
    show(title, times)
    print("same ids:", ", ".join(f"{name} {share:.4%}" for name, share in same.items()))
    targets = [
        target(f"wall time of xmrlib / {name}, {title}", times["xmrlib"]["wall_s"] / t["wall_s"], 1, True)
        for name, t in times.items()
        if name not in ("xmrlib", TUNED)
    ]
    if TUNED in times:
        ratio = times["xmrlib"]["cpu_s"] / times[TUNED]["cpu_s"]
        targets.insert(0, target(f"CPU time of xmrlib / {TUNED}, {title}", ratio, 1.35, True))
    return {"title": title, "items": n, "queries": q, "times": times, "same_ids": same}, targets


if __name__ == "__main__":
    args = options()
    results = [compare(n, q, args.repeats) for n, q in CASES]
    record(
        "topk",
        ["xmrlib", "numpy", "faiss-cpu", "scikit-learn", "torch", "usearch"],
        [case for case, _ in results],
        [t for _, targets in results for t in targets],
        not args.no_record,
    )
