"""Checks at the boundary: the one place where messages about bad input are made.

Every helper takes the name of the argument first, returns the checked value, and raises a ``ValueError``
that gives the name, the value and what was expected. Nothing is clamped, dropped or filled.
"""

import numbers
import operator
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

__all__ = [
    "array", "equal", "fail", "finite", "fraction", "generator", "integer", "items", "matrix", "number", "one_of",
    "vector",
]  # fmt: skip

_KINDS = {
    "b": "booleans",
    "i": "integers",
    "u": "unsigned integers",
    "f": "real numbers",
    "U": "text",
    "S": "bytes",
}


def fail(name: str, value: object, expected: str) -> ValueError:
    """Return (not raise) the error "name is value; expected ..."."""
    return ValueError(f"{name} is {value}; expected {expected}")


def array(name: str, value: Any, ndim: int, kinds: str = "iuf") -> np.ndarray:
    """A non-empty array of `ndim` dimensions whose dtype is one of `kinds` (b, i, u, f as in numpy)."""
    if any(isinstance(part, np.ma.MaskedArray) for part in (value, *_parts(value))):
        raise fail(name, "a masked array", "a plain array: fill or leave out what is masked first")
    try:
        a = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:  # RuntimeError: a tensor that requires grad
        raise fail(name, f"not an array ({error})", f"an array of {ndim} dimension(s)") from error
    if a.dtype.kind not in kinds:
        wanted = " or ".join(_KINDS[kind] for kind in kinds)
        raise fail(name, f"an array of dtype {a.dtype}", f"an array of {wanted}")
    if a.ndim != ndim:
        raise fail(name, f"an array of shape {a.shape}", f"an array of {ndim} dimension(s)")
    if a.size == 0:
        raise fail(name, f"an empty array of shape {a.shape}", "at least one value along every dimension")
    return a


def _parts(value: Any) -> Iterable[Any]:
    """What a list or tuple holds, for numpy would drop the mask of each part in silence."""
    return value if isinstance(value, (list, tuple)) else ()


def finite(name: str, a: np.ndarray) -> np.ndarray:
    """The same array, when it holds no NaN and no infinity."""
    if a.dtype.kind == "f" and not (_finite_sum(a) or np.isfinite(a).all()):
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(a))[0])
        place = ", ".join(map(str, where))
        raise ValueError(f"{name}[{place}] is {a[where]}; expected only finite numbers")
    return a


def _finite_sum(a: np.ndarray) -> bool:
    """Whether the sum of squares is finite: fast, and then every element is. It can overflow, so False is open."""
    return a.flags.c_contiguous and bool(np.isfinite(np.vdot(a, a)))


def matrix(name: str, value: Any) -> np.ndarray:
    """A finite, non-empty matrix of floats: float32 and float64 stay, everything else becomes float64."""
    a = array(name, value, 2)
    return finite(name, a if a.dtype in (np.float32, np.float64) else _float64(a))


def vector(name: str, value: Any) -> np.ndarray:
    """A finite, non-empty vector of float64 (booleans become 0 and 1)."""
    return finite(name, _float64(array(name, value, 1, "biuf")))


def _float64(a: np.ndarray) -> np.ndarray:
    """A copy in float64, where a longdouble beyond its range is infinite."""
    with np.errstate(over="ignore"):
        return a.astype(np.float64)


def integer(name: str, value: Any, low: int, high: int | None = None) -> int:
    """A whole number from `low` to `high`, both included; `high=None` is no upper limit."""
    expected = f"a whole number of at least {low}" if high is None else f"a whole number from {low} to {high}"
    try:
        number = operator.index(value)
    except TypeError:
        raise fail(name, repr(value), expected) from None
    if _is_bool(value) or number < low or (high is not None and number > high):
        raise fail(name, repr(value), expected)
    return number


def _is_bool(value: Any) -> bool:
    """Whether it is True or False, of Python, numpy or torch."""
    return isinstance(value, bool) or str(getattr(value, "dtype", "")).endswith("bool")


def _within(low: float, value: Any, high: float) -> bool:
    return bool(low <= value <= high)


def number(name: str, value: Any, low: float, high: float = sys.float_info.max) -> float:
    """A real number from `low` to `high`, both included; without `high`, any finite number."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not _within(low, value, high):
        limits = f"of at least {low}" if high == sys.float_info.max else f"from {low} to {high}"
        raise fail(name, repr(value), f"a number {limits}")
    return float(value)


def fraction(name: str, value: Any) -> float:
    """A number strictly between 0 and 1."""
    if not isinstance(value, (float, np.floating)) or not 0 < value < 1:
        raise fail(name, repr(value), "a number strictly between 0 and 1")
    return float(value)


def generator(name: str, value: Any) -> np.random.Generator:
    """The same generator, or one made from a whole number of at least 0: chance is never without a seed."""
    return value if isinstance(value, np.random.Generator) else np.random.default_rng(integer(name, value, 0))


def one_of(name: str, value: Any, options: Iterable[Any]) -> Any:
    """The same value, when it is one of `options`."""
    options = list(options)
    if not any(value is option or (type(value) is type(option) and value == option) for option in options):
        raise fail(name, repr(value), "one of " + ", ".join(map(repr, options)))
    return value


def equal(what: str, first: str, a: int | tuple, second: str, b: int | tuple) -> None:
    """Raise unless two sizes agree: `what` ("columns") of `first` ("Q") and of `second` ("X")."""
    if a != b:
        raise ValueError(f"{first} and {second} differ in {what}: {a} and {b}; expected the same")


def items(name: str, value: Any, n: int) -> np.ndarray:
    """The numbers, int64, of some of `n` items, given as whole numbers from 0 to n - 1 or as a mask of n booleans."""
    expected = f"whole numbers from 0 to {n - 1}, or a mask of {n} booleans"
    if np.ma.isMaskedArray(value):
        raise fail(name, "a masked array", expected)
    try:
        a = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise fail(name, f"not an array ({error})", expected) from error
    if a.ndim == 1 and a.dtype == bool and len(a) == n:
        return np.flatnonzero(a)
    if a.ndim != 1 or (a.size and a.dtype.kind not in "iu"):
        raise fail(name, f"an array of dtype {a.dtype} and shape {a.shape}", expected)
    outside = a[(a < 0) | (a >= n)]
    if len(outside):
        raise fail(name, f"an array with {outside[0]} in it", expected)
    return a.astype(np.int64)
