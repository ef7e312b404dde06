"""The index of the search box: the words it knows, its whole-number scores, and what it ships to the page."""

import base64
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from demos.search import page as _live_page
from docutils import nodes
from hypothesis import given
from hypothesis import strategies as st

from xmrlib import datasets, live_search

WORDS = ["a", "big", "cat", "drum", "大", "大猫", "猫", "小提琴"]


def small_index(seed: int = 0, n: int = 12) -> live_search.LiveIndex:
    rng = np.random.default_rng(seed)
    words, pictures = (rng.integers(-127, 128, (size, 5)).astype(np.int8) for size in (len(WORDS), n))
    return live_search.LiveIndex(WORDS, words, pictures, [[("cat", 1.0)]] * n)


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("A BIG, big cat!", ["a", "big", "big", "cat"]),
        ("catalogue of cats", []),  # a part of a word is not the word
        ("大猫和猫", ["大猫", "猫"]),  # the longest word first, unknown characters skipped
        ("drum鼓 小提琴cat", ["drum", "小提琴", "cat"]),
        ("1234 ?!", []),
    ],
)
def test_words_of_a_sentence(sentence, words):
    """Protects the agreement of page and Python about what a word is."""
    assert live_search.words_of(small_index(), sentence) == words


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=30), st.integers(0, 50))
def test_search_equals_a_sort_of_exact_sums(words, seed):
    """Protects against overflow of int8 and against unstable ties: plain Python integers are the oracle."""
    index = small_index(seed)
    known = live_search.words_of(index, " ".join(words))
    query = [sum(int(index.word_vectors[index.place[w]][j]) for w in known) for j in range(5)]
    exact = [sum(q * int(x) for q, x in zip(query, row, strict=True)) for row in index.picture_vectors]
    scores, ids = live_search.search(index, " ".join(words), k=12)
    assert ids.tolist() == sorted(range(12), key=lambda i: (-exact[i], i))
    assert scores.tolist() == sorted(exact, reverse=True)


def test_equal_scores_keep_the_order_of_the_pictures():
    """Protects the agreement with the page: two scores in five hundred pictures, smaller number first."""
    pictures = np.tile(np.array([[1, 0], [0, 1]], np.int8), (250, 1))
    index = live_search.LiveIndex(["cat"], np.array([[2, 1]], np.int8), pictures, [[]] * 500)
    scores, ids = live_search.search(index, "cat", k=500)
    assert ids.tolist() == [*range(0, 500, 2), *range(1, 500, 2)]
    assert scores.tolist() == [2] * 250 + [1] * 250


def test_a_very_long_sentence_does_not_overflow():
    """Protects a reader who pastes a page: 500 times the largest weight is more than 16 bits hold."""
    index = live_search.LiveIndex(
        ["cat"], np.array([[127]], np.int8), np.array([[127], [-127]], np.int8), [[], []]
    )
    scores, ids = live_search.search(index, "cat " * 500, k=2)
    assert scores.tolist() == [500 * 127 * 127, -500 * 127 * 127]
    assert ids.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("sentence", "k", "message"), [("xyzzy", 3, "xyzzy"), ("cat", 0, "k is 0"), ("cat", 13, "k is 13")]
)
def test_bad_input_is_named(sentence, k, message):
    """Protects the reader from an empty or clamped answer."""
    with pytest.raises(ValueError, match=re.escape(message)):
        live_search.search(small_index(), sentence, k)


@pytest.fixture(scope="module")
def stamps():
    try:
        return datasets.load_stamps()
    except datasets.MissingDataError as error:
        pytest.skip(str(error).splitlines()[0])


def test_the_shipped_files_hold_the_index(stamps, tmp_path):
    """Protects the page: what it decodes is what Python searched, in less than 1.5 MB together."""
    index = live_search.build_index(stamps)
    script, sheet = live_search.export(stamps, tmp_path / "live")
    data = json.loads(script.read_text(encoding="utf-8").removeprefix("window.LIVE_SEARCH = ").rstrip(";\n"))
    vectors = np.frombuffer(base64.b64decode(data["pictureVectors"]), np.int8).reshape(len(stamps), -1)
    assert np.array_equal(vectors, index.picture_vectors)
    assert data["words"].split(" ") == index.words
    assert data["captions"] == stamps.captions("en")
    assert script.stat().st_size + sheet.stat().st_size < 1.5e6


def test_every_caption_finds_pictures_better_than_chance(stamps):
    """Protects the box from shuffled vectors: R@10 over all captions is far above the 10 in 696 of a guess."""
    index = live_search.build_index(stamps)
    hits = [i in live_search.search(index, caption)[1] for i, caption in enumerate(stamps.captions("en"))]
    assert np.mean(hits) > 0.3  # measured 0.4; chance 0.014


class FewStamps:
    """Twelve grey pictures with captions, in the place of the collection."""

    def __init__(self, caption="a cat"):
        self.caption = caption

    def images(self):
        return np.full((12, 224, 224, 3), 128, np.uint8)

    def captions(self, lang):
        return [self.caption] * 12

    def __iter__(self):
        return iter([SimpleNamespace(captions={"en": self.caption})] * 12)


def test_the_build_makes_the_files_once_and_writes_them_where_the_page_looks(tmp_path, monkeypatch):
    """Protects the box from a missing file, from stale captions, and the second build from work done twice."""
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(live_search, "build_index", counted := Counted(lambda stamps: small_index()))
    for name, caption in [("first", "a cat"), ("second", "a cat"), ("third", "a drum")]:
        monkeypatch.setattr(datasets, "load_stamps", lambda caption=caption: FewStamps(caption))
        app = SimpleNamespace(builder=SimpleNamespace(format="html"), outdir=str(tmp_path / name))
        assert _live_page._export(app) == []
        folder = tmp_path / name / "_static" / "live-search"
        names = ["data.js", "search.css", "search.js", "sheet.webp"]
        assert sorted(file.name for file in folder.iterdir()) == names
        assert caption in (folder / "data.js").read_text(encoding="utf-8")
    assert counted.calls == 2


def test_the_comment_becomes_the_box_with_links_that_fit_the_depth_of_the_page():
    """Protects pages in folders: script data, thumbnails and credits are two levels up."""
    builder = SimpleNamespace(current_docname="a/b/c", get_target_uri=lambda name: f"{name}.html")
    translator = SimpleNamespace(builder=builder, body=[])
    page = nodes.section("", nodes.raw("", "<!-- another -->"), nodes.raw("", "<!-- live-search -->\n"))
    _live_page._place_box(None, page)
    assert isinstance(page[0], nodes.raw)
    node = page[1]
    with pytest.raises(nodes.SkipNode):
        _live_page._visit(translator, node)
    assert 'data-base="../../_static/live-search/"' in translator.body[0]
    assert 'href="../../book/datasets.html"' in translator.body[0]
    assert 'role="search"' in translator.body[0]


def test_only_pages_with_the_box_load_its_files():
    """Protects every other page from a megabyte that it does not need."""
    app = SimpleNamespace(add_css_file=Counted(), add_js_file=Counted())
    plain, with_box = nodes.section(), nodes.section("", _live_page._LiveSearch())
    _live_page._add_files(app, "page", "page.html", {}, plain)
    _live_page._add_files(app, "search", "page.html", {}, None)
    assert app.add_js_file.calls == 0
    _live_page._add_files(app, "page", "page.html", {}, with_box)
    assert (app.add_css_file.calls, app.add_js_file.calls) == (1, 2)


class Counted:
    """A function that counts its calls."""

    def __init__(self, function=lambda *args, **kwargs: None):
        self.function, self.calls = function, 0

    def __call__(self, *args, **kwargs):
        self.calls += 1
        return self.function(*args, **kwargs)
