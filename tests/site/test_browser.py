"""The built book in a real browser: silent console, no other host, phone width, keyboard, axe-core."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from site_pages import PHONE, SITE, WIDE

pytestmark = pytest.mark.site

REDIRECTS = {"index.html"}


def page_names() -> list[str]:
    found = (path.relative_to(SITE) for path in sorted(SITE.rglob("*.html")))
    return [
        name.as_posix() for name in found if "_static" not in name.parts and name.as_posix() not in REDIRECTS
    ]


class Watch:
    """Collects what a tab complains about and whom it asks."""

    def __init__(self, tab):
        self.tab, self.complaints, self.requests = tab, [], []

    def _console(self, message):
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    def _error(self, error):
        self.complaints.append(str(error))

    def _request(self, request):
        self.requests.append(request.url)

    def __enter__(self):
        self.tab.on("console", self._console)
        self.tab.on("pageerror", self._error)
        self.tab.on("request", self._request)
        return self

    def __exit__(self, *_):
        self.tab.remove_listener("console", self._console)
        self.tab.remove_listener("pageerror", self._error)
        self.tab.remove_listener("request", self._request)

    def strangers(self, home: str) -> list[str]:
        inside = ("data", "blob", "about")
        return [
            url for url in self.requests if not url.startswith(home) and urlsplit(url).scheme not in inside
        ]


def violations(tab, axe_source: str) -> list[str]:
    tab.evaluate(axe_source)
    # preload would fetch the style sheets again, with wrong addresses for those they import
    found = tab.evaluate("async () => (await axe.run({preload: false})).violations")
    return [
        f"{rule['id']} ({rule['impact']}): {rule['help']}: {node['html'][:200]} {node.get('failureSummary', '')[:300]}"
        for rule in found
        for node in rule["nodes"]
    ]


def open_page(tab, url: str) -> None:
    tab.goto(url, wait_until="load")
    tab.evaluate("() => window.MathJax?.startup?.promise")
    tab.wait_for_timeout(50)


def overflow(tab) -> list[str]:
    """Elements that stick out of the window; empty when the page does not scroll sideways."""
    return tab.evaluate(
        """() => {
          const width = document.documentElement.clientWidth;
          if (document.documentElement.scrollWidth <= width) return [];
          const wide = [...document.body.querySelectorAll("*")].filter(e => e.getBoundingClientRect().right > width + 1);
          return wide.slice(0, 5).map(e => e.outerHTML.slice(0, 120)).concat("scrolls sideways");
        }"""
    )


def hidden_captions(tab) -> list[str]:
    """Captions that cannot be seen, as by a rule of the theme for what follows a picture of the other theme."""
    return tab.evaluate(
        """() => [...document.querySelectorAll("figcaption")]
          .filter(caption => !caption.closest("details:not([open])") && !caption.getClientRects().length)
          .map(caption => caption.textContent.trim().slice(0, 80))"""
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", page_names() or ["index.html"])
def test_page(site, address, tabs, axe_source, name, theme):
    tab = tabs[theme]
    tab.set_viewport_size(WIDE)
    with Watch(tab) as watch:
        open_page(tab, address + name)
        assert tab.evaluate("document.documentElement.dataset.theme") == theme
        assert (
            tab.evaluate("[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)")
            == []
        )
        assert violations(tab, axe_source) == []
        assert hidden_captions(tab) == []
        tab.set_viewport_size(PHONE)
        tab.wait_for_timeout(250)
        assert overflow(tab) == []
        assert violations(tab, axe_source) == []
    assert watch.complaints == []
    assert watch.strangers(address) == []


def pages_with_maths(site) -> list[Path]:
    return [
        path for path in sorted(site.rglob("*.html")) if 'class="math ' in path.read_text(encoding="utf-8")
    ]


def test_a_page_with_maths_works_from_disk(site, tabs):
    page = next(iter(pages_with_maths(site)), None)
    assert page is not None, "no page of the book has a formula"
    with Watch(tabs["light"]) as watch:
        open_page(tabs["light"], page.as_uri())
        assert tabs["light"].locator("mjx-container svg").count() > 0
    assert watch.complaints == []
    assert watch.strangers("file:") == []


def focus_stops(tab, limit: int = 60) -> list[dict]:
    """Role and name of what the Tab key reaches, in order, as assistive software is told."""
    session = tab.context.new_cdp_session(tab)
    stops = []
    for _ in range(limit):
        tab.keyboard.press("Tab")
        if tab.evaluate("document.activeElement === document.body"):  # behind the last stop
            break
        handle = session.send("Runtime.evaluate", {"expression": "document.activeElement"})["result"]
        nodes = session.send(
            "Accessibility.getPartialAXTree", {"objectId": handle["objectId"], "fetchRelatives": False}
        )
        node = nodes["nodes"][0]
        stops.append({key: node.get(key, {}).get("value", "") for key in ("role", "name")})
    session.detach()
    return stops


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_keyboard_reaches_skip_link_search_and_theme(address, tabs, size):
    tab = tabs["light"]
    tab.set_viewport_size(size)
    open_page(tab, address + "book/index.html")
    stops = focus_stops(tab)
    assert re.search("skip", stops[0]["name"], re.I), stops[0]
    names = [stop["name"] for stop in stops]
    assert any(re.search("search", name, re.I) for name in names), names
    assert any(re.search("theme|colou?r|light|dark", name, re.I) for name in names), names
    assert [stop for stop in stops if not stop["name"]] == []


def test_the_skip_link_moves_to_the_text(address, tabs):
    tab = tabs["light"]
    tab.set_viewport_size(WIDE)
    open_page(tab, address + "book/index.html")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.querySelector(location.hash)?.contains(document.querySelector('h1'))")


def test_a_word_of_the_book_can_be_searched(address, tabs):
    tab = tabs["light"]
    open_page(tab, address + "search.html?q=gallery")
    tab.wait_for_selector("#search-results li a", timeout=10_000)


def test_a_dark_page_is_printed_in_the_light_theme(tabs, address):
    """Protects readers who print at night from pale letters on white paper."""
    tab = tabs["dark"]
    open_page(tab, address + "book/preface.html")
    theme = "event => { dispatchEvent(new Event(event)); return document.documentElement.dataset.theme; }"
    assert tab.evaluate(theme, "beforeprint") == "light"
    assert tab.evaluate(theme, "afterprint") == "dark"


def test_chinese_is_shown_in_a_font_that_has_it(tabs, address):
    """Protects the first Chinese word of a page: Chromium left it as boxes when our font arrived after the layout."""
    tab = tabs["light"]
    tab.set_viewport_size(WIDE)
    open_page(tab, address + "book/index.html")
    tab.wait_for_timeout(1000)
    session = tab.context.new_cdp_session(tab)
    for domain in ("DOM.enable", "CSS.enable"):
        session.send(domain)
    root = session.send("DOM.getDocument", {"depth": -1})["root"]["nodeId"]
    chips = session.send("DOM.querySelectorAll", {"nodeId": root, "selector": ".ls-examples [lang=zh-CN]"})[
        "nodeIds"
    ]
    used = {
        font["familyName"]
        for chip in chips
        for font in session.send("CSS.getPlatformFontsForNode", {"nodeId": chip})["fonts"]
    }
    assert chips and "DejaVu Sans" not in used  # it has no Chinese letter


def test_dark_pages_have_no_light_slabs(tabs, address):
    """Protects dark pages from a rule of the theme that puts every output on a light ground."""
    tab = tabs["dark"]
    tab.set_viewport_size(WIDE)
    open_page(tab, address + "notebooks/ch05_metrics/ranking_metrics.html")
    light = """() => [...document.querySelectorAll(".bd-article .cell_output *")].filter(element => {
        const [r, g, b, alpha = 1] = getComputedStyle(element).backgroundColor.match(/[\\d.]+/g).map(Number);
        return element.getClientRects().length && alpha > 0.5 && (r + g + b) / 3 > 128;
    }).map(element => element.outerHTML.slice(0, 100))"""
    assert tab.evaluate(light) == []
