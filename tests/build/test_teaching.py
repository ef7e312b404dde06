"""Material for teachers: the strips by hand, the files to download, and directives that a page can use."""

import csv
import math
import re
from fractions import Fraction

import numpy as np
import pytest
import teaching

from xmrlib import checks, datasets, leaderboard, metrics

# Sphinx and its extensions announce their own future
pytestmark = pytest.mark.filterwarnings("ignore")


def by_hand(hits, relevant):
    """The measures in exact fractions, straight from their definitions."""
    places = [i for i, hit in enumerate(hits, 1) if hit == "1"]
    early = sum(place <= 5 for place in places)
    ideal = sum(1 / math.log2(i + 1) for i in range(1, min(10, relevant) + 1))
    return {
        "P@5": Fraction(early, 5),
        "recall@5": Fraction(early, relevant),
        "RR": Fraction(1, places[0]),
        "AP": sum(Fraction(j, place) for j, place in enumerate(places, 1)) / relevant,
        "nDCG@10": sum(1 / math.log2(i + 1) for i in places) / ideal,
    }


@pytest.mark.parametrize(("strip", "answer"), list(zip(teaching.STRIPS, teaching.answers(), strict=True)))
def test_the_answers_of_the_strips_are_those_of_the_definitions(strip, answer):
    """Protects the answer sheet; 1e-12 is the round-off of ten additions."""
    assert answer == pytest.approx({name: float(x) for name, x in by_hand(*strip).items()}, abs=1e-12)


def test_the_strips_can_be_done():
    for hits, relevant in teaching.STRIPS:
        assert re.fullmatch("[01]{10}", hits) and hits.count("1") <= relevant <= 10
    assert len(set(teaching.STRIPS)) == 10
    assert any(hits.count("1") < relevant for hits, relevant in teaching.STRIPS)


def test_the_questions_of_the_sheet_have_the_answers_that_it_gives():
    """Protects the text of book/strip_sheet.md."""
    a = dict(enumerate(teaching.answers(), 1))
    for first, second in [(6, 5), (10, 2)]:
        assert a[first]["RR"] > a[second]["RR"] and a[first]["AP"] < a[second]["AP"]
    assert a[4]["AP"] == pytest.approx(a[9]["AP"])


def test_the_sheet_shows_no_answer_and_the_answers_all():
    sheet, solved = teaching._sheet(), teaching._answer_table()
    assert sheet.count('class="blank"') == 50 and "13/18" not in sheet and "0.722" not in sheet
    assert "13/18 = 0.722" in solved and "MRR 0.767, MAP 0.602" in solved
    assert sheet.count("●") == sum(hits.count("1") for hits, _ in teaching.STRIPS)


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    return head, rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    try:
        datasets.find_stamps()
    except FileNotFoundError:
        pytest.skip("the stamps are not installed")
    folder = tmp_path_factory.mktemp("teaching")
    teaching.write_files(folder)
    return folder


def test_all_files_are_written_and_fit_each_other(folder):
    assert {path.name for path in folder.iterdir()} == set(teaching.FILES)
    ids = [row[0] for row in read(folder / "items.csv")[1]]
    for name in list(teaching.FILES)[:3]:
        head, rows = read(folder / name)
        assert head == ["query", *ids] and [row[0] for row in rows] == ids


@pytest.mark.parametrize("name", list(teaching.FILES)[:2])
def test_measures_from_a_file_are_those_of_the_scores(folder, name):
    """Protects a teacher who computes R@10 in a spreadsheet: seven decimals move no measure by 0.001."""
    stamps = datasets.load_stamps()
    scores = np.array([row[1:] for row in read(folder / name)[1]], dtype=float)
    grades = np.array([row[1:] for row in read(folder / "relevance.csv")[1]], dtype=int)
    assert np.array_equal(grades, stamps.relevance(stamps.split.test, stamps.split.test))
    exact = leaderboard.scores(teaching.SYSTEMS[name])
    ours, theirs = (metrics.evaluate(s, grades == 2, ("R@10", "MRR", "MAP")) for s in (exact, scores))
    assert theirs == pytest.approx(ours, abs=1e-3)
    assert ours["R@10"] > 0.15  # about twice chance: these are scores of real systems


def test_the_quiz_files_hold_the_questions_without_answers(folder):
    text = (folder / "quiz-ch05.txt").read_text(encoding="utf-8")
    assert text == repr(checks.quiz("ch05")) + "\n" and "\n16. " in text and "Right" not in text


# --- a small book --------------------------------------------------------------------------------

PAGE = "# Page\n\n```{quiz} ch01\n```\n\n```{strips}\n```\n\n```{strip-answers}\n```\n\n```{teaching-files}\n```\n"


def test_directives_and_files_in_a_built_page(tmp_path, monkeypatch):
    """Protects the page: what the directives promise is there, and a second build does not compute it again."""
    from sphinx.testing.util import SphinxTestApp

    written = []
    monkeypatch.setattr(
        teaching, "write_files", lambda folder: (folder.mkdir(parents=True), written.append(folder))
    )
    source = tmp_path / "source"
    (source / "book").mkdir(parents=True)
    (source / "xmrlib").mkdir()
    (source / "requirements.txt").write_text("numpy\n")
    (source / "conf.py").write_text("extensions = ['myst_parser', 'teaching']\nroot_doc = 'book/page'\n")
    (source / "book" / "page.md").write_text(PAGE, encoding="utf-8")
    for _ in range(2):
        app = SphinxTestApp("html", srcdir=source, builddir=tmp_path / "out")
        app.build()
        app.cleanup()
    html = (tmp_path / "out" / "html" / "book" / "page.html").read_text(encoding="utf-8")
    assert html.count('<details name="quiz-ch01-1"') == 4 and "<summary>Key</summary>" in html
    assert html.count("<table") == 2 and html.count(" download>") == len(teaching.FILES)
    assert written == [tmp_path / "out" / "html" / "_static" / "teaching"]
    (source / "requirements.txt").write_text("scipy\n")
    monkeypatch.setattr(teaching, "write_files", written.append)
    app = SphinxTestApp("html", srcdir=source, builddir=tmp_path / "out")
    app.build()
    app.cleanup()
    assert len(written) == 2
