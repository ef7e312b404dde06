"""Tables of results: the same values in a terminal and in a page, nothing lost, nothing unsafe."""

from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmrlib.tables import Table


class Cells(HTMLParser):
    """Reads the cells of a table back."""

    def __init__(self, text):
        super().__init__()
        self.rows = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def test_numbers_are_shown_as_the_field_writes_them():
    """Protects three decimals for fractions, one for ranks, whole numbers as they are, and small p-values."""
    table = Table(
        [{"name": "a", "R@1": 0.12345, "MedR": 6, "rank": 3.26, "n": np.int64(7), "p": 0.0001, "ok": True}]
    )
    shown = ["a", "0.123", "6", "3.3", "7", "<0.001", "True"]
    assert repr(table).splitlines()[1].split() == shown
    assert Cells(table._repr_html_()).rows[1] == shown


def test_columns_stand_under_each_other_in_a_terminal():
    """Protects the alignment: numbers to the right, text to the left, Chinese counted as two columns."""
    lines = repr(Table([{"query": "猫", "R@1": 0.5}, {"query": "dog", "R@1": 12.25}])).splitlines()
    assert lines == ["query     R@1", "猫      0.500", "dog    12.250"]


texts = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=9)


@given(st.lists(st.tuples(texts, st.floats(0, 1), st.none() | st.tuples(st.floats(0, 1), st.floats(0, 1)))
                .map(lambda row: dict(zip(("name", "value", "95 %"), row, strict=True))), min_size=1, max_size=4))  # fmt: skip
def test_a_page_shows_what_the_terminal_shows(rows):
    """Protects readers of both, whatever letters a name holds (also < and &)."""
    table = Table(rows)
    cells = Cells(table._repr_html_()).rows
    assert cells[0] == table.columns
    for cell, row, line in zip(cells[1:], rows, repr(table).splitlines()[1:], strict=True):
        assert cell[0] == row["name"]
        assert cell[1] == f"{row['value']:.3f}"
        assert all(text in line for text in cell)
    assert table.rows == rows


def test_faulty_rows_are_refused():
    """Protects a table from a silent gap."""
    with pytest.raises(ValueError, match="rows is empty"):
        Table([])
    with pytest.raises(ValueError, match=r"rows\[1\] is with the keys \['b'\]"):
        Table([{"a": 1}, {"b": 1}])


def test_a_column_without_a_name_has_no_empty_heading():
    """Protects readers who listen: a heading that says nothing is a fault."""
    shown = Table([{"": "rank", "number": 3}, {"": "", "number": 4}])._repr_html_()
    assert "></th>" not in shown and shown.count("<td></td>") == 2
