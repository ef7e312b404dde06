"""The feature store: what a frozen encoder makes of an item is computed once and kept on disk.

Retrieval systems work this way too: the gallery is encoded when it is built, not when somebody searches.
The key of a vector is a hash of all it depends on: the encoder's fingerprint, the method, and the content of the item.
So nothing in the store can become out of date: another text, or other weights, has another key. Introduced in chapter 1.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import os
import sqlite3
import struct
import tempfile
import time
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import platformdirs
from tqdm import tqdm

from xmrlib import _expect

__all__ = ["cache_dir", "cached_array", "content_key", "features"]

BATCH = 128
"""Items that are encoded and written at once: all that an interruption loses, and all that is held in memory."""

_SEAL = hashlib.sha256().digest_size  # bytes after the array: the sha256 of everything before them
_DAY = 86_400  # seconds


def cache_dir() -> Path:
    """The folder where the book keeps what it downloads and computes (chapter 1).

    It is the environment variable ``XMRLIB_CACHE`` if that is set, else the cache folder of the user. The folder
    need not exist yet. Raises ``ValueError`` for ``~somebody`` without a home folder.

    >>> cache_dir().is_absolute()
    True
    """
    root = os.environ.get("XMRLIB_CACHE") or platformdirs.user_cache_dir("xmrlib")
    try:
        return Path(root).expanduser().absolute()
    except RuntimeError:
        raise _expect.fail("XMRLIB_CACHE", repr(root), "a folder; ~ needs a user with a home") from None


def content_key(*parts: Any) -> str:
    """The sha256 (64 hex digits) of the content of ``parts``, which tells their types and shapes apart (chapter 1).

    A part is a numpy array, str, bytes, int, float, bool, None, or a list or tuple of these. The same content
    gives the same key in every process and on every machine. Any other type raises ``ValueError``, and so does a
    masked array, whose mask would be lost.

    >>> content_key(["a cat"]) == content_key(["a cat"])
    True
    >>> content_key(["ab", "c"]) == content_key(["a", "bc"])
    False
    """
    digest = hashlib.sha256()
    _feed(digest.update, parts)
    return digest.hexdigest()


def _feed(update: Callable[[Any], None], part: Any) -> None:
    """Feed one part as its type, its length and its content: no two different parts give the same bytes."""
    if isinstance(part, list | tuple):
        update(b"list" + struct.pack("<q", len(part)))
        for item in part:
            _feed(update, item)
        return
    if _is_plain(part):
        head, content = f"array {part.dtype.descr} {part.shape}", np.ascontiguousarray(part).tobytes()
    elif isinstance(part, str):
        head, content = "str", part.encode("utf-8", "surrogatepass")
    elif isinstance(part, bytes):
        head, content = "bytes", part
    elif part is None or isinstance(part, bool | int | float):
        head, content = type(part).__name__, repr(part).encode()
    else:
        kinds = "an array of plain values, str, bytes, int, float, bool, None, or a list of these"
        raise _expect.fail("part of a key", _describe(part), kinds)
    update(struct.pack("<qq", len(head), len(content)) + head.encode())
    update(content)


def _is_plain(value: Any) -> bool:
    """Whether a value is a numpy array or number whose bytes are all that it is."""
    masked = isinstance(value, np.ma.MaskedArray)
    return isinstance(value, np.ndarray | np.generic) and not masked and not value.dtype.hasobject


def _describe(value: Any) -> str:
    return f"{type(value).__name__} {value!r:.80}"


def features(encoder: Any, items: Any, method: str = "encode") -> np.ndarray:
    """One row per item, ``encoder.method(items)``, each computed once and from then on read: (n, ...) (chapter 1).

    ``items`` is a list of str, a list of sounds (1-D arrays of floats), or an array whose rows are the items, such as
    pictures (n, height, width, 3). It may also be an object with ``len(items)``, with ``digests`` (one str per item that
    stands for all that the item is, decoding included), and with ``items[list of int]``, which gives these items as
    the encoder takes them: then files are opened only for rows that are missing.

    A row is looked up by the content of its item, so the same items in another order, repeated, or some of them cost
    nothing. Missing rows are computed in batches of 128 and written after each: an interrupted run goes on where it
    stopped. Two processes at once compute nothing twice: the second waits for the first. A damaged row or file is noticed and
    computed again; where nothing can be written, one warning says so. ``encoder.fingerprint`` (str) must change
    whenever its results would, as that of every encoder of `xmrlib.encoders` does.

    Raises ``ValueError`` for no items, for items of another kind (masked arrays among them), and for an encoder
    without a fingerprint, without that method, or that does not return one row per item, all of one shape.

    >>> class Length:
    ...     fingerprint = "length of a text, version 1"
    ...     def encode(self, texts):
    ...         return np.array([[len(text)] for text in texts], dtype=np.float32)
    >>> features(Length(), ["mouse", "cat", "mouse"])
    array([[5.],
           [3.],
           [5.]], dtype=float32)
    """
    fingerprint = getattr(encoder, "fingerprint", None)
    if not isinstance(fingerprint, str) or not fingerprint:
        expected = "a str that names weights and preprocessing"
        raise _expect.fail("encoder.fingerprint", repr(fingerprint), expected)
    encode = getattr(encoder, method, None)
    if not callable(encode):
        raise _expect.fail("method", repr(method), f"a method of {type(encoder).__name__}")
    result = _Result(_keys(items))
    path = cache_dir() / "features" / f"{content_key('rows 1', fingerprint, method)}.sqlite"
    result.update(_read_rows(path, result.missing))
    if result.missing:
        lock = _lock(path)
        with lock or contextlib.nullcontext():
            writable = lock is not None and _write_rows(
                path, {}
            )  # a file that was left in disorder is set right
            result.update(
                _read_rows(path, result.missing)
            )  # another process may have written while this one waited
            for rows in _compute(encode, items, result.missing, method):
                result.update(rows.items())
                writable = writable and _write_rows(path, rows)
    return result.array


class _Result:
    """The rows asked for. ``missing`` are the keys of those that are not there yet, with their places."""

    array: np.ndarray

    def __init__(self, keys: list[bytes]) -> None:
        self.length, self.missing = len(keys), dict[bytes, list[int]]()
        for place, key in enumerate(keys):
            self.missing.setdefault(key, []).append(place)

    def update(self, rows: Iterable[tuple[bytes, np.ndarray]]) -> None:
        for key, row in rows:
            if not hasattr(self, "array"):
                self.array = np.empty((self.length, *row.shape), row.dtype)
            if (row.dtype, row.shape) != (self.array.dtype, self.array.shape[1:]):
                found = f"{row.dtype} of shape {row.shape}"
                raise _expect.fail(
                    "a row", found, f"{self.array.dtype} of shape {self.array.shape[1:]} as the others"
                )
            self.array[self.missing.pop(key)] = row


def _keys(items: Any) -> list[bytes]:
    """The key of each item: the sha256 of its content, or of the digest that stands for it."""
    digests, parts = getattr(items, "digests", None), items
    if digests is not None:
        _expect.equal("length", "items", len(items), "items.digests", len(digests))
        right, parts = all(isinstance(digest, str) for digest in digests), [("digest", d) for d in digests]
    elif isinstance(items, np.ndarray):
        right = _is_plain(items) and items.ndim > 1
    else:
        right = isinstance(items, list | tuple) and all(isinstance(i, str) or _is_sound(i) for i in items)
    if not right or len(parts) == 0:
        kinds = (
            "a list of str, a list of sounds (1-D float arrays), a stack of arrays, or an object with digests"
        )
        raise _expect.fail("items", _describe(items), f"at least one item: {kinds}")
    return [bytes.fromhex(content_key(part)) for part in parts]


def _is_sound(item: Any) -> bool:
    return _is_plain(item) and item.ndim == 1 and item.dtype.kind == "f"


def _compute(
    encode: Callable, items: Any, missing: dict[bytes, list[int]], what: str
) -> Iterator[dict[bytes, np.ndarray]]:
    """The missing rows, batch by batch. A bar on stderr, only in a terminal, when it takes more than two seconds."""
    todo = [(key, places[0]) for key, places in missing.items()]
    if isinstance(items, list | tuple):
        todo.sort(key=lambda pair: len(items[pair[1]]))  # texts of one length together are encoded faster
    with tqdm(total=len(todo), desc=what, disable=None, delay=2, leave=False) as bar:
        for start in range(0, len(todo), BATCH):
            keys, places = zip(*todo[start : start + BATCH], strict=True)
            batch = [items[i] for i in places] if isinstance(items, list | tuple) else items[list(places)]
            rows = _checked(encode(batch))
            _expect.equal(
                "length", "the items", len(keys), "the rows computed", len(rows) if rows.ndim else 0
            )
            yield {
                key: rows[i, ...] for i, key in enumerate(keys)
            }  # not rows[i]: a number forgets its byte order
            bar.update(len(keys))


def _read_rows(path: Path, keys: Iterable[bytes]) -> Iterator[tuple[bytes, np.ndarray]]:
    """The stored rows that are whole, of those asked for."""
    keys = list(keys)
    if not path.is_file():  # a pipe would wait for ever
        return
    with contextlib.suppress(sqlite3.Error), contextlib.closing(_connect(path, "ro")) as file:
        for start in range(0, len(keys), 900):  # as many as every SQLite takes
            some = keys[start : start + 900]
            marks = ",".join("?" * len(some))
            for key, kind, content, checksum in file.execute(
                f"SELECT * FROM rows WHERE key IN ({marks})", some
            ):
                if _checksum(key, kind, content) == checksum:
                    dtype, shape = _kind(kind)
                    yield key, np.frombuffer(content, dtype).reshape(shape)


def _write_rows(path: Path, rows: dict[bytes, np.ndarray]) -> bool:
    """Add rows to the file, and say whether they are kept. A file that is no store is put aside and begun again."""
    try:
        try:
            _insert(path, rows)
        except sqlite3.OperationalError:  # full, locked, not to be written
            raise
        except sqlite3.DatabaseError:  # damaged
            _put_aside(path)
            _insert(path, rows)
    except (OSError, sqlite3.Error) as error:
        _warn_not_kept(path.parent, error)
        return False
    return True


def _insert(path: Path, rows: dict[bytes, np.ndarray]) -> None:
    if path.exists() and not path.is_file():
        _put_aside(path)
    with contextlib.closing(_connect(path, "rwc")) as file, file:
        file.execute("PRAGMA page_size = 16384")  # three rows of 1,280 numbers
        file.execute("PRAGMA synchronous = OFF")  # what a power cut can do, the checksums notice
        file.execute(
            "CREATE TABLE IF NOT EXISTS rows (key BLOB PRIMARY KEY, kind TEXT, content BLOB, checksum INTEGER)"
        )
        file.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?)", map(_record, rows, rows.values()))


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, timeout=60)


def _put_aside(path: Path) -> None:
    for name in (f"{path}-journal", str(path)):
        with contextlib.suppress(FileNotFoundError):
            os.replace(name, f"{name}.damaged")


def _record(key: bytes, row: np.ndarray) -> tuple[bytes, str, bytes, int]:
    kind, content = " ".join([row.dtype.str, *map(str, row.shape)]), row.tobytes()
    return key, kind, content, _checksum(key, kind, content)


def _checksum(key: bytes, kind: str, content: bytes) -> int:
    return zlib.crc32(content, zlib.crc32(key + kind.encode()))


@functools.cache
def _kind(kind: str) -> tuple[np.dtype, tuple[int, ...]]:
    dtype, *shape = kind.split(" ")
    return np.dtype(dtype), tuple(map(int, shape))


def cached_array(key: Any, compute: Callable[[], np.ndarray], folder: str = "features") -> np.ndarray:
    """``compute()``, kept as ``<cache_dir()>/<folder>/<content_key(key)>.npy`` (chapter 1).

    ``key`` holds everything that the array depends on (see `content_key`). Two processes at once compute
    once: the second waits for the first. A truncated or damaged file is noticed by its sha256 and computed again.
    Where the cache cannot be written, the array is computed and a warning says, once, that it was not kept.
    Raises ``ValueError`` when ``compute()`` does not return a numpy array of plain numbers or text.

    >>> cached_array("the first squares", lambda: np.arange(4) ** 2, folder="examples")
    array([0, 1, 4, 9])
    """
    path = cache_dir() / folder / f"{content_key(key)}.npy"
    array = _read(path)
    if array is not None:
        return array
    lock = _lock(path)
    with lock or contextlib.nullcontext():
        array = _read(path)  # another process may have written it while this one waited
        if array is None:
            array = _checked(compute())
            if lock is not None:
                _write(path, array)
    return array


def _checked(array: Any) -> np.ndarray:
    if not isinstance(array, np.ndarray) or not _is_plain(array):
        raise _expect.fail("the computed value", _describe(array), "a numpy array of plain values")
    return array


def _read(path: Path) -> np.ndarray | None:
    """The stored array, or None if there is none that is whole."""
    if not path.is_file():  # a pipe would wait for ever
        return None
    with contextlib.suppress(OSError, ValueError):  # not to be read; no array
        raw = path.read_bytes()
        if hashlib.sha256(memoryview(raw)[:-_SEAL]).digest() == raw[-_SEAL:]:
            return np.lib.format.read_array(io.BytesIO(raw), allow_pickle=False)
    return None


def _write(path: Path, array: np.ndarray) -> None:
    """Write beside the target and rename: a reader sees the whole file or none."""
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
            temporary = file.name
            np.save(file, array, allow_pickle=False)
            file.seek(0)
            file.write(hashlib.file_digest(file, "sha256").digest())
        os.replace(temporary, path)
    except OSError as error:
        _warn_not_kept(path.parent, error)
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _lock(path: Path) -> filelock.AcquireReturnProxy | None:
    """Wait for the lock of one file and take it; None where the folder cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(
            dir=path.parent
        ).close()  # on Windows a lock waits for ever in a read-only folder
        _clean(path.parent)
        return filelock.FileLock(f"{path}.lock").acquire()
    except (OSError, NotImplementedError) as error:  # NotImplementedError: a file system without locks
        _warn_not_kept(path.parent, error)
        return None


def _clean(folder: Path) -> None:
    """Delete what killed processes left behind: temporary files that are older than a day."""
    for file in folder.glob("*.tmp"):
        with contextlib.suppress(OSError):
            if file.stat().st_mtime < time.time() - _DAY:
                file.unlink()


def _warn_not_kept(folder: Path, error: Exception) -> None:
    reason = f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}"
    _warn_once(
        f"arrays are computed but not kept, because {folder} cannot be written ({reason}); "
        "free some space or set XMRLIB_CACHE to another folder"
    )


@functools.cache
def _warn_once(message: str) -> None:
    warnings.warn(message, RuntimeWarning, stacklevel=2)
