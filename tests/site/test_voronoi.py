"""The Voronoi playground in a real browser, opened from disk, against numpy and scikit-learn.

A small page is made here from the demo's own files; the last test uses the built book.
"""

import re
from pathlib import Path

import demos
import numpy as np
import pytest
from demos.voronoi import export
from demos.voronoi import page as demo
from scipy.spatial import ConvexHull, Voronoi
from site_pages import PHONE, WIDE, opened, write_demo_pages
from sklearn.cluster import KMeans
from test_browser import overflow, violations

ITEMS, SEEDS = export.start()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A small site with the playground: one page for each theme and one with two."""
    pytest.importorskip("pydata_sphinx_theme")
    folder = tmp_path_factory.mktemp("site")
    export.export(folder / "_static" / "voronoi")
    first, second = (demo.html(demos.Place(number, "", "")) for number in (1, 2))
    return write_demo_pages(folder, demo.DEMO, {"light": first, "dark": first, "two": first + second})


def ordered(query, points):
    return np.argsort(((points - query) ** 2).sum(axis=1), kind="stable")


def by_numpy(query, items, seeds, probes, k):
    """Which items an inverted file looks at, and which of the true neighbours it finds."""
    cells = ((items[:, None] - seeds) ** 2).sum(axis=2).argmin(axis=1)
    looked = np.flatnonzero(np.isin(cells, ordered(query, seeds)[:probes]))
    truth = ordered(query, items)[:k]
    return looked, truth[np.isin(truth, looked)]


def answer(box) -> str:
    return box.locator(".vo-answer").inner_text()


def numbers(box) -> tuple[int, int, float]:
    """Items looked at, neighbours found, recall: what the page says."""
    found = re.search(r": (\d+) of \d+ items.*found (\d+),.*= ([\d.]+)\.$", answer(box))
    return int(found[1]), int(found[2]), float(found[3])


def seeds_of(box) -> np.ndarray:
    places = box.locator(".vo-handle:not([data-number='-1'])").evaluate_all(
        "all => all.map(g => g.getAttribute('transform').match(/[\\d.]+/g).map(v => v / 1000))"
    )
    return np.array(places)


# --- the same as Python ----------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 10])
@pytest.mark.parametrize("probes", [1, 3, 8])
def test_same_search_as_numpy(box, probes, k):
    """Protects every number of the page: looked at, found, missed, for many queries, and their mean."""
    seeds, queries = SEEDS[:8], np.random.default_rng(probes).random((20, 2))
    found = box.evaluate(
        "([queries, items, seeds, probes, k]) => queries.map(q => window.voronoi.search("
        "q, items, seeds, window.voronoi.assign(items, seeds), probes, k))",
        [queries.tolist(), ITEMS.tolist(), seeds.tolist(), probes, k],
    )
    for query, mine in zip(queries, found, strict=True):
        looked, right = by_numpy(query, ITEMS, seeds, probes, k)
        assert mine["looked"] == looked.tolist() and mine["found"] == right.tolist()
        assert sorted(mine["found"] + mine["missed"]) == sorted(ordered(query, ITEMS)[:k].tolist())
    all_queries = [by_numpy(item, ITEMS, seeds, probes, k) for item in ITEMS]
    mean = box.evaluate(
        "([items, seeds, probes, k]) => window.voronoi.mean(items, seeds, probes, k)",
        [ITEMS.tolist(), seeds.tolist(), probes, k],
    )
    assert mean["recall"] == pytest.approx(np.mean([len(right) / k for _, right in all_queries]))
    assert mean["share"] == pytest.approx(np.mean([len(looked) / len(ITEMS) for looked, _ in all_queries]))


def test_a_step_of_k_means_is_that_of_scikit_learn(box):
    mine = box.evaluate(
        "([items, seeds]) => window.voronoi.step(items, seeds)", [ITEMS.tolist(), SEEDS.tolist()]
    )
    model = KMeans(len(SEEDS), init=SEEDS, n_init=1, max_iter=1, tol=0).fit(ITEMS)
    np.testing.assert_allclose(mine, model.cluster_centers_, atol=1e-12)


def test_the_cells_are_those_of_scipy(box):
    """Protects the drawing: areas of the cells that lie inside the square, and all areas sum to it."""
    seeds = np.random.default_rng(0).random((40, 2))
    polygons = box.evaluate("seeds => seeds.map((_, c) => window.voronoi.cell(seeds, c))", seeds.tolist())
    areas = [ConvexHull(np.array(polygon)).volume for polygon in polygons]
    assert sum(areas) == pytest.approx(1)
    diagram = Voronoi(seeds)
    inner = 0
    for c, region in enumerate(diagram.point_region):
        corners = diagram.vertices[diagram.regions[region]]
        if -1 not in diagram.regions[region] and ((corners > 0) & (corners < 1)).all():
            assert areas[c] == pytest.approx(ConvexHull(corners).volume)
            inner += 1
    assert inner > 5


# --- controls --------------------------------------------------------------------------------------


def test_more_probes_look_at_more_and_all_miss_nothing(box):
    box.locator(".vo-probes").focus()
    before = numbers(box)
    expected, right = by_numpy(np.array([0.5, 0.5]), ITEMS, SEEDS[:8], 1, 10)
    assert before == (len(expected), len(right), len(right) / 10)
    box.keyboard.press("End")
    assert numbers(box) == (len(ITEMS), 10, 1)
    assert box.locator(".vo-missed").count() == 1  # the one of the key
    assert "none missed" in answer(box)


def test_what_is_drawn_is_what_is_said(box):
    box.locator(".vo-map").scroll_into_view_if_needed()
    frame = box.locator(".vo-map").bounding_box()
    for x, y in ((0.2, 0.3), (0.55, 0.62), (0.9, 0.1)):
        box.mouse.click(frame["x"] + x * frame["width"], frame["y"] + y * frame["height"])
        looked, found, _ = numbers(box)
        assert box.locator(".vo-map .vo-seen").count() == looked
        assert box.locator(".vo-map .vo-found").count() == found
        assert box.locator(".vo-map .vo-missed").count() == 10 - found


def test_a_seed_is_dragged_and_the_items_change_cells(box):
    box.locator(".vo-map").scroll_into_view_if_needed()
    frame = box.locator(".vo-map").bounding_box()
    start = SEEDS[2]
    box.mouse.move(frame["x"] + start[0] * frame["width"], frame["y"] + start[1] * frame["height"])
    box.mouse.down()
    box.mouse.move(frame["x"] + 0.5 * frame["width"], frame["y"] + 0.25 * frame["height"], steps=4)
    box.mouse.up()
    seeds = SEEDS[:8].copy()
    seeds[2] = 0.5, 0.25
    np.testing.assert_allclose(seeds_of(box), seeds, atol=0.01)
    assert box.locator(".vo-moved").input_value() == "2"
    looked, right = by_numpy(np.array([0.5, 0.5]), ITEMS, seeds_of(box), 1, 10)
    assert numbers(box)[:2] == (len(looked), len(right))


def test_a_touch_drags_a_seed_and_a_tap_moves_the_query(browser, folder):
    """Protects phones: events of a finger, with the page free to scroll beside the handles."""
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    tab = context.new_page()
    opened(tab, folder)
    tab.locator(".vo-map").scroll_into_view_if_needed()
    frame = tab.locator(".vo-map").bounding_box()
    before = answer(tab)
    tab.touchscreen.tap(frame["x"] + 0.85 * frame["width"], frame["y"] + 0.9 * frame["height"])
    assert answer(tab) != before
    client = context.new_cdp_session(tab)
    touch = [
        (frame["x"] + x * frame["width"], frame["y"] + y * frame["height"]) for x, y in (SEEDS[1], (0.4, 0.4))
    ]
    for kind, points in (("touchStart", [touch[0]]), ("touchMove", [touch[1]]), ("touchEnd", [])):
        client.send(
            "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]}
        )
    np.testing.assert_allclose(seeds_of(tab)[1], (0.4, 0.4), atol=0.01)
    context.close()


def test_arrow_keys_move_what_the_list_names(box):
    box.locator(".vo-moved").select_option("0")
    box.locator(".vo-map").focus()
    for key in ("ArrowRight", "Shift+ArrowDown", "ArrowUp"):
        box.keyboard.press(key)
    np.testing.assert_allclose(seeds_of(box)[0], SEEDS[0] + (0.01, 0.09), atol=1e-6)
    box.locator(".vo-moved").select_option("-1")
    box.locator(".vo-map").focus()
    for _ in range(12):
        box.keyboard.press("Shift+ArrowLeft")
    looked, _ = by_numpy(np.array([0.02, 0.5]), ITEMS, seeds_of(box), 1, 10)
    assert numbers(box)[0] == len(looked)


def test_fewer_cells_k_means_and_reset(box):
    box.locator(".vo-probes").fill("8")
    box.locator(".vo-cells").select_option("3")
    assert box.locator(".vo-map .vo-cell").count() == 3
    assert box.locator(".vo-probes-text").inner_text() == "3"
    before = seeds_of(box)
    box.get_by_role("button", name="k-means step").click()
    expected = [
        ITEMS[((ITEMS[:, None] - before) ** 2).sum(axis=2).argmin(axis=1) == c].mean(axis=0) for c in range(3)
    ]
    np.testing.assert_allclose(seeds_of(box), expected, atol=1e-6)
    box.get_by_role("button", name="Reset").click()
    np.testing.assert_allclose(seeds_of(box), SEEDS[:3], atol=1e-9)


def test_two_playgrounds_do_not_disturb_each_other(box, folder):
    opened(box, folder, "two")
    first, second = box.locator(".voronoi").all()
    second.locator(".vo-cells").select_option("5")
    assert first.locator(".vo-map .vo-cell").count() == 8
    assert second.locator(".vo-map .vo-cell").count() == 5


# --- looks and access ------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_no_fault_for_axe_and_no_sideways_scrolling(box, folder, axe_source, theme, viewport):
    """Protects readers who listen to the page, contrast in both themes, and phones, with the longest texts shown."""
    box.set_viewport_size(viewport)
    opened(box, folder, theme)
    box.locator(".vo-cells").select_option("12")
    box.locator(".vo-probes").fill("11")
    assert violations(box, axe_source) == []
    assert overflow(box) == []


def test_without_scripts_the_page_says_so(browser, folder):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto((folder / "light.html").as_uri())
    assert tab.get_by_text("needs JavaScript").is_visible()
    assert not tab.locator(".vo-tool").is_visible()
    context.close()


# --- the built book --------------------------------------------------------------------------------


def test_the_book_has_the_playground(browser, site):
    """Protects the built page: the playground of section 4.1 answers as numpy does, from disk."""
    tab = browser.new_page(viewport=PHONE)
    opened(tab, site / "notebooks" / "ch04_retrieval", "matching")
    looked, right = by_numpy(np.array([0.5, 0.5]), ITEMS, SEEDS[:8], 1, 10)
    assert numbers(tab)[:2] == (len(looked), len(right))
    tab.close()
