"""The Sphinx extensions: numbers by folder, outputs of executed copies, information bar, publication."""

import contextlib
import copy
import gc
import io
import re
import time
import weakref
from pathlib import Path

import demos
import execution
import infobar
import nbformat
import outputs
import pytest

# Sphinx and its extensions announce their own future
pytestmark = pytest.mark.filterwarnings("ignore")


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
CELLS = [
    nbformat.v4.new_markdown_cell("# Second\n\n" + "word " * 400, id="a"),
    nbformat.v4.new_code_cell("print(6 * 7)", id="b"),
    nbformat.v4.new_markdown_cell("## Long\n\n" + "word " * 540, id="c"),
    nbformat.v4.new_markdown_cell("## Exercises\n\n```{exercise} Do it\n:label: ex-do\n\nNow.\n```", id="d"),
]
NOTEBOOK = nbformat.v4.new_notebook(
    cells=CELLS,
    metadata={
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    },
)
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
      - file: book/computed
"""
COMPUTED = """---
file_format: mystnb
kernelspec:
  name: python3
---
# Computed

:::{note}
A page with code.
:::

```{code-cell} ipython3
6 * 7
```

```{nb-exec-table}
```
"""
SETTINGS = {
    "extensions": [
        *["sphinx_thebe", "myst_nb", "sphinx_external_toc", "sphinx_book_theme"],
        *["sphinx_exercise", "chapters", "outputs", "infobar", "reference", "publish"],
    ],
    "exclude_patterns": ["_build"],
    "html_theme": "sphinx_book_theme",
    "html_title": "A book",
    "numfig": True,
    "math_numfig": True,
    "nb_execution_mode": "off",
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
    nbformat.write(NOTEBOOK, folder / "notebooks/ch05_b/second.ipynb")
    (folder / "_toc.yml").write_text(TOC, encoding="utf-8")
    (folder / "book/computed.md").write_text(COMPUTED, encoding="utf-8")
    for name in ("notebooks/ch05_b/second.ipynb", "book/computed.md"):
        run(folder / name, folder, "42")


def run(path: Path, root: Path, result: str, seconds: float = 3.2, **error: str) -> None:
    """Write the executed copy of a notebook as the runner does, without the seconds that a kernel takes."""
    notebook = execution.read(path)
    for cell in execution.code_cells(notebook):
        data = {"data": {"text/plain": result}, "output_type": "execute_result"}
        failed = {"output_type": "error", "traceback": ["Traceback", result], **error}
        cell.outputs = [nbformat.v4.new_output(**(failed if error else data))]
    faults = ["cell 1 fails"] if error else []
    notebook.metadata["run"] = {"key": "x", "seconds": seconds, "at": 0.0, "faults": faults}
    notebook.metadata["language_info"] = {"name": "python"}
    copy = execution.place_of(path, root)
    copy.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, copy)


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
    assert "5 min to read" in bar  # 940 words
    assert "3 s to run here" in bar
    assert "7 min of exercises" in bar  # one of them
    minutes = re.findall(
        r'<h2>(.*?)<span class="minutes">(\d+) min</span>', pages["notebooks/ch05_b/second.html"]
    )
    assert [(text(title).strip(), n) for title, n in minutes] == [
        ("5.2.1. Long", "3"),
        ("5.2.2. Exercises", "7"),
    ]
    source = re.search(r'href="([^"]+)" download', bar)[1]
    assert (folder / "_build/html/notebooks/ch05_b" / source).resolve().read_text() == nbformat.writes(
        NOTEBOOK
    ) + "\n"
    assert "info-bar" not in pages["notebooks/ch05_b/first.html"]


def test_a_notebook_and_a_page_show_what_their_copies_hold(book):
    """Protects "one execution": nothing is run here, the outputs of the copies are shown, with their times."""
    for name in ("notebooks/ch05_b/second", "book/computed"):
        assert re.search(r'class="output.*?42', book[1][f"{name}.html"], re.S), name
    assert "A page with code" in text(book[1]["book/computed.html"])
    table = text(book[1]["book/computed.html"])
    assert "notebooks/ch05_b/second" in table and "3.2" in table
    source = book[0] / "_build/html/_sources/notebooks/ch05_b/second.ipynb"
    assert "42" not in source.read_text(), "the download is the notebook without outputs"


def test_text_is_of_the_source_and_outputs_are_of_the_copy():
    """Protects from a run for a comma: a caption changes on the page although the copy has the old one."""
    old, new = (
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(t), nbformat.v4.new_code_cell("x")])
        for t in "ab"
    )
    old.cells[1].outputs = [nbformat.v4.new_output("stream", name="stdout", text="out")]
    new.cells[1].metadata["tags"] = ["hide-input"]
    merged = outputs.merged(new, old)
    assert merged.cells[0].source == "b"
    assert merged.cells[1].outputs[0].text == "out" and merged.cells[1].metadata.tags == ["hide-input"]
    old.cells[1].source = "y"
    assert outputs.merged(new, old) is None
    assert outputs.merged(new, None) is None


@pytest.fixture
def fresh_book(tmp_path):
    folder = tmp_path / "book"
    folder.mkdir()
    write_book(folder)
    return folder


def warnings_of(said: str) -> list[str]:
    return [line for line in said.splitlines() if "WARNING" in line]


def test_a_new_run_and_a_missing_one_are_noticed(fresh_book):
    """Protects from old outputs on a page, and from a page without outputs that nobody notices."""
    path = fresh_book / "notebooks/ch05_b/second.ipynb"
    build(fresh_book)
    time.sleep(0.01)
    run(path, fresh_book, "43", seconds=9.0)
    pages, said = build(fresh_book)
    assert "0 added, 1 changed, 0 removed" in said and warnings_of(said) == []
    assert "43" in text(pages["notebooks/ch05_b/second.html"])
    assert "9.0" in text(pages["book/computed.html"]), "the table of run times is written again"
    execution.place_of(path, fresh_book).unlink()
    _, said = build(fresh_book)
    (warning,) = warnings_of(said)
    assert "second.ipynb" in warning and "not run as it stands" in warning


def test_a_failed_notebook_is_shown_with_its_error(fresh_book):
    """Protects `run.py book --draft`: the page is there, with the failing cell and what it said."""
    run(
        fresh_book / "notebooks/ch05_b/second.ipynb",
        fresh_book,
        "no such thing",
        ename="NameError",
        evalue="x",
    )
    pages, _ = build(fresh_book)
    assert "no such thing" in text(pages["notebooks/ch05_b/second.html"])
    assert "❌" in pages["book/computed.html"]


def test_every_demo_is_found_and_can_be_connected():
    """Protects the demos: a folder with page.py is enough, nothing else has to be told of it."""
    assert "search" in demos.names()
    connected = []
    demos.setup(type("App", (), {"setup_extension": lambda self, name: connected.append(name)})())
    assert connected == [f"demos.{name}.page" for name in demos.names()]


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
    assert infobar.reading_minutes(words) == minutes
