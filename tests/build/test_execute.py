"""The notebooks of the table of contents are run once, on all cores, into the cache of the build."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from book_pages import execution_cache_path
from execute import notebooks

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def small_book(tmp_path: Path) -> Path:
    """A book of two notebooks, of which each leaves a file when it is run, and a page."""
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: intro\nchapters:\n- file: one\n- file: two.ipynb\n"
    )
    (tmp_path / "intro.md").write_text("# Introduction\n")
    (tmp_path / "requirements.txt").write_text("numpy==2\n")
    (tmp_path / "not_in_the_book.ipynb").write_text("{}")
    for name in ("one", "two"):
        write(tmp_path / f"{name}.ipynb", f"open('{name}.ran', 'a').write('x')")
    return tmp_path


def write(path: Path, code: str) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)


def execute(book: Path) -> subprocess.CompletedProcess:
    # outside the book there is no package to hash, so the cache of this book is its own
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "book" / "_ext" / "execute.py")]
    return subprocess.run(command, cwd=book, env=env, capture_output=True, text=True, timeout=120)


def runs(book: Path) -> dict[str, int]:
    return {path.stem: len(path.read_text()) for path in sorted(book.glob("*.ran"))}


def test_the_notebooks_of_the_contents_in_order(small_book: Path) -> None:
    assert [path.name for path in notebooks(small_book)] == ["one.ipynb", "two.ipynb"]


def test_only_what_changed_is_run_again(small_book: Path) -> None:
    assert execute(small_book).returncode == 0
    assert execute(small_book).returncode == 0
    assert runs(small_book) == {"one": 1, "two": 1}
    assert execution_cache_path(small_book).is_dir()
    write(small_book / "two.ipynb", "open('two.ran', 'a').write('yy')")
    assert execute(small_book).returncode == 0
    assert runs(small_book) == {"one": 1, "two": 3}
    (small_book / "requirements.txt").write_text("numpy==3\n")
    assert execute(small_book).returncode == 0
    assert runs(small_book) == {"one": 2, "two": 5}


def test_a_failing_notebook_is_named_with_its_error_and_the_others_are_run(small_book: Path) -> None:
    write(small_book / "one.ipynb", "answer = 1 / 0")
    result = execute(small_book)
    assert result.returncode == 1
    assert "one.ipynb:" in result.stdout
    assert "ZeroDivisionError: division by zero" in result.stdout
    assert runs(small_book) == {"two": 1}
    assert execute(small_book).returncode == 1, "a failure is not cached"
