"""Exercise checks: right answers pass, near misses do not, and nothing that a reader writes stops the notebook."""

import math
import re
import sys
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from xmrlib.checks import _compare

OPEN = [..., None, NotImplemented]
RIGHT = [
    (0.1 + 0.2, 0.3),
    (3, 3),
    (3.0, 3),
    (np.float32(0.5), 0.5),
    (np.int64(3), 3),
    (np.array(2.0), 2.0),
    (math.nan, math.nan),
    (-math.inf, -math.inf),
    (1e-17, 0.0),
    (True, np.True_),
    ("cat", "cat"),
    (np.str_("cat"), "cat"),
    ([1, 2.0], (1, 2.0)),
    ([], []),
    ({"a": [1, np.ones(2)]}, {"a": [1, np.ones(2)]}),
    ({1, 2}, {2, 1}),
    (np.array([1, 2]), np.array([1, 2], dtype=np.int8)),
    (np.array([0.1, np.nan, np.inf]) * 3 / 3, np.array([0.1, np.nan, np.inf])),
    (np.array([0.1, 0.3], np.float32) * 3, np.array([0.3, 0.9], np.float32)),
    (np.float64(0.1) * 3, np.float32(0.3)),
    (np.array([1e-16, 1.0]), np.array([0.0, 1.0])),
    (np.array(["a", "b"]), np.array(["a", "b"])),
    (np.zeros((0, 2)), np.zeros((0, 2))),
    (1 + 2j, 1 + 2j),
    (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0])),
    (None, None),
    (Fraction(1, 3), 1 / 3),
    (Decimal("0.25"), 0.25),
    (torch.tensor(0.1), 0.1),
    (np.array([0.1, 0.9], np.float32), np.array([0.1, 0.9])),
    ([1, 2], np.array([1, 2])),
    ((1.0, 2.0), np.array([1, 2])),
    (range(1, 3), np.array([1, 2])),
    (torch.tensor([[1, 2]]), np.array([[1, 2]])),
    ([Fraction(1, 3), 1], np.array([1 / 3, 1])),
    (np.array([1.0, 2]), np.array([1, 2])),
    (np.array([1, 2]), np.array([1.0, 2])),
    (np.array([1, 2]), [1, 2]),
    (np.array([0.25, 0.5]), (0.25, 0.5)),
]
WRONG = [
    (0.3000001, 0.3, "too large"),
    (0.3 * (1 + 1e-8), 0.3, "too large"),
    (0.2999999, 0.3, "too small"),
    (-0.3, 0.3, "too small"),
    (30, 0.3, "not per cent"),
    (31, 0.3, "too large"),
    (0.0, 1e-12, "too small"),
    (1e-8, 0.0, "too large"),
    (4, 3, "too large"),
    (3.0001, 3, "too large"),
    (True, 1, "numbers are expected, not booleans"),
    (1, True, "booleans are expected"),
    ("0.3", 0.3, "a number is expected"),
    ([0.3], 0.3, "a number is expected"),
    (np.array([0.3]), 0.3, "one number is expected"),
    (math.nan, 0.3, "a finite number is expected"),
    (0.3, math.nan, "another value"),
    (math.inf, 1e300, "a finite number is expected"),
    (1e300, math.inf, "too small"),
    (math.inf, -math.inf, "too large"),
    (1 + 2j, 1 - 2j, "another value"),
    ("Cat", "cat", "another value"),
    (b"cat", "cat", "another value"),
    ([1, 2], [2, 1], "item 0"),
    ([1, 2, 3], [1, 2], "2 items"),
    ([1, [2, 4]], [1, [2, 3]], "item 1: item 1"),
    ([1, [2, 3]], np.array([1, 2]), r"array of shape \(2,\) is expected"),
    (["1", "2"], np.array([1, 2]), "numbers are expected, not text"),
    ([None, 2], np.array([1, 2]), "1 of 2|finite"),
    ("12", np.array([1, 2]), r"array of shape \(2,\) is expected"),
    ({1, 2}, np.array([1, 2]), r"array of shape \(2,\) is expected"),
    (np.array([1, 2, 3]), [1, 2], "2 items"),
    ({"a": 1}, {"b": 1}, "a dict with the keys 'b' is expected"),
    (0.33, 1 / 3, "do not round"),
    (0.667, 2 / 3, "do not round"),
    (0.66, 2 / 3, "do not round"),  # cut, not rounded
    (torch.tensor(0.67), 2 / 3, "do not round"),
    ([0.33, 0.67], np.array([1 / 3, 2 / 3]), "do not round"),
    (66.666666666667, 2 / 3, "not per cent"),
    (10**400, 0.5, "a number is expected"),
    ({"a": 1}, {"a": 2}, "at 'a': too small"),
    ([("a", 1)], {"a": 1}, "a dict with the keys 'a' is expected"),
    ({1}, {1, 2}, "another value"),
    (np.array([1, 2]), np.array([2, 1]), r"2 of 2 entries differ, first \[0\]"),
    (np.array([1.0, 2.5]), np.array([1, 2]), "1 of 2"),
    (np.array([1, 0]), np.array([True, False]), "booleans are expected"),
    (np.ones((2, 1)), np.ones(2), r"shape \(2,\)"),
    (np.ones((1, 2)), np.ones((2, 1)), r"shape \(2, 1\)"),
    (np.ones(3), np.ones(2), r"shape \(2,\)"),
    (np.array([1.0, np.nan]), np.array([1.0, 2.0]), "a finite number is expected"),
    (np.array([1.0, 2.0]), np.array([1.0, np.nan]), r"first \[1\]"),
    (np.array([0.1, 0.9 + 1e-7]), np.array([0.1, 0.9]), "1 of 2 entries"),
    (np.array([1e6, 2e-3]), np.array([1e6, 1e-3]), "1 of 2 entries"),
    (np.array([10**17 + 1]), np.array([10**17]), "1 of 1"),
    (np.array([0.1, 0.9], np.float16), np.array([0.1, 0.9]), "2 of 2|do not round"),
    (np.array([0.1001, 0.9], np.float32), np.array([0.1, 0.9], np.float32), "1 of 2"),
    (np.array(["a", "c"]), np.array(["a", "b"]), "1 of 2"),
    (object(), object(), "another value"),
]


@pytest.mark.parametrize(("answer", "expected"), RIGHT)
def test_right_answers_pass(answer, expected):
    result = _compare.value(answer, expected)
    assert result and result.state == "right" and repr(result) == "✓ Right."


@pytest.mark.parametrize(("answer", "expected", "why"), WRONG)
def test_near_misses_fail_and_say_how(answer, expected, why):
    result = _compare.value(answer, expected)
    assert not result and result.state == "wrong"
    assert re.search(why, result.detail), result.detail


@pytest.mark.parametrize("placeholder", OPEN)
def test_placeholders_are_open_and_not_wrong(placeholder):
    for result in (
        _compare.value(placeholder, 3),
        _compare.choice(placeholder, "a", {"b": "no."}),
        _compare.agrees(placeholder, abs, [1]),
        _compare.agrees(lambda x: placeholder, abs, [1]),
    ):
        assert not result and result.state == "open"
        assert repr(result).startswith("… Not answered yet.") and "Not answered yet" in result._repr_html_()


def test_a_function_that_is_not_implemented_is_open():
    def todo(x):
        raise NotImplementedError

    def half(x):
        if x > 1:
            raise NotImplementedError("the second case")
        return x

    assert _compare.agrees(todo, abs, [1]).state == _compare.agrees(half, abs, [1, 2]).state == "open"


def test_a_forgotten_return_in_one_branch_is_wrong():
    result = _compare.agrees(lambda x: x if x < 2 else None, abs, [1, 2])
    assert result.state == "wrong" and "got: None" in result.detail


def test_none_can_be_the_right_answer():
    assert _compare.agrees(lambda x: None, lambda x: None, [1])
    assert _compare.agrees(lambda x: 3, lambda x: None, [1]).state == "wrong"


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(1e-8, 1))
def test_no_relative_error_above_the_tolerance_passes(x, error):
    off = x * (1 + error)
    if math.isfinite(off) and abs(x) > 1e-300:
        assert not _compare.value(off, x)
    assert _compare.value(x, x)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=8), st.data())
def test_one_changed_entry_of_an_array_fails(values, data):
    expected = np.array(values)
    wrong = expected.copy()
    place = data.draw(st.integers(0, len(values) - 1))
    wrong[place] += 1e-3 * max(1, abs(wrong[place]))
    assert _compare.value(expected.copy(), expected)
    result = _compare.value(wrong, expected)
    assert not result and (f"first [{place}]" in result.detail or "per cent" in result.detail)


def test_tolerance_is_relative_for_real_and_absolute_for_whole_numbers():
    assert _compare.value(101.0, 100.0, tolerance=0.02) and not _compare.value(103.0, 100.0, tolerance=0.02)
    assert _compare.value(12, 10, tolerance=2) and not _compare.value(13, 10, tolerance=2)
    assert _compare.value(np.array([12]), np.array([10]), tolerance=2)


def test_value_does_not_tell_the_answer():
    assert "0.123456" not in repr(_compare.value(0.5, 0.123456)) + _compare.value(0.5, 0.123456)._repr_html_()


def test_dataclasses_are_compared_by_their_fields():
    @dataclass
    class Fit:
        weights: np.ndarray
        k: int

    assert _compare.value(Fit(np.ones(2), 1), Fit(np.ones(2), 1))
    assert "at 'weights': 1 of 2" in _compare.value(Fit(np.array([1.0, 2]), 1), Fit(np.ones(2), 1)).detail
    assert not _compare.value((np.ones(2), 1), Fit(np.ones(2), 1))


# ---- agrees ----


def precision_at(relevant, k):
    return sum(relevant[:k]) / k


CASES = [([1, 0, 1, 1], 1), ([0, 0, 1, 1], 2), ([1, 1, 0, 0], 3), ([1, 0, 1, 1], 4)]
NEAR = [
    lambda r, k: sum(r[:k]) / len(r),  # divides by n
    lambda r, k: sum(r[:k]) / max(1, sum(r)),  # recall
    lambda r, k: sum(r[: k - 1]) / k,  # off by one
    lambda r, k: float(r[k - 1]),  # relevance at k
    lambda r, k: sum(r[:k]) // k,  # whole division
    lambda r, k: [precision_at(r, k)],
    lambda r, k: str(precision_at(r, k)),
    lambda r, k: precision_at(r, k) + 1e-6,
    lambda r, k: np.mean(sorted(r, reverse=True)[:k]),  # best order
    lambda r, k: True,
]


def test_agrees_accepts_another_way_to_the_same_numbers():
    result = _compare.agrees(lambda r, k: np.mean(r[:k]), precision_at, CASES)
    assert result and "4 cases agree" in repr(result)
    assert repr(_compare.agrees(abs, abs, [-1])) == "✓ Right. 1 case agrees."


@pytest.mark.parametrize("near", NEAR)
def test_agrees_rejects_the_usual_mistakes(near):
    assert _compare.agrees(near, precision_at, CASES).state == "wrong"


def test_agrees_reports_the_first_case_that_differs():
    result = _compare.agrees(lambda r, k: sum(r[:k]) / len(r), precision_at, iter(CASES))
    assert (
        result.detail
        == "Case 1 of 4 differs.\ninput: relevant = [1, 0, 1, 1], k = 1\ngot: 0.25\nexpected: 1.0"
    )
    result = _compare.agrees(lambda x: x.ravel(), lambda x: x, [np.zeros(2), np.zeros((1, 2))])
    assert "Case 2 of 2" in result.detail and "shape (1, 2) is expected, not (2,)" in result.detail


def test_errors_of_the_function_are_shown_not_raised():
    def broken(x):
        return 1 / x

    result = _compare.agrees(broken, lambda x: 0.0, [1e300, 0])
    assert result.state == "wrong"
    result = _compare.agrees(broken, lambda x: math.inf if x == 0 else 1 / x, [1, 0])
    assert "got: ZeroDivisionError: division by zero (at: return 1 / x)" in result.detail
    assert "input: x = 0" in result.detail and "expected: inf" in result.detail
    assert "TypeError" in _compare.agrees(lambda: 1, abs, [1]).detail
    assert "a function is expected" in _compare.agrees(3, abs, [1]).detail
    assert "SystemExit: 3" in _compare.agrees(lambda x: sys.exit(3), abs, [1]).detail


def test_the_oracle_may_demand_an_error():
    def strict(x):
        if x < 0:
            raise ValueError("x is negative")
        return x

    assert _compare.agrees(lambda x: strict(x), strict, [1, -1])
    result = _compare.agrees(lambda x: x, strict, [1, -1])
    assert "got: -1" in result.detail and "expected: ValueError: x is negative" in result.detail
    assert not _compare.agrees(lambda x: x if x > 0 else 1 / 0, strict, [1, -1])


def test_a_function_cannot_pass_by_changing_its_input():
    case = [3.0, 1.0, 2.0]

    def changes(x):
        x.sort()
        return x

    result = _compare.agrees(changes, lambda x: x, [case])
    assert not result and case == [3.0, 1.0, 2.0]
    kind = _compare.agrees(lambda x: (x.sort(), x[0])[1], min, [case])
    assert kind and "changes its input" in kind.detail and case == [3.0, 1.0, 2.0]
    assert "changes" not in _compare.agrees(lambda x: sorted(x)[0], min, [case]).detail


def test_a_hint_stands_under_a_wrong_result_only():
    assert _compare.agrees(lambda x: 1, abs, [2], hint="Think again.").detail.endswith("\nThink again.")
    assert "Think" not in _compare.agrees(abs, abs, [2], hint="Think again.").detail


class Hostile:
    """An answer that breaks whatever is done with it."""

    def __repr__(self):
        raise RuntimeError("no name")

    def __eq__(self, other):
        raise RuntimeError("no equal")

    def __array__(self, *args, **kwargs):
        raise RuntimeError("no array")

    def __getattr__(self, name):
        raise RuntimeError("no attribute")

    __hash__ = None


@pytest.mark.parametrize("expected", [0.5, 3, "cat", [1, 2], np.ones(2), {"a": 1}, (1.0, 2.0), True])
@pytest.mark.parametrize("kind", range(6))
def test_answers_that_break_the_comparison_are_wrong_and_raise_nothing(kind, expected):
    half = torch.ones(2, dtype=torch.bfloat16)
    answer = [Hostile(), Decimal("sNaN"), half, [Hostile()] * 2, object, len][kind]
    for result in (
        _compare.value(answer, expected),
        _compare.agrees(lambda x: answer, lambda x: expected, [1]),
    ):
        assert result.state == "wrong" and result._repr_html_() and repr(result)


def test_a_dict_is_filled_in_part_by_part():
    expected = {"P@5": 0.2, "AP": 0.5}
    assert _compare.value({"P@5": 0.2, "AP": ...}, expected).detail == "Still to do: 'AP'."
    assert _compare.value({"P@5": ..., "AP": None}, expected).state == "open"
    wrong = _compare.value({"P@5": 0.3, "AP": ...}, expected)
    assert wrong.state == "wrong" and "at 'P@5': too large" in wrong.detail
    assert _compare.value({"P@5": 0.2, "AP": 0.5}, expected)


def test_interrupts_are_not_swallowed():
    def stop(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _compare.agrees(stop, abs, [1])


def test_a_check_without_cases_is_a_mistake_of_its_author():
    with pytest.raises(ValueError, match="cases is empty; expected at least one case"):
        _compare.agrees(abs, abs, [])


def test_long_values_are_shortened():
    assert len(_compare.value("x" * 10_000, "y").detail) < 500
    assert len(_compare.value(np.arange(1e5), np.zeros(100_000)).detail) < 500


# ---- choice ----

WHY = {"a": "that is the mean.", "c": "that is the mode."}


@pytest.mark.parametrize("answer", ["b", "B", " b ", ["b"], {"B"}, np.str_("b"), np.array("b")[()]])
def test_choice_accepts_every_way_to_write_the_letter(answer):
    assert _compare.choice(answer, "b", WHY)


def test_choice_says_what_is_wrong_with_an_option_and_not_which_is_right():
    assert _compare.choice("A", "b", WHY).detail == "got 'A': that is the mean."


def test_choice_survives_an_answer_that_breaks_whatever_is_done_with_it():
    assert _compare.choice(Hostile(), "b", WHY).detail.startswith("got <Hostile>: one of 'a'")


@pytest.mark.parametrize("answer", ["d", 2, ["a", "b"], [], "ab", {"a": 1}, 3.5, _compare.choice])
def test_choice_of_no_option_lists_the_options(answer):
    result = _compare.choice(answer, "b", WHY)
    assert result.state == "wrong" and "one of 'a', 'b', 'c' is expected" in result.detail


# ---- how it looks ----


def test_html_is_escaped_and_keeps_lines():
    shown = _compare.agrees(lambda x: "<b>&", lambda x: "1", ["<script>"])._repr_html_()
    assert "<script>" not in shown and "&lt;script&gt;" in shown and "<br>" in shown and "Not yet." in shown


def test_result_is_shown_by_a_notebook():
    from IPython.core.formatters import DisplayFormatter

    data, _ = DisplayFormatter().format(_compare.value(1, 1))
    assert data["text/plain"] == "✓ Right." and "Right." in data["text/html"]


def test_a_message_shows_an_array_of_up_to_40_numbers_whole():
    assert "..." not in _compare._show(np.arange(40)) and "..." in _compare._show(np.arange(41))
