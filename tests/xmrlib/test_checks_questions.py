"""Predictions and quizzes: the data are in order, and what is shown works without a script and keeps its answers."""

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from xmrlib import checks
from xmrlib.checks import _questions

CHAPTERS = sorted(path.stem for path in Path(checks.__file__).parent.glob("questions/*.toml"))
PREDICTIONS = [q for c in CHAPTERS for q in _questions._questions(c, "prediction")]
QUIZZES = [q for c in CHAPTERS for q in _questions._questions(c, "quiz")]
ALL = [*PREDICTIONS, *QUIZZES]


def faults(question):
    """What is wrong with a question, in words."""
    texts = [question.text, *(o.text for o in question.options), *(o.why for o in question.options)]
    right = [len(o.text) for o in question.options if o.right]
    wrong = [len(o.text) for o in question.options if not o.right]
    if not 3 <= len(question.options) <= 5:
        yield "3 to 5 options"
    if len(right) != 1:
        yield "exactly one right option"
    elif max(right) > 1.25 * max(wrong):
        yield "the right option is the long one"
    if any(len(o.why) < 30 for o in question.options):
        yield "an explanation for every option"
    if len({o.text for o in question.options}) < len(question.options):
        yield "options that differ"
    if any(re.search(r"[*$<{]|\]\(|\b_\w+_\b", text) for text in texts):
        yield "no mark-up but `code`"
    if not question.text.rstrip().endswith("?"):
        yield "a question ends with a question mark"


@pytest.mark.parametrize("question", ALL, ids=lambda q: q.id)
def test_every_question_is_in_order(question):
    assert list(faults(question)) == []


def test_the_rules_can_fail():
    good, bad = (
        checks.Option("3", "It is odd, and even was asked for."),
        checks.Option("4", "Twice two is four.", True),
    )
    make = checks.Question
    assert "an explanation for every option" in list(faults(make("q", "Even?", (good, good, bad))))
    assert "3 to 5 options" in list(faults(make("q", "Even?", (good, bad))))
    assert "exactly one right option" in list(faults(make("q", "Even?", (good, good, good))))
    long = checks.Option("4, which is twice two", "w" * 40, True)
    assert "the right option is the long one" in list(faults(make("q", "Even?", (good, good, long))))
    assert "no mark-up but `code`" in list(faults(make("q", "*Even*?", (good, good, bad))))


def test_ids_are_unique_and_named_by_their_chapter():
    assert max(Counter(q.id for q in ALL).values()) == 1
    for file in CHAPTERS:
        chapter = file.replace("_", "-")  # ch02_pre.toml holds pred-ch02-pre-...
        for kind, start in [("prediction", f"pred-{chapter}-"), ("quiz", f"quiz-{chapter}-")]:
            assert all(q.id.startswith(start) for q in _questions._questions(file, kind))


def test_the_right_letter_cannot_be_guessed_from_its_place():
    """No letter is right in more than half of the questions, and each of the first four is right in a tenth."""
    counts = Counter(q.right for q in ALL)
    assert max(counts.values()) <= len(ALL) / 2
    assert all(counts[letter] >= len(ALL) / 10 for letter in "abcd")


@pytest.mark.parametrize(
    ("name", "n"), [("ch01", 8), ("ch05-ranking", 8), ("ch05-pitfalls", 8), ("ch05", 16)]
)
def test_a_quiz_has_its_questions_in_order(name, n):
    quiz = checks.quiz(name)
    assert len(quiz.questions) == n and len(quiz.key.split(", ")) == n
    assert repr(quiz).startswith("1. ") and f"\n\n{n}. " in repr(quiz)


@pytest.mark.parametrize("name", ["ch77", "ch05-", "ch05-x", "", "quiz", None, 5])
def test_an_unknown_quiz_is_named(name):
    with pytest.raises(ValueError, match="name is .*; expected"):
        checks.quiz(name)


@pytest.mark.parametrize("name", ["pred-ch01-none", "pred-ch77-x", "quiz-ch05-ranking-1", "", None])
def test_an_unknown_prediction_is_named(name):
    with pytest.raises(ValueError, match="id is .*; expected"):
        checks.predict(name)


class Page(HTMLParser):
    """Tags in order, checked to be nested properly."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.words = [], [], ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data


@pytest.mark.parametrize("question", ALL, ids=lambda q: q.id)
def test_html_is_folds_without_script(question):
    """Protects the page without a server, the keyboard and the dark theme: plain folds, closed, in no fixed colour."""
    text = question._repr_html_()
    page = Page(text)
    folds = [attributes for tag, attributes in page.tags if tag == "details"]
    assert len(folds) == len(question.options) == sum(tag == "summary" for tag, _ in page.tags)
    assert all(fold == {"name": question.id} for fold in folds)  # closed, and one open at a time
    assert {tag for tag, _ in page.tags} <= {"div", "p", "strong", "details", "summary", "code"}
    assert not re.search(r"script|onclick|#[0-9a-fA-F]{3,6}\b|rgb\(", text)
    assert page.words.count("✓ Right.") == 1
    for option in question.options:
        assert option.text.replace("`", "") in page.words and option.why.replace("`", "") in page.words


@pytest.mark.parametrize("question", ALL, ids=lambda q: q.id)
def test_what_is_printed_keeps_the_answers(question):
    shown = repr(question)
    assert not any(option.why in shown.replace("\n", " ") for option in question.options)
    assert "✓" not in shown and "Right" not in shown and max(map(len, shown.splitlines())) <= 80
    assert shown.count("\n  a) ") == 1


def test_text_is_escaped_and_code_is_set_as_code():
    option = checks.Option("<b>`x < 1`</b>", "why")
    html = checks.Question("q", "a & b?", (option,))._repr_html_()
    assert "&lt;b&gt;<code>x &lt; 1</code>&lt;/b&gt;" in html and "a &amp; b?" in html


def test_explanations_quote_no_measured_number():
    """Protects the promise that numbers come from the run: a decimal in an explanation belongs to the question."""
    for question in ALL:
        asked = question.text + " ".join(option.text for option in question.options)
        for option in question.options:
            decimals = re.findall(r"(?<![\d.])\d*\.\d+", option.why)
            assert all(number in asked or number in (".05", "0.5") for number in decimals), (
                question.id,
                decimals,
            )


def test_a_notebook_shows_the_folds_and_a_terminal_the_text():
    from IPython.core.formatters import DisplayFormatter

    for shown in (checks.predict("pred-ch01-sounds"), checks.quiz("ch01")):
        data, _ = DisplayFormatter().format(shown)
        assert "<details" in data["text/html"] and "  a) " in data["text/plain"]
