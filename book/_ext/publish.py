"""The Sphinx extension for what goes out: buttons with an address, no foreign scripts, valid pages, root pages."""

from __future__ import annotations

import os
import re
from html import escape
from pathlib import Path
from typing import Any

__all__ = ["setup"]

# sphinx-exercise gives every exercise of a page the same id; docutils gives a bibliography roles that ARIA has given up
FAULTY_ATTRIBUTES = re.compile(
    r' id="(?:exercise|solution)-content"| role="doc-biblioentry"| role="list"(?= class="citation-list")'
    r'|(?<=class="citation-list") role="list"'
)


def _clean_page(app: Any, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    context["css_files"] = [css for css in context["css_files"] if "thebe" not in str(css.filename)]
    if doctree is not None:
        context["body"] = FAULTY_ATTRIBUTES.sub("", context["body"])


def _switch_off_thebe(app: Any) -> None:
    """Jupyter Book always loads sphinx-thebe, which adds a script from another host to every page."""
    for listeners in app.events.listeners.values():
        listeners[:] = [one for one in listeners if not one.handler.__module__.startswith("sphinx_thebe")]


def _publish(app: Any, config: Any) -> None:
    """Buttons that lead to the repository exist only when its public address is known."""
    theme = config.html_theme_options
    repository = os.environ.get("GITHUB_REPOSITORY", "")
    if not theme.get("repository_url") and repository:
        theme["repository_url"] = f"{os.environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{repository}"
        owner, name = repository.split("/")
        config.html_baseurl = config.html_baseurl or f"https://{owner.lower()}.github.io/{name}/"
    known = bool(theme.get("repository_url"))
    theme["use_repository_button"] = theme["use_issues_button"] = known
    if not known:
        theme["launch_buttons"] = {}


def _absolute_links(html: str, folder: str, base: str) -> str:
    """Rewrite the relative links of a page in ``folder`` so that they hold from any address below ``base``."""
    from urllib.parse import urljoin

    def absolute(found: re.Match[str]) -> str:
        name, target = found[1], found[2]
        if target.startswith("#") or re.match(r"[a-z]+:", target):
            return found[0]
        return f'{name}="{urljoin(base + folder, target)}"'

    html = re.sub(r'data-content_root="[^"]*"', f'data-content_root="{base}"', html)
    return re.sub(r'\b(href|src|action|formaction)="([^"]*)"', absolute, html)


START_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="0; url={target}"><link rel="canonical" href="{target}"></head>
<body><main><h1>{title}</h1><p><a href="{target}">Open the book</a></p></main></body></html>
"""


def _write_root_pages(app: Any, error: Exception | None) -> None:
    """``index.html`` leads into the book; ``404.html`` is where web hosts look for it."""
    if error is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    start = START_PAGE.format(title=escape(app.config.html_title), target=f"{app.config.root_doc}.html")
    (out / "index.html").write_text(start, encoding="utf-8")
    missing = out / "book" / "404.html"
    if missing.exists():
        from urllib.parse import urlsplit

        base = (urlsplit(app.config.html_baseurl or "").path or "").rstrip("/") + "/"
        page = _absolute_links(missing.read_text(encoding="utf-8"), "book/", base)
        (out / "404.html").write_text(page, encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    _switch_off_thebe(app)
    app.connect("config-inited", _publish, priority=400)
    app.connect("html-page-context", _clean_page, priority=600)
    app.connect("build-finished", _write_root_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
