"""The Voronoi playground: its data and its part of the page, without a browser."""

import json
from html.parser import HTMLParser
from types import SimpleNamespace

import demos
import numpy as np
from demos.voronoi import export, page
from docutils import nodes


def document(*comments):
    return nodes.section("", *[nodes.raw("", comment, format="html") for comment in comments])


class Tags(HTMLParser):
    """Every tag with its attributes and the tags around it."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes), tuple(self.open)))
        if tag != "input":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_playground_is_found_and_only_its_pages_load_its_files_data_first():
    calls = []
    app = SimpleNamespace(
        add_css_file=lambda name: calls.append(name), add_js_file=lambda name, **_: calls.append(name)
    )
    assert "voronoi" in demos.names()
    other, own = document("<!-- voronois -->", "<!-- convolution -->"), document("<!-- voronoi -->")
    for doctree in (other, own):
        demos.place(page.DEMO, doctree, "page")
        demos.load(app, page.DEMO, doctree)
    assert calls == ["voronoi/voronoi.css", "voronoi/data.js", "voronoi/voronoi.js"]
    assert "Voronoi playground" in own[0].astext()


def test_every_control_has_a_label_and_ids_differ_between_places():
    """Protects readers who listen to the page, and a page with two playgrounds; the tags nest properly."""
    both = [Tags(page.html(demos.Place(number, "", ""))) for number in (1, 2)]
    for one in both:
        assert not one.open
        assert all("label" in around for tag, _, around in one.tags if tag in ("select", "input"))
    ids = [attributes["id"] for one in both for _, attributes, _ in one.tags if "id" in attributes]
    assert len(ids) == len(set(ids)) == 2
    names = [attributes["aria-label"] for one in both for tag, attributes, _ in one.tags if tag == "section"]
    assert len(set(names)) == 2


def test_the_page_says_what_it_needs_and_three_things_to_try():
    html = page.html(demos.Place(1, "", ""))
    assert "needs JavaScript" in html
    assert html.partition("</ol>")[0].count("<li>") == 3


def test_the_script_holds_items_and_seeds_inside_the_square():
    """Protects the first look at the playground: no two points at one place, all inside, and small."""
    text = export.script().decode()
    data = json.loads(text.removeprefix("window.VORONOI = ").removesuffix(";\n"))
    items, seeds = np.array(data["items"]), np.array(data["seeds"])
    assert items.shape == (export.ITEMS, 2) and seeds.shape == (export.SEEDS, 2)
    assert len(np.unique(np.vstack([items, seeds]), axis=0)) == len(items) + len(seeds)
    assert items.min() > 0 and items.max() < 1 and seeds.min() > 0 and seeds.max() < 1
    assert len(text) < 10_000


def test_the_start_has_a_neighbour_to_miss():
    """Protects the first thing to see: with one probe the query in the middle misses some of its ten neighbours."""
    items, seeds = export.start()
    cells = ((items[:, None] - seeds[:8]) ** 2).sum(axis=2).argmin(axis=1)
    own = ((seeds[:8] - 0.5) ** 2).sum(axis=1).argmin()
    truth = ((items - 0.5) ** 2).sum(axis=1).argsort()[:10]
    assert 0 < (cells[truth] == own).sum() < 10


def test_the_files_are_written_where_the_page_looks(tmp_path):
    export.export(tmp_path / "voronoi")
    assert (tmp_path / "voronoi" / "data.js").read_bytes() == export.script()
