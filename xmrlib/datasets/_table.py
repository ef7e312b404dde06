"""Tables that a reader wrote: numbered rows, and what is wrong with the others."""

from __future__ import annotations

import csv
import io
import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ._errors import BadRowsError, MissingDataError

__all__ = ["Problem", "Row", "columns", "lines", "normal", "repeated", "shown", "tokens"]

Row = tuple[int, dict[str, str]]  # line of the table, cells by column
Problem = tuple[int, str]  # line of the table, what is wrong there
_NOT_UTF8 = re.compile("[\0\udc80-\udcff]")  # what a byte becomes that is no UTF-8; zeros are of UTF-16


def lines(file: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines of a UTF-8 text. MissingDataError; BadRowsError names each line that is not UTF-8."""
    return enumerate(io.StringIO(_text(file), newline=None), start=1)


def _text(file: Path) -> str:
    if not file.is_file():
        raise MissingDataError(f"captions_file = {str(file)!r}: expected a table")
    text = file.read_bytes().decode("utf-8-sig", "surrogateescape")
    if bad := [n for n, line in enumerate(text.split("\n"), start=1) if _NOT_UTF8.search(line)]:
        raise BadRowsError(file, [(n, "not UTF-8: save the table as UTF-8") for n in bad])
    return text


def columns(table: Path, needed: Sequence[str], problems: list[Problem]) -> Iterator[Row]:
    """The rows of a CSV or TSV table by column name; "image" and "filename" are the column "file"."""
    text = _text(table)
    header = re.split(r"[\r\n]", text, maxsplit=1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",\t;", key=header.count), strict=True)
    rows = _cells(reader, problems)
    names = [cell.strip().lower() for cell in next(rows, (1, []))[1]]
    names = ["file" if name in ("image", "filename") else name for name in names]
    if any(names.count(name) != 1 for name in needed):
        what = f"expected a line with the columns {', '.join(needed)}; got {shown(header)}"
        raise BadRowsError(table, [(1, what)])
    for line, cells in rows:
        if len(cells) == len(names):
            row = dict(zip(names, map(str.strip, cells), strict=True))
            yield line, row | {"file": normal(row["file"])}
        else:
            problems.append((line, f"{len(cells)} cells, expected {len(names)}"))


def _cells(reader: Iterator[list[str]], problems: list[Problem]) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line where each begins."""
    line = 1
    try:
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1  # type: ignore[attr-defined]
    except csv.Error as error:
        problems.append((line, str(error)))


def tokens(table: Path, problems: list[Problem]) -> Iterator[Row]:
    """Lines like ``1000268201_693b08cb0e.jpg#0<tab>A child in a pink dress .``"""
    for line, text in lines(table):
        name, tab, caption = text.partition("\t")
        if tab and "#" in name:
            file = normal(name.rpartition("#")[0])
            yield line, {"file": file, "caption": caption.strip(), "id": name}
        elif text.strip():
            problems.append((line, f"expected file#number, tab, caption; got {shown(text.strip())}"))


def repeated(rows: Sequence[Row], what: str, key: Callable[[dict[str, str]], object]) -> list[Problem]:
    """The rows that have the same key as an earlier row; a key of None or "" is no key."""
    first: dict[object, int] = {}
    places = [(line, first.setdefault(value, line)) for line, row in rows if (value := key(row))]
    return [(line, f"the same {what} as in line {before}") for line, before in places if before != line]


def normal(name: str) -> str:
    """One spelling of a path: ``./a.png`` is ``a.png``."""
    return posixpath.normpath(name) if name else ""


def shown(text: str) -> str:
    """Text as it stands in an error: quoted, at most 60 characters."""
    return repr(text if len(text) <= 60 else f"{text[:60]}…")
