"""A feature store: what a frozen encoder makes of the same inputs is computed once and kept on disk.

Retrieval systems work this way too: the gallery is encoded when it is built, not when somebody searches.
The key of an array is a hash of everything it depends on, so nothing in the store can become out of date.
Changed inputs, other weights or another method simply have another key. Introduced in chapter 1.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import os
import struct
import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import platformdirs

from xmrlib import _expect

__all__ = ["cache_dir", "cached_array", "content_key", "features"]

_SEAL = hashlib.sha256().digest_size  # bytes after the array: the sha256 of everything before them


def cache_dir() -> Path:
    """The folder where the book keeps what it downloads and computes (chapter 1).

    It is the environment variable ``XMRLIB_CACHE`` if that is set, else the cache folder of the user.
    The folder need not exist yet.

    >>> cache_dir().is_absolute()
    True
    """
    root = os.environ.get("XMRLIB_CACHE") or platformdirs.user_cache_dir("xmrlib")
    return Path(root).expanduser().absolute()


def content_key(*parts: Any) -> str:
    """The sha256 (64 hex digits) of the content of ``parts``, which tells their types and shapes apart (chapter 1).

    A part is a numpy array, str, bytes, int, float, bool, None, or a list or tuple of these. The same content
    gives the same key in every process and on every machine. Any other type raises ``ValueError``.

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
    if isinstance(part, np.ndarray | np.generic) and not part.dtype.hasobject:
        head, content = f"array {part.dtype.descr} {part.shape}", np.ascontiguousarray(part).tobytes()
    elif isinstance(part, str):
        head, content = "str", part.encode("utf-8", "surrogatepass")
    elif isinstance(part, bytes):
        head, content = "bytes", part
    elif part is None or isinstance(part, bool | int | float):
        head, content = type(part).__name__, repr(part).encode()
    else:
        kinds = "an array of plain values, str, bytes, int, float, bool, None, or a list of these"
        raise _expect.fail("part of a key", f"{type(part).__name__} {part!r:.80}", kinds)
    update(struct.pack("<qq", len(head), len(content)) + head.encode())
    update(content)


def features(encoder: Any, inputs: np.ndarray | Sequence[str], method: str = "encode") -> np.ndarray:
    """``encoder.method(inputs)``, computed once and from then on read from the store (chapter 1).

    ``encoder`` has a ``fingerprint`` (str) that changes whenever its results would change, as every encoder of
    `xmrlib.encoders` has. The key is made of that fingerprint, the content of ``inputs`` and ``method``.
    Raises ``ValueError`` for an encoder without a fingerprint or without that method.

    >>> class Length:
    ...     fingerprint = "length of a text, version 1"
    ...     def encode(self, texts):
    ...         return np.array([[len(text)] for text in texts], dtype=np.float32)
    >>> features(Length(), ["cat", "mouse"])
    array([[3.],
           [5.]], dtype=float32)
    """
    fingerprint = getattr(encoder, "fingerprint", None)
    if not isinstance(fingerprint, str) or not fingerprint:
        raise _expect.fail(
            "encoder.fingerprint", repr(fingerprint), "a str that names weights and preprocessing"
        )
    encode = getattr(encoder, method, None)
    if not callable(encode):
        raise _expect.fail("method", repr(method), f"a method of {type(encoder).__name__}")
    if isinstance(inputs, Iterable) and not isinstance(inputs, np.ndarray | str):
        inputs = list(inputs)
    return cached_array((fingerprint, method, inputs), lambda: encode(inputs))


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


def _checked(array: np.ndarray) -> np.ndarray:
    if not isinstance(array, np.ndarray) or array.dtype.hasobject:
        raise _expect.fail(
            "the computed value", f"{type(array).__name__} {array!r:.80}", "a numpy array of plain values"
        )
    return array


def _read(path: Path) -> np.ndarray | None:
    """The stored array, or None if there is none that is whole."""
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    if hashlib.sha256(memoryview(raw)[:-_SEAL]).digest() != raw[-_SEAL:]:
        return None
    return np.load(io.BytesIO(raw), allow_pickle=False)


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
    """Wait for the lock of one stored array and take it; None where the folder cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(
            dir=path.parent
        ).close()  # on Windows a lock waits for ever in a read-only folder
        return filelock.FileLock(f"{path}.lock").acquire()
    except (OSError, NotImplementedError) as error:  # NotImplementedError: a file system without locks
        _warn_not_kept(path.parent, error)
        return None


def _warn_not_kept(folder: Path, error: Exception) -> None:
    reason = f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}"
    _warn_once(
        f"arrays are computed but not kept, because {folder} cannot be written ({reason}); "
        "free some space or set XMRLIB_CACHE to another folder"
    )


@functools.cache
def _warn_once(message: str) -> None:
    warnings.warn(message, RuntimeWarning, stacklevel=2)
