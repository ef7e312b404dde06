"""Small tables of results that read well in a page, in JupyterLab and in a terminal. Introduced in chapter 1."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable, Mapping

import numpy as np

from xmrlib import _expect

__all__ = ["Table"]

_RANKS = ("MedR", "rank")  # shown with one decimal; every other fraction with three


class Table:
    """Rows with named columns: the keys of the first row are the head, and every row has the same keys.

    Numbers with a fraction are shown with three decimals (a p-value below 0.001 as ``<0.001``), a pair of numbers as
    an interval, None as nothing. ``rows`` keeps the values as they are. Raises ``ValueError`` for no rows and for
    rows with other keys. Introduced in chapter 1.

    >>> Table([{"system": "words", "R@1": 0.0634, "95 %": (0.05, 0.08)}, {"system": "chance", "R@1": 0.006, "95 %": None}])
    system    R@1           95 %
    words   0.063  0.050 … 0.080
    chance  0.006
    """

    def __init__(self, rows: Iterable[Mapping[str, object]]) -> None:
        self.rows = [dict(row) for row in rows]
        if not self.rows:
            raise _expect.fail("rows", "empty", "at least one row")
        for i, row in enumerate(self.rows):
            if list(row) != list(self.rows[0]):
                raise _expect.fail(
                    f"rows[{i}]", f"with the keys {list(row)}", f"the keys {list(self.rows[0])}"
                )

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self.rows[0])

    def __repr__(self) -> str:
        texts = [self.columns, *([_shown(name, x) for name, x in row.items()] for row in self.rows)]
        widths = [max(map(_width, column)) for column in zip(*texts, strict=True)]
        right = [any(_is_number(row[name]) for row in self.rows) for name in self.columns]
        lines = ("  ".join(map(_padded, line, widths, right)).rstrip() for line in texts)
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{html.escape(n)}</th>' if n else "<td></td>" for n in self.columns)
        body = "".join(f"<tr>{_html_row(row)}</tr>" for row in self.rows)
        return f'<table class="results"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _html_row(row: Mapping[str, object]) -> str:
    first, *others = ((html.escape(_shown(name, x)), _is_number(x)) for name, x in row.items())
    cells = (f'<td class="number">{text}</td>' if number else f"<td>{text}</td>" for text, number in others)
    return (f'<th scope="row">{first[0]}</th>' if first[0] else "<td></td>") + "".join(cells)


def _is_number(x: object) -> bool:
    return isinstance(x, int | float | tuple | np.number) and not isinstance(x, bool)


def _shown(name: str, x: object) -> str:
    if x is None:
        return ""
    if isinstance(x, tuple):
        return " … ".join(_shown(name, part) for part in x)
    if not isinstance(x, float | np.floating):
        return str(x)
    if name == "p" and x < 0.001:
        return "<0.001"
    return f"{x:.1f}" if any(word in name for word in _RANKS) else f"{x:.3f}"


def _width(text: str) -> int:
    """Columns of a terminal: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _padded(text: str, width: int, right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if right else text + space
