"""Where the built pages are; their links, anchors and sources, with the standard library only. Small pages of a demo."""

import importlib.util
import os
import shutil
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

LINKS = {
    "a": "href",
    "link": "href",
    "img": "src",
    "script": "src",
    "audio": "src",
    "video": "src",
    "source": "src",
}
SITE = Path(os.environ.get("XMRLIB_SITE") or Path(__file__).resolve().parents[2] / "_build" / "html")
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
HOME = "http://book.invalid/"  # stands for the root of the site while links are resolved


@dataclass
class Page:
    """What a page offers (anchors) and what it asks for (links)."""

    anchors: set[str] = field(default_factory=set)
    duplicates: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    alts: list[str | None] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.page = Page()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        anchor = attrs.get("id")
        if anchor in self.page.anchors:
            self.page.duplicates.add(anchor)
        if anchor:
            self.page.anchors.add(anchor)
        if tag == "img":
            self.page.alts.append(attrs.get("alt"))
        if attrs.get(LINKS.get(tag)):
            self.page.links.append(attrs[LINKS[tag]])


def read(path: Path) -> Page:
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader.page


def read_site(site: Path) -> dict[str, Page]:
    """Every page of the site by its address below the root."""
    return {
        path.relative_to(site).as_posix(): read(path)
        for path in sorted(site.rglob("*.html"))
        if "_static" not in path.relative_to(site).parts
    }


def broken(site: Path, pages: dict[str, Page]) -> list[str]:
    """Links inside the site whose file or anchor does not exist, each with the page that has it."""
    faults = []
    for name, page in pages.items():
        for link in page.links:
            target = urlsplit(urljoin(HOME + name, link))
            if f"{target.scheme}://{target.netloc}/" != HOME:
                continue
            path, anchor = unquote(target.path.lstrip("/")) or "index.html", unquote(target.fragment)
            if not (site / path).is_file():
                faults.append(f"{name}: {link} leads to {path}, which does not exist")
            elif anchor.startswith("q="):  # a query for the search box, which is on the same page
                continue
            elif anchor and path in pages and anchor not in pages[path].anchors:
                faults.append(f"{name}: {link} leads to an anchor that {path} does not have")
    return faults


# --- a demo without the book -----------------------------------------------------------------------

DEMO_PAGE = """<!DOCTYPE html>
<html lang="en" data-theme="{theme}"><head><meta charset="utf-8"><title>{name}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
{links}</head>
<body><main class="bd-article"><h1>{name}</h1>{boxes}</main></body></html>"""


def write_demo_pages(folder: Path, demo: Any, pages: dict[str, str]) -> Path:
    """A small site in ``folder``: the HTML of the places for each page, with the styles of the book and of the demo.

    The page named "dark" is dark, all others are light. The demo's data must be in its folder below ``_static``.
    """
    static, root = folder / "_static", Path(__file__).resolve().parents[2]
    theme = Path(importlib.util.find_spec("pydata_sphinx_theme").origin).parent
    css = theme / "theme/pydata_sphinx_theme/static/styles/pydata-sphinx-theme.css"
    shutil.copy(css, static / "theme.css")
    shutil.copy(root / "book" / "_static" / "book.css", static)
    shutil.copy(root / "xmrlib" / "fonts" / "sans-sc.otf", static)
    for file in demo.files:
        shutil.copy(file, static / demo.name)
    styles = ["theme.css", "book.css", *(f"{demo.name}/{name}" for name in demo.styles)]
    links = "".join(f'<link rel="stylesheet" href="_static/{name}">' for name in styles)
    links += "".join(f'<script defer src="_static/{demo.name}/{name}"></script>' for name in demo.scripts)
    for name, boxes in pages.items():
        dark = "dark" if name == "dark" else "light"
        text = DEMO_PAGE.format(theme=dark, name=demo.name.capitalize(), links=links, boxes=boxes)
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return folder


def opened(tab: Any, folder: Path, name: str = "light") -> None:
    """Opens a page from disk, anew if it is open; when it is loaded, the scripts of its demo have run."""
    tab.goto("about:blank")
    tab.goto((folder / f"{name}.html").as_uri())
