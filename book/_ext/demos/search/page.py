"""The search box at the place of the comment ``<!-- live-search -->``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import demos

import xmrlib

__all__ = ["DEMO", "setup"]

EXAMPLES = (
    "a musical instrument", "a big cat", "a yellow flower", "something to drink from", "a vehicle that flies", "猫头鹰", "一只大猫",
)  # fmt: skip
LANGUAGE = ' lang="zh-CN"'
BOX = """<section class="live-search" data-base="{up}_static/live-search/" aria-label="Live search{suffix}">
<form role="search" aria-label="Search the pictures{suffix}">
<label for="live-search-{number}">Search the pictures: type English or Chinese words</label>
<input id="live-search-{number}" type="search" autocomplete="off" autocapitalize="off" spellcheck="false" value="{start}">
</form>
<div class="ls-examples">{buttons}</div>
<div class="ls-answer"><p class="ls-status" role="status"></p><p class="ls-notes"></p></div>
<p class="ls-needs">The search box runs in your browser and needs JavaScript.</p>
<ol></ol>
<p class="ls-credit"><a class="ls-link" href="#q=">Link to this search</a>
<span>Pictures and captions: the stamps of Tux Paint, by many contributors
(<a href="{up}book/datasets.html">credits and licences</a>).</span></p>
</section>"""


def html(place: demos.Place) -> str:
    """The box of one place; a page may have several."""
    buttons = "".join(
        f'<button type="button" data-query="{text}"{"" if text.isascii() else LANGUAGE}>{text}</button>'
        for text in EXAMPLES
    )
    suffix = "" if place.number == 1 else f" {place.number}"
    start = place.start or EXAMPLES[0]
    return BOX.format(up=place.up, number=place.number, suffix=suffix, start=start, buttons=buttons)


def export(folder: Path) -> None:
    """Write the data of the collection."""
    from xmrlib import datasets

    from .export import export

    export(datasets.load_stamps(), folder)


PAGE_PART = Path(xmrlib.__file__).parent / "live_page"  # the package has them too: see xmrlib.search
DEMO = demos.Demo(
    "live-search",
    html,
    export,
    (PAGE_PART / "search.css", PAGE_PART / "search.js"),
    ("data.js", "search.js"),
)


def setup(app: Any) -> dict[str, Any]:
    """Connect the search box to Sphinx."""
    return demos.connect(app, DEMO)
