"""Instant feedback: exercises that answer at once, predictions and quizzes that explain every option.

``exercise(label, answer)`` knows the oracle of every exercise; the oracles live here, one or more modules per chapter, so that
a page does not print its own answers. ``predict(id)`` and ``quiz(name)`` show questions that are kept as data.
A check returns a `Result`, which a notebook shows and which never stops a run. An exercise that still holds its
placeholder (``...``, None, NotImplemented, or a function that returns one of these or raises NotImplementedError) is
not wrong but not answered yet. Introduced in chapter 1.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable
from typing import Any

from xmrlib import _expect
from xmrlib.checks._compare import Result
from xmrlib.checks._questions import Option, Question, Quiz, predict, quiz

__all__ = [
    "Option",
    "Question",
    "Quiz",
    "Result",
    "exercise",
    "predict",
    "quiz",
]


def exercise(label: str, answer: Any = ...) -> Result:
    """Whether ``answer`` solves the exercise ``label``; never an error, whatever the answer is (chapter 1).

    An answer is what the exercise asks for: a number, a letter, a list, a dict of named parts or a function. Numbers
    may be floats, fractions, numpy or torch numbers; arrays may be lists, numpy arrays or tensors. Open exercises are
    not graded. Raises ``ValueError`` for a label that no exercise has.

    >>> exercise("ex-ch01-direction", "c")
    ✗ Not yet. got 'c': that is the way back, with a picture as the query.
    >>> exercise("ex-ch01-chance", lambda n, k, r: 1 / n)
    ✗ Not yet. Case 2 of 6 differs.
    input: n = 20, k = 10, r = 1
    got: 0.05
    expected: 0.5
    """
    graders = _graders(label)
    _expect.one_of("label", label, graders)
    return graders[label](answer)


def _graders(label: str) -> dict[str, Callable[[Any], Result]]:
    """The exercises of the chapter that a label names; none for a chapter without exercises.

    A long chapter has several modules: ch02_text, ch02_image.
    """
    found = re.match(r"ex-(ch\d\d)-", str(label))
    names = [name for _, name, _ in pkgutil.iter_modules(__path__) if found and name.startswith(found[1])]
    modules = (importlib.import_module(f"{__name__}.{name}") for name in sorted(names))
    return {label: grade for module in modules for label, grade in module.EXERCISES.items()}
