"""The demo of attention: its data and its part of the page, without a browser."""

import base64
import io
import json
from types import SimpleNamespace

import demos
import numpy as np
import pytest
from demos.attention import export, page
from docutils import nodes
from PIL import Image

from xmrlib import datasets


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "attention"
    export.export(datasets.load_stamps(), folder)
    return folder


@pytest.fixture(scope="module")
def items(folder):
    text = (folder / "data.js").read_text(encoding="utf-8")
    return json.loads(text.removeprefix("window.ATTENTION = ").removesuffix(";\n"))


def document(*comments):
    return nodes.section("", *[nodes.raw("", comment, format="html") for comment in comments])


def test_the_demo_is_found_and_only_its_pages_load_its_files_data_first():
    calls = []
    app = SimpleNamespace(
        add_css_file=lambda name: calls.append(name), add_js_file=lambda name, **_: calls.append(name)
    )
    assert "attention" in demos.names()
    other, own = document("<!-- attentions -->", "<!-- voronoi -->"), document("<!-- attention -->")
    for doctree in (other, own):
        demos.place(page.DEMO, doctree, "a/b")
        demos.load(app, page.DEMO, doctree)
    assert calls == ["attention/attention.css", "attention/data.js", "attention/attention.js"]
    assert 'href="../book/datasets.html"' in own[0].astext()


def test_the_page_says_what_it_needs_and_ids_differ_between_places():
    first, second = (page.html(demos.Place(number, "", "")) for number in (1, 2))
    assert "needs JavaScript" in first and first.partition("</ol>")[0].count("<li>") == 3
    assert "at-help-1" in first and "at-help-2" in second and "at-help-1" not in second


def test_the_script_is_small_and_holds_whole_maps(folder, items):
    assert (folder / "data.js").stat().st_size < 200_000
    assert [item["kind"] for item in items] == ["scene"] * 5 + ["failure"] * 3 + ["stamp"] * 3
    for item in items:
        weights = np.array(item["weights"])
        assert weights.shape == (len(item["words"]), 49)
        np.testing.assert_allclose(weights.sum(axis=1), 1, atol=49 * 0.5e-4)  # four decimals each
        assert len(item["named"]) == len(item["shares"]) == len(item["words"])
        assert Image.open(io.BytesIO(base64.b64decode(item["picture"]))).size == (224, 224)


def test_failures_fail_and_shares_are_sums_of_the_map(items):
    """Protects the promise of the page that the chosen failures are failures: a name with little in its box."""
    for item in items:
        shares = [share for share in item["shares"] if share is not None]
        if item["kind"] == "failure":
            assert min(shares) < 0.2
        for thing, share, row in zip(item["named"], item["shares"], item["weights"], strict=True):
            assert (thing < 0) == (share is None)
            if share is not None:
                left, top, right, bottom = item["boxes"][thing]
                middle = 32 * np.arange(7) + 16
                inside = np.outer((top <= middle) & (middle < bottom), (left <= middle) & (middle < right))
                assert share == pytest.approx(np.array(row)[inside.ravel()].sum(), abs=49 * 0.5e-4)
