"""The demo of attention in a real browser, opened from disk, against the arrays that Python made.

A small page is made here from the demo's own files; the last test uses the built book.
"""

import json
from pathlib import Path

import demos
import numpy as np
import pytest
from demos.attention import export
from demos.attention import page as demo
from site_pages import PHONE, WIDE, opened, write_demo_pages
from test_browser import overflow, violations


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A small site with the demo: one page for each theme and one with two."""
    pytest.importorskip("pydata_sphinx_theme")
    folder = tmp_path_factory.mktemp("site")
    demo.export(folder / "_static" / "attention")
    first, second = (demo.html(demos.Place(number, "", "")) for number in (1, 2))
    return write_demo_pages(folder, demo.DEMO, {"light": first, "dark": first, "two": first + second})


@pytest.fixture(scope="module")
def items(folder) -> list[dict]:
    text = (folder / "_static" / "attention" / "data.js").read_text(encoding="utf-8")
    return json.loads(text.removeprefix("window.ATTENTION = ").removesuffix(";\n"))


def answer(box) -> str:
    return box.locator(".at-answer").first.inner_text()


def word(box, number):
    return box.locator(".at-words button").nth(number)


def pressed(box) -> list[int]:
    states = box.locator(".at-words button").evaluate_all(
        "all => all.map(b => b.getAttribute('aria-pressed'))"
    )
    return [i for i, state in enumerate(states) if state == "true"]


def test_every_word_of_every_picture_says_what_python_computed(box, items):
    """Protects the two numbers and "inside" or "outside" of all words, and the list of pictures."""
    assert box.locator(".at-item option").count() == len(items) == export.SCENES + export.FAILURES + 3
    for number, item in enumerate(items):
        box.locator(".at-item").select_option(str(number))
        assert box.locator(".at-words button").all_inner_texts() == item["words"]
        for i, thing in enumerate(item["named"]):
            word(box, i).focus()
            text = answer(box)
            assert f"“{item['words'][i]}”" in text
            assert abs(float(text.rstrip(".").split()[-1]) - item["score"]) < 0.0051  # two decimals
            if thing < 0:
                assert "names no thing" in text
                continue
            row, column = np.divmod(int(np.argmax(item["weights"][i])), 7)
            left, top, right, bottom = item["boxes"][thing]
            inside = left <= 32 * column + 16 < right and top <= 32 * row + 16 < bottom
            assert f"{round(100 * item['shares'][i])} % of its" in text or item["shares"][i] < 0.01
            assert f"strongest region is {'inside' if inside else 'outside'}" in text


def test_pointing_tapping_and_arrow_keys_choose_a_word(box, items):
    word(box, 3).hover()
    assert pressed(box) == [3]
    word(box, 0).click()
    assert pressed(box) == [0]
    box.keyboard.press("ArrowRight")
    assert pressed(box) == [1] and items[0]["words"][1] in answer(box)
    for _ in range(2):
        box.keyboard.press("ArrowLeft")
    assert pressed(box) == [len(items[0]["words"]) - 1]


def test_a_tap_of_a_finger_chooses_a_word(browser, folder):
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    tab = context.new_page()
    opened(tab, folder)
    word(tab, 2).tap()
    assert pressed(tab) == [2]
    context.close()


def test_the_picture_is_drawn_and_changes_with_the_word_and_the_boxes(box):
    shot = "() => document.querySelector('.at-picture').toDataURL()"
    box.wait_for_timeout(300)
    first = box.evaluate(shot)
    word(box, 0).focus()
    second = box.evaluate(shot)
    box.locator(".at-frames").uncheck()
    assert len({first, second, box.evaluate(shot)}) == 3


def test_two_demos_do_not_disturb_each_other(box, folder):
    opened(box, folder, "two")
    first, second = box.locator(".attention-demo").all()
    before = first.locator(".at-answer").inner_text()
    second.locator(".at-item").select_option("4")
    assert first.locator(".at-answer").inner_text() == before


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_no_fault_for_axe_and_no_sideways_scrolling(box, folder, axe_source, theme, viewport):
    """Protects readers who listen to the page, contrast in both themes, and phones."""
    box.set_viewport_size(viewport)
    opened(box, folder, theme)
    assert violations(box, axe_source) == []
    assert overflow(box) == []


def test_without_scripts_the_page_says_so(browser, folder):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto((folder / "light.html").as_uri())
    assert tab.get_by_text("needs JavaScript").is_visible()
    assert not tab.locator(".at-tool").is_visible()
    context.close()


def test_the_book_has_the_demo(browser, site):
    """Protects the built page: the words of the first scene answer, from disk."""
    tab = browser.new_page(viewport=PHONE)
    opened(tab, site / "notebooks" / "ch03_fusion", "cross_attention")
    word(tab, 1).focus()
    assert "of its attention lies in the box" in answer(tab)
    tab.close()
