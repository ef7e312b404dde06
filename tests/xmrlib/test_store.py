"""The feature store: one computation per content, whatever happens to the files."""

import contextlib
import errno
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xmrlib import store

ON_POSIX = pytest.mark.skipif(os.name == "nt", reason="needs POSIX")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path / "cache"))
    store._warn_once.cache_clear()
    return tmp_path / "cache"


class Encoder:
    """Keeps the batches that it is really asked for."""

    def __init__(self, fingerprint="encoder, version 1"):
        self.fingerprint, self.batches = fingerprint, []

    def encode(self, items):
        self.batches.append(list(items))
        return np.array([[len(item), sum(map(hash_of, item))] for item in items], dtype=np.float32)

    def halves(self, items):
        return self.encode(items) / 2

    @property
    def asked(self):
        """All items that were encoded, in order."""
        return [item for batch in self.batches for item in batch]


def hash_of(value):
    return ord(value) if isinstance(value, str) else float(np.sum(value))


def files(cache, suffix=".sqlite"):
    return sorted(path for path in cache.rglob("*") if path.name.endswith(suffix))


# ---- features: what is computed ----


def test_second_request_is_read_and_equal():
    """Protects the promise of the store: the same numbers, without the encoder."""
    encoder = Encoder()
    first, second = (store.features(encoder, ["a cat", "dog"]) for _ in range(2))
    assert encoder.asked == ["dog", "a cat"]
    assert first.dtype == second.dtype == np.float32
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, Encoder().encode(["a cat", "dog"]))
    assert second.flags.writeable


@settings(max_examples=30)
@given(st.lists(st.lists(st.text(max_size=4), min_size=1, max_size=8), min_size=1, max_size=5))
def test_any_lists_of_the_same_texts_cost_each_text_once(tmp_path_factory, lists):
    """Protects order, repetition and subsets: rows belong to their items, and no item is encoded twice."""
    os.environ["XMRLIB_CACHE"] = str(tmp_path_factory.mktemp("c"))  # restored by the fixture
    encoder = Encoder()
    for texts in lists:
        np.testing.assert_array_equal(store.features(encoder, texts), Encoder().encode(texts))
    assert sorted(encoder.asked) == sorted({text for texts in lists for text in texts})


def test_other_fingerprint_or_method_computes_again():
    """Protects against the vectors of another encoder."""
    encoder, other = Encoder(), Encoder("encoder, version 2")
    store.features(encoder, ["ab"])
    np.testing.assert_array_equal(
        store.features(encoder, ["ab"], method="halves"), encoder.encode(["ab"]) / 2
    )
    assert len(encoder.asked) == 3  # once by the line above
    store.features(other, ["ab"])
    assert other.asked == ["ab"]


def test_batches_are_bounded_and_hold_missing_items_only(monkeypatch):
    """Protects memory, and the time of a collection that grew."""
    monkeypatch.setattr(store, "BATCH", 4)
    encoder = Encoder()
    store.features(encoder, [f"{i:02}" for i in range(0, 20, 2)])
    assert [len(batch) for batch in encoder.batches] == [4, 4, 2]
    store.features(encoder, [f"{i:02}" for i in range(20)])
    assert [len(batch) for batch in encoder.batches[3:]] == [4, 4, 2]
    assert encoder.asked[10:] == [f"{i:02}" for i in range(1, 20, 2)]


def test_kinds_of_items():
    """Protects sounds and pictures: an item is its dtype, its shape and its content."""
    encoder = Encoder()
    sounds = [np.zeros(3, np.float32), np.zeros(4, np.float32), np.zeros(3), np.ones(3, np.float32)]
    assert store.features(encoder, sounds).tolist() == [[3, 0], [4, 0], [3, 0], [3, 3]]
    assert len(encoder.asked) == 4
    stack = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    assert store.features(encoder, stack)[:, 1].tolist() == stack.sum(axis=(1, 2)).tolist()
    store.features(encoder, stack[::-2].copy())
    store.features(encoder, tuple(sounds[:2]))
    assert len(encoder.asked) == 8
    store.features(encoder, stack.astype(np.int16))
    assert len(encoder.asked) == 12


class Files:
    """Items that are opened only when they are asked for, as a folder of pictures."""

    def __init__(self, names):
        self.digests, self.opened = [f"digest of {name}" for name in names], []

    def __len__(self):
        return len(self.digests)

    def __getitem__(self, places):
        assert isinstance(places, list) and all(type(place) is int for place in places)
        self.opened += places
        return np.array([[len(self.digests[place])] * 3 for place in places], dtype=np.uint8)


def test_files_are_opened_only_when_their_row_is_missing(monkeypatch):
    """Protects start and memory of a collection of files: a warm store opens none."""
    monkeypatch.setattr(store, "BATCH", 2)
    encoder, some, more = Encoder(), Files(["a", "bcd"]), Files(["a", "efghi", "bcd", "jk", "a", "lmnopqr"])
    store.features(encoder, some)
    V = store.features(encoder, more)
    assert some.opened == [0, 1] and more.opened == [1, 3, 5]
    assert V[:, 1].tolist() == [3 * len(digest) for digest in more.digests]
    assert max(map(len, encoder.batches)) == 2
    store.features(encoder, list(more.digests))  # as texts, these are other items
    assert len(encoder.asked) == 10


@pytest.mark.parametrize("shape", [(), (3,), (0,), (2, 7)])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "u1", "<U5", "?", "<f2"])
def test_rows_of_every_plain_kind_come_back_the_same(shape, dtype):
    """Protects maps and labels: dtype, byte order and shape of a row survive."""

    class Fixed:
        fingerprint = "fixed"

        def encode(self, items):
            return (
                (np.arange(np.prod((len(items), *shape)), dtype=int) % 2)
                .reshape(len(items), *shape)
                .astype(dtype)
            )

    first, second = (store.features(Fixed(), ["a", "b"]) for _ in range(2))
    assert first.dtype == second.dtype == np.dtype(dtype) and second.shape == (2, *shape)
    np.testing.assert_array_equal(first, second)


# ---- features: interruption and company ----

PROGRAM = """
import os, signal, sys, time
import numpy as np
from xmrlib import store
store.BATCH = 2
class Slow:
    fingerprint = "slow"
    def encode(self, texts):
        with open(sys.argv[1], "a") as log:
            log.write("".join(f"{text}\\n" for text in texts))
        ACTION
        return np.array([[float(text)] * 1000 for text in texts])
texts = [str(i) for i in range(6)]
assert (store.features(Slow(), texts)[:, 0] == np.arange(6)).all()
"""


def start(log, action):
    program = PROGRAM.replace("ACTION", action)
    return subprocess.Popen([sys.executable, "-c", program, str(log)])


def test_two_processes_at_once_compute_nothing_twice(tmp_path):
    """Protects two notebooks that run side by side."""
    jobs = [start(tmp_path / "log", "time.sleep(0.5)") for _ in range(2)]
    assert [job.wait(60) for job in jobs] == [0, 0]
    assert (tmp_path / "log").read_text().split() == [str(i) for i in range(6)]


@ON_POSIX
def test_killed_process_loses_one_batch_and_blocks_nobody(tmp_path):
    """Protects hours of encoding: after kill -9 the next run goes on where the last stopped."""
    kill = "texts[0] == '4' and os.kill(os.getpid(), signal.SIGKILL)"
    assert start(tmp_path / "log", kill).wait(60) == -signal.SIGKILL
    assert (tmp_path / "log").read_text().split() == ["0", "1", "2", "3", "4", "5"]
    assert start(tmp_path / "log2", "pass").wait(60) == 0
    assert (tmp_path / "log2").read_text().split() == ["4", "5"]


@ON_POSIX
def test_process_killed_while_it_writes(tmp_path, cache):
    """Protects the file itself: SQLite's journal of a killed write is rolled back, and all rows are right."""
    kill = (
        "real = store._record\n"
        "        def record(key, row): row[0] != 3 or os.kill(os.getpid(), signal.SIGKILL); return real(key, row)\n"
        "        store._record = record"
    )
    assert start(tmp_path / "log", kill).wait(60) == -signal.SIGKILL
    assert start(tmp_path / "log2", "pass").wait(60) == 0
    assert (tmp_path / "log2").read_text().split() == ["2", "3", "4", "5"]


def test_failure_of_the_encoder_keeps_the_batches_before(monkeypatch):
    """Protects a long run from its last item."""
    monkeypatch.setattr(store, "BATCH", 2)

    class Failing(Encoder):
        def encode(self, items):
            if "bad" in items:
                raise OSError("no picture")
            return super().encode(items)

    with pytest.raises(OSError, match="no picture"):
        store.features(Failing(), ["a", "b", "c", "bad"])
    encoder = Encoder()
    store.features(encoder, ["a", "b", "c"])
    assert encoder.asked == ["c"]


def test_threads_compute_once():
    """Protects a server with threads."""
    encoder = Encoder()
    threads = [threading.Thread(target=store.features, args=(encoder, ["a"])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert encoder.asked == ["a"]


def test_encoder_may_use_the_store_itself():
    """Protects `probabilities`, which follow from stored features: no wait for oneself."""

    class Nested(Encoder):
        def halves(self, items):
            return store.features(self, items) / 2

    encoder = Nested()
    np.testing.assert_array_equal(store.features(encoder, ["ab"], "halves"), Encoder().encode(["ab"]) / 2)


# ---- features: damage ----

TEXTS = [f"text {i}" for i in range(40)]


class Wide(Encoder):
    """Rows that are large enough for a file of many pages."""

    def encode(self, items):
        return np.repeat(super().encode(items), 300, axis=1)


def check_right_and_whole_again(path):
    """The right rows come out of a damaged file, and then the file is whole again."""
    np.testing.assert_array_equal(store.features(Wide(), TEXTS), Wide().encode(TEXTS))
    encoder = Wide()
    store.features(encoder, TEXTS)
    assert encoder.asked == [] and path.is_file()


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw[:10],
        lambda raw: raw[:-1],
        lambda raw: b"",
        lambda raw: raw + b"\0",
        lambda raw: b"x" * len(raw),
        lambda raw: raw[:100] + b"\xff" * 16384 + raw[16484:],
        lambda raw: raw[:40000] + b"\0" * 20000 + raw[60000:],
        lambda raw: b"\x80\x04cposix\nsystem\n" * 20,
    ],
    ids=["half", "head", "last byte", "empty", "longer", "other", "first page", "zeros", "pickle"],
)
def test_damaged_file_is_computed_again(cache, damage):
    """Protects results from a disk that fails."""
    store.features(Wide(), TEXTS)
    [path] = files(cache)
    path.write_bytes(damage(path.read_bytes()))
    check_right_and_whole_again(path)


def test_any_flipped_bit_is_noticed(cache):
    """Protects results from single errors, wherever they are: 150 places across the whole file."""
    store.features(Wide(), TEXTS)
    [path] = files(cache)
    raw = path.read_bytes()
    for place in np.linspace(0, len(raw) - 1, 150).astype(int):
        path.write_bytes(raw[:place] + bytes([raw[place] ^ 4]) + raw[place + 1 :])
        check_right_and_whole_again(path)


def test_rows_that_changed_places_are_noticed(cache):
    """Protects against the right vector of another item, in a file that is otherwise sound."""
    store.features(Wide(), TEXTS)
    [path] = files(cache)
    with contextlib.closing(sqlite3.connect(path)) as file, file:
        (one, a), (two, b) = file.execute("SELECT key, content FROM rows LIMIT 2").fetchall()
        assert a != b
        file.execute("UPDATE rows SET content = ?, checksum = (SELECT checksum FROM rows WHERE key = ?) WHERE key = ?",
                     (b, two, one))  # fmt: skip
    check_right_and_whole_again(path)


def test_what_is_no_store_is_put_aside(cache):
    """Protects the reader's file: it is moved, not deleted, and the store works."""
    store.features(Wide(), TEXTS)
    [path] = files(cache)
    path.write_bytes(b"something else" * 1000)
    check_right_and_whole_again(path)
    assert path.with_name(f"{path.name}.damaged").read_bytes() == b"something else" * 1000


@ON_POSIX
@pytest.mark.parametrize("make", [os.mkfifo if os.name != "nt" else None, os.mkdir], ids=["fifo", "folder"])
def test_pipe_or_folder_in_place_of_a_file_does_not_hang(cache, make):
    """Protects against a wait without end."""
    store.features(Wide(), TEXTS)
    store.cached_array("k", lambda: np.ones(1))
    for path in [*files(cache), *files(cache, ".npy")]:
        path.unlink()
        make(path)
    check_right_and_whole_again(files(cache)[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a folder cannot be replaced by a file: not kept
        assert store.cached_array("k", lambda: np.ones(1)) == 1


# ---- where nothing can be written ----


def check_computed_with_one_warning(reason, compute=None):
    encoder = Encoder()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            if compute:
                np.testing.assert_array_equal(compute(), [1])
            else:
                np.testing.assert_array_equal(store.features(encoder, ["a cat", "a"])[:, 0], [5, 1])
    assert compute or len(encoder.asked) == 6
    assert [w.category for w in caught] == [RuntimeWarning]
    message = str(caught[0].message)
    assert "not kept" in message and "XMRLIB_CACHE" in message and reason in message


def test_cache_below_a_file_computes_and_warns_once(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path / "file"))
    check_computed_with_one_warning("Error")


@pytest.mark.skipif(
    os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all"
)
def test_read_only_cache_computes_and_warns_once(cache):
    (cache / "features").mkdir(parents=True)
    (cache / "features").chmod(stat.S_IRUSR | stat.S_IXUSR)
    check_computed_with_one_warning("PermissionError")


def test_what_is_there_is_read_without_writing(monkeypatch):
    """Protects a cache that is shared read-only: rows that are there need no lock and no writing."""
    encoder = Encoder()
    store.features(encoder, ["a cat"])
    monkeypatch.setattr(store, "_lock", lambda *_: pytest.fail("locked"))
    monkeypatch.setattr(store, "_insert", lambda *_: pytest.fail("wrote"))
    store.features(encoder, ["a cat"])
    assert encoder.asked == ["a cat"]


@pytest.mark.parametrize(
    "error", [PermissionError(errno.EACCES, "Permission denied"), NotImplementedError("locks")]
)
def test_no_lock_computes_and_warns_once(monkeypatch, error):
    def refuse(self):
        raise error

    monkeypatch.setattr(store.filelock.FileLock, "acquire", refuse)
    check_computed_with_one_warning(type(error).__name__)


@ON_POSIX
def test_disk_that_fills_up_while_rows_are_written(tmp_path):
    """Protects a run on a full disk: a real limit of the operating system, one warning, right rows."""
    program = """
import resource, signal, warnings
import numpy as np
from xmrlib import store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
store.BATCH = 4
class Encoder:
    fingerprint = "e"
    asked = 0
    def encode(self, texts):
        self.asked += len(texts)
        return np.array([[float(text)] * 1000 for text in texts])
encoder, texts = Encoder(), [str(i) for i in range(40)]
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for _ in range(2):
        assert (store.features(encoder, texts)[:, 0] == np.arange(40)).all()
assert 40 < encoder.asked < 80, "some rows were kept"
assert len(caught) == 1 and "not kept" in str(caught[0].message), [str(w.message) for w in caught]
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_full_disk_computes_warns_once_and_leaves_no_trace(cache, monkeypatch):
    def full(file, array, **_):
        file.write(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store.np, "save", full)
    check_computed_with_one_warning(
        "No space left on device", lambda: store.cached_array("k", lambda: np.ones(1))
    )
    assert [p for p in cache.rglob("*") if p.is_file() and p.suffix != ".lock"] == []


@ON_POSIX
def test_the_bar_is_for_terminals_only(tmp_path):
    """Protects pages and logs from stderr, and readers at a terminal from a silent wait."""
    import pty
    import termios

    for name in ("pipe", "terminal"):
        program = PROGRAM.replace("ACTION", "time.sleep(1.2)").replace('"slow"', f'"{name}"')
        ours, theirs = pty.openpty() if name == "terminal" else os.pipe()
        with open(ours, "rb", buffering=0) as output:
            if name == "terminal":
                termios.tcsetwinsize(theirs, (24, 80))
            subprocess.run([sys.executable, "-c", program, tmp_path / "log"], stderr=theirs, check=True)
            os.write(theirs, b"end")
            text = output.read(100_000)
            os.close(theirs)
        assert (text == b"end") if name == "pipe" else (b"4/6" in text)


def test_many_rows_are_read_in_well_under_a_second():
    """Protects the start of a notebook: 8,000 rows of 1,280 numbers take about 0.2 s of one processor."""

    class Random:
        fingerprint = "random"

        def encode(self, items):
            return np.random.default_rng(0).random((len(items), 1280), dtype=np.float32)

    texts = [f"caption {i}" for i in range(8000)]
    store.features(Random(), texts)
    times = []
    for _ in range(3):
        before = time.process_time()
        store.features(Random(), texts)
        times.append(time.process_time() - before)
    assert min(times) < 0.8  # four times the usual, for slow machines


# ---- arrays under a key ----


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


def sealed(content):
    """Bytes as a file of the store: with their sha256 behind them."""
    return content + store.hashlib.sha256(content).digest()


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
        lambda raw: raw[:-32],
        lambda raw: b"\x80\x04cposix\nsystem\n" * 20,
        lambda raw: sealed(b"no array"),
        lambda raw: sealed(b""),
        lambda raw: sealed(b"PK\x03\x04"),
        lambda raw: sealed(raw[:60]),
        lambda raw: sealed(b"\x80\x04cposix\nsystem\n" * 20),
    ],
    ids=["half", "head", "last byte", "empty", "longer", "bit flip", "header", "no seal", "pickle", "sealed text",
         "sealed nothing", "sealed zip", "sealed half", "sealed pickle"],
)  # fmt: skip
def test_damaged_array_is_computed_again(cache, damage):
    """Protects results from damage, and readers from numpy's advice to allow pickle."""
    store.cached_array("k", lambda: np.arange(9))
    [path] = files(cache, ".npy")
    np.testing.assert_array_equal(np.load(path), np.arange(9))  # an ordinary .npy for other programs
    path.write_bytes(damage(path.read_bytes()))
    for compute in (lambda: np.arange(9), lambda: pytest.fail("computed twice")):
        np.testing.assert_array_equal(store.cached_array("k", compute), np.arange(9))


def test_failed_computation_stores_nothing_and_frees_the_lock(cache):
    with pytest.raises(OSError, match="no picture"):
        store.cached_array("k", lambda: (_ for _ in ()).throw(OSError("no picture")))
    assert files(cache, ".npy") == []
    assert store.cached_array("k", lambda: np.ones(1)) == 1


def test_interrupted_write_leaves_no_trace(cache, monkeypatch):
    monkeypatch.setattr(os, "replace", lambda a, b: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        store.cached_array("k", lambda: np.ones(3))
    assert [p for p in cache.rglob("*") if p.is_file() and p.suffix != ".lock"] == []


def test_nested_arrays_do_not_wait_for_each_other():
    inner = lambda: store.cached_array("inner", lambda: np.ones(2))  # noqa: E731
    assert store.cached_array("outer", lambda: inner() * 2).tolist() == [2, 2]


def test_old_temporary_files_are_cleaned_up(cache):
    """Protects the disk from what killed processes leave behind, and running ones from the cleaning."""
    store.cached_array("a", lambda: np.ones(1))
    old, new = cache / "features" / "old.tmp", cache / "features" / "new.tmp"
    old.touch()
    new.touch()
    os.utime(old, (time.time() - 100_000,) * 2)
    store.cached_array("b", lambda: np.ones(1))
    assert new.exists() and not old.exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_device_that_is_really_full(monkeypatch, cache):
    real = store.tempfile.NamedTemporaryFile

    def to_full(**options):
        file = real(**options)
        file.file = open("/dev/full", "r+b", buffering=0)  # noqa: SIM115
        return file

    monkeypatch.setattr(store.tempfile, "NamedTemporaryFile", to_full)
    check_computed_with_one_warning(
        "No space left on device", lambda: store.cached_array("k", lambda: np.ones(1))
    )


def test_cache_dir_honours_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path / "ä b"))
    assert store.cache_dir() == tmp_path / "ä b"
    monkeypatch.setenv("XMRLIB_CACHE", "~/here")
    assert store.cache_dir() == (store.Path.home() / "here").absolute()
    monkeypatch.setenv("XMRLIB_CACHE", "")
    default = store.cache_dir()
    monkeypatch.delenv("XMRLIB_CACHE")
    assert store.cache_dir() == default and default.is_absolute() and "xmrlib" in default.parts


def test_cache_of_an_unknown_user_is_a_clear_error(monkeypatch):
    monkeypatch.setenv("XMRLIB_CACHE", "~no-such-user/x")
    with pytest.raises(ValueError, match="XMRLIB_CACHE is '~no-such-user/x'; expected a folder"):
        store.cache_dir()


MASKED = np.ma.masked_array(np.zeros((2, 3)), [[True, False, False]] * 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: store.features(object(), ["a"]), "encoder.fingerprint is None"),
        (lambda: store.features(Encoder(""), ["a"]), "encoder.fingerprint is ''"),
        (lambda: store.features(Encoder(), ["a"], method="decode"), "method is 'decode'"),
        (lambda: store.features(Encoder(), ["a"], method="batches"), "method is 'batches'"),
        (lambda: store.features(Encoder(), None), "items is NoneType"),
        (lambda: store.features(Encoder(), 3), "items is int 3"),
        (lambda: store.features(Encoder(), "a cat"), "items is str 'a cat'"),
        (lambda: store.features(Encoder(), []), r"items is list \[\]"),
        (lambda: store.features(Encoder(), np.zeros((0, 3))), "items is ndarray"),
        (lambda: store.features(Encoder(), np.zeros(3)), "items is ndarray"),
        (lambda: store.features(Encoder(), (c for c in "ab")), "items is generator"),
        (lambda: store.features(Encoder(), ["a", 3]), r"items is list \['a', 3\]"),
        (lambda: store.features(Encoder(), [np.zeros((2, 2))]), "items is list"),
        (lambda: store.features(Encoder(), [np.zeros(2, int)]), "items is list"),
        (lambda: store.features(Encoder(), MASKED), "items is MaskedArray"),
        (lambda: store.features(Encoder(), [MASKED[0]]), r"items is list \[masked_array"),
        (lambda: store.content_key(MASKED), "part of a key is MaskedArray"),
        (lambda: store.content_key(np.ma.masked), "part of a key is MaskedConstant"),
        (lambda: store.cached_array("k", lambda: MASKED), "the computed value is MaskedArray"),
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


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros((3, 2)), "the items and the rows computed differ in length: 2 and 3"),
        (np.zeros(()), "the items and the rows computed differ in length: 2 and 0"),
        ([[1], [2]], "the computed value is list"),
        (np.array([[None], [None]]), "the computed value is ndarray"),
    ],
)
def test_encoder_that_does_not_give_a_row_per_item_is_refused(rows, message):
    """Protects rows from being given to the wrong items."""
    encoder = Encoder()
    encoder.encode = lambda items: rows
    with pytest.raises(ValueError, match=message):
        store.features(encoder, ["a", "b"])


def test_rows_of_two_shapes_under_one_fingerprint_are_refused():
    """Protects the reader who changed an encoder and not its fingerprint."""
    encoder = Encoder()
    store.features(encoder, ["a"])
    encoder.encode = lambda items: np.zeros((len(items), 5))
    with pytest.raises(
        ValueError, match=r"a row is float64 of shape \(5,\); expected float32 of shape \(2,\)"
    ):
        store.features(encoder, ["a", "b"])


def test_items_and_digests_of_two_lengths_are_refused():
    items = Files(["a", "b"])
    items.__class__ = type("Wrong", (Files,), {"__len__": lambda self: 3})
    with pytest.raises(ValueError, match="items and items.digests differ in length: 3 and 2"):
        store.features(Encoder(), items)


# ---- keys ----


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((["a"], "b"), (["a", "b"],)),
        (([], "a"), (["a"],)),
        (([[]], []), ([[], []],)),
        (("ab", "c"), ("a", "bc")),
        ((1,), ("1",)),
        ((1,), (True,)),
        (("a",), (b"a",)),
        ((np.zeros(2),), (np.zeros((2, 1)),)),
        ((np.zeros(2),), (np.zeros(2, np.int64),)),
    ],
)
def test_lengths_types_and_shapes_are_in_the_key(a, b):
    """Protects two contents that have the same bytes in the same order."""
    assert store.content_key(*a) != store.content_key(*b)


def test_half_a_surrogate_pair_has_a_key():
    """Protects lists of odd texts: each has a key of its own."""
    assert len({store.content_key(text) for text in ("\ud800", "\udc00", "?", "\ufffd")}) == 4


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
