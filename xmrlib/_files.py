"""Files are looked at once: what was found is remembered until a file changes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tqdm import tqdm

from . import store

__all__ = ["DELAY", "THREADS", "examine", "sha256"]

DELAY = 2  # seconds before a progress bar appears
THREADS = min(4, os.cpu_count() or 1)  # more would hold more large pictures in memory at once
_CHUNK = 500  # files after which the results are saved, so that an interrupted run continues there


def sha256(path: Path) -> str:
    """The SHA-256 of a file, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def examine(version: str, paths: Sequence[Path], look: Callable[[Path], object]) -> list[str | Exception]:
    """The SHA-256 of each file, or the OSError or ValueError that ``look(path)`` raises.

    A file that passed is not opened again until its path, size or times change; `version` names what `look` does.
    The memory is a database in the user's cache; without one every file is looked at each time.
    """
    known: dict[Path, str | Exception] = {}
    try_one = partial(_try, look)
    with (
        _Memory(version) as memory,
        ThreadPoolExecutor(THREADS) as pool,
        tqdm(
            total=len(paths), desc="checking files", delay=DELAY, mininterval=0.5, leave=False, ncols=79
        ) as bar,
    ):
        for start in range(0, len(paths), _CHUNK):
            chunk = paths[start : start + _CHUNK]
            states = {path: _state(path) for path in chunk}
            known.update(memory.recall(states))
            new = [path for path in states if path not in known]
            bar.update(len(chunk) - len(new))
            for path, found in zip(new, pool.map(try_one, new), strict=True):
                known[path] = found
                bar.update()
            memory.keep({path: states[path] for path in new if isinstance(known[path], str)}, known)
    return [known[path] for path in paths]


def _try(look: Callable[[Path], object], path: Path) -> str | Exception:
    try:
        look(path)
        return sha256(path)
    except (OSError, ValueError) as error:
        error.__cause__ = error.__context__ = None  # their frames would keep whole pictures in memory
        return error.with_traceback(None)


def _state(path: Path) -> str:
    try:
        stat = path.stat()
    except (OSError, ValueError):
        return ""
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"


class _Memory:
    """Version, path and state of files → SHA-256. Any trouble with the database means that nothing is remembered."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._file = store.cache_dir() / "examined.sqlite"
        self._db: sqlite3.Connection | None = None

    def __enter__(self) -> _Memory:
        with self._harmless():
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self._file, timeout=30)
            self._run("CREATE TABLE IF NOT EXISTS seen (key TEXT PRIMARY KEY, state TEXT, sha256 TEXT)")
        return self

    def __exit__(self, *_: object) -> None:
        if self._db is not None:
            self._db.close()

    @contextlib.contextmanager
    def _harmless(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            self.__exit__()
            self._db = None
            if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
                with contextlib.suppress(OSError):
                    self._file.unlink()  # damaged: the next call begins a new one

    def _run(self, query: str, *values: str) -> tuple[str, ...] | None:
        return None if self._db is None else self._db.execute(query, values).fetchone()

    def recall(self, states: dict[Path, str]) -> dict[Path, str]:
        """Of these files those that are as they were."""
        found: dict[Path, str] = {}
        with self._harmless():
            for path, state in states.items():
                row = self._run("SELECT sha256 FROM seen WHERE key = ? AND state = ?", self._key(path), state)
                found |= {path: row[0]} if row else {}
        return found

    def keep(self, states: dict[Path, str], digests: dict[Path, str | Exception]) -> None:
        """Remember these files."""
        with self._harmless():
            for path, state in states.items():
                self._run(
                    "INSERT OR REPLACE INTO seen VALUES (?, ?, ?)", self._key(path), state, str(digests[path])
                )
            if self._db is not None:
                self._db.commit()

    def _key(self, path: Path) -> str:
        return f"{self._version}: {os.path.abspath(path)!a}"  # !a: a name need not be UTF-8
