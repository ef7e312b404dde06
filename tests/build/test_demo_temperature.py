"""The temperature slider: its data and its part of the page, without a browser."""

import base64
import io
import json

import demos
import numpy as np
from demos.temperature import export, page
from docutils import nodes
from PIL import Image


def test_the_slider_is_found_and_placed_at_its_comment():
    assert "temperature" in demos.names()
    doctree = nodes.section("", nodes.raw("", "<!-- temperature -->\n", format="html"))
    demos.place(page.DEMO, doctree, "a/b/c")
    assert 'href="../../book/datasets.html"' in doctree[0].astext()


def test_every_control_has_a_label_and_ids_differ_between_places():
    """Protects readers who listen to the page, and a page with two sliders."""
    first, second = (page.html(demos.Place(number, "", "")) for number in (1, 2))
    for name in ("caption", "slider"):
        assert f'for="te-{name}-1"' in first and f'id="te-{name}-1"' in first
        assert f'id="te-{name}-2"' in second and f'id="te-{name}-1"' not in second
    assert "needs JavaScript" in first and first.count("<li>") == 3


def test_the_script_holds_the_batch():
    rng = np.random.default_rng(0)
    cosines, pictures = rng.uniform(-1, 1, (2, 2)), np.full((2, 224, 224, 3), 200, dtype=np.uint8)
    text = export.script(cosines, ["a cat", "a dog"], pictures).decode()
    data = json.loads(text.removeprefix("window.TEMPERATURE = ").removesuffix(";\n"))
    assert data["captions"] == ["a cat", "a dog"] and data["cosines"] == cosines.tolist()
    picture = Image.open(io.BytesIO(base64.b64decode(data["pictures"][0])))
    assert picture.format == "WEBP" and picture.size == (export.SIDE, export.SIDE)
