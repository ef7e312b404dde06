"""The search box of chapter 1, at the place of the comment ``<!-- live-search -->``, with its data written by the build.

A comment, because a directive of our own would show as an error in JupyterLab.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from docutils import nodes

__all__ = ["setup"]

_EXAMPLES = (
    "a musical instrument", "a big cat", "yellow fruit", "something to drink from", "a vehicle that flies", "猫头鹰", "一只大猫",
)  # fmt: skip
_MARK = "<!-- live-search -->"
_BOX = """<section class="live-search" data-base="{base}" aria-label="Live search">
<form role="search">
<label for="live-search-query">Search the pictures: type English or Chinese words</label>
<input id="live-search-query" type="search" autocomplete="off" spellcheck="false" value="a musical instrument">
</form>
<div class="ls-examples">{buttons}</div>
<p class="ls-status" role="status"></p>
<p class="ls-needs">The search box runs in your browser and needs JavaScript.</p>
<ol></ol>
<p class="ls-credit">Pictures and captions: the stamps of Tux Paint, by many contributors
(<a href="{credits}">credits and licences</a>).</p>
</section>"""


class _LiveSearch(nodes.General, nodes.Element):
    """Where the search box stands."""


def _place_box(app: Any, doctree: nodes.document) -> None:
    for node in list(doctree.findall(nodes.raw)):
        if node.astext().strip() == _MARK:
            node.replace_self(_LiveSearch())


def _visit(translator: Any, node: _LiveSearch) -> None:
    builder = translator.builder
    depth = builder.get_target_uri(builder.current_docname).count("/")
    buttons = "".join(f'<button type="button" data-query="{text}">{text}</button>' for text in _EXAMPLES)
    up = "../" * depth
    text = _BOX.format(base=up + "_static/live-search/", credits=up + "book/datasets.html", buttons=buttons)
    translator.body.append(text)
    raise nodes.SkipNode


def _skip(translator: Any, node: _LiveSearch) -> None:
    raise nodes.SkipNode


def _add_files(app: Any, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    if doctree is not None and any(doctree.findall(_LiveSearch)):
        app.add_css_file("live-search/search.css")
        app.add_js_file("live-search/data.js", defer="defer")
        app.add_js_file("live-search/search.js", defer="defer")


def _export(app: Any) -> list[Any]:
    if app.builder.format == "html":
        from xmrlib import datasets, live_search

        folder = Path(app.outdir) / "_static" / "live-search"
        live_search.export(datasets.load_stamps(), folder)
        for name in ("search.css", "search.js"):
            shutil.copyfile(Path(__file__).parent / name, folder / name)
    return []  # no pages of its own


def setup(app: Any) -> dict[str, bool]:
    """Connect the search box to Sphinx."""
    app.add_node(_LiveSearch, html=(_visit, None), latex=(_skip, None), text=(_skip, None))
    app.connect("doctree-read", _place_box)
    app.connect("html-page-context", _add_files)
    app.connect("html-collect-pages", _export)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
