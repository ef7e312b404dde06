"""Instant feedback on exercises: a check returns a `Result`, which a notebook shows and which never stops a run.

An exercise that still holds its placeholder (``...``, None, NotImplemented, or a function that returns one of
these or raises NotImplementedError) is not wrong but not answered yet. Introduced in chapter 1.
"""

from __future__ import annotations

import copy
import hashlib
import html
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, is_dataclass
from typing import Any

import numpy as np

from xmrlib import _expect

__all__ = ["Result", "agrees", "choice", "digest", "value"]

_SIGNS = {"right": ("✓", "#0f766e", "Right."), "wrong": ("✗", "#D55E00", "Not yet."),
          "open": ("…", "#6b7280", "Not answered yet.")}  # fmt: skip

_Number = np.generic | bool | int | float | complex
_KINDS = {
    "b": "booleans",
    "i": "whole numbers",
    "u": "whole numbers",
    "f": "real numbers",
    "c": "complex numbers",
}


@dataclass(frozen=True)
class Result:
    """What a check found: ``state`` is "right", "wrong" or "open"; only "right" is true (chapter 1).

    >>> Result("wrong", "got 3")
    ✗ Not yet. got 3
    >>> bool(Result("right")), bool(Result("open"))
    (True, False)
    """

    state: str
    detail: str = ""

    def __bool__(self) -> bool:
        return self.state == "right"

    def __repr__(self) -> str:
        sign, _, head = _SIGNS[self.state]
        return f"{sign} {head} {self.detail}".rstrip()

    def _repr_html_(self) -> str:
        sign, color, head = _SIGNS[self.state]
        detail = html.escape(self.detail).replace("\n", "<br>")
        style = f"border-left: 5px solid {color}; padding: 0.3em 0.8em; overflow-wrap: anywhere"
        return f'<div style="{style}">{sign} <strong>{head}</strong> {detail}</div>'


def value(answer: Any, expected: Any, tolerance: float = 1e-9) -> Result:
    """Whether ``answer`` is ``expected``; for a wrong answer it says where they differ, not what is right (chapter 1).

    Numbers with a fraction may differ by ``tolerance`` relative to the expected one (a float32 by 1e-5), whole
    numbers by ``tolerance`` itself. NaN equals NaN. Arrays must have the same shape and the same kind of dtype
    (real, whole, boolean, text); dicts, lists and tuples are compared item by item.

    >>> value(0.1 + 0.2, 0.3)
    ✓ Right.
    >>> value(0.31, 0.3)
    ✗ Not yet. got 0.31: too large
    >>> value(..., 0.3)
    … Not answered yet. Replace the placeholder by your answer.
    """
    if _is_open(answer) and not _is_open(expected):
        return Result("open", "Replace the placeholder by your answer.")
    difference = _difference(answer, expected, tolerance)
    return Result("right") if difference is None else Result("wrong", f"got {_show(answer)}: {difference}")


def choice(answer: Any, digest: str) -> Result:
    """Whether ``answer`` (a letter, a word, a number, or a set of these) is the one behind the `digest` (chapter 1).

    Spaces around it, upper and lower case and the order of a set do not matter. Raises ``ValueError`` for a
    malformed digest.

    >>> choice("B", "ch5-ties:d1e27d1f1d1b7a0d")
    ✗ Not yet. got 'B'
    """
    salt, colon, expected = digest.rpartition(":")
    if not colon or len(expected) != 16:
        raise _expect.fail("digest", repr(digest), "what xmrlib.checks.digest(answer, exercise) returns")
    if _is_open(answer):
        return Result("open", "Replace the placeholder by your choice.")
    return Result("right") if _sealed(answer, salt) == expected else Result("wrong", f"got {_show(answer)}")


def digest(answer: Any, exercise: str) -> str:
    """The digest of the right ``answer`` for `choice`, so that a notebook does not print it (chapter 1).

    ``exercise`` is any name; the same letter has another digest in another exercise.

    >>> choice("b", digest("B", "ch5-ties"))
    ✓ Right.
    """
    return f"{exercise}:{_sealed(answer, exercise)}"


def _sealed(answer: Any, salt: str) -> str:
    items = answer if isinstance(answer, set | frozenset | list | tuple) else [answer]
    text = "\n".join(sorted({str(item).strip().casefold() for item in items}))
    return hashlib.sha256(f"{salt}\n{text}".encode()).hexdigest()[:16]


def agrees(function: Any, oracle: Callable, cases: Iterable[Any], tolerance: float = 1e-9) -> Result:
    """Whether ``function`` returns what ``oracle`` returns on every case; else the first case that differs (chapter 1).

    A case is a tuple of arguments, or one argument that is no tuple; each function gets its own copy. Where the oracle
    raises, the function must raise that kind of error too. Compared as by `value`. Raises ``ValueError`` when
    there is no case.

    >>> agrees(lambda x: x * x, lambda x: x**2, [0, 1, 2.5])
    ✓ Right. 3 cases agree.
    >>> agrees(lambda x: x + x, lambda x: x**2, [0, 2, 3])
    ✗ Not yet. Case 3 of 3 differs.
    input: 3
    got: 6
    expected: 9
    """
    cases = [case if isinstance(case, tuple) else (case,) for case in cases]
    if not cases:
        raise _expect.fail("cases", "empty", "at least one case")
    if _is_open(function):
        return Result("open", "Write the function, then run this cell again.")
    for number, case in enumerate(cases, 1):
        expected, got = (_call(f, copy.deepcopy(case)) for f in (oracle, function))
        if isinstance(got, _Raised) and isinstance(got.error, NotImplementedError):
            return Result("open", "The function raises NotImplementedError.")
        if number == 1 and _is_open(got) and not _is_open(expected):
            return Result("open", f"The function returns {got!r}; is the line with return missing?")
        difference = _difference(got, expected, tolerance)
        if difference is not None:
            return Result("wrong", _report(number, len(cases), case, got, expected, difference))
    return Result("right", f"{len(cases)} case{'s agree' if len(cases) > 1 else ' agrees'}.")


def _report(number: int, n: int, case: tuple, got: Any, expected: Any, difference: str) -> str:
    shown = ", ".join(map(_show, case))
    where = "" if difference in ("too large", "too small", "another value") else f"\n{difference}"
    return f"Case {number} of {n} differs.\ninput: {shown}\ngot: {_show(got)}\nexpected: {_show(expected)}{where}"


@dataclass(frozen=True)
class _Raised:
    """An error that a function raised, in the place of its value."""

    error: Exception
    line: str = ""

    def __repr__(self) -> str:
        return traceback.format_exception_only(self.error)[-1].strip() + (self.line and f" (at: {self.line})")


def _call(function: Callable, arguments: tuple) -> Any:
    try:
        return function(*arguments)
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)[1:]  # the first is this function
        return _Raised(error, (frames[0].line or "") if frames else "")


def _is_open(answer: Any) -> bool:
    return answer is None or answer is ... or answer is NotImplemented


def _show(x: Any) -> str:
    with np.printoptions(threshold=40, edgeitems=3):
        text = repr(x.item() if isinstance(x, np.generic) else x)
    return text if len(text) <= 400 else f"{text[:400]}…"


def _difference(got: Any, expected: Any, tolerance: float) -> str | None:
    """None if they are the same, else in words how they differ, without telling the expected values."""
    got, expected = (x.detach().cpu().numpy() if hasattr(x, "detach") else x for x in (got, expected))
    if isinstance(expected, _Raised) or isinstance(got, _Raised):
        same = (
            isinstance(expected, _Raised)
            and isinstance(got, _Raised)
            and isinstance(got.error, type(expected.error))
        )
        return None if same else "an error is raised by one of the two"
    if isinstance(expected, _Number | np.ndarray) and not isinstance(expected, str):
        return _array_difference(got, expected, tolerance)
    if isinstance(expected, Mapping):
        if not isinstance(got, Mapping) or got.keys() != expected.keys():
            return "a dict with other keys is expected" if isinstance(got, Mapping) else "a dict is expected"
        return _first([(f"at {key!r}", got[key], expected[key]) for key in expected], tolerance)
    if isinstance(expected, list | tuple):
        if not isinstance(got, list | tuple) or len(got) != len(expected):
            return f"a list or tuple of {len(expected)} items is expected"
        pairs = zip(got, expected, strict=True)
        return _first([(f"item {i}", *pair) for i, pair in enumerate(pairs)], tolerance)
    if is_dataclass(expected) and type(got) is type(expected):
        return _difference(vars(got), vars(expected), tolerance)
    same_type = isinstance(got, str) if isinstance(expected, str) else type(got) is type(expected)
    return None if same_type and bool(got == expected) else "another value"


def _first(items: list[tuple[str, Any, Any]], tolerance: float) -> str | None:
    found = ((where, _difference(got, expected, tolerance)) for where, got, expected in items)
    return next((f"{where}: {what}" for where, what in found if what is not None), None)


def _array_difference(got: Any, expected: Any, tolerance: float) -> str | None:
    e = np.asarray(expected)
    if not isinstance(got, np.ndarray if e.ndim else np.ndarray | _Number):
        return f"an array of shape {e.shape} is expected" if e.ndim else "a number is expected"
    g = np.asarray(got)
    if g.shape != e.shape:
        return f"shape {e.shape} is expected" if e.ndim else "one number is expected"
    kinds = [_KINDS.get(x.dtype.kind, str(x.dtype)) for x in (g, e)]
    if kinds[0] != kinds[1] and (e.ndim or {*kinds} != {"whole numbers", "real numbers"}):
        return f"{kinds[1]} are expected, not {kinds[0]}"
    wrong = np.atleast_1d(_unlike(g, e, tolerance))
    if not wrong.any():
        return None
    if e.ndim == 0:
        ordered = e.dtype.kind in "iuf" and not np.isnan(g) and not np.isnan(e)
        return ("too large" if g > e else "too small") if ordered else "another value"
    place = tuple(int(i) for i in np.argwhere(wrong)[0])
    return f"{wrong.sum()} of {wrong.size} entries differ, first {list(place)}, where it is {_show(g[place])}"


def _unlike(g: np.ndarray, e: np.ndarray, tolerance: float) -> np.ndarray:
    """Where two arrays of one shape differ by more than the tolerance that `value` documents."""
    if not {g.dtype.kind, e.dtype.kind} & set("fc"):
        if e.dtype.kind not in "iu" or tolerance < 1:
            return g != e
        return np.abs(g.astype(float) - e.astype(float)) > tolerance
    single = e.dtype in (np.float16, np.float32, np.complex64)
    g, e = (x.astype(complex if x.dtype.kind == "c" else float) for x in (g, e))
    size = np.abs(e[np.isfinite(e)]).max(initial=0)
    bound = (max(tolerance, 1e-5) if single else tolerance) * (np.abs(e) if size > 0 else 1)
    with np.errstate(invalid="ignore", over="ignore"):
        near = (
            np.abs(g - e) <= bound + (1e-6 if single else 2e-15) * size
        )  # the round-off of sums that cancel
    return ~((g == e) | (np.isnan(g) & np.isnan(e)) | (np.isfinite(g) & np.isfinite(e) & near))
