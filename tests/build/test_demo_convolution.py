"""The convolution playground: its pixels, its kernels and its part of the page, without a browser."""

import base64
import json
import re
from fractions import Fraction
from html.parser import HTMLParser
from types import SimpleNamespace

import demos
import numpy as np
import pytest
from demos.convolution import export, page
from docutils import nodes
from PIL import Image


def document(*comments):
    return nodes.section("", *[nodes.raw("", comment, format="html") for comment in comments])


class Tags(HTMLParser):
    """Every tag with its attributes, checked to be nested properly."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags = [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("input",):
            self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open[-1] == "option" and tag != "option":
            self.open.pop()
        assert self.open.pop() == tag

    def of(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_playground_is_found_and_placed_at_its_comment():
    """Protects the comment of the notebook, and the other demos' comments."""
    assert "convolution" in demos.names()
    doctree = document("<!-- live-search -->", "<!-- convolution -->\n")
    demos.place(page.DEMO, doctree, "a/b/c")
    assert doctree[0].astext() == "<!-- live-search -->"
    assert 'href="../../book/datasets.html"' in doctree[1].astext()


def test_only_its_pages_load_its_files_data_first():
    calls = []
    app = SimpleNamespace(
        add_css_file=lambda name: calls.append(name), add_js_file=lambda name, **_: calls.append(name)
    )
    other, own = document("<!-- convolutions -->"), document("<!-- convolution -->")
    for doctree in (other, own):
        demos.place(page.DEMO, doctree, "page")
        demos.load(app, page.DEMO, doctree)
    assert calls == ["convolution/convolution.css", "convolution/data.js", "convolution/convolution.js"]


def test_every_control_has_a_label_and_ids_differ_between_places():
    """Protects readers who listen to the page, and a page with two playgrounds."""
    first, second = (Tags(page.html(demos.Place(number, "", ""))) for number in (1, 2))
    for one in (first, second):
        labels = {attributes.get("for") for attributes in one.of("label")}
        for attributes in one.of("input") + one.of("select") + one.of("canvas"):
            named = (
                "aria-label" in attributes or attributes.get("id") in labels or "aria-hidden" in attributes
            )
            inside = attributes.get("type") in ("radio", "checkbox") or attributes.get("class") in (
                "cv-stride",
                "cv-padding",
            )
            assert named or inside, attributes
    ids = [attributes["id"] for one in (first, second) for _, attributes in one.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    groups = [{a["name"] for a in one.of("input") if a.get("type") == "radio"} for one in (first, second)]
    assert len(groups[0]) == len(groups[1]) == 1 and groups[0] != groups[1]


def test_the_page_says_what_it_needs_and_three_things_to_try():
    html = page.html(demos.Place(1, "", ""))
    assert "needs JavaScript" in html
    assert html.count("<li>") == 3
    assert html.count("<td>") == html.count('class="cv-weight"') == 9


def test_kernels_are_nine_numbers_with_the_sums_they_should_have():
    """Protects the list from a typing error: blurs sum to 1, edges to 0."""
    sums = {name: sum(map(Fraction, weights.split())) for name, weights in export.KERNELS.items()}
    assert all(len(weights.split()) == 9 for weights in export.KERNELS.values())
    edges = {name for name in sums if re.search("Sobel|Laplacian", name)}
    assert {name for name, total in sums.items() if total == 0} == edges
    assert {total for name, total in sums.items() if name not in edges} == {1}


def test_the_script_holds_the_pixels_in_the_order_of_the_list():
    pictures = np.random.default_rng(0).integers(0, 256, (len(export.STAMPS), 224, 224, 3), dtype=np.uint8)
    text = export.script(pictures).decode()
    data = json.loads(text.removeprefix("window.CONVOLUTION = ").removesuffix(";\n"))
    assert data["side"] == export.SIDE and len(data["pixels"]) == len(export.STAMPS)
    for picture, pixels in zip(pictures, data["pixels"], strict=True):
        decoded = np.frombuffer(base64.b64decode(pixels), np.uint8).reshape(export.SIDE, export.SIDE)
        assert np.array_equal(decoded, export.grey(picture))


def test_grey_is_that_of_pillow():
    """Against Pillow's own grey and box reduction, which round twice: one level."""
    picture = np.random.default_rng(1).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    theirs = np.asarray(Image.fromarray(picture).convert("L").reduce(224 // export.SIDE)).astype(int)
    assert np.abs(export.grey(picture) - theirs).max() <= 1


@pytest.mark.parametrize(("level", "expected"), [((255, 255, 255), 255), ((0, 0, 0), 0), ((255, 0, 0), 76)])
def test_white_black_and_red(level, expected):
    picture = np.full((224, 224, 3), level, dtype=np.uint8)
    assert (export.grey(picture) == expected).all()
