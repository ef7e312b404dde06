"""The demos of the book: placed at a comment, loaded where they stand, their data written once."""

import io
import json
from types import SimpleNamespace

import demos
import numpy as np
import pytest
from demos.search import export, page
from docutils import nodes
from PIL import Image

from xmrlib import live_search


def document(*comments):
    return nodes.section("", *[nodes.raw("", comment, format="html") for comment in comments])


class Counted:
    """A function that counts its calls and keeps what it was called with."""

    def __init__(self, function=lambda *args, **kwargs: None):
        self.function, self.calls = function, []

    def __call__(self, *args, **kwargs):
        self.calls.append(args)
        return self.function(*args, **kwargs)


def test_the_comment_becomes_the_box_with_links_that_fit_the_depth_of_the_page():
    """Protects pages in folders: script data, thumbnails and credits are two levels up."""
    doctree = document("<!-- another -->", "<!-- live-search -->\n")
    demos.place(page.DEMO, doctree, "a/b/c")
    assert doctree[0].astext() == "<!-- another -->"
    html = doctree[1].astext()
    assert 'data-base="../../_static/live-search/"' in html
    assert 'href="../../book/datasets.html"' in html
    assert 'value="a musical instrument"' in html


def test_a_page_may_have_several_boxes_with_a_query_of_their_own():
    """Protects the home page beside chapter 1, and ids and names that must differ within a page."""
    doctree = document('<!-- live-search: a "bird" of prey -->', "<!--live-search-->")
    demos.place(page.DEMO, doctree, "index")
    first, second = (node.astext() for node in doctree)
    assert 'value="a &quot;bird&quot; of prey"' in first
    assert 'data-base="_static/live-search/"' in first
    assert 'id="live-search-1"' in first
    assert 'for="live-search-2"' in second
    assert 'aria-label="Live search 2"' in second


def test_only_pages_with_the_demo_load_its_files_in_order():
    """Protects every other page from a megabyte that it does not need, and the script from running before its data."""
    app = SimpleNamespace(add_css_file=Counted(), add_js_file=Counted())
    other = document("<!-- live-search-box -->")
    for doctree in (None, other):
        if doctree:
            demos.place(page.DEMO, doctree, "page")
        demos.load(app, page.DEMO, doctree)
    assert app.add_js_file.calls == []
    doctree = document("<!-- live-search -->")
    demos.place(page.DEMO, doctree, "page")
    demos.load(app, page.DEMO, doctree)
    assert app.add_css_file.calls == [("live-search/search.css",)]
    assert app.add_js_file.calls == [("live-search/data.js",), ("live-search/search.js",)]


def test_files_are_made_once_for_a_key_and_replace_what_was_there(tmp_path, monkeypatch):
    """Protects the second build from work done twice, and a page from files of an earlier build."""
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path / "cache"))
    make = Counted(lambda: {"data.js": b"one", "0.webp": bytes(range(256))})
    folder = tmp_path / "out" / "demo"
    for _ in range(2):
        demos.write_once("key", make, folder)
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == make.function()
        (folder / "stale.webp").touch()
    assert len(make.calls) == 1
    demos.write_once("another key", make, folder)
    assert len(make.calls) == 2


@pytest.mark.parametrize(("kind", "written"), [("html", True), ("latex", False)])
def test_the_page_part_lies_beside_the_data(tmp_path, kind, written):
    """Protects the addresses that a page asks for; other builders than HTML make nothing."""
    demo = demos.Demo(
        "shape", lambda place: "", lambda folder: folder.mkdir(parents=True), page.DEMO.files, ()
    )
    assert demos.write(SimpleNamespace(builder=SimpleNamespace(format=kind), outdir=tmp_path), demo) == []
    folder = tmp_path / "_static" / "shape"
    assert folder.exists() == written
    assert sorted(file.name for file in folder.glob("*")) == (["search.css", "search.js"] if written else [])


# --- what the search box ships -------------------------------------------------------------------


class FewStamps:
    """Three pictures of one colour each, one with a Chinese caption, in the place of the collection."""

    def __init__(self, caption="a \\ “cat” </script>"):
        self.english = [caption, "a drum", "a fox"]

    def __len__(self):
        return 3

    def images(self):
        return np.stack([np.full((224, 224, 3), grey, np.uint8) for grey in (0, 120, 240)])

    def having(self, lang):
        return np.array([1])

    def captions(self, lang, items=None):
        return self.english if lang == "en" else ["鼓"]


def few_index():
    rng = np.random.default_rng(0)
    words, pictures = (rng.integers(-45, 46, (n, 4)).astype(np.int8) for n in (2, 3))
    return live_search.LiveIndex(["cat", "鼓"], words, np.array([0, 90]), pictures, [[("cat", 0.5)]] * 3)


def decoded(text, shape, zero):
    return (np.frombuffer(text.encode("ascii"), np.uint8).astype(int) - zero).reshape(shape)


def test_the_script_holds_the_index():
    """Protects the page: what it decodes is what Python searched, captions with quotes and backslashes included."""
    index, stamps = few_index(), FewStamps()
    text = export.script(stamps, index).decode("utf-8")
    data = json.loads(text.removeprefix("window.LIVE_SEARCH = ").removesuffix(";\n"))
    assert np.array_equal(decoded(data["wordVectors"], (2, 4), data["zero"]), index.word_vectors)
    assert np.array_equal(decoded(data["pictureVectors"], (3, 4), data["zero"]), index.picture_vectors)
    assert decoded(data["costs"], 2, data["costZero"]).tolist() == [0, 90]
    assert data["words"].split(" ") == index.words
    assert data["captions"] == stamps.english
    assert data["chinese"] == ["", "鼓", ""]


def test_each_thumbnail_shows_its_own_picture():
    """Protects against the thumbnail of another picture: the file of a number has the grey of that number."""
    files = export.files(FewStamps(), few_index())
    assert set(files) == {"data.js", "0.webp", "1.webp", "2.webp"}
    for i, grey in enumerate((0, 120, 240)):
        picture = np.asarray(Image.open(io.BytesIO(files[f"{i}.webp"])))
        assert picture.shape == (export.SIDE, export.SIDE, 3)
        assert abs(picture.astype(int) - grey).max() <= 4  # WebP loses a little


def test_the_files_follow_the_captions(tmp_path, monkeypatch):
    """Protects against stale captions: the same are exported from the store, others are made anew."""
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(live_search, "build_index", counted := Counted(lambda stamps: few_index()))
    for caption in ("a cat", "a cat", "a lynx"):
        export.export(FewStamps(caption), tmp_path / "out")
        assert caption in (tmp_path / "out" / "data.js").read_text(encoding="utf-8")
    assert len(counted.calls) == 2
