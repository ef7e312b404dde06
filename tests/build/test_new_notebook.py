"""`run.py new`: a notebook from the template, in the right place of the contents, and nothing overwritten."""

import json
import shutil
from pathlib import Path

import new_notebook
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TOC = """# a comment that stays
format: jb-book
root: book/index
parts:
  - caption: Foundations
    numbered: 3
    chapters:
      - file: notebooks/ch01_overview/index
        sections:
          - file: notebooks/ch01_overview/first_search
  - caption: Algorithms
    numbered: 3
    chapters:
      - file: notebooks/ch05_metrics/index
        sections:
          - file: notebooks/ch05_metrics/ranking_metrics
  - caption: Reference
    chapters:
      - file: book/api
"""


@pytest.fixture
def book(tmp_path: Path) -> Path:
    (tmp_path / "_toc.yml").write_text(TOC)
    for name in ("ch01_overview", "ch05_metrics"):
        (tmp_path / "notebooks" / name).mkdir(parents=True)
        (tmp_path / "notebooks" / name / "index.md").write_text("# A chapter\n")
    shutil.copyfile(ROOT / "notebooks/_template.ipynb", tmp_path / "notebooks/_template.ipynb")
    return tmp_path


def chapters(toc: str) -> list[list[str]]:
    """The chapters of each part with the notebooks of each, in reading order."""
    parts = yaml.safe_load(toc)["parts"]
    files = [
        [
            name
            for entry in part["chapters"]
            for name in (entry["file"], *(s["file"] for s in entry.get("sections", [])))
        ]
        for part in parts
    ]
    return [[name.removeprefix("notebooks/") for name in part] for part in files]


@pytest.mark.parametrize(
    ("folder", "part", "expected"),
    [
        ("ch05_metrics", 1, ["ch05_metrics/index", "ch05_metrics/ranking_metrics", "ch05_metrics/x"]),
        (
            "ch03_fusion",
            0,
            ["ch01_overview/index", "ch01_overview/first_search", "ch03_fusion/index", "ch03_fusion/x"],
        ),
        (
            "ch06_questions",
            1,
            [
                "ch05_metrics/index",
                "ch05_metrics/ranking_metrics",
                "ch06_questions/index",
                "ch06_questions/x",
            ],
        ),
        (
            "ch00_before",
            0,
            ["ch00_before/index", "ch00_before/x", "ch01_overview/index", "ch01_overview/first_search"],
        ),
    ],
)
def test_the_entry_stands_in_the_right_place(folder: str, part: int, expected: list[str]) -> None:
    """Protects the order of the book: chapters by number, a new notebook last in its chapter, all else as it was."""
    toc = new_notebook.toc_with(TOC, folder, "x")
    assert chapters(toc)[part] == expected
    before, after = chapters(TOC), chapters(toc)
    assert [p for n, p in enumerate(after) if n != part] == [p for n, p in enumerate(before) if n != part]
    assert toc.startswith("# a comment that stays\n")


def test_a_notebook_of_a_new_chapter(book: Path) -> None:
    """Protects what an author begins with: names filled in, cell ids of its own, a page for the chapter."""
    written = new_notebook.begin("ch03_fusion/early_fusion", book)
    assert {path.relative_to(book).as_posix() for path in written} == {
        *["_toc.yml", "notebooks/ch03_fusion/index.md", "notebooks/ch03_fusion/early_fusion.ipynb"]
    }
    notebook = json.loads(written[1].read_text(encoding="utf-8"))
    ids = [cell["id"] for cell in notebook["cells"]]
    template = json.loads((book / "notebooks/_template.ipynb").read_text(encoding="utf-8"))
    assert len(set(ids)) == len(ids) and not set(ids) & {cell["id"] for cell in template["cells"]}
    text = written[1].read_text(encoding="utf-8")
    assert "# Early fusion" in text and ":label: ex-ch03-early-fusion-warmup" in text
    assert "chNN" not in text and "NAME" not in text
    assert (book / "notebooks/ch03_fusion/index.md").read_text().startswith("(ch03)=\n# Fusion\n")


def test_a_second_notebook_leaves_the_page_of_the_chapter(book: Path) -> None:
    written = new_notebook.begin("ch05_metrics/more", book)
    assert (book / "notebooks/ch05_metrics/index.md") not in written
    assert (book / "notebooks/ch05_metrics/index.md").read_text() == "# A chapter\n"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fusion", "expected chNN_topic/name"),
        ("ch3_fusion/x", "expected chNN_topic/name"),
        ("ch03_fusion/Early", "expected chNN_topic/name"),
        ("ch03_fusion/../x", "expected chNN_topic/name"),
        ("ch05_other/x", "expected ch05_metrics, which is chapter 5 already"),
        ("ch05_metrics/taken", "expected one that is free"),
        ("ch05_metrics/ranking_metrics", "expected one that _toc.yml does not have yet"),
    ],
)
def test_what_is_in_the_way_is_said_and_nothing_is_written(book: Path, name: str, message: str) -> None:
    """Protects work that is there."""
    (book / "notebooks/ch05_metrics/taken.ipynb").write_text("mine")
    before = {path: path.read_bytes() for path in book.rglob("*") if path.is_file()}
    with pytest.raises(ValueError, match=message):
        new_notebook.begin(name, book)
    assert {path: path.read_bytes() for path in book.rglob("*") if path.is_file()} == before
