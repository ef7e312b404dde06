"""Comparing an answer with what is right: in words, with a case, and never with a traceback."""

from __future__ import annotations

import copy
import html
import inspect
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, is_dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from xmrlib import _expect

__all__ = ["Result", "agrees", "choice", "open_question", "value"]

_SIGNS = {"right": ("✓", "#0f766e", "Right."), "wrong": ("✗", "#D55E00", "Not yet."),
          "open": ("…", "#6b7280", "Not answered yet.")}  # fmt: skip

_Number = np.generic | bool | int | float | complex
_KINDS = {
    "b": "booleans",
    "i": "numbers",
    "u": "numbers",
    "f": "numbers",
    "c": "complex numbers",
    "U": "text",
}
_SINGLE = (np.float16, np.float32, np.complex64)
_ROUNDED = "close; do not round (enter a fraction, or let Python compute it)"
_PLAIN = ("too large", "too small", "another value")


@dataclass(frozen=True)
class Result:
    """What a check found: ``state`` is "right", "wrong" or "open"; only "right" is true (chapter 1).

    ``head`` replaces the words that belong to the state.

    >>> Result("wrong", "got 3")
    ✗ Not yet. got 3
    >>> bool(Result("right")), bool(Result("open"))
    (True, False)
    """

    state: str
    detail: str = ""
    head: str = ""

    def __bool__(self) -> bool:
        return self.state == "right"

    def __repr__(self) -> str:
        sign, _, head = _SIGNS[self.state]
        return f"{sign} {self.head or head} {self.detail}".rstrip()

    def _repr_html_(self) -> str:
        sign, color, head = _SIGNS[self.state]
        detail = html.escape(self.detail).replace("\n", "<br>")
        style = f"border-left: 5px solid {color}; padding: 0.3em 0.8em; overflow-wrap: anywhere"
        return f'<div style="{style}">{sign} <strong>{self.head or head}</strong> {detail}</div>'


def value(answer: Any, expected: Any, tolerance: float = 1e-9) -> Result:
    """Whether ``answer`` is ``expected``; for a wrong answer it says where they differ, not what is right (chapter 1).

    Numbers may differ by ``tolerance`` relative to the expected one (in single precision by 1e-5). It does not matter
    whether a number is a float, a fraction, a numpy or a torch number, nor whether an array is a list or a tensor. NaN
    equals NaN, booleans are no numbers. Arrays must have the same shape; dicts, lists and tuples are compared item by
    item. A dict may be filled in part by part.

    >>> value(Fraction(1, 3), 1 / 3)
    ✓ Right.
    >>> value(0.33, 1 / 3)
    ✗ Not yet. got 0.33: close; do not round (enter a fraction, or let Python compute it)
    >>> value({"P@5": 0.2, "AP": ...}, {"P@5": 0.2, "AP": 0.5})
    … Not answered yet. Still to do: 'AP'.
    """
    if _is_open(answer) and not _is_open(expected):
        return Result("open", "Replace the placeholder by your answer.")
    todo = _open_parts(answer, expected)
    rest = {key: x for key, x in expected.items() if key not in todo} if todo else expected
    difference = _compared({key: answer[key] for key in rest} if todo else answer, rest, tolerance)
    if difference is not None:
        return Result("wrong", f"got {_show(answer)}: {difference}")
    return Result("open", f"Still to do: {', '.join(map(repr, todo))}.") if todo else Result("right")


def _open_parts(answer: Any, expected: Any) -> list[Any]:
    """The parts of a dict that hold their placeholder still."""
    both = isinstance(answer, dict) and isinstance(expected, Mapping) and answer.keys() == expected.keys()
    return [key for key in expected if _is_open(answer[key])] if both else []


def choice(answer: Any, right: str, why: Mapping[str, str]) -> Result:
    """Whether ``answer`` is the letter ``right``; ``why`` tells what is wrong with each other letter (chapter 1).

    Spaces around it, upper and lower case, and a list or set of one letter do not matter.

    >>> choice(" B", "b", {"a": "that is the mean."})
    ✓ Right.
    >>> choice("a", "b", {"a": "that is the mean."})
    ✗ Not yet. got 'a': that is the mean.
    >>> choice(3, "b", {"a": "that is the mean."})
    ✗ Not yet. got 3: one of 'a', 'b' is expected
    """
    if _is_open(answer):
        return Result("open", "Replace the placeholder by your choice.")
    items = list(answer) if isinstance(answer, set | frozenset | list | tuple) else [answer]
    letter = _show(items[0]).strip("'\" ").casefold() if len(items) == 1 else ""
    if letter == right:
        return Result("right")
    options = ", ".join(map(repr, sorted({right, *why})))
    return Result("wrong", f"got {_show(answer)}: {why.get(letter, f'one of {options} is expected')}")


def open_question(answer: Any) -> Result:
    """The grader of a question that has no one answer: it reads nothing and says so (chapter 5)."""
    note = "It is not graded. Compare what you found with the solution, or with somebody else's."
    return Result("open", note, "An open question.")


def agrees(
    function: Any, oracle: Callable, cases: Iterable[Any], tolerance: float = 1e-9, hint: str = ""
) -> Result:
    """Whether ``function`` returns what ``oracle`` returns on every case; else the first case that differs (chapter 1).

    A case is a tuple of arguments, or one argument that is no tuple; each function gets its own copy. Where the oracle
    raises, the function must raise that kind of error too. Compared as by `value`; ``hint`` is added to a wrong
    result. Raises ``ValueError`` when there is no case.

    >>> agrees(lambda x: x * x, lambda x: x**2, [0, 1, 2.5])
    ✓ Right. 3 cases agree.
    >>> agrees(lambda x: x + x, lambda x: x**2, [0, 2, 3])
    ✗ Not yet. Case 3 of 3 differs.
    input: x = 3
    got: 6
    expected: 9
    """
    cases = [case if isinstance(case, tuple) else (case,) for case in cases]
    if not cases:
        raise _expect.fail("cases", "empty", "at least one case")
    if _is_open(function):
        return Result("open", "Write the function, then run this cell again.")
    if not callable(function):
        return Result("wrong", f"got {_show(function)}: a function is expected (its name, without brackets)")
    changed = False
    for number, case in enumerate(cases, 1):
        expected, arguments = _call(oracle, copy.deepcopy(case)), copy.deepcopy(case)
        got = _call(function, arguments)
        if isinstance(got, _Raised) and isinstance(got.error, NotImplementedError):
            return Result("open", "The function raises NotImplementedError.")
        if number == 1 and _is_open(got) and not _is_open(expected):
            return Result("open", f"The function returns {got!r}; is the line with return missing?")
        difference = _compared(got, expected, tolerance)
        if difference is not None:
            shown = _arguments(oracle, case)
            return Result(
                "wrong", _report(f"{number} of {len(cases)}", shown, got, expected, difference, hint)
            )
        changed = changed or _compared(arguments, case, 0) is not None
    note = " But the function changes its input; let it work on a copy." if changed else ""
    return Result("right", f"{len(cases)} case{'s agree' if len(cases) > 1 else ' agrees'}.{note}")


def _report(which: str, shown: str, got: Any, expected: Any, difference: str, hint: str) -> str:
    lines = [
        f"Case {which} differs.",
        f"input: {shown}",
        f"got: {_show(got)}",
        f"expected: {_show(expected)}",
    ]
    return "\n".join(lines + [line for line in (difference, hint) if line and line not in _PLAIN])


def _arguments(oracle: Callable, case: tuple) -> str:
    """The arguments of a case with the names that the oracle gives them."""
    try:
        names = [f"{name} = " for name in inspect.signature(oracle).parameters]
    except ValueError:  # some functions written in C do not tell
        names = []
    names += [""] * (len(case) - len(names))
    return ", ".join(name + _show(x) for name, x in zip(names, case, strict=False))


@dataclass(frozen=True)
class _Raised:
    """An error that a function raised, in the place of its value."""

    error: BaseException
    line: str = ""

    def __repr__(self) -> str:
        return traceback.format_exception_only(self.error)[-1].strip() + (self.line and f" (at: {self.line})")


def _call(function: Callable, arguments: tuple) -> Any:
    try:
        return function(*arguments)
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)[1:]  # the first is this function
        return _Raised(error, (frames[0].line or "") if frames else "")


def _is_open(answer: Any) -> bool:
    return answer is None or answer is ... or answer is NotImplemented


def _show(x: Any) -> str:
    try:
        x = _plain(x)
        with np.printoptions(threshold=40, edgeitems=3):
            text = repr(x.item() if isinstance(x, np.generic) else x)
    except Exception:  # the reader's own class may not know how to show itself
        text = f"<{type(x).__name__}>"
    return text if len(text) <= 400 else f"{text[:400]}…"


def _plain(x: Any) -> Any:
    """Tensors become arrays, fractions and decimals become floats; anything else stays."""
    if hasattr(x, "detach"):
        x = x.detach().cpu().numpy()
    return float(x) if isinstance(x, Fraction | Decimal) else x


def _compared(got: Any, expected: Any, tolerance: float) -> str | None:
    """None if they are the same, else in words how they differ; also when the comparison itself breaks."""
    try:
        return _difference(got, expected, tolerance)
    except Exception as error:
        return f"this cannot be compared ({type(error).__name__})"


def _difference(got: Any, expected: Any, tolerance: float) -> str | None:
    got, expected = _plain(got), _plain(expected)
    if isinstance(expected, _Raised) or isinstance(got, _Raised):
        both = isinstance(expected, _Raised) and isinstance(got, _Raised)
        same = both and isinstance(got.error, type(expected.error))
        return None if same else "an error is raised by one of the two"
    if isinstance(expected, _Number | np.ndarray) and not isinstance(expected, str):
        return _array_difference(got, np.asarray(expected), tolerance)
    if isinstance(expected, Mapping):
        if not isinstance(got, Mapping) or got.keys() != expected.keys():
            keys = ", ".join(map(repr, expected))
            return f"a dict with the keys {keys} is expected"
        return _first([(f"at {key!r}", got[key], expected[key]) for key in expected], tolerance)
    if isinstance(expected, list | tuple):
        return _list_difference(got, expected, tolerance)
    if is_dataclass(expected) and type(got) is type(expected):
        return _difference(vars(got), vars(expected), tolerance)
    same_type = isinstance(got, str) if isinstance(expected, str) else type(got) is type(expected)
    return None if same_type and bool(got == expected) else "another value"


def _list_difference(got: Any, expected: list | tuple, tolerance: float) -> str | None:
    got = list(got) if isinstance(got, np.ndarray) and got.ndim else got
    if not isinstance(got, list | tuple) or len(got) != len(expected):
        return f"a list, tuple or array of {len(expected)} items is expected"
    pairs = zip(got, expected, strict=True)
    return _first([(f"item {i}", *pair) for i, pair in enumerate(pairs)], tolerance)


def _first(items: list[tuple[str, Any, Any]], tolerance: float) -> str | None:
    found = ((where, _difference(got, expected, tolerance)) for where, got, expected in items)
    return next((f"{where}: {what}" for where, what in found if what is not None), None)


def _array_difference(got: Any, e: np.ndarray, tolerance: float) -> str | None:
    g = _as_array(got, e.ndim)
    if g is None:
        return f"an array of shape {e.shape} is expected" if e.ndim else "a number is expected"
    if g.shape != e.shape:
        return f"shape {e.shape} is expected, not {g.shape}" if e.ndim else "one number is expected"
    kinds = [_KINDS.get(x.dtype.kind, str(x.dtype)) for x in (g, e)]
    if kinds[0] != kinds[1]:
        return f"{kinds[1]} are expected, not {kinds[0]}"
    wrong = np.atleast_1d(_unlike(g, e, tolerance))
    if not wrong.any():
        return None
    what = _how(g, e)
    if e.ndim == 0 or what not in _PLAIN:
        return what
    place = tuple(int(i) for i in np.argwhere(wrong)[0])
    return f"{wrong.sum()} of {wrong.size} entries differ, first {list(place)}, where it is {_show(g[place])}"


def _as_array(got: Any, ndim: int) -> np.ndarray | None:
    """A number for no dimensions, else an array made of an array or of nested lists; None where that is impossible."""
    if not isinstance(got, np.ndarray | list | tuple | range if ndim else np.ndarray | _Number):
        return None
    try:
        g = np.asarray(got)
        return g.astype(float) if g.dtype == object else g
    except (TypeError, ValueError, OverflowError):  # ragged lists, things that are no numbers
        return None


def _how(g: np.ndarray, e: np.ndarray) -> str:
    """In which way numbers that differ do so: not finite, rounded, in per cent, too large or too small."""
    if e.dtype.kind not in "iuf" or np.isnan(e).any():
        return "another value"
    if not np.isfinite(g).all() and np.isfinite(e).all():
        return "a finite number is expected; is there a division by zero?"
    if e.dtype.kind == "f" and _rounded(g, e):
        return _ROUNDED
    if e.dtype.kind == "f" and g.any() and np.allclose(g / 100, e, 0.01, 0):
        return "a share between 0 and 1 is expected, not per cent"
    return "too large" if (g >= e).all() else "too small" if (g <= e).all() else "another value"


def _rounded(g: np.ndarray, e: np.ndarray) -> bool:
    """Whether g is e with d decimals, at least two, rounded or cut."""
    slack = 1e-7 if g.dtype in _SINGLE else 1e-12
    for power in 10.0 ** np.arange(2, 9):
        near = (np.round(e * power) / power, np.trunc(e * power) / power)
        if g.any() and any(np.allclose(g, x, slack, 0) for x in near):
            return True
    return False


def _unlike(g: np.ndarray, e: np.ndarray, tolerance: float) -> np.ndarray:
    """Where two arrays of one shape differ by more than the tolerance that `value` documents."""
    if not {g.dtype.kind, e.dtype.kind} & set("fc"):
        if e.dtype.kind not in "iu" or tolerance < 1:
            return g != e
        return np.abs(g.astype(float) - e.astype(float)) > tolerance
    single = g.dtype in _SINGLE or e.dtype in _SINGLE
    g, e = (x.astype(complex if x.dtype.kind == "c" else float) for x in (g, e))
    size = np.abs(e[np.isfinite(e)]).max(initial=0)
    bound = (max(tolerance, 1e-5) if single else tolerance) * (np.abs(e) if size > 0 else 1)
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.abs(g - e) <= bound + (1e-6 if single else 2e-15) * size  # round-off of sums that cancel
    return ~((g == e) | (np.isnan(g) & np.isnan(e)) | (np.isfinite(g) & np.isfinite(e) & near))
