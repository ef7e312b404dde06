"""The Sphinx extension: cache folder, numbers by folder, information bar, publication."""

import contextlib
import copy
import gc
import io
import re
import weakref
from pathlib import Path

import book_pages as _sphinx
import pytest

# Sphinx and its extensions announce their own future
pytestmark = pytest.mark.filterwarnings("ignore")


# --- execution cache -----------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.delenv("XMRLIB_STAMPS", raising=False)
    package = tmp_path / "xmrlib" / "datasets"
    package.mkdir(parents=True)
    for name in ("metrics.py", "datasets/stamps.sha256"):
        (tmp_path / "xmrlib" / name).write_bytes(b"one\n")
    (tmp_path / "requirements.txt").write_bytes(b"numpy==2\n")
    return tmp_path


@pytest.mark.parametrize(
    "name", ["xmrlib/metrics.py", "xmrlib/datasets/stamps.sha256", "requirements.txt", "xmrlib/new.py"]
)
def test_the_cache_moves_when_something_changes_that_cells_depend_on(tree, name):
    before = _sphinx.execution_cache_path(tree)
    (tree / name).write_bytes(b"two\n")
    assert _sphinx.execution_cache_path(tree) != before


@pytest.mark.parametrize("name", ["xmrlib/metrics.pyc", "README.md"])
def test_the_cache_stays_when_something_else_changes(tree, name):
    before = _sphinx.execution_cache_path(tree)
    (tree / name).write_bytes(b"two\n")
    assert _sphinx.execution_cache_path(tree) == before


def test_the_cache_does_not_depend_on_line_ends_but_on_the_readers_stamps(tree, monkeypatch):
    before = _sphinx.execution_cache_path(tree)
    assert before.is_relative_to(tree / "_build" / ".jupyter_cache")
    (tree / "xmrlib" / "metrics.py").write_bytes(b"one\r\n")
    assert _sphinx.execution_cache_path(tree) == before
    monkeypatch.setenv("XMRLIB_STAMPS", "elsewhere")
    assert _sphinx.execution_cache_path(tree) != before


# --- a small book --------------------------------------------------------------------------------

PAGE = """# {title}

```{{figure}} dot.svg
:name: fig-{name}
:alt: a dot
A dot.
```

```{{math}}
:label: eq-{name}
a = b
```

See {{numref}}`fig-{name}` and {{eq}}`eq-{name}`.

## Inside
"""
NOTEBOOK = """{"cells": [
 {"cell_type": "markdown", "id": "a", "metadata": {}, "source": ["# Second\\n", "\\n", "%s"]},
 {"cell_type": "code", "id": "b", "metadata": {}, "execution_count": null, "outputs": [], "source": ["print(6 * 7)"]}
 ], "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
 "language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}"""
TOC = """format: jb-book
root: book/index
parts:
  - caption: Before
    chapters:
      - file: book/preface
  - caption: One
    numbered: 3
    chapters:
      - file: notebooks/ch01_a/index
  - caption: Two
    numbered: 3
    chapters:
      - file: notebooks/ch05_b/index
        sections:
          - file: notebooks/ch05_b/first
          - file: notebooks/ch05_b/second
"""
SETTINGS = {
    "extensions": ["sphinx_thebe", "myst_nb", "sphinx_external_toc", "sphinx_book_theme", "book_pages"],
    "exclude_patterns": ["_build"],
    "html_theme": "sphinx_book_theme",
    "html_title": "A book",
    "numfig": True,
    "math_numfig": True,
    "nb_execution_mode": "cache",
    "myst_heading_anchors": 2,
    "myst_enable_extensions": ["colon_fence", "dollarmath"],
    "html_sourcelink_suffix": "",
    "thebe_config": {},
}


def write_book(folder: Path) -> None:
    pages = {
        "book/index": "# Home\n",
        "book/preface": PAGE.format(title="Preface", name="preface"),
        "book/404": "---\norphan: true\n---\n# Missing\n\n[home](index.md) and [here](#missing)\n",
        "notebooks/ch01_a/index": PAGE.format(title="A", name="a"),
        "notebooks/ch05_b/index": "# B\n",
        "notebooks/ch05_b/first": PAGE.format(title="First", name="b1"),
    }
    for name, text in pages.items():
        path = folder / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        (path.parent / "dot.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>')
    (folder / "notebooks/ch05_b/second.ipynb").write_text(NOTEBOOK % ("word " * 400), encoding="utf-8")
    (folder / "_toc.yml").write_text(TOC, encoding="utf-8")
    (folder / "xmrlib").mkdir()
    (folder / "requirements.txt").touch()


@contextlib.contextmanager
def without_dead_references():
    """sphinx-external-toc looks at every living object, and stumbles over dead weak references of other tests."""
    everything = gc.get_objects
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            gc, "get_objects", lambda: [o for o in everything() if type(o) not in weakref.ProxyTypes]
        )
        yield


def build(folder: Path, **settings) -> tuple[dict[str, str], str]:
    """HTML of every page, and what Sphinx said."""
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    said, out = io.StringIO(), folder / "_build" / "html"
    with patch_docutils(folder), docutils_namespace(), without_dead_references():
        app = Sphinx(
            folder,
            None,
            out,
            folder / "_build" / "trees",
            "html",
            {**copy.deepcopy(SETTINGS), **settings},
            said,
            said,
        )
        app.build()
    pages = {
        path.relative_to(out).as_posix(): path.read_text(encoding="utf-8") for path in out.rglob("*.html")
    }
    return pages, said.getvalue()


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """The small book, built once: its folder, its pages, and what Sphinx said."""
    folder = tmp_path_factory.mktemp("small") / "book"
    folder.mkdir()
    write_book(folder)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("GITHUB_REPOSITORY", "XMRLIB_STAMPS"):
            patch.delenv(name, raising=False)
        pages, said = build(folder)
    assert [line for line in said.splitlines() if "WARNING" in line or "ERROR" in line] == []
    return folder, pages, said


def text(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def headings(page: str) -> list[str]:
    return [text(one) for one in re.findall(r"<h[12]>(.*?)</h", page, re.S)]


def title(page: str) -> str:
    article = page[page.index('<article class="bd-article"') :]
    return text(re.search(r"<h1>(.*?)<a", article, re.S)[1]).strip()


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("book/preface", "Preface"),
        ("notebooks/ch01_a/index", "1. A"),
        ("notebooks/ch05_b/index", "5. B"),
        ("notebooks/ch05_b/first", "5.1. First"),
        ("notebooks/ch05_b/second", "5.2. Second"),
    ],
)
def test_chapters_are_numbered_by_their_folder(book, page, expected):
    assert title(book[1][f"{page}.html"]) == expected


def test_sections_figures_equations_and_references_follow(book):
    page = text(book[1]["notebooks/ch05_b/first.html"])
    assert "5.1.1. Inside" in page
    assert "Fig. 5.1 A dot." in page and "See Fig. 5.1 and (5.1)" in page
    assert "See Fig. 1.1 and (1.1)" in text(book[1]["notebooks/ch01_a/index.html"])
    assert "See Fig. 1 and (1)" in text(book[1]["book/preface.html"])


def test_the_navigation_carries_the_same_numbers(book):
    page = text(book[1]["book/preface.html"])
    assert "1. A" in page and "5. B" in page and "2. B" not in page


def test_a_second_build_reads_nothing_and_changes_no_number(book):
    folder, pages, _ = book
    again, said = build(folder)
    assert "0 added, 0 changed, 0 removed" in said
    assert {name: headings(page) for name, page in again.items()} == {
        name: headings(page) for name, page in pages.items()
    }


def test_the_information_bar_of_a_notebook(book):
    folder, pages, _ = book
    bar = re.search(r'<ul class="info-bar".*?</ul>', pages["notebooks/ch05_b/second.html"], re.S)[0]
    assert "2 min to read" in bar  # 400 words
    assert re.search(r"\d+ s to run here", bar)
    source = re.search(r'href="([^"]+)" download', bar)[1]
    assert (folder / "_build/html/notebooks/ch05_b" / source).resolve().read_text().startswith('{"cells"')
    assert "info-bar" not in pages["notebooks/ch05_b/first.html"]


def test_the_notebook_was_run_into_the_folder_of_the_cache(book):
    folder, pages, _ = book
    assert "42" in text(pages["notebooks/ch05_b/second.html"])
    assert any(_sphinx.execution_cache_path(folder).rglob("*.ipynb"))


def test_without_an_address_no_button_leads_nowhere_and_thebe_is_silent(book):
    whole = "".join(book[1].values())
    assert "mybinder" not in whole and "colab" not in whole and "github.com" not in whole
    assert "thebe" not in whole.lower().replace("initthebesbt", "")


def test_root_pages(book):
    pages = book[1]
    assert 'url=book/index.html"' in pages["index.html"]
    missing = pages["404.html"]
    assert 'href="/book/index.html"' in missing and 'href="#missing"' in missing
    assert re.findall(r'(?:href|src)="(?!/|#|[a-z]+:)[^"]*"', missing) == []
    assert 'data-content_root="/"' in missing


def test_an_address_brings_the_buttons(book, monkeypatch):
    """In GitHub Actions the address of the repository is known."""
    monkeypatch.setenv("GITHUB_REPOSITORY", "Someone/a-book")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    launch = {"binderhub_url": "https://mybinder.org", "colab_url": "https://colab.research.google.com"}
    theme = {"launch_buttons": {**launch, "notebook_interface": "jupyterlab"}, "repository_branch": "main"}
    pages, _ = build(book[0], html_theme_options=theme)
    bar = re.search(r'<ul class="info-bar".*?</ul>', pages["notebooks/ch05_b/second.html"], re.S)[0]
    place = "Someone/a-book"
    assert f"https://mybinder.org/v2/gh/{place}/main?urlpath=lab/tree/notebooks/ch05_b/second.ipynb" in bar
    assert f"https://colab.research.google.com/github/{place}/blob/main/notebooks/ch05_b/second.ipynb" in bar
    assert 'href="/a-book/book/index.html"' in pages["404.html"]


@pytest.mark.parametrize(("words", "minutes"), [("", 1), ("word " * 900, 5), ("检索 " * 900, 5)])
def test_reading_minutes(words, minutes):
    assert _sphinx.reading_minutes(words) == minutes
