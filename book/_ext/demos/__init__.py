"""Live demos of the book: a page places one with a comment, the build writes its files once for all pages.

A demo is a folder here with an ``export.py`` (Python, makes its data), a ``page.py`` (a `Demo`, connected to Sphinx)
and the script and style of its page part. ``<!-- live-search -->`` in a page or notebook places the demo of that
name, ``<!-- live-search: a bird of prey -->`` with a value to start from. It is a comment, because a directive of our
own would show as an error in JupyterLab. The demos run without a server, also on a page that is opened from disk.
"""

from __future__ import annotations

import io
import re
import shutil
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from docutils import nodes

__all__ = ["Demo", "Place", "connect", "names", "setup", "write_once"]


@dataclass(frozen=True)
class Place:
    """One place of a demo: its ``number`` on the page (from 1), what it starts with, and the way ``up`` to the root."""

    number: int
    start: str
    up: str


@dataclass(frozen=True)
class Demo:
    """A demo: the ``name`` of its comment and of its folder below ``_static``, the HTML of one place, the files of its
    page part, and ``export``, which writes its data to a folder. ``scripts`` are loaded in this order, after the page."""

    name: str
    html: Callable[[Place], str]
    export: Callable[[Path], object]
    files: tuple[Path, ...]
    scripts: tuple[str, ...]

    @property
    def styles(self) -> list[str]:
        """Names of the style sheets among the files."""
        return [file.name for file in self.files if file.suffix == ".css"]


def connect(app: Any, demo: Demo) -> dict[str, Any]:
    """Connect a demo to Sphinx; a page part of another length or content has every page read again."""
    app.connect("doctree-read", lambda app, doctree: place(demo, doctree, app.env.docname))
    app.connect("html-page-context", lambda app, page, template, context, doctree: load(app, demo, doctree))
    app.connect("html-collect-pages", lambda app: write(app, demo))
    html = demo.html(Place(1, "", ""))
    return {"parallel_read_safe": True, "parallel_write_safe": True, "env_version": zlib.crc32(html.encode())}


def place(demo: Demo, doctree: nodes.document, docname: str) -> None:
    """Put the demo where its comment stands, once for each comment."""
    mark = re.compile(rf"<!--\s*{re.escape(demo.name)}\s*(?::(.*?))?-->", re.DOTALL)
    up, number = "../" * docname.count("/"), 0
    for node in list(doctree.findall(nodes.raw)):
        found = mark.fullmatch(node.astext().strip())
        if found:
            number += 1
            html = demo.html(Place(number, escape((found[1] or "").strip()), up))
            node.replace_self(nodes.raw("", html, format="html", demo=demo.name))


def load(app: Any, demo: Demo, doctree: nodes.document | None) -> None:
    """Load script and style on the pages that have the demo, and on no other."""
    if doctree is None or not any(node.get("demo") == demo.name for node in doctree.findall(nodes.raw)):
        return
    for name in demo.styles:
        app.add_css_file(f"{demo.name}/{name}")
    for name in demo.scripts:
        app.add_js_file(f"{demo.name}/{name}", defer="defer")


def write(app: Any, demo: Demo) -> list[Any]:
    """Write the data and copy the page part, when HTML is built."""
    if app.builder.format == "html":
        folder = Path(app.outdir) / "_static" / demo.name
        demo.export(folder)
        for file in demo.files:
            shutil.copyfile(file, folder / file.name)
    return []  # no pages of its own


def write_once(key: object, make: Callable[[], Mapping[str, bytes]], folder: Path) -> None:
    """Replace ``folder`` by the files of ``make()``, name -> content; made once for a key and then kept in the store.

    The store keeps them as one archive, so they are all there or none is.
    """
    from xmrlib import store

    kept = store.cached_array(key, lambda: np.frombuffer(_archive(make()), np.uint8), folder="demos")
    shutil.rmtree(folder, ignore_errors=True)
    with zipfile.ZipFile(io.BytesIO(kept.tobytes())) as archive:
        archive.extractall(folder)


def _archive(files: Mapping[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return content.getvalue()


def names() -> list[str]:
    """The demos there are: each folder that has a ``page.py``."""
    return sorted(page.parent.name for page in Path(__file__).parent.glob("*/page.py"))


def setup(app: Any) -> dict[str, bool]:
    """Connect every demo to Sphinx."""
    for name in names():
        app.setup_extension(f"demos.{name}.page")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
