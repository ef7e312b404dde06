"""xmrlib.index: one contract for all back-ends; by-hand search against exact search and against faiss."""

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmrlib.index import IVF, Exact, Faiss
from xmrlib.similarity import normalize, topk

BACKENDS = {
    "Exact": Exact,
    "IVF": lambda: IVF(cells=4, probes=4),
    "Faiss Flat": lambda: Faiss("Flat"),
    "Faiss IVF": lambda: Faiss("IVF4,Flat", settings="nprobe=4"),
    "Faiss HNSW": lambda: Faiss("HNSW16", settings="efSearch=256"),
}  # with these settings all of them find everything in 200 vectors
n, d = 200, 8


@pytest.fixture(params=BACKENDS)
def new(request):
    """A maker of empty indexes of one back-end."""
    return BACKENDS[request.param]


@pytest.fixture
def X():
    return normalize(np.random.default_rng(0).standard_normal((n, d), dtype=np.float32))


def assert_same(found, expected):
    """Scores to rounding: 8 products of float32 err by less than 1e-6. Continuous data have no ties."""
    assert np.allclose(found[0], expected[0], rtol=0, atol=1e-6)
    assert np.array_equal(found[1], expected[1])
    assert found[0].dtype == np.float32 and found[1].dtype == np.int64


def test_contract_search(new, X):
    """Protects add and search: exact results, best first, ids counted from 0."""
    index = new()
    assert len(index) == 0
    assert index.add(X).tolist() == list(range(n)) and len(index) == n
    assert_same(index.search(X[:9], 10), topk(X[:9], X, 10))
    assert_same(index.search(X[:9], n), topk(X[:9], X, n))
    assert_same(index.search(X[:9].astype(float).tolist(), 3), topk(X[:9], X, 3))


def test_contract_ids_are_kept(new, X):
    """Protects ids: own ids, several adds, deletes in between; counting goes on and never gives a deleted id again."""
    index, ids = new(), np.random.default_rng(1).permutation(10_000)[:n]
    assert index.add(X[:150], ids[:150]).dtype == np.int64
    index.delete(ids[10:60])
    index.add(X[150:], ids[150:])
    left = np.r_[0:10, 60:n]
    assert len(index) == len(left)
    scores, rows = topk(X[:20], X[left], 5)
    assert_same(index.search(X[:20], 5), (scores, ids[left][rows]))
    last = ids.max()
    assert index.add(X[10:12]).tolist() == [last + 1, last + 2]
    index.delete([last + 2])
    assert index.add(X[12:13]).tolist() == [last + 3]
    index.add(X[13:14], ids[13:14])  # a deleted id may come back when it is asked for
    assert index.search(X[13:14], 1)[1] == ids[13]


def test_contract_delete_all_and_begin_again(new, X):
    index = new()
    index.add(X)
    index.delete(np.arange(n))
    assert len(index) == 0
    with pytest.raises(ValueError, match="the index is empty"):
        index.search(X[:1], 1)
    index.add(X[:5])
    assert index.search(X[:1], 1)[1].tolist() == [[n]]


def test_contract_errors(new, X):
    """Protects the messages at the boundary, and that a refused call changes nothing."""
    index = new()
    with pytest.raises(ValueError, match="the index is empty; expected at least one item"):
        index.search(X, 1)
    index.add(X)
    for k in (0, n + 1, 2.0, True):
        with pytest.raises(ValueError, match=f"k is {k}; expected a whole number from 1 to {n}"):
            index.search(X, k)
    with pytest.raises(ValueError, match="columns: Q has 7, the index has 8|columns"):
        index.search(X[:, :7], 1)
    for bad in (X[:, :7], X[:0], np.full((2, d), np.nan), np.full((1, d), 1e300), [["a"] * d]):
        with pytest.raises(ValueError, match="X"):
            index.add(bad)
    for ids in ([5, 5], [-1, 7], [0.5, 1.5], [[1], [2]], [n], [n, n - 1]):
        with pytest.raises(ValueError, match="ids"):
            index.add(X[:2], ids)
    for ids in ([n], [0, n], [0, 0], [-1], []):
        with pytest.raises(ValueError, match="ids"):
            index.delete(ids)
    assert len(index) == n
    assert_same(index.search(X[:3], 2), topk(X[:3], X, 2))


def test_contract_persistence(new, X, tmp_path):
    """Protects save and load: same results, ids, counter; and the copy can be changed like the original."""
    index, path = new(), tmp_path / "gallery.index"
    index.add(X, np.arange(n) * 7)
    index.delete([14, 21])
    index.save(path)
    assert [file.name for file in tmp_path.iterdir()] == ["gallery.index"]
    again = type(index).load(path)
    assert len(again) == n - 2
    assert_same(again.search(X[:9], 5), index.search(X[:9], 5))
    assert again.add(X[:1]).tolist() == index.add(X[:1]).tolist() == [n * 7 - 6]
    again.delete([7])
    again.save(path)
    assert len(type(index).load(path)) == n - 2 and len(index) == n - 1


def test_contract_empty_index_in_a_file(new, X, tmp_path):
    index = new()
    index.save(tmp_path / "empty")
    again = type(index).load(str(tmp_path / "empty"))
    again.add(X)
    assert_same(again.search(X[:3], 2), topk(X[:3], X, 2))


def test_contract_wrong_files(new, X, tmp_path, monkeypatch):
    """Protects readers of files that are missing, of another kind, or damaged; and a file from a failed save."""
    index, path = new(), tmp_path / "index"
    with pytest.raises(FileNotFoundError):
        type(index).load(path)
    index.add(X)
    index.save(path)
    whole = path.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
    np.savez(tmp_path / "arrays.npz", X=X)
    np.save(tmp_path / "array.npy", X)
    others = [(tmp_path / name).read_bytes() for name in ("arrays.npz", "array.npy")]
    for content in (b"", b"nothing of the kind", whole[:middle], flipped, *others):
        path.write_bytes(content)
        with pytest.raises(
            ValueError, match=f"path is .*not a whole file.*{type(index).__name__}.save wrote"
        ):
            type(index).load(path)
    other = Exact() if not isinstance(index, Exact) else IVF(2)
    other.save(path)
    with pytest.raises(ValueError, match=f"a file of {type(other).__name__}; expected a file that"):
        type(index).load(path)

    def full_disk(file, **arrays):
        file.write(b"half a file")
        raise OSError("no space left")

    path.write_bytes(whole)
    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="no space left"):
        index.save(path)
    assert path.read_bytes() == whole and not list(tmp_path.glob("*.tmp"))


@given(
    seed=st.integers(0, 2**32 - 1),
    items=st.integers(1, 120),
    q=st.integers(1, 9),
    cells=st.integers(1, 12),
    data=st.data(),
)
@settings(deadline=None, max_examples=40)
def test_ivf_with_all_probes_is_exact(seed, items, q, cells, data):
    """Protects the property that probes = cells looks at everything: any n, k, cells smaller than k, empty cells."""
    cells = min(cells, items)
    k = data.draw(st.integers(1, items))
    rng = np.random.default_rng(seed)
    X, Q = rng.standard_normal((items, 4), dtype=np.float32), rng.standard_normal((q, 4), dtype=np.float32)
    index = IVF(cells, probes=cells, seed=3)
    index.add(X)
    assert_same(index.search(Q, k), topk(Q, X, k))


def test_ivf_is_the_ivf_of_faiss(X):
    """Protects every number of probes: with the same centroids and cells, faiss finds the same items."""
    rng = np.random.default_rng(2)
    X = normalize(rng.standard_normal((5000, 16), dtype=np.float32))
    Q = normalize(rng.standard_normal((300, 16), dtype=np.float32))
    ours = IVF(cells=40)
    ours.add(X)
    quantizer = faiss.IndexFlatIP(16)
    theirs = faiss.IndexIVFFlat(quantizer, 16, 40, faiss.METRIC_INNER_PRODUCT)
    quantizer.add(ours.centroids)
    theirs.is_trained = True
    nearest = faiss.IndexFlatL2(16)
    nearest.add(ours.centroids)
    cells = nearest.search(X, 1)[1]
    theirs.add_core(len(X), faiss.swig_ptr(X), None, faiss.swig_ptr(cells))
    for ours.probes in (1, 2, 7, 40):
        theirs.nprobe = ours.probes
        assert_same(ours.search(Q, 10), theirs.search(Q, 10))


@pytest.mark.parametrize("index", [IVF(50, probes=1), Faiss("IVF50,Flat", settings="nprobe=1")])
@pytest.mark.filterwarnings("ignore")
def test_few_probes_find_few(index, X):
    """Protects the filling: a probed cell holds fewer items than were asked for."""
    index.add(X)
    scores, ids = index.search(X[:20], 40)
    assert (ids[:, 0] >= 0).all() and (ids == -1).any()
    assert ((ids == -1) == (scores == -np.inf)).all()
    assert (np.diff(scores[ids[:, 1] >= 0][:, :2], axis=1) <= 0).all()
    found = ids[ids >= 0]
    assert np.allclose(
        scores[ids >= 0], (X[:20].repeat(40, axis=0)[(ids >= 0).ravel()] * X[found]).sum(axis=1), atol=1e-6
    )


def test_ivf_settings():
    for cells, probes in ((0, 1), (4, 5), (4, 0), (2.0, 1)):
        with pytest.raises(ValueError, match="cells|probes"):
            IVF(cells, probes)
    index = IVF(8)
    with pytest.raises(ValueError, match="first add"):
        index.add(np.eye(7))
    index.add(np.eye(8))
    index.probes = 9
    with pytest.raises(ValueError, match="probes is 9; expected a whole number from 1 to 8"):
        index.search(np.eye(8), 1)


def test_contract_long_vectors(new, X):
    """Protects against infinite scores: long rows are refused, and those up to the limit are found."""
    index = new()
    with pytest.raises(ValueError, match="X is a matrix with a row longer than 1e15; expected shorter ones"):
        index.add(X * 1e16)
    index.add(X * 9e14)
    with pytest.raises(ValueError, match="Q is a matrix with a row longer"):
        index.search(X * 1e30, 3)
    scores, ids = index.search(X * 9e14, 1)
    assert ids[:, 0].tolist() == list(range(n)) and np.isfinite(scores).all()


def test_faiss_settings(X):
    """Protects readers from faiss' own messages for a wrong factory or setting."""
    for factory in ("Nothing", "PQ3"):  # 3 does not divide 8
        with pytest.raises(ValueError, match=f"factory is '{factory}'; expected a factory string of faiss"):
            Faiss(factory).add(X)
    index = Faiss("Flat", settings="nprobe=3")
    index.add(X)
    with pytest.raises(ValueError, match="settings is 'nprobe=3'; expected search settings"):
        index.search(X, 1)


def test_pq_distance_is_that_of_the_reconstruction(X):
    """Protects what the notebook says of product quantisation: its score is the inner product with the decoded item."""
    index = Faiss("PQ4x4")
    index.add(X)
    scores, ids = index.search(X[:5], 30)
    decoded = index._index.reconstruct_n(0, n)
    expected = np.take_along_axis(X[:5] @ decoded.T, ids, axis=1)
    assert np.allclose(scores, expected, rtol=0, atol=1e-6)


def test_hnsw_is_the_same_each_time(X):
    """Protects the pages: one graph for one set of rows, also where several threads are allowed."""
    rows = np.random.default_rng(4).standard_normal((2000, d), dtype=np.float32)
    results = []
    for _ in range(2):
        index = Faiss("HNSW8", settings="efSearch=8")
        index.add(rows)
        results.append(index.search(X, 10)[1])
    assert np.array_equal(*results)
