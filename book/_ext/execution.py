"""Every notebook is run once, by nbmake, and kept with its outputs until something changes that it depends on.

``python book/_ext/execution.py [--all] [--into FOLDER] [NOTEBOOK ...]`` from the root of the book; `run.py` calls it.
A notebook is an .ipynb file, or a page in Markdown with ``file_format: mystnb``. Its copy with outputs lies below
``_build/executed``, under the same path. The copy holds the key of what the notebook was run with: its code, the code
of the modules of `xmrlib` that it imports, the data files of these, the lock, the Python, the place of the data.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import glob
import hashlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import nbformat

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = [
    "RECORD",
    "contents",
    "faults_of",
    "is_notebook",
    "key",
    "machine_paths",
    "main",
    "place_of",
    "read",
]

EXECUTED = Path("_build", "executed")
RECORD = "run"  # where the metadata of a copy say how it was made
CELL_SECONDS = 300  # the first STFT after an installation compiles for up to 40 s
MEMORY_EACH = 2 << 30  # what a notebook may use
RUN_TAGS = {"raises-exception", "skip-execution"}  # tags that change what a run does
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
FILE_NAME = re.compile(r"(?!/)[\w./*-]{0,200}[\w*-]\.\w{1,9}")  # relative to the notebook
PLACE = re.compile(r"^\S+\.py:\d+: ")  # before the text of a warning
COLOUR = re.compile(r"\x1b\[[\d;]*m")


# --- reading -------------------------------------------------------------------------------------


def contents(root: Path) -> list[Path]:
    """The notebooks that ``_toc.yml`` names, in reading order."""
    from sphinx_external_toc.parsing import parse_toc_yaml

    pages = (root / page for page in parse_toc_yaml(root / "_toc.yml"))
    files = (file for page in pages for file in _files(page))
    return [file for file in files if is_notebook(file)]


def _files(page: Path) -> list[Path]:
    return [page] if page.suffix else [page.with_name(page.name + end) for end in (".ipynb", ".md")]


def is_notebook(path: Path) -> bool:
    """Whether a file holds cells that can be run.

    >>> is_notebook(Path("missing.ipynb"))
    False
    """
    if not path.is_file() or path.suffix not in {".ipynb", ".md"}:
        return False
    return path.suffix == ".ipynb" or bool(
        re.match(r"---\n(?:.*\n)*?file_format: mystnb\n", path.read_text(encoding="utf-8"))
    )


def read(path: Path) -> NotebookNode:
    """A notebook, whichever way it is written."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        return nbformat.reads(text, as_version=4)
    from myst_nb.core.read import read_myst_markdown_notebook

    return read_myst_markdown_notebook(text, add_source_map=True, path=path)


def place_of(notebook: Path, root: Path, into: Path = EXECUTED) -> Path:
    """Where the executed copy of a notebook lies.

    >>> place_of(Path("/book/notebooks/one.ipynb"), Path("/book")).as_posix()
    '/book/_build/executed/notebooks/one.ipynb'
    """
    return root / into / notebook.relative_to(root).with_suffix(".ipynb")


def load(copy: Path) -> NotebookNode | None:
    """An executed copy, or None when there is none that is whole."""
    try:
        return nbformat.reads(copy.read_text(encoding="utf-8"), as_version=4)
    except (OSError, ValueError):  # a run was broken off while it wrote
        return None


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


# --- keys ----------------------------------------------------------------------------------------


def key(path: Path, root: Path) -> str:
    """The sha256 of everything that the outputs of a notebook depend on; its text and captions are not of it."""
    from xmrlib._code import fingerprint, modules_of

    notebook = read(path)
    code = code_of(notebook)
    parts = [
        [
            [cell.source, *sorted(RUN_TAGS & set(cell.metadata.get("tags", [])))]
            for cell in code_cells(notebook)
        ],
        [notebook.metadata.get(name) for name in ("kernelspec", "execution")],
        fingerprint(*modules_of(code)),
        [[file.relative_to(root).as_posix(), _sha256(file)] for file in files_named(code, path.parent, root)],
        _sha256(root / "requirements.txt"),
        sys.version,
        os.environ.get("XMRLIB_STAMPS", ""),
        "figures with faces",
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def code_of(notebook: NotebookNode) -> str:
    """The code of all cells, without IPython's own commands."""
    return "\n".join(re.sub(r"^\s*[%!].*$", "pass", cell.source, flags=re.M) for cell in code_cells(notebook))


def files_named(code: str, folder: Path, root: Path) -> list[Path]:
    """The files of the book that code names by a path relative to its folder; "{name}.json" names all of them."""
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except SyntaxError:
        return []
    patterns = {_pattern(node) for node in nodes if isinstance(node, ast.Constant | ast.JoinedStr)}
    names = (
        name
        for pattern in patterns
        if FILE_NAME.fullmatch(pattern)
        for name in glob.glob(str(folder / pattern))
    )
    found = {path for name in names if (path := Path(name).resolve()).is_file() and path.is_relative_to(root)}
    return sorted(found)


def _pattern(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(_pattern(part) for part in node.values)
    return str(node.value) if isinstance(node, ast.Constant) and isinstance(node.value, str) else "*"


# --- what an output must not show ----------------------------------------------------------------


def machine_paths(root: Path) -> list[str]:
    """The folders of this machine that no page may name."""
    from xmrlib import store

    places = [root, Path.home(), Path(sys.prefix), store.cache_dir(), Path(tempfile.gettempdir())]
    return sorted({str(place) for place in places if len(place.parts) > 1}, key=len, reverse=True)


def faults_of(notebook: NotebookNode, paths: Iterable[str]) -> list[str]:
    """What an executed notebook must not show: standard error, and paths of the machine that ran it."""
    pattern = re.compile(r"(?<![\w.])(?:" + "|".join(map(re.escape, paths)) + r")(?![\w-])")
    return [
        fault for number, cell in enumerate(notebook.cells, 1) for fault in _faults(number, cell, pattern)
    ]


def _faults(number: int, cell: NotebookNode, pattern: re.Pattern[str]) -> Iterator[str]:
    for output in cell.get("outputs", ()):
        if output.get("name") == "stderr":
            yield f"cell {number} writes to stderr: {_line(re.sub(PLACE, '', output.text.strip()))}"
            continue
        for text in _texts(output):
            if found := pattern.search(text.replace("\\\\", "\\")):
                yield f"cell {number} shows a path of this machine: {_line(text[found.start() :])}"


def _line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "")[:200]


def _texts(output: NotebookNode) -> Iterator[str]:
    yield output.get("text", "")
    yield COLOUR.sub("", "\n".join(output.get("traceback", ())))
    for kind, text in output.get("data", {}).items():
        if kind.startswith("text/") or kind == "image/svg+xml":
            yield "".join(text)


# --- running -------------------------------------------------------------------------------------


class Job(NamedTuple):
    """A notebook of the book at `root`, its key, and the tree in which its executed copy stands."""

    notebook: Path
    key: str
    root: Path
    into: Path

    @property
    def name(self) -> str:
        return self.notebook.relative_to(self.root).as_posix()

    @property
    def copy(self) -> Path:
        return place_of(self.notebook, self.root, self.into)

    def record(self) -> dict[str, Any]:
        """What the copy says of its last run."""
        copy = load(self.copy)
        return dict(copy.metadata.get(RECORD, {})) if copy else {}

    def is_fresh(self) -> bool:
        """Whether the copy was made from what is here now, without a fault."""
        record = self.record()
        return record.get("key") == self.key and not record.get("faults")

    def prepare(self) -> None:
        """Write the notebook without outputs, and the files that it reads, to the place where it is run."""
        notebook = read(self.notebook)
        for cell in code_cells(notebook):
            cell.outputs, cell.execution_count = [], None
        for file in files_named(code_of(notebook), self.notebook.parent, self.root):
            copy = self.root / self.into / file.relative_to(self.root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        self.copy.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, self.copy)

    def finish(self, seconds: float, failure: str, paths: Iterable[str]) -> list[str]:
        """Put the record of a run into the copy; the faults that it showed."""
        notebook = load(self.copy) or read(self.notebook)
        faults = ([_failure(notebook, failure)] if failure else []) + faults_of(notebook, paths)
        notebook.metadata[RECORD] = {
            "key": self.key, "seconds": round(seconds, 1), "at": time.time(), "faults": faults,
        }  # fmt: skip
        temporary = self.copy.with_suffix(".part")
        nbformat.write(notebook, temporary)
        os.replace(temporary, self.copy)
        return faults


def _failure(notebook: NotebookNode, said: str) -> str:
    """The cell that failed and its error, from the copy, or from what nbmake said of a cell that never ended."""
    for number, cell in enumerate(notebook.cells, 1):
        for output in cell.get("outputs", ()):
            if output.output_type == "error" and "raises-exception" not in cell.metadata.get("tags", []):
                return f"cell {number} fails: {output.ename}: {output.evalue}"
    errors = re.findall(r"^\S*(?:Error|Timeout)\b.*", said, re.M) or said.strip().splitlines()
    return f"is not run to its end: {errors[-1].strip()}"


class Recorder:
    """The plugin of pytest that files each notebook when it has been run."""

    def __init__(self, jobs: list[Job], root: Path) -> None:
        self.jobs, self.root = {job.copy: job for job in jobs}, root
        self.paths = machine_paths(root)
        self.faults: dict[str, list[str]] = {}

    def pytest_runtest_logstart(self, nodeid: str, location: Any) -> None:
        print(f"running {self._job(nodeid).name}", flush=True)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when != "call" and report.passed:
            return
        job, said = self._job(report.nodeid), COLOUR.sub("", str(report.longrepr or ""))
        self.faults[job.name] = faults = job.finish(report.duration, said, self.paths)
        print(f"{'FAULT' if faults else 'ok'} {job.name}  {report.duration:.0f} s", flush=True)
        if said:
            print(said, flush=True)

    def _job(self, nodeid: str) -> Job:
        return self.jobs[self.root / nodeid.split("::")[0]]


def pytest_collect_file(file_path: Path, parent: Any) -> Any:
    """A hook of pytest: notebooks are run by nbmake, which by itself leaves folders named _build alone."""
    from nbmake.pytest_items import NotebookFile

    return NotebookFile.from_parent(parent, path=file_path) if file_path.suffix == ".ipynb" else None


def pytest_configure(config: Any) -> None:
    """A hook of pytest: nbmake asks for an option of the terminal's plugin, which is not loaded here."""
    config.option.verbose = 0


def run(jobs: list[Job], root: Path) -> dict[str, list[str]]:
    """Run notebooks on all cores, the longest first; their faults by name, and "" for a fault of the runner."""
    import pytest

    jobs = sorted(jobs, key=lambda job: -job.record().get("seconds", float("inf")))
    for job in jobs:
        job.prepare()
    recorder = Recorder(jobs, root)
    settings = root / "_build" / "pytest.ini"  # not those of the tests
    settings.write_text("[pytest]\n", encoding="utf-8")
    command = [
        "-c",
        str(settings),
        f"--rootdir={root}",
        "-p",
        "execution",
        "-p",
        "no:terminal",
        "-p",
        "no:cacheprovider",
    ]
    command += [
        "--overwrite",
        f"--nbmake-timeout={CELL_SECONDS}",
        f"-n{workers(len(jobs))}",
        "--maxschedchunk=1",
    ]
    code = pytest.main([*command, *(str(job.copy) for job in jobs)], plugins=[recorder])
    lost = [job.name for job in jobs if job.name not in recorder.faults]
    stopped = {"": [f"pytest ended with {code}; not run: {', '.join(lost)}"]} if lost else {}
    return {name: faults for name, faults in recorder.faults.items() if faults} | stopped


def workers(jobs: int) -> int:
    """How many notebooks run at once: one for each core, as far as the memory goes."""
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(jobs, cores, psutil.virtual_memory().available // MEMORY_EACH))


def set_environment() -> None:
    """One BLAS thread for each notebook, figures with all their faces, none of the reader's settings of pytest."""
    os.environ.update(dict.fromkeys(THREADS, "1") | {"XMRLIB_FACES": "1"})
    os.environ.pop("PYTEST_ADDOPTS", None)


def end_with_all(number: int, frame: Any) -> None:
    """A signal ends this process and everything that it has started: workers, and kernels in sessions of their own."""
    import psutil

    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    os._exit(128 + number)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="execution.py")
    parser.add_argument("notebooks", nargs="*", type=Path, help="run these, stale or not")
    parser.add_argument("--all", action="store_true", help="run all, stale or not")
    parser.add_argument("--into", type=Path, default=EXECUTED, help="folder of the executed copies")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Exit code 1, with notebook, cell and error in the last lines, when a notebook has a fault."""
    options, root = parse(arguments), Path.cwd()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end_with_all)
    set_environment()
    chosen = [path.resolve() for path in options.notebooks] or contents(root)
    jobs = [Job(path, key(path, root), root, options.into) for path in chosen]
    always = options.all or options.notebooks
    stale = [job for job in jobs if always or not job.is_fresh()]
    faults = run(stale, root) if stale else {}
    for name, found in faults.items():
        print(*(f"{name}: {fault}" for fault in found), sep="\n")
    print(f"{len(stale)} of {len(jobs)} notebooks run, {len(faults)} with faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))  # xmrlib of this checkout
    sys.exit(main(sys.argv[1:]))
