"""Approximate search: xmrlib.index.IVF against faiss' IVF with the same cells and probes, and faiss' other indexes.

Vectors are drawn from a mixture of Gaussians fitted to the pictures' real features (CNN, 128 principal components,
unit length). One thread. Target: at most 2.5 times the CPU time of faiss at recall@10 of .99, 100,000 x 128 with 1,000
queries. Then latency, memory and recall of several indexes at 100,000 and 1,000,000 items: recorded, without target.
"""

import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import tempfile
import time
from pathlib import Path

import numpy as np
from _measure import in_turn, options, record, show, target
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

import faiss
from xmrlib import datasets, encoders, store
from xmrlib.index import IVF, Exact, Faiss
from xmrlib.similarity import normalize

D, K, QUERIES, COMPONENTS = 128, 10, 1000, 32
CELLS, RECALL = 256, 0.99
BACKENDS = {
    "exact (xmrlib)": (Exact, [("", None)]),
    "IVF (faiss)": (lambda cells: Faiss(f"IVF{cells},Flat"), [(f"nprobe={p}", p) for p in (1, 4, 16, 64)]),
    "HNSW16 (faiss)": (lambda: Faiss("HNSW16"), [(f"efSearch={ef}", ef) for ef in (16, 64, 256)]),
    "PQ16 (faiss)": (lambda: Faiss("PQ16"), [("", None)]),
    "IVF, PQ16 (faiss)": (lambda cells: Faiss(f"IVF{cells},PQ16"), [(f"nprobe={p}", p) for p in (4, 16)]),
}


def mixture():
    """A generator of vectors like the real ones: n, seed -> (n, 128) float32 of unit length."""
    seen = normalize(store.features(encoders.image_encoder(), datasets.load_stamps().images()).astype(float))
    reduced = PCA(D, random_state=0).fit_transform(seen)
    model = GaussianMixture(COMPONENTS, covariance_type="diag", reg_covar=1e-5, random_state=0).fit(reduced)

    def draw(n, seed):
        rng = np.random.default_rng(seed)
        which = rng.choice(COMPONENTS, n, p=model.weights_ / model.weights_.sum())
        noise = rng.standard_normal((n, D), dtype=np.float32)
        rows = model.means_.astype(np.float32)[which] + noise * np.sqrt(model.covariances_).astype(np.float32)[which]
        return normalize(rows)

    return draw


def found(ids, truth):
    """recall@10: the share of the ten nearest that are among the ten returned."""
    return float(np.mean([len(set(a) & set(b)) / K for a, b in zip(ids, truth, strict=True)]))


def twin(ours, X):
    """The IVF of faiss with the same centroids and the same rows in each cell."""
    quantizer = faiss.IndexFlatIP(D)
    quantizer.add(ours.centroids)
    theirs = faiss.IndexIVFFlat(quantizer, D, CELLS, faiss.METRIC_INNER_PRODUCT)
    theirs.quantizer_of_python = quantizer  # faiss does not keep it alive
    theirs.is_trained = True
    nearest = faiss.IndexFlatL2(D)
    nearest.add(ours.centroids)
    cells = nearest.search(X, 1)[1]
    theirs.add_core(len(X), faiss.swig_ptr(X), None, faiss.swig_ptr(cells))
    return theirs


def by_hand_against_faiss(X, Q, truth, repeats):
    ours = IVF(CELLS)
    ours.add(X)
    theirs = twin(ours, X)
    ours.probes = next(p for p in range(1, CELLS + 1) if reached(ours, p, Q, truth))
    theirs.nprobe = ours.probes
    same = float((ours.search(Q, K)[1] == theirs.search(Q, K)[1]).mean())
    functions = {"xmrlib": lambda: ours.search(Q, K), "faiss": lambda: theirs.search(Q, K)}
    times = in_turn(functions, repeats)
    title = f"IVF, {len(X):,} items, {len(Q):,} queries, {CELLS} cells, {ours.probes} probes"
    show(title, times)
    ratio = times["xmrlib"]["cpu_s"] / times["faiss"]["cpu_s"]
    aim = target(f"CPU time of xmrlib / faiss at recall {RECALL}, {title}", ratio, 2.5, True)
    case = {"title": title, "items": len(X), "queries": len(Q), "times": times, "probes": ours.probes}
    return case | {"same_ids": same, "recall": found(ours.search(Q, K)[1], truth)}, aim


def reached(index, probes, Q, truth):
    index.probes = probes
    return found(index.search(Q, K)[1], truth) >= RECALL


def curve(name, make, settings, X, Q, truth):
    """Recall, CPU milliseconds a query and bytes a vector of one kind of index, for each of its settings."""
    index = make(int(4 * len(X) ** 0.5)) if "IVF" in name else make()
    start = time.process_time()
    index.add(X)
    built = time.process_time() - start
    with tempfile.TemporaryDirectory() as folder:
        index.save(Path(folder) / "index")
        size = (Path(folder) / "index").stat().st_size / len(X)
    rows = []
    for setting, _ in settings:
        if setting:
            index.settings = setting
        start = time.process_time()
        ids = index.search(Q, K)[1]
        spent = time.process_time() - start
        rows.append(
            {"index": name, "items": len(X), "setting": setting, "recall@10": found(ids, truth),
             "cpu_ms_per_query": 1000 * spent / len(Q), "bytes_per_vector": size, "build_cpu_s": built}
        )  # fmt: skip
        print(rows[-1])
    return rows


if __name__ == "__main__":
    args = options()
    faiss.omp_set_num_threads(1)
    draw = mixture()
    Q = draw(QUERIES, 1)
    cases, aims = [], []
    for n in (100_000, 1_000_000):
        X = draw(n, 0)
        exact = faiss.IndexFlatIP(D)
        exact.add(X)
        truth = exact.search(Q, K)[1]
        if n == 100_000:
            case, aim = by_hand_against_faiss(X, Q, truth, args.repeats)
            cases.append(case)
            aims.append(aim)
        curves = [
            row
            for name, (make, settings) in BACKENDS.items()
            for row in curve(name, make, settings, X, Q, truth)
        ]
        cases.append({"title": f"recall, latency and memory, {n:,} items", "curves": curves})
    record("ivf", ["xmrlib", "numpy", "faiss-cpu", "scikit-learn"], cases, aims, not args.no_record)
