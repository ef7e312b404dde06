"""The Sphinx extension of the book: cache folder, chapter numbers, information bar, publication.

Only the standard library is imported at the top, so that a script may ask for
``execution_cache_path`` without loading Sphinx.
"""

from __future__ import annotations

import hashlib
import os
import re
from html import escape
from pathlib import Path
from typing import Any

__all__ = ["execution_cache_path", "chapter_number", "setup"]

WORDS_A_MINUTE = 180  # slower than a novel: there are formulas and code
CJK_CHARACTERS_A_WORD = 2
# sphinx-exercise gives every exercise of a page the same id; docutils gives a bibliography roles that ARIA has given up
FAULTY_ATTRIBUTES = re.compile(
    r' id="(?:exercise|solution)-content"| role="doc-biblioentry"| role="list"(?= class="citation-list")'
    r'|(?<=class="citation-list") role="list"'
)
CHAPTER = re.compile(r"notebooks/ch(\d+)_")


# --- execution cache -----------------------------------------------------------------------------


def execution_cache_path(root: str | Path) -> Path:
    """Folder of the notebook cache that belongs to the sources under ``root``.

    jupyter-cache keys on the cells of a notebook only. The name of the folder adds what the cells
    depend on: the files of ``xmrlib`` (data manifest and model hashes among them ),
    the lock, and the place of the stamps when the reader has set one.
    """
    root = Path(root)
    digest = hashlib.sha256()
    for path in [*_package_files(root / "xmrlib"), root / "requirements.txt"]:
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    digest.update(os.environ.get("XMRLIB_STAMPS", "").encode())
    return root / "_build" / ".jupyter_cache" / digest.hexdigest()[:16]


def _package_files(package: Path) -> list[Path]:
    files = (path for path in package.rglob("*") if path.is_file() and path.suffix not in {".pyc", ".tmp"})
    return sorted(files)


def _choose_cache(app: Any, config: Any) -> None:
    config.nb_execution_cache_path = str(execution_cache_path(app.srcdir))


# --- chapter numbers -----------------------------------------------------------------------------


def chapter_number(docname: str) -> int | None:
    """Number of the chapter a page belongs to, read off its folder; None outside the chapters.

    >>> chapter_number("notebooks/ch05_metrics/index")
    5
    >>> chapter_number("book/preface") is None
    True
    """
    found = CHAPTER.match(docname)
    return int(found[1]) if found else None


def _renumber(env: Any) -> None:
    """Put the number of the folder in the first place of every section number of a chapter."""
    from docutils import nodes

    for docname, numbers in env.toc_secnumbers.items():
        chapter = chapter_number(docname)
        if chapter is None:
            continue
        env.toc_secnumbers[docname] = {
            anchor: (chapter, *number[1:]) if number else number for anchor, number in numbers.items()
        }
        for node in [env.titles[docname], *env.tocs[docname].findall(nodes.reference)]:
            if node.get("secnumber"):
                node["secnumber"] = [chapter, *node["secnumber"][1:]]


def _number_by_folder(app: Any) -> None:
    """Replace the collector of section numbers; figures and equations follow from the sections."""
    from sphinx.environment.collectors.toctree import TocTreeCollector
    from sphinx_external_toc.collectors import disable_builtin_toctree_collector

    class ChapterCollector(TocTreeCollector):
        def assign_section_numbers(self, env: Any) -> list[str]:
            before = dict(env.toc_secnumbers)
            super().assign_section_numbers(env)
            _renumber(env)
            return [name for name, numbers in env.toc_secnumbers.items() if numbers != before.get(name)]

    disable_builtin_toctree_collector(app)
    app.add_env_collector(ChapterCollector)


# --- information bar -----------------------------------------------------------------------------


def reading_minutes(text: str) -> int:
    """Minutes to read ``text``; two Chinese characters count as one word.

    >>> reading_minutes("word " * 900)
    5
    """
    cjk = len(re.findall(r"[\u3400-\u9fff]", text))
    words = len(re.findall(r"[^\W_]+", re.sub(r"[\u3400-\u9fff]", " ", text)))
    return max(1, round((words + cjk / CJK_CHARACTERS_A_WORD) / WORDS_A_MINUTE))


def _prose(doctree: Any) -> str:
    """The words of a page without its code, outputs and formulas."""
    from docutils import nodes

    skipped = (nodes.literal_block, nodes.math, nodes.math_block, nodes.raw)
    texts = []
    for node in doctree.findall(nodes.Text):
        parent = node.parent
        while parent is not None and not isinstance(parent, skipped):
            parent = parent.parent
        if parent is None:
            texts.append(node.astext())
    return " ".join(texts)


def _run_time(env: Any, docname: str) -> float | None:
    return env.nb_metadata.get(docname, {}).get("exec_data", {}).get("runtime")


def _launch_links(context: dict[str, Any]) -> list[tuple[str, str]]:
    groups = [
        button for button in context.get("header_buttons", []) if button.get("label") == "launch-buttons"
    ]
    return [(button["text"], button["url"]) for group in groups for button in group["buttons"]]


def _info_bar(app: Any, pagename: str, context: dict[str, Any], doctree: Any) -> str:
    seconds = _run_time(app.env, pagename)
    facts = [f"{reading_minutes(_prose(doctree))} min to read"]
    if seconds is not None:
        facts.append(f"{max(1, round(seconds))} s to run here")
    source = context["pathto"](f"_sources/{context['sourcename']}", 1)
    links = [f'<a href="{escape(source)}" download>Download notebook</a>']
    links += [
        f'<a href="{escape(url)}" rel="external">Run on {escape(name)}</a>'
        for name, url in _launch_links(context)
    ]
    items = "".join(f"<li>{item}</li>" for item in facts + links)
    return f'<ul class="info-bar" aria-label="About this notebook">{items}</ul>'


def _mend_page(app: Any, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    context["css_files"] = [css for css in context["css_files"] if "thebe" not in str(css.filename)]
    if doctree is None:
        return
    body = FAULTY_ATTRIBUTES.sub("", context["body"])
    if context.get("page_source_suffix") == ".ipynb":
        body = body.replace("</h1>", "</h1>\n" + _info_bar(app, pagename, context, doctree), 1)
    context["body"] = body


# --- reference of the package --------------------------------------------------------------------


def _short_types(
    app: Any, what: str, name: str, obj: Any, options: Any, signature: str | None, returns: str | None
):
    """numpy's ArrayLike is spelled out over four lines unless it is called by its name."""
    from numpy.typing import ArrayLike
    from sphinx.util.typing import stringify_annotation

    long = stringify_annotation(ArrayLike, "smart")
    return tuple(text and text.replace(long, "ArrayLike") for text in (signature, returns))


# --- publication ---------------------------------------------------------------------------------


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
    for needed in ("sphinx_external_toc", "sphinx.ext.autodoc"):
        app.setup_extension(needed)
    _switch_off_thebe(app)
    _number_by_folder(app)
    app.connect("config-inited", _choose_cache, priority=400)
    app.connect("config-inited", _publish, priority=400)
    app.connect("autodoc-process-signature", _short_types)
    app.connect("html-page-context", _mend_page, priority=600)  # after the buttons of the theme (501)
    app.connect("build-finished", _write_root_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
