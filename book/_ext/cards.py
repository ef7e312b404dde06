"""The chapters as cards, at the place of the comment ``<!-- chapter-cards -->``: title, sections, and a picture.

The picture is the first figure of the chapter's first notebook, as it came out of this build.
"""

from __future__ import annotations

import base64
import re
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from execution import load, place_of

__all__ = ["first_figure", "setup"]

MARK = "<!-- chapter-cards -->"


def first_figure(copy: Path) -> tuple[bytes, str] | None:
    """The PNG of the first figure of an executed notebook and its alternative text, if there is one."""
    notebook = load(copy)
    for cell in notebook.cells if notebook else []:
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
                return base64.b64decode(output.data["image/png"]), alt
    return None


def _place(app: Any, doctree: nodes.document, docname: str) -> None:
    for node in list(doctree.findall(nodes.raw)):
        if node.astext().strip() == MARK:
            html = "".join(_card(app, chapter) for chapter in _chapters(app.env))
            node.replace_self(nodes.raw("", f'<div class="chapter-cards">{html}</div>', format="html"))


def _chapters(env: Any) -> list[str]:
    pages = sorted(name for name in env.titles if re.fullmatch(r"notebooks/ch\d+_\w+/index", name))
    return [name for name in pages if env.toctree_includes.get(name)]


def _card(app: Any, chapter: str) -> str:
    sections = app.env.toctree_includes[chapter]
    title = escape(app.env.titles[chapter].astext())
    number = int(re.findall(r"/ch(\d+)_", chapter)[0])
    links = "".join(
        f'<li><a href="../{s}.html">{escape(app.env.titles[s].astext())}</a></li>' for s in sections
    )
    head = f'<h3><a href="../{chapter}.html">{number} {title}</a></h3>'
    return (
        f'<section class="chapter-card">{_picture(app, sections[0], number)}{head}<ul>{links}</ul></section>'
    )


def _picture(app: Any, page: str, number: int) -> str:
    root = Path(app.srcdir)
    found = first_figure(place_of(root / f"{page}.ipynb", root))
    if found is None:
        return ""
    folder = Path(app.outdir) / "_static" / "cards"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"ch{number:02d}.png").write_bytes(found[0])
    return f'<img src="../_static/cards/ch{number:02d}.png" alt="{escape(found[1])}" loading="lazy">'


def setup(app: Any) -> dict[str, bool]:
    """Connect the cards to Sphinx."""
    app.connect("doctree-resolved", _place)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
