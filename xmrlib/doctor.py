"""What works on this computer and what does not: ``python -m xmrlib.doctor`` prints a table to paste into a question.

The home folder is written as ``~``. Each check imports what it needs, so that a broken package is a line of the
table and not its end. Introduced in chapter 1.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["Row", "main", "rows"]

GIB = 1024**3
_KEY_PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "librosa", "gensim", "matplotlib", "jupyter-book")
_REPORT = "please report it with this table, in an issue of the book's repository"


class Row(NamedTuple):
    """One finding: is it as the book needs it, what was looked at, what was found, what to do (chapter 1)."""

    ok: bool
    name: str
    found: str
    todo: str = ""

    def __str__(self) -> str:
        line = f"[{'OK' if self.ok else 'FAIL'}]".ljust(7) + f"{self.name}: {self.found}"
        return _without_home(f"{line}; {self.todo}" if self.todo else line)


def rows() -> list[Row]:
    """All findings, in the order of the table; a check that breaks is a failure of its own (chapter 1).

    >>> [row.name for row in rows()][:3]
    ['system', 'Python', 'packages']
    """
    return [_tried(check) for check in _CHECKS]


def main() -> int:
    """Print the table; 0 when everything is there, else 1 (chapter 1).

    >>> main() in (0, 1)  # doctest: +ELLIPSIS
    [OK]   system: ...
    True
    """
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a console may lack the letters of a path
    failures = 0
    for row in map(_tried, _CHECKS):
        failures += not row.ok
        print(row, flush=True)
    print(f"{failures} of these must be fixed." if failures else "Everything that the book needs is here.")
    return int(failures > 0)


def _tried(check: Callable[[], Row]) -> Row:
    try:
        with warnings.catch_warnings(action="ignore"):  # of a cache that cannot be written: it has a line
            row = check()
    except Exception as error:  # the doctor must not die of what it looks for
        todo = "install the book's environment again: python run.py clean --all, then python run.py book"
        row = Row(False, check.__name__.strip("_"), f"{type(error).__name__}: {error}", todo)
    return row._replace(found=_without_home(row.found), todo=_without_home(row.todo))


def _without_home(text: str) -> str:
    home = Path.home()
    if len(home.parts) < 2:  # the root of the disk gives nobody away
        return text
    return re.sub(re.escape(str(home)) + r"(?![\w.-])", "~", text)


def _system() -> Row:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    machine = f"{platform.system()} {platform.release()}, {platform.machine()}"
    return Row(True, "system", f"{machine}, {cores} cores")


def _python() -> Row:
    right = (3, 11) <= sys.version_info[:2] <= (3, 13)
    todo = "" if right else "install Python 3.11, 3.12 or 3.13 and run run.py with it"
    return Row(right, "Python", f"{platform.python_version()} ({platform.python_implementation()})", todo)


def _packages() -> Row:
    from packaging.requirements import Requirement

    lock = Path(__file__).parents[1] / "requirements.txt"
    if lock.is_file():
        source, lines = "requirements.txt", lock.read_text(encoding="utf-8").splitlines()
    else:
        source, lines = "the ranges of xmrlib", metadata.requires("xmrlib") or []
    wanted = [Requirement(line.partition(" #")[0]) for line in lines if line[:1].isalnum()]
    wanted = [need for need in wanted if need.marker is None or need.marker.evaluate({"extra": ""})]
    differing = [text for text in map(_differs, wanted) if text]
    if not differing:
        return Row(True, "packages", f"{len(wanted)} as in {source}")
    more = f" and {len(differing) - 5} more" if len(differing) > 5 else ""
    found = f"{len(differing)} not as in {source}: {', '.join(differing[:5])}{more}"
    return Row(False, "packages", found, "install them with: python run.py book")


def _differs(need: Requirement) -> str:
    try:
        version = metadata.version(need.name)
    except metadata.PackageNotFoundError:
        return f"{need.name} is missing"
    right = need.specifier.contains(version, prereleases=True)
    return "" if right else f"{need.name} {version} ({need.specifier})"


def _versions() -> Row:
    return Row(True, "versions", ", ".join(f"{name} {metadata.version(name)}" for name in _KEY_PACKAGES))


def _torch() -> Row:
    import torch

    cuda = torch.version.cuda
    build = "CPU build" if cuda is None else f"CUDA {cuda} build; the book uses the CPU"
    return Row(True, "torch", f"{torch.__version__}, {build}, {torch.get_num_threads()} threads")


def _data() -> Row:
    from xmrlib.datasets import MissingDataError, find_stamps

    try:
        return Row(True, "stamps", f"{find_stamps()}, as in the manifest")
    except MissingDataError as error:
        return Row(False, "stamps", str(error), "get them with: python run.py data")


def _weights() -> Row:
    from xmrlib import encoders

    files, faults = [], []
    for package in encoders.WEIGHTS:
        try:
            files += encoders.weight_files(package)
        except ValueError as error:
            faults.append(str(error))
    if faults:
        return Row(False, "weights", ". ".join(faults))
    return Row(True, "weights", f"{len(files)} files of {len(encoders.WEIGHTS)} packages, sha256 as pinned")


def _memory() -> Row:
    import psutil

    memory = psutil.virtual_memory()
    right = memory.total >= 3.5 * GIB
    found = f"{memory.total / GIB:.1f} GiB, {memory.available / GIB:.1f} GiB free"
    return Row(right, "memory", found, "" if right else "a notebook takes up to 2 GiB: use a larger computer")


def _fonts() -> Row:
    import matplotlib as mpl
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from xmrlib import plot

    with mpl.rc_context(), warnings.catch_warnings(action="error"):  # matplotlib warns of a missing glyph
        plot.use_style()
        canvas = FigureCanvasAgg(Figure())
        canvas.figure.text(0.5, 0.5, "跨模态检索")
        canvas.draw()
    if np.asarray(canvas.buffer_rgba())[..., 0].min() > 100:
        return Row(False, "fonts", "a figure with Chinese text stayed white", _REPORT)
    return Row(True, "fonts", f"a figure with Chinese text was drawn in {plot.FONT}")


def _ties() -> Row:
    """A picture that is twice in the gallery must have one rank, whatever the processor makes of its two scores."""
    import numpy as np

    from xmrlib import metrics, similarity

    random = np.random.default_rng(0)
    X = np.tile(random.standard_normal((151, 500), dtype=np.float32), (2, 1))
    scores = similarity.cosine(random.standard_normal((11, 500), dtype=np.float32), X)
    first, second = np.split(scores, 2, axis=1)
    gap = (np.abs(first - second) / np.abs(scores).max(axis=1, keepdims=True)).max()
    relevant = np.eye(11, 302, dtype=bool)
    ranks = [metrics.rank(s, relevant, tolerance=1e-6).ranks for s in (scores, np.hstack([first, first]))]
    right = bool((ranks[0] == ranks[1]).all())
    found = (
        f"scores of equal items differ by {gap:.0e} of the largest and are {'' if right else 'not all '}tied"
    )
    return Row(right, "ties", found, "" if right else _REPORT)


def _cache() -> Row:
    from xmrlib import store

    folder = store.cache_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        found = f"{folder} cannot be written ({error.strerror})"
        return Row(False, "cache", found, "set XMRLIB_CACHE to a folder of yours")
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return Row(True, "cache", f"{folder}, {size / GIB:.1f} GiB, can be written")


def _disk() -> Row:
    from xmrlib import store

    folder = store.cache_dir()
    place = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
    free = shutil.disk_usage(place).free / GIB
    todo = "" if free >= 1 else "1 GiB is needed: free some space"
    return Row(free >= 1, "free disk", f"{free:.1f} GiB for the cache", todo)


_CHECKS = (
    _system,
    _python,
    _packages,
    _versions,
    _torch,
    _data,
    _weights,
    _memory,
    _fonts,
    _ties,
    _cache,
    _disk,
)

if __name__ == "__main__":
    sys.exit(main())
