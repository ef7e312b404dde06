"""The search box of chapter 1 in a real browser, opened from disk, against the Python that made its index."""

import pytest

from xmrlib import datasets, live_search


@pytest.fixture(scope="module")
def page(browser, site):
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto((site / "notebooks" / "ch01_overview" / "first_search.html").as_uri())
    page.wait_for_function("window.liveSearch !== undefined")
    yield page
    page.close()


def test_same_ten_as_python_for_every_caption(page):
    """Protects the promise that the page and the book search alike: all English and Chinese captions, all ten places."""
    stamps = datasets.load_stamps()
    index = live_search.build_index(stamps)
    captions = sorted({*stamps.captions("en"), *stamps.captions("zh_CN", stamps.having("zh_CN"))})
    found = page.evaluate("captions => captions.map(c => window.liveSearch.search(c, 10).ids)", captions)
    different = [
        caption
        for caption, ids in zip(captions, found, strict=True)
        if ids != live_search.search(index, caption)[1].tolist()
    ]
    assert len(captions) > 1000
    assert different == []


def test_typing_shows_pictures_captions_and_reasons(page):
    """Protects the reader who only has a keyboard: type, read the status, open the first "Why?"."""
    box = page.get_by_role("searchbox", name="Search the pictures")
    box.fill("a big cat")
    box.press("Enter")
    cards = page.locator(".ls-card")
    assert cards.count() == 10
    assert "a + big + cat" in page.locator(".ls-status").inner_text()
    why = cards.first.locator("summary")
    why.focus()
    page.keyboard.press("Enter")
    assert cards.first.locator(".ls-why li").count() == 3
    assert "The network sees" in cards.first.inner_text()
    assert cards.first.locator(".ls-picture").get_attribute("aria-label")


def test_unknown_words_are_told(page):
    """Protects against a silent empty list."""
    page.get_by_role("searchbox", name="Search the pictures").fill("xyzzy")
    page.wait_for_function("document.querySelector('.ls-status').textContent.includes('none of these words')")
    assert page.locator(".ls-card").count() == 0


def test_the_search_box_is_light(site):
    """Protects phones: index, thumbnails, script and style together stay below 1.5 MB."""
    assert sum(file.stat().st_size for file in (site / "_static" / "live-search").iterdir()) < 1.5e6
