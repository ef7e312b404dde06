"""The HNSW walk in a real browser, opened from disk, against the same search in Python."""

import re
from pathlib import Path

import demos
import numpy as np
import pytest
from demos.hnsw import export
from demos.hnsw import page as demo
from site_pages import PHONE, WIDE, opened, write_demo_pages
from test_browser import overflow, violations

GRAPH = export.build()
START = (680, 360)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A small site with the walk: one page for each theme and one with two."""
    pytest.importorskip("pydata_sphinx_theme")
    folder = tmp_path_factory.mktemp("site")
    export.export(folder / "_static" / "hnsw")
    first, second = (demo.html(demos.Place(number, "", "")) for number in (1, 2))
    return write_demo_pages(folder, demo.DEMO, {"light": first, "dark": first, "two": first + second})


def said(box) -> str:
    return box.locator(".hn-said").inner_text()


def in_python(query, ef):
    return [vars(step) for step in export.search(GRAPH, tuple(query), ef)]


@pytest.mark.parametrize("ef", [1, 2, 4, 8])
def test_the_page_takes_the_steps_of_python(box, ef):
    """Protects every number on the page: the coordinates are whole, so the steps are the same."""
    queries = [START, *np.random.default_rng(0).integers(0, export.SIDE + 1, (60, 2)).tolist()]
    found = box.evaluate("([queries, ef]) => queries.map(q => window.hnsw.search(q, ef))", [queries, ef])
    assert found == [in_python(query, ef) for query in queries]


def test_next_and_back_walk_through_the_steps(box):
    """Protects the buttons and the words: step, layer, item, new neighbours, distances so far, and the verdict."""
    steps, known = in_python(START, 1), {GRAPH.entry}
    assert box.get_by_role("button", name="Back").is_disabled()
    for number, step in enumerate(steps, 1):
        known |= set(step["seen"])
        words = said(box)
        assert words.startswith(
            f"Step {number} of {len(steps)}, layer {step['layer']}: item {step['opened']} is"
        )
        assert f"{len(step['seen'])} neighbour" in words and f"item {step['best'][0]};" in words
        assert f"distances so far: {len(known)} of {export.ITEMS}." in words
        assert box.locator("circle.hn-opened").count() == 1
        if number < len(steps):
            box.get_by_role("button", name="Next").click()
    assert box.get_by_role("button", name="Next").is_disabled()
    nearest = int(((GRAPH.points - START) ** 2).sum(axis=1).argmin())
    miss = steps[-1]["best"][0] != nearest
    assert ("a miss" in said(box)) == miss and (not miss or f"item {nearest} is nearer" in said(box))
    box.get_by_role("button", name="Back").click()
    assert said(box).startswith(f"Step {len(steps) - 1} of")
    box.get_by_role("button", name="Restart").click()
    assert said(box).startswith("Step 1 of")


def test_the_list_and_the_query_can_be_changed(box):
    box.get_by_label("Length of the list").select_option("8")
    assert f"of {len(in_python(START, 8))}," in said(box)
    box.locator(".hn-map").focus()
    box.keyboard.press("Shift+ArrowLeft")
    box.keyboard.press("ArrowDown")
    steps = in_python((START[0] - 200, START[1] + 20), 8)
    for _ in steps[1:]:
        box.get_by_role("button", name="Next").click()
    assert f"Step {len(steps)} of {len(steps)}," in said(box)
    assert f"items {', '.join(map(str, steps[-1]['best']))};" in said(box)


def test_a_click_puts_the_query_there(box):
    box.locator(".hn-map").scroll_into_view_if_needed()
    frame = box.locator(".hn-map").bounding_box()
    box.mouse.click(frame["x"] + frame["width"] / 4, frame["y"] + frame["height"] / 2)
    x, y = map(int, re.match(r"M(-?\d+) (-?\d+)l", box.locator(".hn-query path").get_attribute("d")).groups())
    assert abs(x + 18 - 250) <= 8 and abs(y + 18 - 500) <= 8


def test_everything_can_be_reached_by_the_keyboard(box):
    box.get_by_role("button", name="Next").focus()
    seen = []
    for _ in range(4):
        seen.append(box.evaluate("document.activeElement.getAttribute('class')"))
        box.keyboard.press("Tab")
    assert seen == ["hn-next", "hn-again", "hn-ef", "hn-map"]


def test_two_walks_do_not_disturb_each_other(box, folder):
    opened(box, folder, "two")
    first, second = box.locator(".hnsw").all()
    second.get_by_role("button", name="Next").click()
    assert first.locator(".hn-said").inner_text().startswith("Step 1 of")
    assert second.locator(".hn-said").inner_text().startswith("Step 2 of")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_no_fault_for_axe_and_no_sideways_scrolling(box, folder, axe_source, theme, viewport):
    """Protects readers who listen to the page, contrast in both themes, and phones, at the end with a long list."""
    box.set_viewport_size(viewport)
    opened(box, folder, theme)
    box.get_by_label("Length of the list").select_option("8")
    while box.get_by_role("button", name="Next").is_enabled():
        box.get_by_role("button", name="Next").click()
    assert violations(box, axe_source) == []
    assert overflow(box) == []


def test_without_scripts_the_page_says_so(browser, folder):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto((folder / "light.html").as_uri())
    assert tab.get_by_text("needs JavaScript").is_visible()
    assert not tab.locator(".hn-tool").is_visible()
    context.close()


def test_the_book_has_the_walk(browser, site):
    """Protects the built page: the walk of section 4.6 answers as Python does, from disk."""
    tab = browser.new_page(viewport=PHONE)
    tab.goto((site / "notebooks" / "ch04_retrieval" / "approximate.html").as_uri())
    tab.wait_for_function("window.hnsw !== undefined")
    assert tab.evaluate("q => window.hnsw.search(q, 4)", list(START)) == in_python(START, 4)
    tab.close()
