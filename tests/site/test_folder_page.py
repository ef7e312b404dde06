"""The search page over a reader's own folder, in a real browser and from disk: odd names, a broken picture, changes."""

import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from PIL import Image
from site_pages import PHONE, WIDE
from test_browser import Watch, overflow, violations

from xmrlib import datasets, search

pytestmark = pytest.mark.site

NAMES = {
    "animals/mammals/dogs/dog": "my dog.png",
    "animals/birds/owl": "下载/猫头鹰 (1).png",
    "hobbies/music/string/guitar_classical": "<b>loud</b> &amp;.png",
    "food/fruit/banana": 'it\'s "yellow", 100% #1?.png',
    "animals/mammals/equines/horse": "a/b/c/马.png",
    "hobbies/music/string/violin": "<img src=x onerror=alert(1)>.png",
    "animals/mammals/elephant": "éléphant.png",
    "animals/amphibians/frog": f"{'long' * 40}.png",
    "food/fruit/apple_red": "ＡＰＰＬＥ + pear.png",
    "plants/flowers/yellow-flower": "javascript:alert(1).png",
    "seasonal/christmas/tree": "🎄.png",
    "vehicles/race/f1_car": "UPPER CASE.SVG",
}
"""Stamp -> the name that its picture gets in the folder of the reader."""
BROKEN = "half a picture.png"
FIRST = {
    "a dog": "my dog.png",
    "an owl": "下载/猫头鹰 (1).png",
    "吉他": "<b>loud</b> &amp;.png",
    "a horse": "a/b/c/马.png",
}


@pytest.fixture(scope="module")
def originals() -> dict[str, Path]:
    """The pictures of the stamps by their names."""
    try:
        return {stamp.id: stamp.picture for stamp in datasets.load_stamps()}
    except datasets.MissingDataError as error:
        pytest.skip(str(error).splitlines()[0])


def make_folder(originals: dict[str, Path], folder: Path) -> Path:
    """A dozen pictures and a broken one."""
    for stamp, name in NAMES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(originals[stamp], folder / name)
    whole = originals["animals/birds/owl"].read_bytes()
    (folder / BROKEN).write_bytes(whole[: len(whole) // 2])
    return folder


def build(folder: Path) -> Path:
    """The page stands beside the folder."""
    return search.search_folder(folder, folder.parent / "page", show=False)


@pytest.fixture(scope="module")
def folder(originals, tmp_path_factory) -> Path:
    return make_folder(originals, tmp_path_factory.mktemp("own") / "my <i>pictures<_i>")


@pytest.fixture(scope="module")
def page(folder) -> Path:
    return build(folder)


@pytest.fixture
def tab(browser, tmp_path_factory):
    """A tab; after the test: no complaint, and nothing asked for but files of these tests."""
    tab = browser.new_page(viewport=PHONE)
    with Watch(tab) as watch:
        yield tab
    assert watch.complaints == []
    assert watch.strangers(tmp_path_factory.getbasetemp().as_uri()) == []
    tab.close()


def ask(tab, page: Path, query: str) -> list[str]:
    """Opens the page from disk, types a query: the names below the pictures, best first."""
    tab.goto("about:blank")
    tab.goto(page.as_uri())
    tab.wait_for_function("window.liveSearch !== undefined")
    tab.get_by_role("searchbox").fill(query)
    tab.get_by_role("searchbox").press("Enter")
    return tab.locator(".ls-caption").all_inner_texts()


def loaded(tab) -> int:
    """How many thumbnails have come; waits for all, also those further down."""
    for small in tab.locator(".ls-card img").all():
        small.scroll_into_view_if_needed()
    tab.wait_for_function("[...document.images].every(i => i.complete)")
    return tab.evaluate("[...document.images].filter(i => i.naturalWidth).length")


def test_the_right_picture_is_found_and_opens(folder, page, tab):
    """Protects the promise: typed English and Chinese find the picture, under its odd name, and its link is the file."""
    for query, name in FIRST.items():
        found = ask(tab, page, query)
        assert found[0] == name
        assert sorted(found) == sorted(NAMES.values())
    assert loaded(tab) == len(NAMES)
    assert tab.get_by_role("heading", level=1).inner_text() == f"Search {folder.name}"
    assert tab.locator("b, i, [onerror]").count() == 0
    for link in tab.locator(".ls-card a").all():
        name = link.locator("xpath=..").locator(".ls-caption").inner_text()
        target = urlsplit(link.evaluate("a => a.href"))
        assert target.scheme == "file"
        assert Path(unquote(target.path)) == folder / name
    tab.goto(tab.locator(".ls-card a").first.evaluate("a => a.href"))
    with Image.open(folder / found[0]) as picture:
        assert tab.evaluate("document.images[0].naturalWidth") == picture.width


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_no_fault_for_axe_and_no_sideways_scrolling(page, tab, axe_source, theme, viewport):
    """Protects phones and readers who listen to the page, with reasons open, long names and an unknown word."""
    tab.emulate_media(color_scheme=theme)
    tab.set_viewport_size(viewport)
    assert len(ask(tab, page, "a violn and a dog " + "x" * 300)) == len(NAMES)
    tab.locator(".ls-why").nth(2).click()
    assert tab.locator(".ls-reasons li").count() > 0
    assert violations(tab, axe_source) == []
    assert overflow(tab) == []


def test_what_went_and_what_came_is_seen_after_the_next_run(originals, tmp_path, tab):
    """Protects the second run: a deleted picture is gone, a new one is found, a broken one is mended."""
    folder = make_folder(originals, tmp_path / "pictures")
    assert ask(tab, build(folder), "a dog")[0] == "my dog.png"
    (folder / "my dog.png").unlink()
    shutil.copy(originals["animals/amphibians/frog-1"], folder / "new.png")
    shutil.copy(originals["animals/birds/owl"], folder / BROKEN)
    page = build(folder)
    assert set(ask(tab, page, "an owl")[:2]) == {"下载/猫头鹰 (1).png", BROKEN}
    found = ask(tab, page, "a frog")
    assert set(found[:2]) == {"new.png", f"{'long' * 40}.png"}
    assert sorted(found) == sorted({*NAMES.values(), "new.png", BROKEN} - {"my dog.png"})
    assert loaded(tab) == len(found)
    assert len(list((page.parent / "thumbnails").iterdir())) == len(found) - 1  # the two owls share one
