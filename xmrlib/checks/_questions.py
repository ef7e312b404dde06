"""Predictions and quizzes: questions kept as data, shown as plain HTML that folds without any script."""

from __future__ import annotations

import functools
import html
import re
import textwrap
import tomllib
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from xmrlib import _expect

__all__ = ["Option", "Question", "Quiz", "predict", "quiz"]

_LETTERS = "abcde"
_ASIDE = "border-left: 4px solid var(--book-accent, currentColor); padding: 0.2em 1em; margin: 1em 0"


@dataclass(frozen=True)
class Option:
    """One answer to choose: its ``text``, ``why`` it is right or what the mistake behind it is (chapter 1)."""

    text: str
    why: str
    right: bool = False


@dataclass(frozen=True)
class Question:
    """A question with its options. It shows itself in a notebook; printed, it keeps its answers (chapter 1).

    >>> Question("q-1", "Which is even?", (Option("3", "It is odd."), Option("4", "Twice two.", True)))
    Which is even?
      a) 3
      b) 4
    """

    id: str
    text: str
    options: tuple[Option, ...]

    @property
    def right(self) -> str:
        """The letters of the right options, as in "b" or "ac"."""
        return "".join(letter for letter, option in zip(_LETTERS, self.options, strict=False) if option.right)

    def __repr__(self) -> str:
        lines = [textwrap.fill(self.text, 80)]
        for letter, option in zip(_LETTERS, self.options, strict=False):
            lines.append(
                textwrap.fill(f"{letter}) {option.text}", 80, initial_indent="  ", subsequent_indent="     ")
            )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f'<div style="{_ASIDE}">{self._folds("Predict.")}</div>'

    def _folds(self, head: str) -> str:
        """The question, and one fold per option: opening it is choosing it. Of one question one is open at a time."""
        options = zip(_LETTERS, self.options, strict=False)
        folds = "".join(_fold(self.id, letter, option) for letter, option in options)
        return f"<div><p><strong>{head}</strong> {_html(self.text)}</p>{folds}</div>"


@dataclass(frozen=True)
class Quiz:
    """Some questions under one name; ``key`` holds the right letters (chapter 1)."""

    name: str
    questions: tuple[Question, ...]

    @property
    def key(self) -> str:
        """The right letters, as in "1 b, 2 d"."""
        return ", ".join(f"{number} {question.right}" for number, question in enumerate(self.questions, 1))

    def __repr__(self) -> str:
        return "\n\n".join(f"{number}. {question!r}" for number, question in enumerate(self.questions, 1))

    def _repr_html_(self) -> str:
        questions = (question._folds(f"{number}.") for number, question in enumerate(self.questions, 1))
        return f'<div style="{_ASIDE}">{"".join(questions)}</div>'


def predict(id: str) -> Question:
    """The prediction of that id, to be made before the next cell is run (chapter 1).

    Raises ``ValueError`` for an unknown id, with the ids of the chapter.

    >>> predict("pred-ch05-nothing").id
    'pred-ch05-nothing'
    """
    known = {question.id: question for question in _questions(_chapter("id", id), "prediction")}
    return known[_expect.one_of("id", id, known)]


def quiz(name: str) -> Quiz:
    """The quiz of a chapter, as in "ch05", or of one of its pages, as in "ch05-ranking" (chapter 1).

    Raises ``ValueError`` for an unknown name.

    >>> len(quiz("ch01").questions), len(quiz("ch05-ranking").questions)
    (8, 8)
    """
    known = _questions(_chapter("name", name), "quiz")
    chosen = tuple(question for question in known if question.id.startswith(f"quiz-{name}-"))
    if not chosen:
        raise _expect.fail("name", repr(name), "the name of a quiz, such as 'ch05' or 'ch05-ranking'")
    return Quiz(name, chosen)


def _chapter(name: str, text: str) -> str:
    """The chapter that an id names, as in "ch05", when there are questions for it."""
    found = re.search(r"\bch\d\d\b", str(text))
    if found is None or not _files(found[0]):
        raise _expect.fail(name, repr(text), "a name with a chapter that has questions, such as 'ch05'")
    return found[0]


def _files(chapter: str) -> list[Traversable]:
    """The files of a chapter in the order of their names; a long chapter has several: ch02_text, ch02_image."""
    folder = resources.files("xmrlib.checks") / "questions"
    return sorted((f for f in folder.iterdir() if f.name.startswith(chapter)), key=lambda file: file.name)


@functools.cache
def _questions(chapter: str, kind: str) -> tuple[Question, ...]:
    """The questions of a chapter, kind "prediction" or "quiz", in the order of the files."""
    tables = (tomllib.loads(file.read_text(encoding="utf-8")) for file in _files(chapter))
    entries = [entry for table in tables for entry in table.get(kind, [])]
    return tuple(Question(e["id"], e["text"], tuple(Option(**o) for o in e["options"])) for e in entries)


def _html(text: str) -> str:
    """Escaped; `code` in backticks is the only mark-up."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _fold(name: str, letter: str, option: Option) -> str:
    verdict = "✓ Right." if option.right else "✗ No."
    return (
        f'<details name="{name}"><summary style="cursor: pointer">{letter}) {_html(option.text)}</summary>'
        f'<p style="margin: 0.2em 1.5em"><strong>{verdict}</strong> {_html(option.why)}</p></details>'
    )
