"""Every link, anchor, script and picture of the built book leads somewhere."""

import importlib
import re
from pathlib import Path

import pytest
import site_pages
from execution import machine_paths

import xmrlib

pytestmark = pytest.mark.site

MEGABYTE = 1_000_000
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pages(site):
    return site_pages.read_site(site)


def test_internal_links_and_anchors_exist(site, pages):
    assert site_pages.broken(site, pages) == []


def test_anchors_are_unique(pages):
    assert {name: sorted(page.duplicates) for name, page in pages.items() if page.duplicates} == {}


def test_every_picture_has_a_real_alternative_text(pages):
    faults = [
        f"{name}: alt={alt!r}"
        for name, page in pages.items()
        for alt in page.alts
        if alt is None or re.match(r"(\.\./)*_images/|<|\S+\.(png|svg|jpe?g)$", alt)
    ]
    assert faults == []


def test_no_page_weighs_more_than_three_megabytes(site, pages):
    heavy = {name: size for name in pages if (size := (site / name).stat().st_size) > 3 * MEGABYTE}
    assert heavy == {}


def test_the_page_for_missing_pages_has_links_that_hold_at_any_depth(pages):
    relative = [link for link in pages["404.html"].links if not re.match(r"/|#|[a-z]+:", link)]
    assert relative == []


def leaks(html: str, paths: list[str]) -> list[str]:
    """What a page shows of the run that made it: standard error, warnings, paths of the machine."""
    marks = [
        r'class="output stderr',
        r"\b(?:User|Runtime|Future|Deprecation|Syntax|Import)Warning: ",
        r"site-packages[/\\]",
    ]
    marks += [rf"(?<![\w.]){re.escape(path)}(?![\w-])" for path in paths]
    return [html[found.start() :][:100] for mark in marks for found in [re.search(mark, html)] if found]


def test_no_page_shows_standard_error_or_a_path_of_the_machine_that_built_it(site, pages):
    """Protects the reader from red boxes and the builder from telling where he works."""
    paths = [place for path in machine_paths(ROOT) for place in {path, Path(path).as_posix()}]
    texts = {name: (site / name).read_text(encoding="utf-8") for name in pages}
    assert {name: found for name, text in texts.items() if (found := leaks(text, paths))} == {}


def test_planted_leaks_are_seen():
    """Protects the test above: it sees each kind of leak, and lets a plain page pass."""
    for html in [
        '<div class="output stderr">x</div>',
        "<p>UserWarning: Glyph 1 missing</p>",
        "<p>/opt/venv/lib/site-packages/x.py</p>",
        "<p>in /mnt/me/book</p>",
    ]:
        assert len(leaks(html, ["/mnt/me"])) == 1, html
    assert leaks("<p>a warning about /mnt/men, and Warning: hot</p>", ["/mnt/me"]) == []


def test_the_reference_documents_every_public_name(pages):
    """Protects the page API: each name of each module's `__all__` has an entry of its own that can be linked to."""
    anchors, missing = pages["book/api.html"].anchors, []
    for name in xmrlib.__all__:
        module = importlib.import_module(f"xmrlib.{name}")
        functions = [one for one in module.__all__ if callable(getattr(module, one))]
        missing += [f"{name}.{one}" for one in functions if f"xmrlib.{name}.{one}" not in anchors]
    assert missing == []


def test_the_checker_sees_planted_faults(tmp_path):
    (tmp_path / "a.html").write_text(
        '<h1 id="x">A</h1><a href="b.html#y">b</a><img src="no.png"><a href="#x">x</a>'
    )
    (tmp_path / "b.html").write_text('<p id="z"></p><p id="z"></p><a href="https://example.org/no">out</a>')
    pages = site_pages.read_site(tmp_path)
    found = site_pages.broken(tmp_path, pages)
    assert len(found) == 2 and "b.html#y" in found[0] and "no.png" in found[1]
    assert pages["b.html"].duplicates == {"z"} and pages["a.html"].alts == [None]
