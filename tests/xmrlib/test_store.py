"""The feature store: one computation per content, whatever happens to the files."""

import errno
import os
import stat
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xmrlib import store


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path / "cache"))
    store._warn_once.cache_clear()
    return tmp_path / "cache"


class Encoder:
    """Counts how often it is really asked."""

    def __init__(self, fingerprint="encoder, version 1"):
        self.fingerprint, self.calls = fingerprint, 0

    def encode(self, texts):
        self.calls += 1
        return np.array([[len(text), text.count("a")] for text in texts], dtype=np.float32)

    def halves(self, texts):
        return self.encode(texts) / 2


def stored(cache):
    return sorted(cache.rglob("*.npy"))


def test_second_request_is_read_and_equal(cache):
    encoder = Encoder()
    first = store.features(encoder, ["a cat", "dog"])
    second = store.features(encoder, ["a cat", "dog"])
    assert encoder.calls == 1
    assert first.dtype == second.dtype == np.float32
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, [[5, 2], [3, 0]])
    np.testing.assert_array_equal(np.load(stored(cache)[0]), first)  # an ordinary .npy for other programs


@pytest.mark.parametrize("shape", [(0, 3), (), (2, 0), (3, 4)])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "u1", "<U5", "?"])
def test_every_plain_array_comes_back_the_same(shape, dtype):
    array = np.zeros(shape, dtype=dtype)
    store.cached_array("x", lambda: array)
    again = store.cached_array("x", lambda: pytest.fail("computed twice"))
    assert again.dtype == array.dtype and again.shape == shape
    np.testing.assert_array_equal(again, array)


def test_fortran_order_survives():
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    store.cached_array("f", lambda: array)
    np.testing.assert_array_equal(store.cached_array("f", lambda: pytest.fail("computed twice")), array)


def test_changed_inputs_fingerprint_or_method_compute_again():
    encoder, other = Encoder(), Encoder("encoder, version 2")
    store.features(encoder, ["a", "b"])
    store.features(encoder, ["b", "a"])
    store.features(encoder, ["ab"])
    assert encoder.calls == 3
    np.testing.assert_array_equal(store.features(encoder, ["ab"], method="halves"), [[1, 0.5]])
    assert encoder.calls == 4
    store.features(other, ["ab"])
    assert other.calls == 1


def test_lists_tuples_and_generators_of_the_same_texts_share_a_file(cache):
    encoder = Encoder()
    for inputs in (["a", "b"], ("a", "b"), (c for c in "ab")):
        store.features(encoder, inputs)
    assert encoder.calls == 1 and len(stored(cache)) == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw[:10],
        lambda raw: raw[:-1],
        lambda raw: b"",
        lambda raw: raw + b"\0",
        lambda raw: raw[:130] + bytes([raw[130] ^ 1]) + raw[131:],
        lambda raw: raw[:20] + b"9" + raw[21:],
        lambda raw: raw[:-32],  # a plain .npy without its seal
        lambda raw: b"\x80\x04cposix\nsystem\n" * 20,
    ],
    ids=["half", "head", "last byte", "empty", "longer", "bit flip", "header", "no seal", "pickle"],
)
def test_damaged_file_is_computed_again(cache, damage):
    encoder = Encoder()
    right = store.features(encoder, ["a cat", "dog"])
    [path] = stored(cache)
    path.write_bytes(damage(path.read_bytes()))
    np.testing.assert_array_equal(store.features(encoder, ["a cat", "dog"]), right)
    assert encoder.calls == 2
    store.features(encoder, ["a cat", "dog"])
    assert encoder.calls == 2  # and the file is whole again


def test_failed_computation_stores_nothing_and_frees_the_lock(cache):
    with pytest.raises(OSError, match="no picture"):
        store.cached_array("k", lambda: (_ for _ in ()).throw(OSError("no picture")))
    assert stored(cache) == []
    assert store.cached_array("k", lambda: np.ones(1)) == 1


def test_interrupted_write_leaves_no_trace(cache, monkeypatch):
    monkeypatch.setattr(os, "replace", lambda a, b: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        store.cached_array("k", lambda: np.ones(3))
    assert [p for p in cache.rglob("*") if p.is_file() and p.suffix != ".lock"] == []


def test_nested_arrays_do_not_wait_for_each_other():
    inner = lambda: store.cached_array("inner", lambda: np.ones(2))  # noqa: E731
    assert store.cached_array("outer", lambda: inner() * 2).tolist() == [2, 2]


PROGRAM = """
import sys, time
import numpy as np
from xmrlib import store
class Slow:
    fingerprint = "slow"
    def encode(self, texts):
        with open(sys.argv[1], "a") as log:
            log.write("computed\\n")
        time.sleep(1)
        return np.full((len(texts), 200_000), 7.0)
assert (store.features(Slow(), ["a", "b"]) == 7).all()
"""


def test_two_processes_at_once_compute_once(tmp_path):
    log = tmp_path / "log"
    jobs = [subprocess.Popen([sys.executable, "-c", PROGRAM, str(log)]) for _ in range(2)]
    assert [job.wait(60) for job in jobs] == [0, 0]
    assert log.read_text() == "computed\n"


def test_killed_process_does_not_block_the_next(tmp_path):
    program = PROGRAM.replace("time.sleep(1)", "__import__('os')._exit(3)")
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path / "log")]).returncode == 3
    assert store.cached_array(("slow", "encode", ["a", "b"]), lambda: np.ones(1)) == 1


def test_threads_compute_once():
    encoder = Encoder()
    threads = [threading.Thread(target=store.features, args=(encoder, ["a"])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert encoder.calls == 1


def check_computed_with_one_warning(encoder, reason):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            np.testing.assert_array_equal(store.features(encoder, ["a cat"]), [[5, 2]])
    assert encoder.calls == 3
    assert [w.category for w in caught] == [RuntimeWarning]
    message = str(caught[0].message)
    assert "not kept" in message and "XMRLIB_CACHE" in message and reason in message


def test_cache_below_a_file_computes_and_warns_once(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path / "file"))
    check_computed_with_one_warning(Encoder(), "Error")


@pytest.mark.skipif(
    os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all"
)
def test_read_only_cache_computes_and_warns_once(cache):
    (cache / "features").mkdir(parents=True)
    (cache / "features").chmod(stat.S_IRUSR | stat.S_IXUSR)
    check_computed_with_one_warning(Encoder(), "PermissionError")


def test_what_is_there_is_read_from_a_read_only_cache(monkeypatch):
    encoder = Encoder()
    store.features(encoder, ["a cat"])
    monkeypatch.setattr(store.tempfile, "TemporaryFile", lambda **_: pytest.fail("wrote"))
    store.features(encoder, ["a cat"])
    assert encoder.calls == 1


@pytest.mark.parametrize(
    "error", [PermissionError(errno.EACCES, "Permission denied"), NotImplementedError("locks")]
)
def test_no_lock_computes_and_warns_once(monkeypatch, error):
    def refuse(self):
        raise error

    monkeypatch.setattr(store.filelock.FileLock, "acquire", refuse)
    check_computed_with_one_warning(Encoder(), type(error).__name__)


def test_full_disk_computes_warns_once_and_leaves_no_trace(cache, monkeypatch):
    def full(file, array, **_):
        file.write(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store.np, "save", full)
    check_computed_with_one_warning(Encoder(), "No space left on device")
    assert [p for p in cache.rglob("*") if p.is_file() and p.suffix != ".lock"] == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_device_that_is_really_full(monkeypatch, cache):
    real = store.tempfile.NamedTemporaryFile

    def to_full(**options):
        file = real(**options)
        file.file = open("/dev/full", "r+b", buffering=0)  # noqa: SIM115
        return file

    monkeypatch.setattr(store.tempfile, "NamedTemporaryFile", to_full)
    check_computed_with_one_warning(Encoder(), "No space left on device")


def test_cache_dir_honours_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path / "ä b"))
    assert store.cache_dir() == tmp_path / "ä b"
    monkeypatch.setenv("XMRLIB_CACHE", "~/here")
    assert store.cache_dir() == (store.Path.home() / "here").absolute()
    monkeypatch.setenv("XMRLIB_CACHE", "")
    default = store.cache_dir()
    monkeypatch.delenv("XMRLIB_CACHE")
    assert store.cache_dir() == default and default.is_absolute() and "xmrlib" in default.parts


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: store.features(object(), ["a"]), "encoder.fingerprint is None"),
        (lambda: store.features(Encoder(""), ["a"]), "encoder.fingerprint is ''"),
        (lambda: store.features(Encoder(), ["a"], method="decode"), "method is 'decode'"),
        (lambda: store.features(Encoder(), ["a"], method="calls"), "method is 'calls'"),
        (lambda: store.cached_array({"a": 1}, lambda: np.ones(1)), "dict"),
        (lambda: store.cached_array(np.array([None]), lambda: np.ones(1)), "ndarray"),
        (lambda: store.cached_array("k", lambda: [1, 2]), r"list \[1, 2\]"),
        (lambda: store.cached_array("k", lambda: np.array([None])), "ndarray"),
    ],
)
def test_bad_input_names_value_and_expectation(call, message):
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "expected" in str(error.value)


def test_key_is_the_same_in_every_process():
    parts = ["猫", 1, 2.5, None, True, b"x", np.arange(3, dtype="<i4")]
    code = "import numpy as np; from xmrlib import store; print(store.content_key(" \
           "'猫', 1, 2.5, None, True, b'x', np.arange(3, dtype='<i4')))"  # fmt: skip
    env = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONIOENCODING": "utf-8"}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert found.stdout.strip() == store.content_key(*parts)


def test_views_have_the_key_of_their_content():
    x = np.arange(12).reshape(3, 4)
    assert store.content_key(x.T) == store.content_key(x.T.copy())
    assert store.content_key(x[:, ::2]) == store.content_key(np.ascontiguousarray(x[:, ::2]))


PARTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda items: st.lists(items, max_size=4),
    max_leaves=8,
)


def kind(part):
    """A part with its types: what two keys may share."""
    return [kind(p) for p in part] if isinstance(part, list) else (type(part), repr(part))


@given(PARTS, PARTS)
def test_keys_are_equal_exactly_when_the_parts_are(a, b):
    assert (store.content_key(a) == store.content_key(b)) == (kind(a) == kind(b))


ARRAYS = hnp.arrays(
    st.sampled_from(["<f4", ">f4", "<i4", "<u4", "u1", "i1", "<f8"]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    elements={"min_value": 0, "max_value": 3},
)


@given(ARRAYS, ARRAYS)
def test_arrays_of_other_shape_or_dtype_have_other_keys(a, b):
    same = a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    assert (store.content_key(a) == store.content_key(b)) == same


@given(ARRAYS)
def test_same_bytes_under_another_shape_or_dtype_have_another_key(a):
    assert store.content_key(a) != store.content_key(a[None])
    assert store.content_key(a) != store.content_key(a.view(a.dtype.newbyteorder("S")) if a.dtype.itemsize > 1
                                                     else a.view("?"))  # fmt: skip
    assert store.content_key(a) != store.content_key(a.tobytes())
