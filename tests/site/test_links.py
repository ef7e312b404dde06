"""Every link, anchor, script and picture of the built book leads somewhere."""

import re
import sys
from pathlib import Path

import pytest
import site_pages

pytestmark = pytest.mark.site

MEGABYTE = 1_000_000


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


def test_no_page_shows_a_path_of_the_machine_that_built_it(site, pages):
    places = [
        f"{path.as_posix()}/" for path in (Path.home(), Path(__file__).resolve().parents[2], Path(sys.prefix))
    ]
    faults = {
        name: found
        for name in pages
        if (found := [place for place in places if place in (site / name).read_text(encoding="utf-8")])
    }
    assert faults == {}


def test_the_checker_sees_planted_faults(tmp_path):
    (tmp_path / "a.html").write_text(
        '<h1 id="x">A</h1><a href="b.html#y">b</a><img src="no.png"><a href="#x">x</a>'
    )
    (tmp_path / "b.html").write_text('<p id="z"></p><p id="z"></p><a href="https://example.org/no">out</a>')
    pages = site_pages.read_site(tmp_path)
    found = site_pages.broken(tmp_path, pages)
    assert len(found) == 2 and "b.html#y" in found[0] and "no.png" in found[1]
    assert pages["b.html"].duplicates == {"z"} and pages["a.html"].alts == [None]
